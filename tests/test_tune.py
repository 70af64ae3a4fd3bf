"""Stages of a tuned study: what is asked for next, what is decided, and that it depends on results alone."""

import math
from dataclasses import dataclass

import pytest
import yaml

from seqmix import accounting, study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix_study.runs import precision, tune
from seqmix_study.runs.known import Outcome

STUDY = {
    "title": "Try",
    "question": "?",
    "tiers": {
        "laptop": {
            "groups": [
                {
                    "name": "main",
                    "arms": ["transformer", "lstm"],
                    "families": {"lstm": ["lstm_1", "lstm_2"]},
                    "sizes": ["d16", "d24", "d32", "d48"],
                    "seeds": [0, 1, 2],
                    "base": {"data": {"source": "almanac", "seq_len": 64}, "train": {"lr": "tuned", "batch_size": 4}},
                    "grid": {"train.steps": [32, 128]},
                    "without": [{"arm": "lstm_2", "size": "d48"}],
                    "tune": {"law": [["d16", 32], ["d32", 32], ["d16", 128]]},
                }
            ]
        }
    },
}


def model_of(arm: str):
    return study.model_of(study.library(Paths().studies / "arms.yaml"), arm, "d16", {}, 256, 64)


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "arms.yaml").write_text((Paths().studies / "arms.yaml").read_text("utf-8"), "utf-8")
    (folder / "try.yaml").write_text(yaml.safe_dump(STUDY), "utf-8")
    return Paths(tmp_path)


@dataclass
class World:
    """Answers for runs that were "trained": losses with a planted best rate in every cell."""

    paths: Paths

    def __post_init__(self):
        self.done: dict[str, Outcome] = {}

    def of(self, config: RunConfig):
        return self.done.get(config.run_id)

    def best(self, config: RunConfig) -> float:
        """Octaves of the best rate."""
        n, d = accounting.parameters(config.model)["non_embedding"], config.tokens
        return {"transformer": -7.0, "lstm_1": -5.0, "lstm_2": -6.0}[config.arm] - 0.1 * math.log2(n / 7000 * d / 8192)

    def train(self, config: RunConfig) -> None:
        octaves = math.log2(config.train.lr) - self.best(config)
        loss = {"transformer": 2.0, "lstm_1": 1.9, "lstm_2": 1.8}[config.arm] + 0.05 * octaves**2
        self.done[config.run_id] = Outcome(loss, 1.0, 0)


def finish(paths, world, most=100_000):
    """Train whatever is asked for until nothing is; return the last plan and the number of trainings."""
    count = 0
    for _ in range(60):
        resolved = tune.plan("try", "laptop", paths, world)
        todo = [run for run in resolved.runs if world.of(run) is None]
        if not todo or count >= most:
            return resolved, count
        for run in todo[: most - count]:
            world.train(run)
            count += 1
    raise AssertionError("the study does not end")


def test_every_run_ends_up_tuned(paths):
    resolved, _ = finish(paths, World(paths))
    assert not resolved.waiting
    evidence = [run for run in resolved.runs if run.role == "evidence"]
    cells = {(run.family, run.size, run.train.steps) for run in evidence}
    assert len(cells) == 2 * 4 * 2
    assert {run.seed for run in evidence} == {0, 1, 2}
    world = World(paths)
    for run in evidence:
        assert run.rate.where in ("interior", "law")
        away = math.log2(run.train.lr) - world.best(run)
        assert 0.05 * away**2 <= run.rate.regret + 1e-6, "what the rate costs is inside what the run says it costs"
        assert run.rate.regret < 0.01
        assert run.rate.trials > 10
    lstms = {(run.size, run.arm) for run in evidence if run.family == "lstm"}
    assert lstms == {("d16", "lstm_2"), ("d24", "lstm_2"), ("d32", "lstm_2"), ("d48", "lstm_1")}, "best on valid"
    losers = {run.arm for run in resolved.runs if run.role == "choice"}
    assert losers == {"lstm_1"}


def test_order_of_training_changes_nothing(paths):
    """Killed and taken up again, in other portions: the same runs, the same rates, the same regrets."""
    whole, _ = finish(paths, World(paths))
    world = World(paths)
    for portion in (1, 2, 7, 3, 20):
        finish(paths, world, portion)
    parts, _ = finish(paths, world)
    assert [run.model_dump() for run in parts.runs] == [run.model_dump() for run in whole.runs]


