"""Result tables with planted truths, in the columns of ``results/<tier>/*.csv``.

``tables(study, seeds=3)`` returns a dict of DataFrames (runs, curves, context, recall, speed). What is
planted is a module constant, so that a test can ask whether the analysis finds it again.
"""

import itertools

import numpy as np
import pandas as pd

from seqmix_study.results.columns import TABLES

LAWS = {  # arm: (E, A, alpha) of L(N) = E + A N^-alpha, nats/token
    "transformer": (1.20, 18.0, 0.30),
    "transformer_conv": (1.20, 17.0, 0.30),
    "deltanet": (1.25, 15.0, 0.28),
    "gated_deltanet": (1.24, 15.0, 0.28),
    "deltanet_noconv": (1.35, 15.0, 0.28),
    "lstm_block": (1.30, 10.0, 0.23),
    "lstm_1": (1.35, 8.0, 0.20),
    "lstm_2": (1.30, 8.0, 0.20),
    "lstm_4": (1.32, 8.5, 0.20),
    "hybrid_2": (1.18, 16.0, 0.29),
}
SIZES = (7_000, 15_000, 33_000, 70_000, 150_000, 330_000, 780_000)
BEST_LR = {"transformer": 3e-3, "deltanet": 3e-3, "lstm_2": 6e-3, "lstm_block": 4e-3}
PLATEAU = {"lstm_1": 48, "lstm_2": 64, "lstm_block": 96}  # token index after which the arm's loss is flat
BEST_COUNT = 3  # attention layers of 12 with the lowest planted loss

SEED_POSITIONS = {
    0: "",
    1: "B",
    2: "5B",
    3: "48B",
    4: "89AB",
    5: "2468B",
    6: "13579B",
    7: "135789B",
    8: "124578AB",
    9: "1235679AB",
    10: "12345678AB",
    11: "123456789AB",
    12: "0123456789AB",
}
"""Attention layers (base-12 digits, counted from 0) of the 13 stacks of document 002, as in its code."""


def pattern(positions) -> str:
    """Return a 12-layer pattern with attention at ``positions`` (0-based) and DeltaNet elsewhere."""
    return "".join("A" if i in positions else "D" for i in range(12))


FIXED = {
    **{"tier": "laptop", "group": "main", "status": "finished", "reason": "", "source": "stdlib"},
    **{"tokenizer": "bytes", "pairs": 0, "uniform": 5.545, "reached_target_at_step": 0},
    **{"corpus_sha256": "ab" * 32, "pattern": "AA", "skeleton": "block", "conv": "", "n_layers": 2},
    **{"d_model": 64, "n_heads": 4, "mlp_width": 176, "forget_bias": 1.0, "forget_init": "constant"},
    **{"seq_len": 256, "batch_size": 16, "lr": 3e-3, "state_bytes": 512.0, "loss_se": 0.004},
    **{"unigram": 3.25, "bigram": 2.45, "grad_norm_max": 2.0, "device": "cpu", "kernel": "torch"},
    **{"precision": "float32", "threads": 1, "code_commit": "0" * 40, "python": "3.11", "torch": "2.13.0"},
    **{"hardware": "two cores of a synthetic machine", "finished_at": "2026-01-01T00:00:00Z"},
}
"""The columns of runs.csv that a test does not vary."""


