"""What only a GPU runs: its logic on the CPU with stand-ins, and the thing itself where there is a GPU."""

import pytest
import torch

from seqmix import data, models, train
from seqmix.accelerate import GraphStep, kernel_name, make_step
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix.step import TrainStep
from seqmix.train import train_together
from seqmix_study.runs.ensemble import Ensemble

CUDA = torch.cuda.is_available()
gpu = [pytest.mark.gpu, pytest.mark.skipif(not CUDA, reason="needs a CUDA device")]
MODEL = ModelConfig(pattern="AD", conv="D", d_model=16, n_heads=2, vocab_size=29, max_length=24)


def settings(**fields) -> TrainConfig:
    return TrainConfig(**{"steps": 12, "batch_size": 3, "lr": 1e-3, "lr_width": 16} | fields)


def batches(count: int, device: str = "cpu"):
    random = torch.Generator().manual_seed(3)
    return torch.randint(29, (count, 3, 25), generator=random).to(device)


def losses(step: TrainStep, count: int = 6, device: str = "cpu") -> list[float]:
    out = []
    for now, batch in enumerate(batches(count, device)):
        loss, norm = step(batch[:, :-1].contiguous(), batch[:, 1:].contiguous(), (now + 1) / count)
        out += [loss.item(), norm.item()]
    return out


class Tape:
    """Stands in for a CUDA graph: recording runs nothing, a replay runs the recorded function."""

    def warm_up(self, work) -> None:
        for _ in range(3):
            work()

    def record(self, work) -> None:
        self.work = work

    def replay(self):
        return self.work()


def graph_step(config: TrainConfig) -> GraphStep:
    return GraphStep(models.build(MODEL, 0), config, torch.device("cpu"), Tape())


def test_a_recorded_step_is_the_ordinary_step():
    config = settings()
    plain, recorded = TrainStep(models.build(MODEL, 0), config, "cpu"), graph_step(config)
    assert losses(recorded) == pytest.approx(losses(plain), rel=1e-6)
    with pytest.raises(ValueError, match="recorded for batches"):
        recorded(torch.zeros(2, 24, dtype=torch.long), torch.zeros(2, 24, dtype=torch.long), 1.0)


def test_recorded_and_ordinary_steps_continue_each_other():
    config = settings()
    first, second = (slice(0, 6), slice(6, None))
    whole = losses(TrainStep(models.build(MODEL, 0), config, "cpu"))
    for one, two in (("plain", "graph"), ("graph", "plain")):
        make = {"plain": lambda: TrainStep(models.build(MODEL, 0), config, "cpu"), "graph": lambda: graph_step(config)}
        steps = [make[one](), make[two]()]
        got = []
        for n, batch in enumerate(batches(6)):
            if n == 3:
                steps[1].model.load_state_dict(steps[0].model.state_dict())
                steps[1].optimizer.load_state_dict(steps[0].optimizer.state_dict())
            loss, norm = steps[n >= 3](batch[:, :-1].contiguous(), batch[:, 1:].contiguous(), (n + 1) / 6)
            got += [loss.item(), norm.item()]
        assert got[first] == pytest.approx(whole[first], rel=1e-6)
        assert got[second] == pytest.approx(whole[second], rel=1e-5)


def test_what_was_asked_for_runs_or_is_refused():
    asked = settings(accelerate="cuda_graph")
    with pytest.raises(ValueError, match="needs a CUDA device"):
        make_step(models.build(MODEL, 0), asked, torch.device("cpu"))
    assert type(make_step(models.build(MODEL, 0), settings(), torch.device("cpu"))) is TrainStep
    assert [kernel_name(c) for c in (settings(), asked)] == ["torch", "torch+cuda_graph"]
    run = RunConfig(model=MODEL, train=settings())
    assert run.run_id == RunConfig(model=MODEL, train=asked).run_id  # the same science


def test_a_refused_run_is_a_failed_run_with_the_reason(tmp_path):
    from seqmix.paths import Paths
    from seqmix_study.runs import launch as engine

    corpus = DataConfig(source="mqar", symbols=16, pairs=3, seq_len=24)
    run = RunConfig(model=MODEL, data=corpus, train=settings(accelerate="cuda_graph"))
    if CUDA:
        pytest.skip("there is a CUDA device")
    summary = engine.train(engine.request(runs=[run], paths=Paths(tmp_path)), 0, progress=False)
    assert summary.failed == 1
    assert "needs a CUDA device" in summary.problems[run.run_id]
    with pytest.raises(ValueError, match="not recorded"):
        train_together([run, run], [RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")], device="cpu", way=Ensemble)


class TestOnGpu:
    """Run where there is a CUDA device."""

    pytestmark = gpu

    @pytest.mark.parametrize("pattern", ["AA", "DD", "GG", "LL"])
    def test_the_same_losses_as_on_the_cpu(self, pattern):
        model = MODEL.model_copy(update={"pattern": pattern})
        config = settings()
        here = losses(TrainStep(models.build(model, 0), config, "cpu"))
        there = losses(TrainStep(models.build(model, 0).cuda(), config, "cuda"), device="cuda")
        assert there == pytest.approx(here, rel=2e-3)

    @pytest.mark.parametrize("pattern", ["AA", "DD", "GG", "LL"])
    def test_recorded_steps_are_the_ordinary_steps(self, pattern):
        model = MODEL.model_copy(update={"pattern": pattern})
        place = torch.device("cuda")
        plain = losses(TrainStep(models.build(model, 0).cuda(), settings(), place), device="cuda")
        step = make_step(models.build(model, 0).cuda(), settings(accelerate="cuda_graph"), place)
        assert losses(step, device="cuda") == pytest.approx(plain, rel=2e-3)

    def test_an_ensemble_is_the_runs_it_holds(self):
        configs, place = (
            [RunConfig(model=MODEL, train=settings(), seed=seed) for seed in range(4)],
            torch.device("cuda"),
        )
        together, alone = Ensemble(configs, place), [train.Alone([config], place) for config in configs]
        for now, batch in enumerate(batches(6)):
            drawn = data.Batch(batch[:, :-1].numpy(), batch[:, 1:].numpy())
            scale = train.lr_scale(now, configs[0].train)
            for (loss, _), one in zip(together([drawn] * 4, scale), alone, strict=True):
                assert loss == pytest.approx(one([drawn], scale)[0][0], rel=1e-4)

    def test_a_run_in_bfloat16_leaves_a_complete_record(self, tmp_path):
        corpus = DataConfig(source="mqar", symbols=16, pairs=3, seq_len=24)
        config = RunConfig(model=MODEL, data=corpus, train=settings(precision="bfloat16", eval_sequences=8))
        folder = RunFolder(tmp_path / config.run_id)
        train.train(config, folder)
        assert folder.status() == "finished"
        assert (folder.provenance()["device"], folder.provenance()["precision"]) == ("cuda", "bfloat16")
