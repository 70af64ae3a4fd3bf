"""From rows (one a run) to size means: the unit that a ladder is fitted on.

A run's loss is f(N_k) + u_k + e_ks, with u_k the misfit of a size (its learning rate, its depth to width ratio) and
e_ks seed noise. Seeds share u_k, so they are repeats of one point and not points: fitting runs gave intervals that
cover 70-82 % instead of 95 % in simulation. Sizes weigh the same whatever their number of seeds, because u_k does not
average out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ladder", "checked"]


def checked(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as positive finite floats [n], or raise ValueError naming the column and the row."""
    try:
        array = np.asarray(values, float).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not numeric ({error})") from None
    if not len(array):
        raise ValueError(f"{name}: no values")
    bad = ~(np.isfinite(array) & (array > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{name}: value {array[row]} in row {row} is not a positive number")
    return array


@dataclass(frozen=True)
class Ladder:
    """Size means of one family: all arrays [k], sorted by size."""

    n: np.ndarray
    mean: np.ndarray
    count: np.ndarray
    seed_sd: float  # pooled over sizes, nats; NaN without repeats
    seed_df: int
    se: np.ndarray  # standard error of a mean from the pooled seed sd; NaN without repeats
    repeated_seeds: bool = False  # one seed named twice at one size

    @classmethod
    def from_rows(cls, n: Any, loss: Any, seeds: Any = None) -> "Ladder":
        n, loss = checked("N", n), checked("loss", loss)
        if len(n) != len(loss):
            raise ValueError(f"N has {len(n)} values, loss has {len(loss)}")
        sizes, where, count = np.unique(n, return_inverse=True, return_counts=True)
        mean = np.bincount(where, loss) / count
        df = int((count - 1).sum())
        within = float(((loss - mean[where]) ** 2).sum())
        sd = float(np.sqrt(within / df)) if df else float("nan")
        repeated = False
        if seeds is not None:
            names = list(zip(where.tolist(), map(str, np.asarray(seeds).tolist()), strict=True))
            repeated = len(set(names)) < len(names)
        return cls(sizes, mean, count, sd, df, sd / np.sqrt(count), repeated)

    @property
    def k(self) -> int:
        return len(self.n)

    @property
    def log_n(self) -> np.ndarray:
        return np.log(self.n)

    @property
    def decades(self) -> float:
        return float(np.log10(self.n[-1] / self.n[0]))

    @property
    def spread(self) -> float:
        """Range of the size means, nats: the signal that a law has to explain."""
        return float(self.mean.max() - self.mean.min())