def run_row(study: str, arm: str, seed: int, loss: float, **more) -> dict:
    """Return one row of runs.csv with everything the contract names."""
    n = float(more.pop("n", 100_000))
    tokens = float(more.pop("tokens", 500_000))
    slow = 2.5 if arm.startswith(("delta", "hybrid", "gated")) else 1.0
    rate = more.pop("rate", 3e9 / n / slow)
    bayes = more.pop("bayes", np.nan)
    row = dict(FIXED, study=study, arm=arm, seed=seed, data_seed=seed, tokens=tokens, steps=int(tokens // 4096))
    row |= {"params_total": n + 256 * 64, "params_non_embedding": n, "train_flops": 6 * n * tokens}
    row |= {"loss": loss, "train_loss": loss - 0.02, "bits_per_byte": loss / np.log(2)}
    row |= {"bayes": bayes, "excess": loss - bayes, "tokens_per_second": rate, "seconds": tokens / rate}
    row.update(more)
    tag = "-".join(
        str(row[k])
        for k in (
            "group",
            "source",
            "arm",
            "d_model",
            "lr",
            "steps",
            "pattern",
            "seq_len",
            "pairs",
            "forget_bias",
            "forget_init",
            "params_non_embedding",
        )
    )
    row["run_id"] = f"{tag}-s{seed}"
    return row


def _curve(run: dict, rng: np.random.Generator, points: int = 8) -> list[dict]:
    """Return the loss curve of one run: a power law in tokens that ends at the run's final loss."""
    tokens = np.geomspace(run["tokens"] / 100, run["tokens"], points)
    start = 3.0
    drop = np.log(tokens[-1] / tokens) / np.log(100)
    loss = run["loss"] + (start - run["loss"]) * drop**1.3 + rng.normal(0, 0.005, points) * (drop > 0)
    return [
        {
            "study": run["study"],
            "run_id": run["run_id"],
            "step": int(t // 4096),
            "tokens": t,
            "seconds": t / run["tokens_per_second"],
            "flops": 6 * t * run["params_non_embedding"],
            "loss": v,
            "train_loss": v,
            "lr": run["lr"],
            "grad_norm": 1.0,
        }
        for t, v in zip(tokens, loss, strict=True)
    ]


def scaling(seeds: int = 3, noise: float = 0.004, sizes=SIZES, arms=None, sources=("stdlib",)) -> list[dict]:
    """Return runs of the scaling study: planted power laws, and a learning-rate sweep with planted optima."""
    rng, rows = np.random.default_rng(0), []
    for source in sources:
        bayes = 1.0 if source.startswith("almanac") else np.nan
        for arm in arms or ("transformer", "deltanet", "lstm_block", "lstm_1", "lstm_2", "lstm_4", "hybrid_2"):
            floor, scale, alpha = LAWS[arm]
            for size, seed in itertools.product(sizes, range(seeds)):
                n = size * (1 + 0.01 * np.sin(len(arm)))
                loss = floor + scale * n**-alpha + rng.normal(0, noise)
                rows.append(
                    run_row(
                        "scaling",
                        arm,
                        seed,
                        loss,
                        n=n,
                        source=source,
                        bayes=bayes,
                        d_model=int(n**0.5 // 8 * 4 + 8),
                        tokens=2.1e6,
                    )
                )
            for lr in 1e-3 * 2.0 ** np.arange(5) if arm in BEST_LR else ():
                loss = floor + 1.2 + 0.1 * np.log2(lr / BEST_LR[arm]) ** 2
                rows.append(
                    run_row(
                        "scaling",
                        arm,
                        0,
                        loss,
                        n=sizes[-1] / 10,
                        source=source,
                        bayes=bayes,
                        lr=lr,
                        group="lr",
                        tokens=1e6,
                    )
                )
    return rows


def hybrids(seeds: int = 3) -> list[dict]:
    """Return runs of the hybrids study: a shallow bowl in the count, controls, two lengths."""
    rng, rows = np.random.default_rng(3), []

    def add(arm: str, positions, group: str, loss: float, lr: float = 3e-3, steps: int = 400, conv: str = "D") -> None:
        for seed in range(seeds if group != "lr" else 1):
            rows.append(
                run_row(
                    "hybrids",
                    arm,
                    seed,
                    loss + rng.normal(0, 0.01),
                    pattern=pattern(positions),
                    n_layers=12,
                    d_model=32,
                    source="almanac-12",
                    bayes=1.0,
                    group=group,
                    lr=lr,
                    tokens=steps * 2048.0,
                    steps=steps,
                    conv=conv,
                    rate=30_000.0 - 1500 * (12 - len(positions)),
                    n=142_000.0,
                )
            )

    def bowl(count: int) -> float:
        return 1.20 + 0.004 * (count - BEST_COUNT) ** 2

    for count, digits in SEED_POSITIONS.items():
        arm = f"hybrid_{count}"
        where = [int(c, 12) for c in digits]
        for steps in (400, 1600):
            add(arm, where, "count", bowl(count) - 0.05 * (steps > 400), steps=steps)
        if 0 < count < 12:
            add(f"hybrid_{count}_even", [int((j + 0.5) * 12 / count) for j in range(count)], "even", bowl(count) - 0.01)
    for count in (1, 2, 4):
        places = {
            "front": range(count),
            "middle": range(6 - count // 2, 6 - count // 2 + count),
            "back": range(12 - count, 12),
        }
        for place, where in places.items():
            add(f"hybrid_{count}_{place}", list(where), "placement", bowl(count) + 0.03 * (place == "back"))
    add("hybrid_12_conv", range(12), "controls", bowl(12) - 0.15, conv="AD")
    add("hybrid_0_noconv", [], "controls", bowl(0) + 0.2, conv="")
    for arm, where in (("hybrid_0", []), ("hybrid_2", [5, 11]), ("hybrid_12", range(12))):
        for lr in 7.5e-4 * 2.0 ** np.arange(5):
            add(arm, list(where), "lr", bowl(len(list(where))) + 0.1 * np.log2(lr / 3e-3) ** 2, lr=lr)
    return rows


def tables(study: str, seeds: int = 3, tier: str = "laptop", **more) -> dict[str, pd.DataFrame]:
    """Return every table of one study; ``more`` goes to its generator (sizes=, arms=, sources=)."""
    import synthetic_rows  # it imports this module

    rng = np.random.default_rng(9)
    found: dict[str, list[dict]] = {"runs": []}
    if study == "scaling":
        found["runs"] = scaling(seeds, **more)
    elif study == "context":
        found["runs"], found["context"] = synthetic_rows.context(seeds, **more)
    elif study == "hybrids":
        found["runs"] = hybrids(seeds)
    elif study == "budget":
        found["runs"] = synthetic_rows.budget(seeds)
    elif study == "speed":
        found["speed"] = synthetic_rows.speed(**more)
    if "curves" not in found:
        found["curves"] = [row for run in found["runs"] for row in _curve(run, rng)]
    frames = {name: pd.DataFrame(found.get(name, []), columns=columns_of(name)) for name in TABLES}
    frames["runs"]["train_tokens"] = [run.get("train_tokens", 0) for run in found["runs"]] if found["runs"] else []
    for name in ("runs", "speed"):
        frames[name]["tier"] = tier
    return frames


def columns_of(table: str) -> list[str]:
    """Return the columns of a table, as the data dictionary declares them."""
    return list(TABLES[table])
