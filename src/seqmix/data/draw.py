"""Drawing from fixed discrete distributions in constant time, and their entropy."""

import numpy as np

__all__ = ["Alias", "entropy", "zipf"]


def zipf(size: int, exponent: float) -> np.ndarray:
    """Return Zipf probabilities p_r ~ r^-exponent of ranks 1..size."""
    weights = np.arange(1, size + 1.0) ** -exponent
    return weights / weights.sum()


def entropy(p: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return -sum p ln p along ``axis``, nats, with 0 ln 0 = 0."""
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis)


class Alias:
    """Walker's alias method for distributions [..., n]: a draw is one uniform number and two look-ups.

    Exact up to the rounding of float64, for any n; Walker 1977, Vose 1991.
    """

    def __init__(self, p: np.ndarray) -> None:
        self.size = p.shape[-1]
        rows = p.reshape(-1, self.size) * self.size
        keep = np.ones_like(rows)
        other = np.tile(np.arange(self.size), (len(rows), 1))
        for row, scaled in enumerate(rows):
            self._fill(scaled.copy(), keep[row], other[row])
        self.keep, self.other = keep.ravel(), other.ravel()

    @staticmethod
    def _fill(scaled: np.ndarray, keep: np.ndarray, other: np.ndarray) -> None:
        small = [int(i) for i in np.flatnonzero(scaled < 1)]
        large = [int(i) for i in np.flatnonzero(scaled >= 1)]
        while small and large:
            low, high = small.pop(), large[-1]
            keep[low], other[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())

    def __call__(self, uniform: np.ndarray, row: np.ndarray | int = 0) -> np.ndarray:
        """Return draws for uniform numbers in [0, 1); ``row`` chooses the distribution (flat index) for each."""
        scaled = uniform * self.size
        column = scaled.astype(np.int64)
        place = column + row * self.size
        return np.where(scaled - column < self.keep[place], column, self.other[place])
