"""Comparing arms: paired by seed, with a margin, so that "too close to call" is an answer.

A seed fixes the order of the data for every arm, so differences are taken within seeds. Two to nine seeds get a
Student interval (a bootstrap of three values cannot be wider than the values themselves), ten or more a bootstrap;
evaluation blocks, where they are at hand, are a second source of error and resampled too. Variances are never pooled
over arms: they differ.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from seqmix_study.findings.bootstrap import percentile

__all__ = ["Difference", "best_set", "conclude", "holm", "over_seeds_and_blocks"]

MARGIN = 0.02  # nats: a difference of loss that matters
FEW = 10  # below this many seeds Student's interval is used


@dataclass(frozen=True)
class Difference:
    """``estimate`` = first minus second, with its interval; ``p`` two-sided against zero, ``p_equivalent`` by TOST.

    ``conclusion``: "supported" (beyond the margin in the claimed direction), "reversed", "equivalent", "inconclusive".
    """

    estimate: float
    low: float
    high: float
    p: float
    p_equivalent: float
    margin: float
    conclusion: str
    pairs: int
    method: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def conclude(low: float, high: float, margin: float, claimed: int = -1) -> str:
    """Apply the shared rule to an interval; ``claimed`` is the sign of the claimed effect (-1: the first is lower)."""
    if margin < 0:
        raise ValueError(f"margin {margin} is negative")
    if claimed < 0:
        low, high = -high, -low
    if low > margin:
        return "supported"
    if high < -margin:
        return "reversed"
    return "equivalent" if low > -margin and high < margin else "inconclusive"


def over_seeds_and_blocks(
    values: np.ndarray,
    *,
    margin: float = MARGIN,
    claimed: int = -1,
    level: float = 0.95,
    draws: int = 4000,
    rng: int = 0,
) -> Difference:
    """The same for differences [seeds, blocks] on common evaluation blocks: both are resampled, independently.

    Resampled seeds are stretched about their mean for their degrees of freedom (three seeds are three values).
    """
    values = np.asarray(values, float)
    seeds, blocks = values.shape
    if seeds < 2:
        raise ValueError(f"{seeds} seeds: an interval needs two or more")
    generator = np.random.default_rng(rng)
    estimate = float(values.mean())
    by_seed = values.mean(1) - estimate
    noise = stdtrit(seeds - 1, generator.uniform(1e-6, 1 - 1e-6, draws)) * by_seed.std(ddof=1) / np.sqrt(seeds)
    weights = generator.multinomial(blocks, np.full(blocks, 1 / blocks), draws) / blocks
    total = estimate + noise + weights @ (values.mean(0) - estimate)
    low, high = percentile(total, level)
    p = 2 * min(float((total <= 0).mean()), float((total >= 0).mean()))
    inside = max(float((total <= -margin).mean()), float((total >= margin).mean()))
    conclusion = conclude(low, high, margin, claimed)
    return Difference(
        estimate, low, high, min(p, 1.0), inside, margin, conclusion, seeds, "Student over seeds, bootstrap over blocks"
    )


def holm(p: Mapping[Any, float]) -> dict[Any, float]:
    """Holm's step-down adjusted p-values (1979), by name."""
    order = sorted(p, key=lambda name: p[name])
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p}


def best_set(
    arms: Mapping[str, Mapping[Any, float]], level: float = 0.95, draws: int = 4000, rng: int = 0
) -> dict[str, Any]:
    """Which arms cannot be separated from the best (lowest)? ``arms``: {arm: {seed: loss}}.

    An arm leaves the set when some other arm is lower by a one-sided paired t-test, Holm-corrected over all ordered
    pairs. Returns the ordered means, the set, adjusted p-values of leaving, and how often each arm is first in a
    bootstrap over seeds (arms resample their seeds together).
    """
    names = sorted(arms, key=lambda a: float(np.mean(list(arms[a].values()))))
    if len(names) < 2:
        raise ValueError("a best set needs two arms or more")
    raw: dict[tuple[str, str], float] = {}
    for loser, winner in ((a, b) for pair in combinations(names, 2) for a, b in (pair, pair[::-1])):
        common = sorted(set(arms[loser]) & set(arms[winner]), key=str)
        if len(common) < 2:
            raw[loser, winner] = 1.0
            continue
        values = np.array([arms[loser][s] - arms[winner][s] for s in common])
        se = max(float(values.std(ddof=1)) / np.sqrt(len(values)), 1e-15)
        raw[loser, winner] = float(stdtr(len(values) - 1, -values.mean() / se))
    adjusted = holm(raw)
    leaves = {a: min(adjusted[a, b] for b in names if b != a) for a in names}
    shared = sorted(set.intersection(*(set(arms[a]) for a in names)), key=str)
    share = dict.fromkeys(names, float("nan"))
    if len(shared) >= 2:
        matrix = np.array([[arms[a][s] for s in shared] for a in names])
        picks = np.random.default_rng(rng).integers(0, len(shared), (draws, len(shared)))
        first = matrix[:, picks].mean(2).argmin(0)
        share = {a: float((first == i).mean()) for i, a in enumerate(names)}
    return {
        "means": {a: float(np.mean(list(arms[a].values()))) for a in names},
        "best": names[0],
        "set": [a for a in names if leaves[a] > 1 - level],
        "p_leaves": leaves,
        "first_share": share,
        "seeds": {a: len(arms[a]) for a in names},
    }
