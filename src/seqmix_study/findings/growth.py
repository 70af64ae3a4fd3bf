"""How time grows with length: the slope of ln t over the last doublings.

Attention's slope is below two at short lengths, because projections (linear in T) dominate there.
"""

from typing import Any

import numpy as np

from seqmix_study.findings.bootstrap import percentile

__all__ = ["exponent"]


def exponent(
    lengths: Any, times: Any, doublings: float = 4, draws: int = 2000, rng: int = 0, level: float = 0.95
) -> dict[str, Any]:
    """Slope of ln t over ln T within the last ``doublings``; ``times`` [lengths, repeats] in seconds.

    Returns estimate, interval (bootstrap over repeats, which are resampled together: they are interleaved blocks, and a
    slow moment of the machine hits one repeat of every length) and the range of lengths used. Raises ValueError with
    fewer than three lengths in that range.
    """
    lengths = np.asarray(lengths, float)
    times = np.asarray(times, float).reshape(len(lengths), -1)
    if (np.diff(lengths) <= 0).any() or not (np.isfinite(times) & (times > 0)).all() or (lengths <= 0).any():
        raise ValueError("lengths must increase, lengths and times must be positive")
    used = lengths >= lengths[-1] / 2**doublings * (1 - 1e-9)
    if used.sum() < 3:
        raise ValueError(f"{int(used.sum())} lengths within the last {doublings:g} doublings: three are needed")
    picks = np.random.default_rng(rng).integers(0, times.shape[1], (draws, times.shape[1]))
    x = np.log(lengths[used]) - np.log(lengths[used]).mean()
    low, high = percentile(np.log(np.median(times[used][:, picks], 2).T) @ x / (x @ x), level)
    estimate = float(np.log(np.median(times[used], 1)) @ x / (x @ x))
    return {"exponent": estimate, "low": low, "high": high, "lengths": (float(lengths[used][0]), float(lengths[-1]))}
