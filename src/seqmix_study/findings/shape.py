"""The shape of a curve over an ordered design (how many attention layers?): U, monotone or flat.

A significant quadratic is no evidence of a U: a monotone curve that levels off has one too (Simonsohn 2018). The
two-lines test asks for a significant fall before the break *and* a significant rise after it.
"""

from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

__all__ = ["two_lines"]


def two_lines(x: Any, y: Any, level: float = 0.95) -> dict[str, Any]:
    """Two-lines test on ``y`` [arms, seeds] at ``x`` [arms], lower in the middle = U.

    The break of a seed is the minimum of the mean of the *other* seeds: a break chosen on the same data makes slopes
    out of noise. Slopes of the seeds are tested one-sided; both must be significant (intersection-union, no
    correction needed). With fewer than three seeds nothing is concluded. ``conclusion``: "U", "falls", "rises" (one
    line only), "not shown".
    """
    x, y = np.asarray(x, float), np.atleast_2d(np.asarray(y, float).T).T
    seeds = y.shape[1]
    if seeds < 3:
        return {
            "conclusion": "not shown",
            "reason": f"{seeds} seeds: three are needed",
            "break": float(x[y.mean(1).argmin()]),
        }
    slopes = np.full((seeds, 2), np.nan)
    for s in range(seeds):
        at = int(np.delete(y, s, axis=1).mean(1).argmin())
        for side, part in enumerate((slice(0, at + 1), slice(at, None))):
            if len(x[part]) >= 2:
                slopes[s, side] = np.polyfit(x[part], y[part, s], 1)[0]
    left, right = (_mean_test(slopes[:, i], level) for i in (0, 1))
    p_fall = left["p_below"] if left else 1.0
    p_rise = right["p_above"] if right else 1.0
    alpha = 1 - level
    if max(p_fall, p_rise) < alpha:
        conclusion = "U"
    elif p_fall < alpha and not right:
        conclusion = "falls"
    elif p_rise < alpha and not left:
        conclusion = "rises"
    else:
        whole = _mean_test(np.array([np.polyfit(x, y[:, s], 1)[0] for s in range(seeds)]), level)
        conclusion = "not shown"
        if whole["p_below"] < alpha and p_rise >= alpha:
            conclusion = "falls"
        elif whole["p_above"] < alpha and p_fall >= alpha:
            conclusion = "rises"
    return {
        "conclusion": conclusion,
        "break": float(x[y.mean(1).argmin()]),
        "left": left,
        "right": right,
        "p": max(p_fall, p_rise),
    }


def _mean_test(values: np.ndarray, level: float) -> dict[str, float]:
    """Mean, Student interval and one-sided p-values; {} where a side has no slope in fewer than three seeds."""
    values = values[np.isfinite(values)]
    n = len(values)
    if n < 3:
        return {}
    mean, se = float(values.mean()), max(float(values.std(ddof=1)) / np.sqrt(n), 1e-15)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
    below = float(stdtr(n - 1, mean / se))
    return {"slope": mean, "low": mean - half, "high": mean + half, "p_below": below, "p_above": 1 - below}
