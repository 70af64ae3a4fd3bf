"""How much of its context does a model use? Curves over token index, visible tokens, age or swap distance.

Input: rows of ``context.csv`` (mean loss of a block of evaluation windows in a bin [lo, hi), with the Bayes loss of
the same tokens where it is known, and the count of tokens), of one arm, one measure and one kind, with a ``seed``
column. Blocks are the same windows for every run, so differences between runs are paired. Two errors are resampled:
between seeds (multivariate t with the seeds' covariance over bins) and between blocks (multinomial weights); their
sum makes the intervals.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.compare_arms import Difference, over_seeds_and_blocks

__all__ = ["Curve", "difference", "effective_context", "late_slope", "plateau", "summary", "utilisation"]

TOLERANCE = 0.02  # nats: "within" means closer than this
IMPROVES = -0.01  # nats an octave: "still improves" means an interval below this


@dataclass(frozen=True)
class Curve:
    """Sums over tokens, [seeds, blocks, bins], of losses and Bayes losses, with counts; bins by ``lo`` and ``hi``."""

    lo: np.ndarray
    hi: np.ndarray
    total: np.ndarray
    floor: np.ndarray
    count: np.ndarray
    seeds: tuple

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> "Curve":
        """Build from context rows; raises ValueError naming what is missing or mixed.

        Bins that a block has no token of (rare kinds) count zero; a seed without some block is an error.
        """
        wanted = ["seed", "lo", "hi", "block", "loss", "count"]
        if missing := [c for c in wanted if c not in rows]:
            raise ValueError(f"context rows lack the column {', '.join(missing)}")
        if rows.empty:
            raise ValueError("no context rows")
        for column in ("measure", "kind", "arm"):
            if column in rows and rows[column].nunique(dropna=False) > 1:
                values = ", ".join(sorted(map(str, rows[column].unique())))
                raise ValueError(f"context rows mix several values of {column}: {values}")
        if rows.duplicated(["seed", "lo", "block"]).any():
            raise ValueError("context rows hold a seed, bin and block twice: select one size and one study")
        bins = rows[["lo", "hi"]].drop_duplicates().sort_values("lo")
        seeds, blocks = sorted(rows["seed"].unique()), sorted(rows["block"].unique())
        shape = (len(seeds), len(blocks), len(bins))
        at = tuple(
            np.searchsorted(keys, rows[name].to_numpy())
            for name, keys in (("seed", seeds), ("block", blocks), ("lo", bins["lo"].to_numpy()))
        )
        count, total, floor = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
        number = rows["count"].to_numpy(float)
        count[at], total[at] = number, rows["loss"].to_numpy(float) * number
        if "bayes" in rows:
            floor[at] = rows["bayes"].to_numpy(float) * number
        if (count.sum(2) == 0).any():
            raise ValueError("some seed lacks some block: runs were measured on different windows")
        floor = np.where(count == 0, 0.0, floor)
        return cls(bins["lo"].to_numpy(float), bins["hi"].to_numpy(float), total, floor, count, tuple(seeds))

    @property
    def length(self) -> int:
        """Longest index (window length T) of an index curve; the most visible tokens of a truncation curve."""
        return int(self.hi[-1] - 1)

    def sums(self, groups: np.ndarray, what: str = "loss") -> tuple[np.ndarray, np.ndarray]:
        """Sums and counts over groups of bins: ``groups`` [groups, bins] of 0 and 1 -> [seeds, blocks, groups] twice.

        ``what``: "loss", "bayes", or "excess" (their difference: the same tokens, so far less noise).
        """
        values = {"loss": self.total, "bayes": self.floor, "excess": self.total - self.floor}[what]
        return values @ groups.T, self.count @ groups.T

    def draws(
        self, groups: np.ndarray, what: str = "loss", draws: int = 2000, rng: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean of every group [groups] and joint draws [draws, groups] of it under new seeds and new blocks.

        The same ``rng`` gives the same blocks and seeds, so draws of two quantities of one curve are paired.
        """
        total, count = self.sums(groups, what)
        generator = np.random.default_rng(rng)
        seeds, blocks = count.shape[:2]
        per_seed = total.sum(1) / count.sum(1)
        estimate = per_seed.mean(0)
        weights = generator.multinomial(blocks, np.full(blocks, 1 / blocks), draws).astype(float)
        pooled_total, pooled_count = total.sum(0), count.sum(0)
        with np.errstate(invalid="ignore"):
            by_block = (weights @ pooled_total) / (weights @ pooled_count) - pooled_total.sum(0) / pooled_count.sum(0)
        out = estimate + by_block * np.sqrt(blocks / max(blocks - 1, 1))
        if seeds > 1:
            normal = generator.standard_normal((draws, seeds))
            chi = np.sqrt(generator.chisquare(seeds - 1, (draws, 1)) / (seeds - 1))
            out = out + (normal / chi) @ (per_seed - estimate) / np.sqrt(seeds * (seeds - 1))
        return estimate, out

    def octave(self, back: int = 0) -> np.ndarray:
        """Bins of an octave of the index, [1, bins]: 0 the last one (T/2, T], 1 the one before, ..."""
        top = self.length / 2**back
        inside = self.lo >= top / 2 - 1e-9
        if back:
            inside &= self.hi <= top + 1e-9
        if not inside.any():
            raise ValueError(f"no bins in the octave that ends at index {top:g}")
        return inside[None].astype(float)


