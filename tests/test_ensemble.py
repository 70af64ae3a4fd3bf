"""Several runs as one batched model: each is the run it would be alone, and ends in its own way."""

from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from seqmix import data, models, study, train
from seqmix.config import DataConfig, ModelConfig, RunConfig, SpeedConfig, TrainConfig
from seqmix.mixers import MIXERS, mixer, unshared
from seqmix.models.lstm import LSTMLayer
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix.train import train_together
from seqmix_study.__main__ import main
from seqmix_study.runs import ensemble, machine
from seqmix_study.runs import launch as engine
from seqmix_study.runs.ensemble import Ensemble, mates
from seqmix_study.runs.replicas import Replicas
from test_plan_cli import project  # noqa: F401 (a fixture)

SHAPES = {letter: {"pattern": 2 * letter, "conv": letter} for letter in MIXERS}
SHARED = [letter for letter in MIXERS if not unshared(ModelConfig(pattern=letter))]
SHAPES |= {
    "untied": {"pattern": "GG", "conv": "G", "tie_embeddings": False},
    "mixed": {"pattern": "DAG", "rope": "AD", "norm": "post"},
}
CLOSE = 1e-5
"""Largest relative difference of a step in float32: sums are taken in another order. Twenty steps: five times that."""


def config(shape: str = "A", seed: int = 0, lr: float = 4e-3, **train_fields) -> RunConfig:
    model = ModelConfig(d_model=16, n_heads=2, vocab_size=29, max_length=24, **SHAPES[shape])
    fields = {"steps": 20, "batch_size": 3, "eval_sequences": 8, "eval_points": 3, "lr_width": 16} | train_fields
    corpus = DataConfig(source="mqar", symbols=16, pairs=3, seq_len=24)
    return RunConfig(model=model, data=corpus, train=TrainConfig(lr=lr, **fields), seed=seed, data_seed=seed)


def grid(shape: str = "A", scale: float = 1.0, **fields) -> list[RunConfig]:
    return [config(shape, seed, scale * lr, **fields) for seed, lr in ((0, 1e-3), (1, 1e-3), (1, 3e-3))]


def batches(count: int, steps: int = 20):
    """Yield a batch for each of ``count`` runs; a fifth of the targets is not scored."""
    random = torch.Generator().manual_seed(5)
    for tokens in torch.randint(29, (steps, count, 3, 24), generator=random):
        targets = tokens.roll(1, -1).masked_fill(tokens % 5 == 0, -100)
        yield [data.Batch(*(part[r].numpy() for part in (tokens, targets))) for r in range(count)]


def side_by_side(configs: list[RunConfig]):
    """Yield (loss sums, norms) of the ensemble and of the runs trained alone, after each of 20 steps; then weights."""
    place = torch.device("cpu")
    alone, together = [train.Alone([c], place) for c in configs], Ensemble(configs, place)
    for now, each in enumerate(batches(len(configs))):
        scale = train.lr_scale(now, configs[0].train)
        got = together(each, scale)
        wanted = [one([batch], scale)[0] for one, batch in zip(alone, each, strict=True)]
        yield torch.tensor(got, dtype=torch.float64).T, torch.tensor(wanted, dtype=torch.float64).T
    for r, one in enumerate(alone):
        for name, weights in together.saved(r)["model"].items():
            yield weights, one.own.state_dict()[name]


@pytest.mark.parametrize("shape", SHARED)
def test_after_twenty_steps_every_replica_is_the_run_it_would_be_alone(shape):
    for n, (got, wanted) in enumerate(side_by_side(grid(shape))):
        if n < 20:
            torch.testing.assert_close(got[0], wanted[0], rtol=5 * CLOSE, atol=0)
            torch.testing.assert_close(got[1], wanted[1], rtol=500 * CLOSE, atol=0)
            last = got[0].tolist()
    assert last[0] != pytest.approx(last[1], rel=1e-3)  # they are different runs
    assert last[1] != pytest.approx(last[2], rel=1e-3)


@pytest.mark.parametrize("shape", [*SHARED, "untied", "mixed"])
def test_in_double_precision_nothing_differs(shape, monkeypatch):
    """With high learning rates, which amplify rounding: whatever is left would be another computation."""
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    build = models.build
    monkeypatch.setattr(models, "build", lambda config, seed=0: build(config, seed).double())
    for got, wanted in side_by_side(grid(shape, scale=2.0)):
        assert (got - wanted).norm() <= 1e-9 * wanted.norm()


def test_clipping_is_a_matter_of_each_replica(monkeypatch):
    """A replica with a gradient a thousand times larger leaves the others alone."""
    configs, place, build = grid(clip=0.5)[:2], torch.device("cpu"), models.build

    def steep(config, seed):
        model = build(config, seed)
        with torch.no_grad():
            model.embedding.weight.mul_(50 if seed else 1)
        return model

    monkeypatch.setattr(models, "build", steep)
    together, alone = Ensemble(configs, place), train.Alone(configs[:1], place)
    for each in batches(2, 3):
        (loss, norm), (_, large) = together(each, 1.0)
        assert large > 20 * norm
        assert (loss, norm) == pytest.approx(alone(each[:1], 1.0)[0], rel=CLOSE)


