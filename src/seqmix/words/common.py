"""What the words of all chapters share: comparisons with intervals, and what a tier can show at all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seqmix.figures.common import Tables, listing, over_seeds, several
from seqmix.figures.draw import FEWEST_SEEDS, label, labels
from seqmix.figures.style import order

__all__ = ["FEWEST_SEEDS", "beats_unigram", "compare", "interval", "lowest", "scope", "slope_over_seeds"]


def scope(tables: Tables) -> list[str]:
    """Return what this execution cannot decide, whatever its numbers are."""
    lines = []
    if tables.tier == "quick":
        lines.append(
            "**This is the quick tier.** The runs are real and far too short: what follows describes them and says "
            "nothing about the architectures."
        )
    runs = tables.main
    if not len(runs):
        return [*lines, "There is no finished training run."] if not len(tables.speed) else lines
    if failed := int((tables.runs["status"] != "finished").sum()):
        lines.append(f"{failed} runs did not finish (diverged or failed); they are in the tables and in no mean.")
    seeds = runs.groupby(["source", "arm"])["seed"].nunique()
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
    if not len(worse):
        return [f"All {len(runs)} finished runs predict held-out text better than token frequencies do."]
    return [
        f"{len(worse)} of {len(runs)} finished runs are no better than token frequencies "
        f"({labels(worse['arm'])}): they learned nothing that counts."
    ]


def interval(mean: float, lo: float, hi: float, digits: int = 3, unit: str = "") -> str:
    """Return "0.123 (0.100 to 0.146)", or without the bracket where there is no interval."""
    text = f"{mean:.{digits}f}{unit}"
    return text if not np.isfinite(lo) else f"{text} ({lo:.{digits}f} to {hi:.{digits}f})"


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
    decided = row["n"] >= FEWEST_SEEDS and (row["lo"] > 0 or row["hi"] < 0)
    return {"mean": row["mean"], "lo": row["lo"], "hi": row["hi"], "n": int(row["n"]), "decided": bool(decided)}


def lowest(runs: pd.DataFrame, where: str, value: str = "loss", what: str = "held-out loss") -> list[str]:
    """Say which arm has the lowest mean, which arms are decided to be above it, and which are not."""
    means = over_seeds(runs, ["arm"], value).sort_values("mean")
    if len(means) < 2:
        return []
    best = means.iloc[0]
    against = {arm: compare(runs, arm, best["arm"], value) for arm in order(means["arm"][1:])}
    above = [f"{label(arm)} (by {interval(c['mean'], c['lo'], c['hi'])})" for arm, c in against.items() if c["decided"]]
    level = [arm for arm, c in against.items() if not c["decided"]]
    n = min((c["n"] for c in against.values()), default=0)
    text = (
        f"{where}: the lowest mean {what} is that of {label(best['arm'])}, "
        f"{interval(best['mean'], best['lo'], best['hi'])} nats."
    )
    if above:
        text += f" Above it, with an interval that excludes zero: {listing(above)}."
    if level:
        why = (
            f"only {several(n, 'paired seed')}" if n < FEWEST_SEEDS else "the interval of the difference includes zero"
        )
        text += f" Not decided ({why}): {labels(level)}."
    return [text]


def slope_over_seeds(frame: pd.DataFrame, x: str, y: str, by: Sequence[str]) -> pd.DataFrame:
    """Return the slope of ``y`` a decade of ``x``, fitted a seed, with a t interval, a row a cell of ``by``."""
    rows = []
    for key, cell in frame.groupby([*by, "seed"]):
        if cell[x].nunique() > 1:
            slope = float(np.polyfit(np.log10(cell[x].to_numpy(float)), cell[y].to_numpy(float), 1)[0])
            rows.append({**dict(zip([*by, "seed"], key, strict=True)), "slope": slope})
    if not rows:
        return pd.DataFrame(columns=[*by, "mean", "lo", "hi", "n"])
    return over_seeds(pd.DataFrame(rows), by, "slope")
