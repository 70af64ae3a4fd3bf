"""What the figures of all chapters share: their input, their output, intervals, and how numbers are said.

A figure function takes ``Tables`` and returns ``Drawn``: picture, the numbers in it, and a description for
readers who do not see it, computed from these numbers. Nothing here knows which architecture wins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

__all__ = [
    "Drawn",
    "Tables",
    "human",
    "is_sweep",
    "listing",
    "over_runs_and_blocks",
    "over_seeds",
    "seconds",
    "several",
    "span",
]

TABLES = ("runs", "curves", "context", "recall", "probes", "speed", "inside")


@dataclass(frozen=True)
class Tables:
    """The result tables of one study, as ``collect.load`` gives them; a missing table is empty."""

    study: str
    tier: str
    runs: pd.DataFrame
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    context: pd.DataFrame = field(default_factory=pd.DataFrame)
    recall: pd.DataFrame = field(default_factory=pd.DataFrame)
    probes: pd.DataFrame = field(default_factory=pd.DataFrame)
    speed: pd.DataFrame = field(default_factory=pd.DataFrame)
    inside: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, study: str, tier: str, frames: dict[str, pd.DataFrame]) -> "Tables":
        """Build from a dict of DataFrames; unknown names are left out."""
        return cls(study, tier, **{name: frame for name, frame in frames.items() if name in TABLES})

    @property
    def finished(self) -> pd.DataFrame:
        """Runs that ended well; the others stay in ``runs`` and are counted in every text."""
        return self.runs[self.runs["status"] == "finished"] if len(self.runs) else self.runs

    @property
    def main(self) -> pd.DataFrame:
        """Finished runs that are compared: no learning-rate sweep, and not the longer runs that only write samples."""
        done = self.finished
        return done[~is_sweep(done) & (done["group"] != "samples")] if len(done) else done

    @property
    def sweep(self) -> pd.DataFrame:
        """Finished runs of the learning-rate sweeps."""
        done = self.finished
        return done[is_sweep(done)] if len(done) else done

    def joined(self, name: str, columns: Sequence[str], runs: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return a table with ``columns`` of its runs (inner join on run_id; main runs by default)."""
        table, runs = getattr(self, name), self.main if runs is None else runs
        if not len(table) or not len(runs):
            return pd.DataFrame(columns=[*dict.fromkeys([*table.columns, *columns])])
        right = runs[["run_id", *columns]].drop_duplicates()
        return table.drop(columns=[c for c in columns if c in table]).merge(right, on="run_id")


@dataclass(frozen=True)
class Drawn:
    """One figure: its name (``fig-<study>-<what>``), picture, data and computed description."""

    name: str
    figure: Figure
    data: pd.DataFrame
    alt: str


def is_sweep(runs: pd.DataFrame) -> pd.Series:
    """True for runs of a group whose name says that it varies the learning rate."""
    return runs["group"].fillna("").str.match(r"^lr|.*[-_]lr$|^sweep")


def over_seeds(frame: pd.DataFrame, by: Sequence[str], value: str, level: float = 0.95) -> pd.DataFrame:
    """Return mean, lo, hi, n of ``value`` per cell of ``by``: t interval; one seed has none (nan)."""
    rows = frame.dropna(subset=[value])
    out = rows.groupby(list(by), sort=True)[value].agg(["mean", "std", "count"]).reset_index()
    out = out.rename(columns={"count": "n"})
    half = stats.t.ppf((1 + level) / 2, np.maximum(out["n"] - 1, 1)) * out["std"] / np.sqrt(out["n"])
    half = half.where(out["n"] > 1)
    return out.assign(lo=out["mean"] - half, hi=out["mean"] + half).drop(columns="std")


def over_runs_and_blocks(
    frame: pd.DataFrame, by: Sequence[str], value: str, level: float = 0.95, draws: int = 1000
) -> pd.DataFrame:
    """Return mean, lo, hi, n (seeds) of a context measure: errors between seeds and between blocks of windows.

    Seeds: Student with the seeds' spread (one seed adds none); blocks: bootstrap, the same blocks for every cell
    (they hold the same sequences), weighted by tokens. As in ``findings.context``, bin by bin.
    """
    if not len(frame):
        return pd.DataFrame(columns=[*by, "mean", "lo", "hi", "n"])
    blocks = np.sort(frame["block"].unique())
    weights = np.random.default_rng(0).multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=draws)
    rows = []
    for key, cell in frame.groupby(list(by), sort=True):
        total = cell.assign(total=cell[value] * cell["count"])
        at = {"index": "run_id", "columns": "block", "aggfunc": "sum", "fill_value": 0}
        s, c = (
            total.pivot_table(values=name, **at).reindex(columns=blocks, fill_value=0).to_numpy(float)
            for name in ("total", "count")
        )
        each = s.sum(1) / np.maximum(c.sum(1), 1e-9)
        pooled = (weights @ s.sum(0)) / np.maximum(weights @ c.sum(0), 1e-9) - s.sum() / max(c.sum(), 1e-9)
        out = each.mean() + pooled * np.sqrt(len(blocks) / max(len(blocks) - 1, 1))
        if len(each) > 1:
            rng = np.random.default_rng(1)
            out = out + rng.standard_t(len(each) - 1, draws) * each.std(ddof=1) / np.sqrt(len(each))
        lo, hi = np.quantile(out, [(1 - level) / 2, (1 + level) / 2])
        row = {"mean": each.mean(), "lo": lo, "hi": hi, "n": cell["seed" if "seed" in cell else "run_id"].nunique()}
        rows.append({**dict(zip(by, key, strict=True)), **row})
    return pd.DataFrame(rows)


def human(value: float) -> str:
    """Return 12000 as "12k", 3.4e6 as "3.4M", 4096 as "4096", 0.25 as "0.25": three digits and a unit prefix."""
    if not np.isfinite(value):
        return "?"
    if abs(value) < 9999.5 and float(value).is_integer():
        return f"{value:.0f}"
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def several(count: int, word: str) -> str:
    """Return "1 seed" or "3 seeds"."""
    return f"{int(count)} {word}{'' if count == 1 else 's'}"


def span(values) -> str:
    """Return "7k to 780k", or one number where all are the same."""
    low, high = human(min(values)), human(max(values))
    return low if low == high else f"{low} to {high}"


def seconds(value: float) -> str:
    """Return a duration for people: "3.1 ms", "42 s", "5.5 min", "2.1 h"."""
    for limit, unit, divide in ((1e-3, "µs", 1e-6), (1, "ms", 1e-3), (100, "s", 1), (6000, "min", 60)):
        if abs(value) < limit:
            return f"{value / divide:.3g} {unit}"
    return f"{value / 3600:.3g} h"


def listing(words: Iterable[str]) -> str:
    """Return "a, b and c"; three or more with semicolons where a word has a comma of its own."""
    words = [str(word) for word in words]
    if len(words) < 3:
        return " and ".join(words)
    comma = "; " if any("," in word for word in words) else ", "
    return comma.join(words[:-1]) + (";" if comma == "; " else "") + " and " + words[-1]
