"""What the words of all chapters share: comparisons with intervals, and what a tier can show at all."""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Tables, over_seeds, several
from seqmix_study.chapters.marks import FEWEST_SEEDS, label, labels
from seqmix_study.chapters.style import order

__all__ = [
    "FEWEST_SEEDS",
    "beats_unigram",
    "compare",
    "interval",
    "scope",
    "settled",
    "sign",
]


CELL = ("source", "arm", "params_non_embedding", "steps", "seq_len", "pairs", "train_tokens", "lr")
"""Columns of runs.csv that name a point of a figure: its runs differ by their seeds only."""


def scope(tables: Tables) -> list[str]:
    """Return what this execution cannot decide, whatever its numbers are."""
    lines = []
    if tables.tier == "quick" and (len(tables.runs) or len(tables.speed)):
        what = "timings" if len(tables.speed) and not len(tables.runs) else "runs"
        lines.append(
            f"**This is the quick tier.** The {what} are real and far too short: what follows describes them and says "
            "nothing about the architectures."
        )
    single = tables.runs.drop_duplicates("run_id") if len(tables.runs) else tables.runs
    if failed := int((single["status"] != "finished").sum()) if len(single) else 0:
        lines.append(
            f"{failed} of {several(len(single), 'run')} did not finish (diverged or failed): in the tables, in no mean."
        )
    runs = tables.main
    if not len(runs):
        if len(tables.finished):
            lines.append("No finished run is compared here: there are only learning-rate trials or runs for samples.")
        elif not len(tables.speed):
            lines.append("There is no finished training run.")
        return lines
    cell = [name for name in CELL if name in runs]
    seeds = runs.groupby(cell, dropna=False)["seed"].nunique()
    if seeds.min() < FEWEST_SEEDS:
        few = seeds[seeds < FEWEST_SEEDS]
        lines.append(
            f"{labels(few.index.get_level_values('arm'))}: fewer than {FEWEST_SEEDS} seeds somewhere, so differences "
            f"there are shown and not decided."
        )
    return lines


def beats_unigram(tables: Tables) -> list[str]:
    """Say whether every run learned more than token frequencies: the least that training must do."""
    runs = tables.finished.dropna(subset=["loss", "unigram"]).drop_duplicates("run_id")
    if not len(runs):
        return []
    worse = runs[runs["loss"] >= runs["unigram"]]
    text = f"Finished runs that predict held-out tokens better than token frequencies do: {len(runs) - len(worse)} of "
    if not len(worse):
        return [f"{text}{len(runs)}."]
    which = ", ".join(f"{label(arm)} ({several((worse['arm'] == arm).sum(), 'run')})" for arm in order(worse["arm"]))
    return [f"{text}{len(runs)}; nothing that counts was learned by {which}."]


def interval(mean: float, lo: float, hi: float, digits: int = 3, unit: str = "") -> str:
    """Return "0.123 (0.100 to 0.146)", or without the bracket where there is no interval."""
    mean, lo, hi = (round(float(value), digits) + 0.0 for value in (mean, lo, hi))  # + 0.0: no "-0.00"
    text = f"{mean:.{digits}f}{unit}"
    return text if not np.isfinite(lo) else f"{text} ({lo:.{digits}f} to {hi:.{digits}f})"


def settled(row) -> bool:
    """Whether the interval of a row of ``over_seeds`` excludes zero, with enough seeds to say so."""
    return bool(row.n >= FEWEST_SEEDS and (row.lo > 0 or row.hi < 0))


def sign(row, less: str, more: str, neither: str = "not decided") -> str:
    """Return which side of zero the interval of a row lies on: ``less``, ``more``, ``neither``, or too few seeds."""
    if row.n < FEWEST_SEEDS:
        return f"{several(row.n, 'seed')}: not decided"
    return less if row.hi < 0 else more if row.lo > 0 else neither


def compare(runs: pd.DataFrame, first: str, second: str, value: str = "loss") -> dict:
    """Return the difference first - second paired by seed: mean, lo, hi, n and whether it is decided.

    ``decided``: at least three pairs and an interval without zero. No multiplicity correction: a description; the
    verdicts of the scorecard have their own rules.
    """
    wide = runs[runs["arm"].isin([first, second])].pivot_table(index="seed", columns="arm", values=value)
    if first not in wide or second not in wide:
        return {"mean": np.nan, "lo": np.nan, "hi": np.nan, "n": 0, "decided": False}
    each = (wide[first] - wide[second]).dropna().rename("d").reset_index().assign(all=0)
    if not len(each):
        return {"mean": np.nan, "lo": np.nan, "hi": np.nan, "n": 0, "decided": False}
    row = over_seeds(each, ["all"], "d").iloc[0]
    return {"mean": row["mean"], "lo": row["lo"], "hi": row["hi"], "n": int(row["n"]), "decided": settled(row)}