@pytest.mark.parametrize(
    ("change", "says"), [({"pattern": "AL"}, "sequence kernel"), ({"learned_positions": True}, "learned positions")]
)
def test_what_has_no_replica_form_is_refused(change, says):
    model = ModelConfig(**{"pattern": "AA", "d_model": 16, "n_heads": 2, "max_length": 24} | change)
    with pytest.raises(ValueError, match=says):
        Replicas([models.build(model, seed) for seed in (0, 1)])


@pytest.mark.parametrize("letter", [letter for letter in MIXERS if letter not in SHARED])
def test_a_mixer_that_cannot_share_says_why_before_anything_starts(letter):
    runs = [config(letter, seed) for seed in (0, 1)]
    assert mates(runs[0], runs) == runs[:1]
    with pytest.raises(ValueError, match="cannot train as one ensemble"):
        Replicas([models.build(run.model, run.seed) for run in runs])


def test_a_mixer_that_wrongly_says_it_can_share_is_named(monkeypatch):
    monkeypatch.setitem(MIXERS, "L", replace(mixer("L"), ensemble=""))
    monkeypatch.setattr(LSTMLayer, "__module__", "torch.nn")  # as if it were one of PyTorch's
    with pytest.raises(ValueError, match=r"no replica form for layers.0.mixer.lstm.input_weight: say so"):
        Replicas([models.build(config("L").model, seed) for seed in (0, 1)])


def folders(place, configs: list[RunConfig]) -> list[RunFolder]:
    return [RunFolder(place / c.run_id) for c in configs]


def assert_same(one: RunFolder, two: RunFolder) -> None:
    """Both records are complete and equal up to rounding and time."""
    assert one.status() == two.status() == "finished"
    assert not two.problem(deep=True)
    assert one.config() == two.config()
    assert set(one.metrics()) == set(two.metrics())
    assert [row["step"] for row in one.curve()] == [row["step"] for row in two.curve()]
    for a, b in zip(one.curve(), two.curve(), strict=True):
        assert a.keys() == b.keys()
        for name in ("loss", "loss_se", "train_loss", "lr", "tokens"):
            assert b[name] == pytest.approx(a[name], rel=5 * CLOSE)
    assert {k: len(v) for k, v in one.tables().items()} == {k: len(v) for k, v in two.tables().items()}


def test_records_are_those_of_runs_trained_alone(tmp_path):
    configs = [c.model_copy(update={"evaluate": ("recall",)}) for c in grid("D")]
    apart, together = folders(tmp_path / "apart", configs), folders(tmp_path / "together", configs)
    for c, folder in zip(configs, apart, strict=True):
        train.train(c, folder, device="cpu")
    seen = []
    tell = lambda run_id, row: seen.append((run_id, row["step"], bool(row["tokens"])))  # noqa: E731
    train_together(configs, together, tell, device="cpu", way=Ensemble)
    assert seen.count((configs[0].run_id, 20, True)) == 1
    for c, folder in zip(configs, together, strict=True):
        assert folder.evaluated() == []  # a measurement that fails would end the others
        train.measure(c, folder, device="cpu")
    for one, two in zip(apart, together, strict=True):
        assert_same(one, two)
        assert two.provenance()["replicas"] == 3


def test_a_stopped_ensemble_goes_on_together_or_alone(tmp_path):
    configs = grid()
    whole, parts = folders(tmp_path / "whole", configs), folders(tmp_path / "parts", configs)
    train_together(configs, whole, device="cpu", way=Ensemble)
    with pytest.raises(train.Interrupted):
        train_together(configs, parts, lambda run_id, row: row["step"] == 7, device="cpu", way=Ensemble)
    assert {folder.status() for folder in parts} == {"interrupted"}
    train.train(configs[2], parts[2], device="cpu")
    train_together(configs[:2], parts[:2], device="cpu", way=Ensemble)
    for one, two in zip(whole, parts, strict=True):
        assert_same(one, two)


def test_a_run_started_alone_joins_only_those_at_its_step(tmp_path):
    configs = grid()[:2]
    places = folders(tmp_path, configs)
    for c, folder, until in zip(configs, places, (5, 5), strict=True):
        with pytest.raises(train.Interrupted):
            train.train(c, folder, lambda row, until=until: row["step"] == until, device="cpu")
    train_together(configs, places, device="cpu", way=Ensemble)
    assert [folder.status() for folder in places] == ["finished", "finished"]
    third = grid()[2]
    with pytest.raises(train.Interrupted):
        train.train(third, RunFolder(tmp_path / third.run_id), lambda row: row["step"] == 3, device="cpu")
    fourth = config(seed=9)
    with pytest.raises(ValueError, match="different steps"):
        train_together([third, fourth], folders(tmp_path, [third, fourth]), device="cpu", way=Ensemble)


