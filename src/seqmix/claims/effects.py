"""Small statistics for deciders: an effect with its interval, clustered by seed.

A seed is one independent repetition: everything measured within a seed (sizes, lengths, evaluation blocks) is averaged
first, so that the interval speaks about new seeds. With three seeds a Student interval is wide; that is the truth.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from seqmix.claims.decision import NotTested

__all__ = ["Effect", "falls", "holm", "of_seeds", "ordinary_slope"]


@dataclass(frozen=True)
class Effect:
    """An estimate with its 95 % interval and the number of seeds behind it."""

    estimate: float
    lo: float
    hi: float
    seeds: int


def of_seeds(per_seed: np.ndarray | pd.Series, level: float = 0.95) -> Effect:
    """Return mean and Student interval of one value a seed; raises NotTested for fewer than two seeds."""
    values = np.asarray(per_seed, float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise NotTested(f"an interval needs two seeds or more with finite values; the tables have {len(values)}")
    mean, se = float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * se
    return Effect(mean, mean - half, mean + half, len(values))


def one_sided(per_seed: np.ndarray) -> float:
    """Return the p value of "the mean is not above zero" (one-sided Student test)."""
    values = np.asarray(per_seed, float)
    se = values.std(ddof=1) / math.sqrt(len(values))
    if se == 0:
        return 0.0 if values.mean() > 0 else 1.0
    return float(stdtr(len(values) - 1, -values.mean() / se))


def holm(p: list[float]) -> list[float]:
    """Return Holm's adjusted p values (Holm 1979), in the order given."""
    order = np.argsort(p)
    adjusted, running = np.empty(len(p)), 0.0
    for rank, i in enumerate(order):
        running = max(running, (len(p) - rank) * p[i])
        adjusted[i] = min(1.0, running)
    return adjusted.tolist()


def falls(ladder: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Return Holm-adjusted p values of "falls" and of "rises" for every step of ``ladder`` [seed, size]."""
    steps = -np.diff(ladder.to_numpy(float), axis=1)
    down = holm([one_sided(step) for step in steps.T])
    return down, holm([one_sided(-step) for step in steps.T])


def ordinary_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the least-squares slope of y on x."""
    centred = np.asarray(x, float) - np.mean(x)
    return float(centred @ np.asarray(y, float) / (centred @ centred))
