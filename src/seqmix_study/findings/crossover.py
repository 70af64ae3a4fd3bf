"""Where two curves cross: the size at which one family overtakes, the length from which one is faster.

"Crosses" needs a significant sign at both ends of the range, and opposite ones. Otherwise there is an answer too: none
in the range, with the side that was measured; or an end that is too close to call, with a one-sided bound.
"""

import numpy as np
from scipy.special import stdtrit
from scipy.stats import sem

from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.select import NotDecided

DRAWS = 4000


def crossover(
    x: np.ndarray, first: np.ndarray, second: np.ndarray, ratio: bool = False, level: float = 0.95
) -> tuple[float, float, float, str]:
    """Return where ``first`` falls below ``second`` as x grows, over ln x, with its interval and in words.

    ``x``: positive and increasing [points]; ``first``, ``second``: [points, seeds], lower being better. ``ratio``: of
    ln first/second, paired in the rounds [points, rounds] that timings were interleaved in. Between points the
    difference is linear in ln x; points are redrawn with Student noise of their repeats. The value is NaN where there
    is no crossing in the range, and the interval says on which side of the range it lies. Raises NotDecided where an
    end of the range is too close to call and bounds nothing, or the second overtakes.
    """
    a, b = (np.log(first), np.log(second)) if ratio else (first, second)
    df = max(min(a.shape[1], b.shape[1]) - 1, 1)
    paired = ratio and a.shape == b.shape
    mean, se = a.mean(1) - b.mean(1), sem(a - b, 1) if paired else np.hypot(sem(a, 1), sem(b, 1))
    half = stdtrit(df, 0.5 + level / 2) * se
    signs = (mean > half).astype(int) - (mean < -half)
    start, end = int(signs[0]), int(signs[-1])
    leader = {-1: "the first", 1: "the second"}
    if not start and not end:
        raise NotDecided(f"not resolved: the difference is too close to call at both ends, {x[0]:g} and {x[-1]:g}")
    if not start:
        reach = x[::-1][np.argmin(signs[::-1] == end) - 1]
        raise NotDecided(f"not resolved: {leader[end]} is lower from {reach:g} on, too close to call at {x[0]:g}")
    if not end:
        reach = float(x[np.argmin(signs == start) - 1])
        text = f"not resolved: {leader[start]} is lower up to {reach:g}, too close to call at {x[-1]:g}"
        if start < 0:
            raise NotDecided(text)
        return np.nan, reach, np.inf, text
    if start == end:
        back = ", ".join(f"{v:g}" for v in x[signs == -start])
        text = f"none in range: {leader[start]} is lower at both ends, {x[0]:g} to {x[-1]:g}"
        text += f", though not at {back}" if back else ""
        return (np.nan, 0.0, float(x[0]), text) if start < 0 else (np.nan, float(x[-1]), np.inf, text)
    noise = stdtrit(df, np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, (DRAWS, len(x))))
    places = _zero(np.log(x), np.vstack([mean, mean + noise * se]), start)
    value, low, high = (float(np.exp(v)) for v in (places[0], *percentile(places[1:], level)))
    text = f"{leader[end]} overtakes at {value:.3g} ({low:.3g} to {high:.3g})"
    if start < 0:
        raise NotDecided(text)
    return value, low, high, text


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