def test_no_run_waits_for_nothing(paths):
    first = tune.plan("try", "laptop", paths, World(paths))
    assert first.waiting
    assert all(run.role == "sweep" for run in first.runs)
    assert all("sweep" in why or "choice" in why or "law" in why for why in first.waiting.values())


def test_trials_near_the_optimum_are_the_evidence_of_their_seeds(paths):
    resolved, trained = finish(paths, World(paths))
    assert trained == len({run.run_id for run in resolved.runs}) == len(resolved.runs)


def test_the_trials_that_are_counted_are_those_that_were_made(paths):
    world, made = World(paths), {}
    train = world.train

    def remember(config):
        if config.role == "sweep":
            made.setdefault(config.arm, set()).add(config.run_id)
        train(config)

    world.train = remember
    resolved, _ = finish(paths, world)
    assert {(run.arm, run.rate.trials) for run in resolved.runs} == {(arm, len(made[arm])) for arm in made}


def test_a_corner_off_the_law_is_told(paths):
    world = World(paths)
    usual = world.best
    world.best = lambda c: usual(c) - (2.0 if c.size == "d48" and c.train.steps == 128 else 0.0)
    resolved, _ = finish(paths, world)
    long = [r for r in resolved.runs if r.arm == "transformer" and r.train.steps == 128 and r.size == "d24"]
    assert all(run.rate.regret > 0.005 for run in long if run.role == "evidence"), (
        "it relies on a law that failed there"
    )
    corner = [r for r in resolved.runs if r.arm == "transformer" and r.train.steps == 128 and r.size == "d48"]
    assert all(run.rate.where == "interior" for run in corner if run.role == "evidence"), "its own sweep decides"


def test_a_trial_that_failed_or_was_lost_moves_no_rate(paths):
    """It is asked for again, and until it is there nothing is planned that the whole study would not ask for."""
    world = World(paths)
    usual = world.best  # a law that is fitted again when its checks are known
    world.best = lambda c: usual(c) - (2.0 if c.size == "d48" and c.train.steps == 128 else 0.0)
    whole, _ = finish(paths, world)
    wanted = {run.run_id for run in whole.runs}
    trials = [run for run in whole.runs if run.rate.sweep and not run.rate.sweep.startswith("law") and run.seed < 2]
    for lost in trials[::4]:
        outcome = world.done.pop(lost.run_id)
        now = tune.plan("try", "laptop", paths, world)
        asked = {run.run_id for run in now.runs}
        assert asked <= wanted, f"{sorted(asked - wanted)} would be trained because {lost.run_id} is not there"
        assert lost.run_id in asked
        world.done[lost.run_id] = outcome


