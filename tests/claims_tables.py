"""Small result tables with planted truths for the tests of claims: only the columns that deciders read."""

import itertools

import numpy as np
import pandas as pd

from seqmix_study.findings.decide_tables import Evidence

SIZES = (7_000, 15_000, 33_000, 83_000, 150_000, 330_000)


def run(study: str, arm: str, seed: int, loss: float, **more) -> dict:
    """Return one row of runs.csv."""
    row = {
        "study": study, "group": "main", "arm": arm, "status": "finished", "source": "stdlib", "seed": seed,
        "seq_len": 256, "steps": 256, "lr": 4e-3, "tokens": 1e6, "params_non_embedding": 24_000.0, "loss": loss,
        "device": "cpu", "hardware": "a machine", "pattern": "AA", "conv": "", "train_tokens": 0,
    }  # fmt: skip
    row |= more
    named = (study, row["group"], arm, row["source"], row["lr"], row["seq_len"], row["steps"], row["tokens"])
    row["run_id"] = "-".join(map(str, (*named, row["train_tokens"], int(row["params_non_embedding"]), f"s{seed}")))
    return row


def evidence(runs=(), tier: str = "laptop", **tables) -> Evidence:
    """Return evidence from rows of runs.csv and rows of other tables by name."""
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return Evidence(tier, {"runs": pd.DataFrame(list(runs)), **frames})


def ladder(laws: dict, seeds: int = 3, noise: float = 0.002, sources=("stdlib",), sizes=SIZES, rng=0) -> list[dict]:
    """Return a scaling study: ``laws`` maps arm to a function of N; noise is drawn a run, nats."""
    draw = np.random.default_rng(rng)
    return [
        run("scaling", arm, seed, law(n) + draw.normal(0, noise), params_non_embedding=n * draw.uniform(0.99, 1.01),
            source=source)
        for source in sources for arm, law in laws.items() for n in sizes for seed in range(seeds)
    ]  # fmt: skip


def power(floor: float, scale: float, alpha: float):
    return lambda n: floor + scale * n**-alpha


def stacks(losses, seeds=3, noise=0.003, tokens=4e5, group="main", rng=0) -> list[dict]:
    """Return a hybrids study from losses by count (a dict or a list for 0..12)."""
    draw = np.random.default_rng(rng)
    pairs = losses.items() if isinstance(losses, dict) else enumerate(losses)
    return [
        run("hybrids", f"hybrid_{k}", seed, loss + draw.normal(0, noise), source="almanac-12", tokens=tokens,
            group=group, conv="D")
        for k, loss in pairs for seed in range(seeds)
    ]  # fmt: skip


def curve(row: dict, points: int = 12, start: float = 5.0, speed: float = 1.0) -> list[dict]:
    """Return a loss curve that falls from ``start`` to the run's loss, linear in ln(tokens); seconds at ``speed``."""
    tokens = np.geomspace(row["tokens"] / 100, row["tokens"], points)
    loss = start + (row["loss"] - start) * np.log(tokens / tokens[0]) / np.log(100)
    return [
        {"study": row["study"], "run_id": row["run_id"], "step": i + 1, "tokens": t, "seconds": t / speed, "flops": t,
         "loss": v}
        for i, (t, v) in enumerate(zip(tokens, loss, strict=True))
    ]  # fmt: skip


def by_index(row: dict, shape, length: int = 512, blocks: int = 8, noise: float = 0.003, rng=0) -> list[dict]:
    """Return context rows (measures index and truncate) of one run: ``shape`` maps an index to a loss."""
    draw = np.random.default_rng((rng, row["seed"], int(row["params_non_embedding"]), len(row["arm"])))
    edges = [*sorted({round(2 ** (k / 2)) for k in range(int(2 * np.log2(length)) + 1)}), length + 1]
    rows = []
    for block in range(blocks):
        common = {"study": row["study"], "run_id": row["run_id"], "kind": "all", "block": block, "bayes": np.nan}
        for lo, hi in itertools.pairwise(edges):
            loss = shape(np.sqrt(lo * (hi - 1) if hi > lo + 1 else lo * lo)) + draw.normal(0, noise)
            rows.append(common | {"measure": "index", "lo": lo, "hi": hi, "loss": loss, "count": 100 * (hi - lo)})
        for visible in (2**k for k in range(int(np.log2(length)) + 1)):
            loss = shape(visible) + draw.normal(0, noise)
            rows.append(common | {"measure": "truncate", "lo": visible, "hi": visible + 1, "loss": loss, "count": 100})
    return rows


def timings(seconds: dict, modes=("train",), lengths=(128, 256, 512, 1024), rounds: int = 12, rng=0) -> list[dict]:
    """Return speed rows: ``seconds`` maps arm to a function (mode, length) -> seconds a call."""
    draw = np.random.default_rng(rng)
    return [
        {"study": "speed", "group": mode, "run_id": f"speed-{mode}", "arm": arm, "mode": mode, "length": length,
         "batch_size": 1, "repeat": repeat, "seconds": cost(mode, length) * draw.lognormal(0, 0.02),
         "tokens": 1 if mode == "decode" else length, "params_non_embedding": 780_000,
         "state_bytes": 1000 * (length if arm == "transformer" else 16), "peak_bytes": 1000 * length, "device": "cpu",
         "hardware": "a machine", "threads": 1, "precision": "float32", "kernel": "torch"}
        for mode in modes for length in lengths for repeat in range(rounds) for arm, cost in seconds.items()
    ]  # fmt: skip


def recalled(arm: str, accuracy, seeds: int = 6, delay: int = 100, **more) -> tuple[list[dict], list[dict], list[dict]]:
    """Return runs, recall rows and curves of the first-token task: ``accuracy`` is one value, or one a seed."""
    each = np.broadcast_to(accuracy, (seeds,))
    runs = [run("recall", arm, s, 1.0, source="first_token", seq_len=delay, **more) for s in range(seeds)]
    rows = [
        {"study": "recall", "run_id": r["run_id"], "task": "first_token", "distance": delay, "step": r["steps"],
         "accuracy": a, "loss": 0.05 if a > 0.9 else 4.6}
        for r, a in zip(runs, each, strict=True)
    ]  # fmt: skip
    curves = [
        {"study": "recall", "run_id": r["run_id"], "step": step, "loss": 0.05 if a > 0.9 and step >= 200 else 4.6}
        for r, a in zip(runs, each, strict=True)
        for step in (10, 30, 100, 200, r["steps"])
    ]
    return runs, rows, curves