def summary(curve: Curve, level: float = 0.95) -> pd.DataFrame:
    """Per bin: loss with interval, and Bayes loss and excess with interval where the Bayes loss is known.

    Serves all measures: loss by index, by visible tokens or by age, and the rise of log p in a swap (column ``loss``).
    """
    each = np.eye(len(curve.lo))
    table = {"lo": curve.lo, "hi": curve.hi, "middle": np.sqrt(curve.lo * np.maximum(curve.hi - 1, curve.lo))}
    for what in ("loss", "excess"):
        estimate, draws = curve.draws(each, what)
        known = np.isfinite(draws).any()
        ends = np.nanpercentile(draws, [50 * (1 - level), 50 * (1 + level)], axis=0) if known else draws[:2]
        table[what], (table[f"{what}_low"], table[f"{what}_high"]) = estimate, ends
    table["bayes"] = table["loss"] - table["excess"]
    return pd.DataFrame(table)


def plateau(
    curve: Curve, *, tolerance: float = TOLERANCE, start: int = 8, what: str = "loss", level: float = 0.95
) -> dict[str, Any]:
    """From which index on is the loss flat, that is, every bin within ``tolerance`` nats of the last octave?

    ``index`` is certified: from it on, the simultaneous upper bound of bin minus last octave stays below the tolerance
    (None where no index before the last octave is). ``estimate`` is the same without the bound. Bins below ``start``
    are
    left out: they hold one token a window, and with raw losses no flat model would ever be certified there.
    """
    tail = curve.octave(0)
    early = np.flatnonzero((curve.lo >= start) & (tail[0] == 0))
    if not len(early):
        raise ValueError(f"no bins between index {start} and the last octave")
    groups = np.concatenate([np.eye(len(curve.lo))[early], tail])
    estimate, draws = curve.draws(groups, what)
    gap, sample = estimate[:-1] - estimate[-1], draws[:, :-1] - draws[:, -1:]
    sd = sample.std(0) + 1e-12
    critical = float(np.quantile(((sample - gap) / sd).max(1), level))
    upper = gap + critical * sd
    return {
        "index": _first_below(curve.lo[early], upper, tolerance),
        "estimate": _first_below(curve.lo[early], gap, tolerance),
        "tolerance": tolerance,
        "bins": curve.lo[early].tolist(),
        "gap": gap.tolist(),
        "upper": upper.tolist(),
        "tail": float(estimate[-1]),
    }


def _first_below(edges: np.ndarray, values: np.ndarray, tolerance: float) -> int | None:
    """The smallest edge from which on all values are below the tolerance."""
    bad = np.flatnonzero(~(values < tolerance))
    first = bad[-1] + 1 if len(bad) else 0
    return int(edges[first]) if first < len(edges) else None