def test_a_study_may_name_the_cells_that_check_its_law_and_leave_out_seeds(paths):
    plain = yaml.safe_load((paths.studies / "try.yaml").read_text("utf-8"))
    (group,) = plain["tiers"]["laptop"]["groups"]
    group["tune"]["check"] = [["d32", 128]]
    group["without"] = [{"size": "d48", "train.steps": 128, "seed": 2}]
    (paths.studies / "try.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    resolved, _ = finish(paths, World(paths))
    swept = {(run.size, run.train.steps) for run in resolved.runs if run.role == "sweep"}
    assert swept == {("d16", 32), ("d32", 32), ("d16", 128), ("d32", 128)}
    seeds = {run.seed for run in resolved.runs if (run.role, run.size, run.train.steps) == ("evidence", "d48", 128)}
    assert seeds == {0, 1}
    checked = [run.rate for run in resolved.runs if run.role == "evidence" and run.train.steps == 128]
    assert all(rate.where in ("interior", "law") and rate.regret < 0.01 for rate in checked)


def test_searches_that_start_from_a_neighbour_cost_three_trials_and_end_where_a_full_one_does(paths):
    """``follow``: further cells of an arm; ``like``: the cells of an arm that resembles another."""
    plain = yaml.safe_load((paths.studies / "try.yaml").read_text("utf-8"))
    (group,) = plain["tiers"]["laptop"]["groups"]
    group |= {"arms": ["transformer", "lstm_1", "lstm_2"], "families": {}, "without": [], "sizes": ["d16", "d24"]}
    group["tune"] = {"follow": True, "like": {"lstm_2": "lstm_1"}}
    (paths.studies / "try.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    world = World(paths)
    resolved, _ = finish(paths, world)
    trials = {}
    for run in resolved.runs:
        if run.role == "sweep":
            trials.setdefault((run.arm, run.size, run.train.steps), set()).add(run.train.lr)
    assert len(trials["lstm_1", "d16", 32]) > 3
    assert all(len(rates) <= 5 for (arm, *cell), rates in trials.items() if arm == "lstm_2" or cell != ["d16", 32])
    for run in (run for run in resolved.runs if run.role == "evidence"):
        assert run.rate.where == "interior"
        assert abs(math.log2(run.train.lr) - world.best(run)) <= 0.5
    first = tune.plan("try", "laptop", paths, World(paths))
    assert {run.arm for run in first.runs} == {"transformer", "lstm_1"}, "who is alike waits for the other"
    alone = tune.plan("try", "laptop", paths, World(paths), overrides={"arms": ["lstm_2"]})
    assert {run.arm for run in alone.runs} == {"lstm_2"}, "without the other, a search of its own"


def test_typed_rates_pass_through(paths):
    plain = {**STUDY["tiers"]["laptop"]["groups"][0], "base": {"train": {"lr": 1e-3}}}
    (paths.studies / "try.yaml").write_text(yaml.safe_dump(STUDY | {"tiers": {"quick": {"groups": [plain]}}}), "utf-8")
    resolved = tune.plan("try", "quick", paths)
    assert not resolved.waiting
    assert {run.train.lr for run in resolved.runs} == {1e-3}


def test_precision_follows_its_check():
    shift = precision.Shift(0.001, -0.003, 0.004, 16, 1.6)
    assert shift.allowed
    assert not precision.Shift(0.001, -0.003, 0.006, 16, 1.6).allowed
    assert not precision.Shift(0.001, -0.003, 0.004, 16, 0.9).allowed


def test_no_rate_is_typed_where_results_are_published():
    """Studies of the laptop and gpu tiers say ``lr: tuned``; a number is a code check's (quick) only."""
    for name in study.names():
        for tier, groups in study.load(name).tiers.items():
            for group in groups.groups if tier != "quick" else ():
                fields = [group.base.get("train", {}).get("lr", "tuned")] if group.kind == "train" else ["tuned"]
                everywhere = [*group.per_arm.values(), *group.per_size.values(), group.grid]
                fields += [value for mapping in everywhere for key, value in mapping.items() if key == "train.lr"]
                assert fields == ["tuned"], f"{name}, {tier}, {group.name}: a typed rate"


def test_pairs_are_added_until_bfloat16_is_shown_harmless(paths):
    """A quiet kind of model is allowed after one look; a noisy one uses all seeds and, not shown, stays in float32."""
    (paths.studies / "precision.yaml").write_text((Paths().studies / "precision.yaml").read_text("utf-8"), "utf-8")
    world = World(paths)

    def train(config):
        noise = {"transformer": 0.001, "lstm_2": 0.03}.get(config.arm, 0.03) * (-1) ** config.seed
        half = config.train.precision == "bfloat16"
        loss = 2.0 + 0.05 * (math.log2(config.train.lr) + 7) ** 2 + noise * (1 + config.seed / 64) * half
        world.done[config.run_id] = Outcome(loss, 0.5 if half else 1.0, 0)

    for _ in range(30):
        todo = [run for run in tune.plan("precision", "laptop", paths, world).runs if world.of(run) is None]
        for run in todo:
            train(run)
        if not todo:
            break
    shifts = tune.shifts(world)
    assert shifts["block", "A"].n == precision.LOOK
    assert shifts["block", "A"].allowed
    assert shifts["classic", "L"].n == 2 * precision.LOOK
    assert not shifts["classic", "L"].allowed
    model = model_of("transformer")
    assert precision.allowed(model, shifts) == "bfloat16"
    assert precision.allowed(model_of("hybrid_half"), shifts) == "float32", "all kinds must pass"
    assert precision.allowed(model_of("gated_deltanet"), shifts) == "float32", "not checked"
