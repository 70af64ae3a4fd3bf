"""Where two curves cross: the size at which one family overtakes, the length from which one is faster.

"Crosses" needs a significant sign at both ends of the range, and opposite ones. Otherwise there is an answer too: none
in the range, with the side that was measured; or an end that is too close to call, with a one-sided bound.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.bootstrap import percentile

__all__ = ["Crossover", "crossover"]

End = tuple[float, float, float]


@dataclass(frozen=True)
class Crossover:
    """``status``: "crosses", "none in range" or "not resolved"; ``value`` with interval in the unit of x (else NaN).

    ``direction``: "first overtakes" when first minus second goes from above to below zero as x grows.
    ``ends``: (difference, low, high) at the smallest and the largest x.
    """

    status: str
    text: str
    ends: tuple[End, End]
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    direction: str = ""


def crossover(
    x: Any,
    first: Any,
    second: Any,
    *,
    paired: bool = True,
    log_ratio: bool = False,
    level: float = 0.95,
    draws: int = 4000,
    rng: int = 0,
) -> Crossover:
    """Find the zero of first - second (``log_ratio``: of ln first/second) over ln x, lower being better.

    ``first``, ``second``: [points, repeats] (seeds, or interleaved timing repeats; the same repeats where
    ``paired``), or [points] with no repeats, which resolves nothing. Between points the difference is linear in ln x.
    Points are redrawn with Student noise of their repeats. Raises ValueError for fewer than two points or x not
    increasing and positive.
    """
    x = np.asarray(x, float)
    a, b = (np.asarray(v, float).reshape(len(x), -1) for v in (first, second))
    if len(x) < 2 or (x <= 0).any() or (np.diff(x) <= 0).any():
        raise ValueError("a crossover needs two or more positive, increasing x")
    if log_ratio:
        a, b = np.log(a), np.log(b)
    mean = a.mean(1) - b.mean(1)
    df = min(a.shape[1], b.shape[1]) - 1
    se = np.hypot(_error(a), _error(b))
    if paired and a.shape == b.shape:
        mean, se = (a - b).mean(1), _error(a - b)
    half = stdtrit(max(df, 1), 0.5 + level / 2) * se
    ends = tuple((float(mean[i]), float(mean[i] - half[i]), float(mean[i] + half[i])) for i in (0, -1))
    signs = [1 if low > 0 else -1 if high < 0 else 0 for _, low, high in ends]
    if 0 in signs:
        return _unresolved(x, mean, half, ends, signs)
    leader = "the first" if signs[0] < 0 else "the second"
    if signs[0] == signs[1]:
        back = [f"{v:g}" for v in x[-signs[0] * mean > half]]
        inner = f", though not at {', '.join(back)}" if back else ""
        text = f"none in range: {leader} is lower at both ends, {x[0]:g} to {x[-1]:g}{inner}"
        return Crossover("none in range", text, ends)
    noise = stdtrit(max(df, 1), np.random.default_rng(rng).uniform(1e-6, 1 - 1e-6, (draws, len(x))))
    places = _zero(np.log(x), np.vstack([mean, mean + noise * se]), signs[0])
    at = [float(np.exp(v)) for v in (places[0], *percentile(places[1:], level))]
    winner = "first" if signs[0] > 0 else "second"
    text = f"the {winner} overtakes at {at[0]:.3g} ({at[1]:.3g} to {at[2]:.3g})"
    return Crossover("crosses", text, ends, *at, f"{winner} overtakes")


def _error(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over repeats [points]; infinite without any."""
    repeats = values.shape[1]
    return values.std(1, ddof=1) / np.sqrt(repeats) if repeats > 1 else np.full(len(values), np.inf)


def _zero(log_x: np.ndarray, difference: np.ndarray, sign: int) -> np.ndarray:
    """ln x of the last change from ``sign`` [rows]; the range's end where a row never changes."""
    ahead = difference * sign > 0
    last = np.where(ahead.any(1), ahead.shape[1] - 1 - ahead[:, ::-1].argmax(1), -1)
    out = np.where(last < 0, log_x[0], log_x[-1])
    rows = np.flatnonzero((last >= 0) & (last < len(log_x) - 1))
    i = last[rows]
    left, right = difference[rows, i], difference[rows, i + 1]
    out[rows] = log_x[i] + (log_x[i + 1] - log_x[i]) * left / (left - right)
    return out


def _unresolved(x: np.ndarray, mean: np.ndarray, half: np.ndarray, ends: Any, signs: list[int]) -> Crossover:
    """One end or both are too close to call: say how far the known sign reaches."""
    if signs == [0, 0]:
        text = f"not resolved: the difference is too close to call at both ends, {x[0]:g} and {x[-1]:g}"
        return Crossover("not resolved", text, ends)
    sign = signs[0] or signs[1]
    sure = mean * sign > half
    leader = "the first" if sign < 0 else "the second"
    if signs[0]:
        reach = float(x[np.argmin(sure) - 1])
        text = f"not resolved: {leader} is lower up to {reach:g}, too close to call at {x[-1]:g}"
        return Crossover("not resolved", text, ends, low=reach, high=float("inf"))
    reach = float(x[::-1][np.argmin(sure[::-1]) - 1])
    text = f"not resolved: {leader} is lower from {reach:g} on, too close to call at {x[0]:g}"
    return Crossover("not resolved", text, ends, low=0.0, high=reach)
