"""Where two curves cross: the size at which one family overtakes, the length from which one is faster.

"Crosses" needs a significant sign at both ends of the range, and opposite ones. Otherwise there is an answer too: none
in the range, with the side that was measured; or an end that is too close to call, with a one-sided bound.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.bootstrap import percentile

__all__ = ["Crossover", "crossover"]


@dataclass(frozen=True)
class Crossover:
    """``status``: "crosses", "none in range" or "not resolved"; ``value`` with interval in the unit of x (else NaN).

    ``direction``: "first overtakes" when first minus second goes from above to below zero as x grows.
    ``ends``: (difference, low, high) at the smallest and the largest x.
    """

    status: str
    value: float
    low: float
    high: float
    direction: str
    ends: tuple[tuple[float, float, float], tuple[float, float, float]]
    text: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    unit: str = "",
    names: tuple[str, str] = ("the first", "the second"),
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
    if paired and a.shape == b.shape:
        each = a - b
        mean, repeats = each.mean(1), a.shape[1]
        se = each.std(1, ddof=1) / np.sqrt(repeats) if repeats > 1 else np.full(len(x), np.inf)
        df = repeats - 1
    else:
        mean = a.mean(1) - b.mean(1)
        df = min(a.shape[1], b.shape[1]) - 1
        parts = [v.var(1, ddof=1) / v.shape[1] if v.shape[1] > 1 else np.full(len(x), np.inf) for v in (a, b)]
        se = np.sqrt(parts[0] + parts[1])
    half = stdtrit(max(df, 1), 0.5 + level / 2) * se
    ends = tuple((float(mean[i]), float(mean[i] - half[i]), float(mean[i] + half[i])) for i in (0, -1))
    signs = [1 if low > 0 else -1 if high < 0 else 0 for _, low, high in ends]
    log_x = np.log(x)
    if 0 in signs:
        return _unresolved(x, mean, half, ends, signs, unit, names)
    leader = names[0] if signs[0] < 0 else names[1]
    if signs[0] == signs[1]:
        back = [f"{v:g}" for v, d, h in zip(x, mean, half, strict=True) if (d - h if signs[0] < 0 else -d - h) > 0]
        inner = f", though not at {', '.join(back)}{unit}" if back else ""
        text = f"none in range: {leader} is lower at both ends, {x[0]:g} to {x[-1]:g}{unit}{inner}"
        nothing = float("nan")
        return Crossover("none in range", nothing, nothing, nothing, "", ends, text)
    value = _zero(log_x, mean[None], signs[0])[0]
    noise = stdtrit(max(df, 1), np.random.default_rng(rng).uniform(1e-6, 1 - 1e-6, (draws, len(x))))
    places = _zero(log_x, mean + noise * se, signs[0])
    low, high = percentile(places, level)
    direction = "first overtakes" if signs[0] > 0 else "second overtakes"
    winner = names[0] if signs[0] > 0 else names[1]
    at = [float(np.exp(v)) for v in (value, low, high)]
    text = f"{winner} overtakes at {at[0]:.3g}{unit} ({at[1]:.3g} to {at[2]:.3g})"
    return Crossover("crosses", at[0], at[1], at[2], direction, ends, text)


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


def _unresolved(
    x: np.ndarray, mean: np.ndarray, half: np.ndarray, ends: Any, signs: list[int], unit: str, names: tuple[str, str]
) -> Crossover:
    """One end or both are too close to call: say how far the known sign reaches."""
    nothing = float("nan")
    if signs == [0, 0]:
        text = f"not resolved: the difference is too close to call at both ends, {x[0]:g} and {x[-1]:g}{unit}"
        return Crossover("not resolved", nothing, nothing, nothing, "", ends, text)
    sign = signs[0] or signs[1]
    sure = (mean * sign - half) > 0
    leader = names[0] if sign < 0 else names[1]
    if signs[0]:
        reach = x[: int(np.argmin(sure)) if not sure.all() else len(x)][-1]
        text = f"not resolved: {leader} is lower up to {reach:g}{unit}, too close to call at {x[-1]:g}"
        return Crossover("not resolved", nothing, float(reach), float("inf"), "", ends, text)
    from_end = sure[::-1]
    reach = x[::-1][: int(np.argmin(from_end)) if not from_end.all() else len(x)][-1]
    text = f"not resolved: {leader} is lower from {reach:g}{unit} on, too close to call at {x[0]:g}"
    return Crossover("not resolved", nothing, 0.0, float(reach), "", ends, text)
