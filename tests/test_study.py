"""Studies: every committed file plans, arms are matched, order is seed-major, wrong requests are refused by name."""

import copy

import pytest
import yaml

from seqmix import accounting, study
from seqmix.config import RunConfig, SpeedConfig
from seqmix.paths import Paths

NAMES = study.names()


def test_there_are_studies():
    assert {"frontier", "context", "solve", "hybrids", "speed"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_tier_plans_and_arms_of_a_cell_are_matched(name):
    for tier in study.load(name).tiers:
        plan = study.plan(name, tier)
        assert plan
        assert len({(c.run_id, c.group, getattr(c, "arm", "")) for c in plan}) == len(plan)
        cells: dict[tuple, list[int]] = {}
        for config in plan:
            if isinstance(config, RunConfig):
                count = accounting.parameters(config.model)["non_embedding"]
                cells.setdefault((config.group, config.data, config.train.lr, config.seed), []).append(count)
        for counts in cells.values():  # every arm of a size lies within 3 % of it: sizes are far apart, arms are close
            for count in counts:
                near = [other for other in counts if abs(other / count - 1) < 0.3]
                assert max(near) / min(near) < 1.07


@pytest.mark.parametrize("size", ["two32", "two64"])
def test_every_arm_of_few_layers_is_matched_at_the_sizes_of_the_probes(size):
    library = yaml.safe_load((Paths().studies / "arms.yaml").read_text())["arms"]
    arms = [arm for arm, spec in library.items() if spec.get("layers") != 12]
    known = study.library(Paths().studies / "arms.yaml")
    models = {arm: study.model_of(known, arm, size, {}, 64, 64) for arm in arms}
    counts = {arm: accounting.parameters(model)["non_embedding"] for arm, model in models.items()}
    assert len(counts) > 50
    assert max(counts.values()) / min(counts.values()) < 1.07


def test_plan_is_seed_major():
    seeds = [config.seed for config in study.plan("context", "quick")]
    assert seeds == sorted(seeds)
    assert len(set(seeds)) > 1


def test_same_data_order_for_every_architecture():
    for config in study.plan("context", "quick"):
        assert config.data_seed == config.seed


def test_fields_joined_in_a_grid_vary_together():
    cells = {
        (run.data.seq_len, run.train.batch_size)
        for run in study.plan("context", "laptop", overrides={"groups": ["python"], "arms": ["transformer"]})
    }
    assert cells == {(256, 16), (64, 64), (128, 32), (512, 8), (1024, 4)}


def test_groups_that_share_a_list_of_cells_left_out_may_differ_by_name():
    plan = study.plan("frontier", "laptop", overrides={"groups": ["python", "books"], "arms": ["transformer"]})
    longest = {
        name: {c.seed for c in plan if c.group == name and c.train.steps == 4096} for name in ("python", "books")
    }
    assert longest == {"python": {0, 1, 2, 3, 4}, "books": {0, 1, 2}}


def test_touching_one_parameter_renames_only_what_it_changes():
    before = {c.run_id for c in study.plan("context", "quick")}
    after = {c.run_id for c in study.plan("context", "quick", seeds=3)}
    assert before < after
    assert not before & {c.run_id for c in study.plan("context", "quick", overrides={"train.steps": 7})}


def test_a_smaller_grid_is_a_subset():
    whole = {c.run_id for c in study.plan("context", "quick")}
    part = study.plan("context", "quick", overrides={"arms": ["transformer"], "sizes": ["d32"]})
    assert {c.run_id for c in part} < whole
    assert {c.arm for c in part} == {"transformer"}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"overrides": {"sizes": ["d17"]}}, "no size named 'd17' at tier quick; known: d16"),
        ({"overrides": {"arms": ["transformer", "lstm_9"]}}, "no arm named 'lstm_9' at tier quick; known: transformer"),
        ({"overrides": {"groups": ["samples"], "sizes": ["d16"]}}, "nothing of study"),
        ({"overrides": {"train.stepps": 3}}, "stepps"),
        ({"overrides": {"steps": 3}}, "not a field of a run"),
        ({"overrides": {"train.lr": -1}}, "lr"),
        ({"tier": "huge"}, "no tier"),
    ],
)
def test_wrong_requests_are_refused_by_name(request_, message):
    with pytest.raises(study.StudyError, match=message):
        study.plan("frontier", **request_)


def test_unknown_study_lists_the_known_ones():
    with pytest.raises(study.StudyError, match="frontier"):
        study.plan("fronteer")


def test_a_folder_replaces_real_text_only(tmp_path):
    (tmp_path / "a.txt").write_text("In the beginning was the word. " * 4000)
    (tmp_path / "b.txt").write_text("And the word was a token. " * 4000)
    plan = study.plan("context", "quick", path=str(tmp_path))
    assert {c.data.source for c in plan} == {"folder", "almanac-context"}


def test_a_broken_study_file_is_named(tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "studies" / "arms.yaml").write_text((Paths().studies / "arms.yaml").read_text())
    plain = yaml.safe_load((Paths().studies / "frontier.yaml").read_text())
    chain = {"like": {"transformer": "lstm_2", "lstm_2": "lstm_1"}}  # nobody would ever search for the middle one
    for field, value, says in (("sedes", [1], "sedes"), ("tune", chain, "like lstm_2, which needs a search")):
        changed = copy.deepcopy(plain)
        changed["tiers"]["quick"]["groups"][0][field] = value
        (tmp_path / "studies" / "frontier.yaml").write_text(yaml.safe_dump(changed))
        with pytest.raises(study.StudyError, match=rf"frontier\.yaml[\s\S]*{says}"):
            study.plan("frontier", paths=Paths(tmp_path))


def test_speed_measurements_belong_to_this_machine():
    for config in study.plan("speed", "quick"):
        assert isinstance(config, SpeedConfig)
        assert config.machine