def late_slope(curve: Curve, *, back: int = 0, what: str = "loss", level: float = 0.95) -> dict[str, Any]:
    """Loss of one octave of the index minus that of the octave before it (nats per octave; below zero: it improves).

    ``back`` 0: (T/2, T] minus (T/4, T/2]. ``improves``: the whole interval lies below -0.01.
    """
    groups = np.concatenate([curve.octave(back), curve.octave(back + 1)])
    estimate, draws = curve.draws(groups, what)
    low, high = percentile(draws[:, 0] - draws[:, 1], level)
    return {"slope": float(estimate[0] - estimate[1]), "low": low, "high": high, "improves": bool(high < IMPROVES)}


def utilisation(curve: Curve, *, back: int = 0, level: float = 0.95) -> dict[str, Any]:
    """Late slope of the model over that of the Bayes predictor on the same tokens: 1 ideal, 0 a plateau.

    Not defined where even the Bayes loss has stopped falling (its interval is not below -0.01): a plateau there is the
    data's doing, and ``text`` says so.
    """
    groups = np.concatenate([curve.octave(back), curve.octave(back + 1)])
    if not np.isfinite(curve.floor).all():
        return {"utilisation": None, "text": "the Bayes loss is not known for this source"}
    model, model_draws = curve.draws(groups, "loss")
    best, best_draws = curve.draws(groups, "bayes")
    slope, ideal = float(model[0] - model[1]), float(best[0] - best[1])
    ideal_draws = best_draws[:, 0] - best_draws[:, 1]
    _, ideal_high = percentile(ideal_draws, level)
    out = {"slope": slope, "bayes_slope": ideal}
    if ideal_high >= IMPROVES:
        return out | {"utilisation": None, "text": "nothing was left to learn: the Bayes loss is flat there too"}
    low, high = percentile((model_draws[:, 0] - model_draws[:, 1]) / ideal_draws, level)
    share = slope / ideal
    return out | {"utilisation": share, "low": low, "high": high, "text": f"{share:.2f} of the Bayes slope"}


def effective_context(
    curve: Curve, *, tolerance: float = TOLERANCE, relative: float | None = None, level: float = 0.95
) -> dict[str, Any]:
    """Effective context length from a truncation curve: the fewest visible tokens that lose less than ``tolerance``.

    ``length`` is certified: from it on the simultaneous upper bound of L(c) - L(T) is below the tolerance; T itself
    where
    no shorter context is. ``estimate`` without the bound. ``relative`` (say 0.05) replaces the tolerance by that share
    of
    the whole gain L(1) - L(T).
    """
    each = np.eye(len(curve.lo))
    estimate, draws = curve.draws(each)
    gap, sample = estimate[:-1] - estimate[-1], draws[:, :-1] - draws[:, -1:]
    limit = tolerance if relative is None else relative * float(gap[0])
    sd = sample.std(0) + 1e-12
    upper = gap + float(np.quantile(((sample - gap) / sd).max(1), level)) * sd
    longest = int(curve.lo[-1])
    certified, plain = (_first_below(curve.lo[:-1], values, limit) for values in (upper, gap))
    return {
        "length": certified or longest,
        "estimate": plain or longest,
        "tolerance": limit,
        "visible": curve.lo.tolist(),
        "loss": estimate.tolist(),
        "upper": [*upper.tolist(), 0.0],
        "gain": float(gap[0]),
    }


def difference(first: Curve, second: Curve, bins: np.ndarray | None = None, **options: Any) -> Difference:
    """Loss of one arm minus another's on the same bins, paired by seed and block (options as in ``compare``).

    ``bins`` is a mask [bins]; all where None. Raises ValueError where bins or blocks differ or fewer than two seeds are
    shared.
    """
    if not np.array_equal(first.lo, second.lo) or first.count.shape[1] != second.count.shape[1]:
        raise ValueError("the curves have different bins or blocks")
    common = sorted(set(first.seeds) & set(second.seeds))
    mask = (np.ones(len(first.lo)) if bins is None else np.asarray(bins, float))[None]
    parts = []
    for curve in (first, second):
        total, count = curve.sums(mask)
        pick = [curve.seeds.index(s) for s in common]
        parts.append((total / count)[pick, :, 0])
    return over_seeds_and_blocks(parts[0] - parts[1], **options)
