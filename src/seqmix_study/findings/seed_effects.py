"""Small statistics for deciders: an effect with its interval, clustered by seed.

A seed is one independent repetition: everything measured within a seed (sizes, lengths, evaluation blocks) is averaged
first, so that the interval speaks about new seeds. The statistics are those of ``seqmix_study.findings.compare_arms``.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from seqmix_study.findings.compare_arms import holm, over_seeds_and_blocks, paired
from seqmix_study.findings.finding import NotTested

__all__ = ["Effect", "falls", "of_seeds", "of_seeds_and_blocks", "one_sided", "ordinary_slope"]


@dataclass(frozen=True)
class Effect:
    """An estimate with its 95 % interval and the number of seeds behind it."""

    estimate: float
    lo: float
    hi: float
    seeds: int


def of_seeds(per_seed: np.ndarray | pd.Series) -> Effect:
    """Return mean and 95 % interval of one value a seed; raises NotTested for fewer than two seeds."""
    values = np.asarray(per_seed, float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise NotTested(f"an interval needs two seeds or more with finite values; the tables have {len(values)}")
    found = paired(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0))
    return Effect(found.estimate, found.low, found.high, len(values))


def of_seeds_and_blocks(values: pd.DataFrame, level: float = 0.95) -> Effect:
    """Return mean and interval of ``values`` [seed, block], both random; raises NotTested below two seeds."""
    array = values.to_numpy(float)
    if len(array) < 2 or not np.isfinite(array).all():
        raise NotTested(f"an interval needs two seeds or more with every block; the tables have {len(array)}")
    found = over_seeds_and_blocks(array, level=level)
    return Effect(found.estimate, found.low, found.high, len(array))


def one_sided(per_seed: np.ndarray) -> float:
    """Return the p value of "the mean is not above zero" (one-sided Student test)."""
    values = np.asarray(per_seed, float)
    se = values.std(ddof=1) / math.sqrt(len(values))
    if se == 0:
        return 0.0 if values.mean() > 0 else 1.0
    return float(stdtr(len(values) - 1, -values.mean() / se))


def falls(ladder: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Return Holm-adjusted p values of "falls" and of "rises" for every step of ``ladder`` [seed, size]."""
    steps = -np.diff(ladder.to_numpy(float), axis=1)
    down, up = ({i: one_sided(side * step) for i, step in enumerate(steps.T)} for side in (1, -1))
    return list(holm(down).values()), list(holm(up).values())


def ordinary_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the least-squares slope of y on x."""
    centred = np.asarray(x, float) - np.mean(x)
    return float(centred @ np.asarray(y, float) / (centred @ centred))
