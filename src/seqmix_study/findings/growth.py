"""How time grows with length: the slope of ln t over the last doublings.

Attention's slope is below two at short lengths, because projections (linear in T) dominate there.
"""

from typing import Any

import numpy as np

from seqmix_study.findings.bootstrap import percentile

__all__ = ["exponent"]


def _medians(times: np.ndarray, draws: int, rng: int) -> tuple[np.ndarray, np.ndarray]:
    """Median time a length [L], and the same of resampled repeats [draws, L]; repeats are resampled together.

    Repeats are interleaved blocks: a slow moment of the machine hits one repeat of every length.
    """
    generator = np.random.default_rng(rng)
    picks = generator.integers(0, times.shape[1], (draws, times.shape[1]))
    return np.median(times, 1), np.median(times[:, picks], 2).T


def _checked(lengths: Any, times: Any) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.asarray(lengths, float)
    times = np.asarray(times, float).reshape(len(lengths), -1)
    if (np.diff(lengths) <= 0).any() or not (np.isfinite(times) & (times > 0)).all() or (lengths <= 0).any():
        raise ValueError("lengths must increase, lengths and times must be positive")
    return lengths, times


def exponent(
    lengths: Any, times: Any, doublings: float = 4, draws: int = 2000, rng: int = 0, level: float = 0.95
) -> dict[str, Any]:
    """Slope of ln t over ln T within the last ``doublings``; ``times`` [lengths, repeats] in seconds.

    Returns estimate, interval (bootstrap over repeats) and the range of lengths used. Raises ValueError with fewer than
    three lengths in that range.
    """
    lengths, times = _checked(lengths, times)
    used = lengths >= lengths[-1] / 2**doublings * (1 - 1e-9)
    if used.sum() < 3:
        raise ValueError(f"{int(used.sum())} lengths within the last {doublings:g} doublings: three are needed")
    median, resampled = _medians(times[used], draws, rng)
    x = np.log(lengths[used]) - np.log(lengths[used]).mean()
    low, high = percentile(np.log(resampled) @ x / (x @ x), level)
    return {
        "exponent": float(np.log(median) @ x / (x @ x)),
        "low": low,
        "high": high,
        "lengths": (float(lengths[used][0]), float(lengths[-1])),
    }