def test_each_run_ends_in_its_own_way(tmp_path, monkeypatch):
    """One diverges at its step, one reaches its target, the third goes on and is what it would be alone."""
    configs = grid(target_loss=1e-6)
    apart, together = folders(tmp_path / "apart", configs), folders(tmp_path / "together", configs)
    train.train(configs[0], apart[0], device="cpu")
    ordinary, taken = Ensemble.__call__, []

    def step(self, batches, scale):
        taken.append(list(ordinary(self, batches, scale)))
        if len(taken) == 4:
            taken[-1][1] = (float("nan"), 1.0)
        if len(taken) == 6:
            taken[-1][1] = (1e-30, 1.0)  # the third run is the second one now
        return taken[-1]

    monkeypatch.setattr(Ensemble, "__call__", step)
    monkeypatch.setattr(train, "SMOOTHING", 0.0)
    train_together(configs, together, device="cpu", way=Ensemble)
    monkeypatch.undo()
    assert [folder.status() for folder in together] == ["finished", "diverged", "finished"]
    assert "step 4" in together[1].outcome()["reason"]
    assert together[2].metrics()["reached_target_at_step"] == 6
    assert together[0].curve()[-1]["loss"] == pytest.approx(apart[0].curve()[-1]["loss"], rel=5 * CLOSE)


def test_runs_that_solve_their_task_end_at_the_step_of_a_run_trained_alone(tmp_path):
    configs = grid(target_accuracy=0.02, check_every=5)
    apart, together = folders(tmp_path / "apart", configs), folders(tmp_path / "together", configs)
    for c, folder in zip(configs, apart, strict=True):
        train.train(c, folder, device="cpu")
    train_together(configs, together, device="cpu", way=Ensemble)
    steps = [[folder.metrics()["reached_target_at_step"] for folder in part] for part in (apart, together)]
    assert steps[0] == steps[1]
    assert any(steps[0])


def test_runs_are_grouped_by_shape_and_by_memory(monkeypatch):
    lstm = RunConfig(model=ModelConfig(pattern="LL", d_model=16), train=TrainConfig(lr=1e-3))
    plan = [*grid("A"), config("A", steps=21), *grid("D")[:2], lstm, lstm.model_copy(update={"seed": 1})]
    assert mates(plan[0], plan) == plan[:3]
    assert mates(plan[4], plan) == plan[4:6]
    assert mates(lstm, plan) == [lstm]
    many = [config("A", seed) for seed in range(10)]
    for most in (4, 1):
        room = machine.run_memory(many[0]) * most / ensemble.SHARE * 1.01
        monkeypatch.setattr(ensemble, "_memory", lambda room=room: int(room))
        assert mates(many[0], many) == many[:most]


def test_the_engine_trains_together_only_when_asked_and_does_the_rest_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    lstm = config().model_copy(update={"model": ModelConfig(pattern="L", d_model=8, vocab_size=29, max_length=24)})
    speed = SpeedConfig(models={"transformer": config().model}, lengths=(8,), repeats=3)
    plan = [*grid("A", steps=4), lstm.model_copy(update={"train": config(steps=4).train}), speed]
    paths = Paths(tmp_path)
    held = RunFolder(paths.runs / plan[2].run_id)
    with held.lock():  # another process trains this one, and dies at the end of the block
        job = engine.request(runs=plan[:-1], paths=paths, budget_minutes=8 / 60, ensemble=True)
        assert engine.train(job, 0, progress=False).interrupted == 1
    assert engine.train(engine.request(runs=plan, paths=paths, ensemble=True), 0, progress=False).finished == 2
    proven = [RunFolder(paths.runs / c.run_id).provenance() for c in plan]
    assert [p.get("replicas", 1) for p in proven] == [2, 2, 1, 1, 1]


def test_an_ensemble_that_fails_fails_its_runs_with_the_reason_and_nothing_else(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    plan, paths = [*grid("A", steps=2), config("D", steps=2)], Paths(tmp_path, tmp_path / "runs")
    monkeypatch.setattr(Ensemble, "__call__", refuse)
    summary = engine.train(engine.request(runs=plan, paths=paths, ensemble=True), 0, progress=False)
    assert (summary.failed, summary.finished) == (3, 1)
    assert "out of memory" in next(iter(summary.problems.values()))
    monkeypatch.undo()
    assert engine.train(engine.request(runs=plan, paths=paths), 0, progress=False).finished == 3


STUDY = """
title: Seeds
question: One shape?
tiers:
  quick:
    groups:
      - name: main
        arms: [transformer, lstm_2]
        sizes: [d16]
        seeds: [0, 1]
        base:
          data: {source: almanac, seq_len: 32}
          train: {steps: 3, batch_size: 2, eval_sequences: 4, eval_points: 2}
        grid:
          train.lr: [1.0e-3, 2.0e-3]
"""


def test_the_command_leaves_tables_that_do_not_know_the_difference(project):  # noqa: F811
    (project.studies / "seeds.yaml").write_text(STUDY)
    done = CliRunner().invoke(main, ["train", "seeds", "--ensemble", "--jobs", "0"])
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(main, ["collect", "seeds"]).exit_code == 0
    rows = (project.results / "quick" / "runs.csv").read_text().splitlines()
    assert len(rows) == 1 + len(study.plan("seeds", "quick", paths=project)) == 9
    assert sum(",finished," in row for row in rows) == 8
