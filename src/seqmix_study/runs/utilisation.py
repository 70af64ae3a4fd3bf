"""Training speed against the machine's own ceiling: tokens a second, model FLOP/s utilisation (MFU), memory, ensembles.

MFU is the model's FLOPs by ``accounting.py`` over the FLOP/s that large matrix products of the same precision reach on
the same device at the same time: a measured ceiling, not a data sheet's. Arms take turns in random order.
"""

import statistics
from collections.abc import Callable

import torch

from seqmix import accounting, models, provenance
from seqmix.accelerate import kernel_name, make_step
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.timing import interleaved
from seqmix_study.runs.ensemble import EnsembleStep
from seqmix_study.runs.replicas import Replicas

__all__ = ["ceiling", "ensemble_gain", "markdown", "report"]


def ceiling(device: torch.device, precision: str, size: int, repeats: int = 10) -> float:
    """Return the FLOP/s of products of random ``size x size`` matrices: the median of ``repeats``, after a warm-up."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2.0 * size**3 / statistics.median(timed([lambda: a @ b], device, repeats)[0])


def timed(calls: list[Callable[[], object]], device: torch.device, repeats: int) -> list[list[float]]:
    """Return the seconds of every call in ``repeats`` rounds, each round in a random order."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _, which, wall, _ in interleaved(calls, repeats, device):
        seconds[which].append(wall)
    return seconds


def tokens_of(model: ModelConfig, batch: int, length: int, device: torch.device) -> torch.Tensor:
    """Return random tokens ``[B, T]``."""
    random = torch.Generator().manual_seed(1)
    return torch.randint(model.vocab_size, (batch, length), generator=random).to(device)


def report(
    arms: dict[str, ModelConfig],
    train: TrainConfig,
    length: int,
    device: torch.device,
    repeats: int = 10,
    ceiling_size: int = 8192,
) -> list[dict]:
    """Return one row an arm: the trainer's own step on ``train.batch_size`` windows of ``length`` tokens.

    ``peak_bytes`` is what the device held at most while that arm alone took a step (CUDA only, else 0).
    """
    peak = ceiling(device, train.precision, ceiling_size, repeats)
    calls, rows = [], []
    for arm, config in arms.items():
        step = make_step(models.build(config, 0, train.kernel).to(device), train, device)
        tokens = tokens_of(config, train.batch_size, length, device)
        calls.append(lambda step=step, tokens=tokens: step(tokens, tokens, 0.0))
        rows.append({"arm": arm, "peak_bytes": most_memory(calls[-1], device)})
        rows[-1] |= {"non_embedding": accounting.parameters(config)["non_embedding"], "length": length}
    for row, seconds, config in zip(rows, timed(calls, device, repeats), arms.values(), strict=True):
        middle, count = statistics.median(seconds), train.batch_size * length
        flops = accounting.train_flops_per_token(config, length) * count / middle
        row |= {"tokens_per_second": count / middle, "flops_per_second": flops, "mfu": flops / peak}
        row |= {"ceiling": peak, "kernel": kernel_name(train), "precision": train.precision}
        row |= {"device": device.type, "hardware": provenance.hardware(str(device)), "torch": torch.__version__}
    return rows


def most_memory(call: Callable[[], object], device: torch.device) -> int:
    """Return the most bytes that PyTorch held on the device during a call; 0 where the device does not count."""
    if device.type != "cuda":
        call()
        return 0
    call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def ensemble_gain(
    config: ModelConfig, train: TrainConfig, length: int, count: int, device: torch.device, repeats: int = 10
) -> dict:
    """Return how many times the tokens a second of one run at a time an ensemble of ``count`` such runs trains."""
    data = DataConfig(seq_len=length)
    runs = [RunConfig(model=config, data=data, train=train, seed=seed) for seed in range(count)]
    together = EnsembleStep(Replicas([models.build(config, seed).to(device) for seed in range(count)]), runs, device)
    alone = make_step(models.build(config, 0).to(device), train, device)
    tokens = tokens_of(config, train.batch_size, length, device)
    many = tokens.expand(count, -1, -1).contiguous()
    one, all_ = timed([lambda: alone(tokens, tokens, 0.0), lambda: together(many, many, 0.0)], device, repeats)
    ratios = [count * a / b for a, b in zip(one, all_, strict=True)]
    per_second = count * train.batch_size * length / statistics.median(all_)
    row = {"replicas": count, "gain": statistics.median(ratios), "gain_low": min(ratios), "gain_high": max(ratios)}
    return row | {"tokens_per_second": per_second, "non_embedding": accounting.parameters(config)["non_embedding"]}


def markdown(rows: list[dict]) -> str:
    """Return the report as a table."""
    head = ("arm", "parameters", "tokens/s", "TFLOP/s", "MFU", "memory GB", "kernel")
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * 5 + "---|"]
    for row in rows:
        memory = f"{row['peak_bytes'] / 1e9:.2f}" if row["peak_bytes"] else ""
        cells = (row["arm"], f"{row['non_embedding']:,}", f"{row['tokens_per_second']:,.0f}")
        cells += (f"{row['flops_per_second'] / 1e12:.3g}", f"{row['mfu']:.1%}", memory, row["kernel"])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
