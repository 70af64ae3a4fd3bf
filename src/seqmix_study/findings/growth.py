"""How time grows with length: the slope of ln t over the last doublings, and what share of it is really quadratic.

Attention's slope is below two at short lengths because projections (linear in T) dominate; the honest number is the
share of the quadratic term in t = a + b T + c T^2, fitted with non-negative coefficients.
"""

from typing import Any

import numpy as np
from scipy.optimize import nnls

from seqmix_study.findings.bootstrap import percentile

__all__ = ["exponent", "two_terms"]


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


def two_terms(lengths: Any, times: Any, draws: int = 1000, rng: int = 0, level: float = 0.95) -> dict[str, Any]:
    """Fit t = a + b T + c T^2 by non-negative least squares on relative errors, with bootstrap intervals.

    Returns a, b, c as (value, low, high) in seconds per token power, and ``quadratic_share`` [lengths]: c T^2 / t
    with its interval at every length.
    """
    lengths, times = _checked(lengths, times)
    scale = lengths / lengths[-1]
    columns = np.stack([np.ones_like(scale), scale, scale**2], 1)
    median, resampled = _medians(times, draws, rng)
    fitted = np.array([nnls(columns / t[:, None], np.ones(len(t)))[0] for t in [median, *resampled]])
    share = fitted[:, 2:] * scale**2 / np.maximum(fitted @ columns.T, 1e-300)
    units = np.array([1.0, 1 / lengths[-1], 1 / lengths[-1] ** 2])
    rows = {
        name: (float(fitted[0, i] * u), *(v * u for v in percentile(fitted[1:, i], level)))
        for i, (name, u) in enumerate(zip("abc", units, strict=True))
    }
    shares = [
        {"length": float(t), "share": float(share[0, i]), "low": ends[0], "high": ends[1]}
        for i, t in enumerate(lengths)
        for ends in [percentile(share[1:, i], level)]
    ]
    residual = float(np.abs(fitted[0] @ columns.T / median - 1).max())
    return rows | {"quadratic_share": shares, "largest_error": residual}
