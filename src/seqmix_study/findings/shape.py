"""The shape of a curve over an ordered design (how many attention layers?): U, monotone or flat.

A significant quadratic is no evidence of a U: a monotone curve that levels off has one too (Simonsohn 2018). The
two-lines test asks for a significant fall before the break *and* a significant rise after it.
"""

from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.fits.forms import information

__all__ = ["argmin_interval", "isotonic", "kendall", "ordered_contrast", "rank_agreement", "shapes", "two_lines"]


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


def shapes(x: Any, means: Any) -> list[dict[str, Any]]:
    """AICc of flat, line, monotone (isotonic, its steps counted), quadratic and two lines on arm means, best first.

    Parameters include the break; ``weight`` are Akaike weights. Descriptive: the test is ``two_lines``.
    """
    x, y = np.asarray(x, float), np.asarray(means, float)
    n = len(y)
    rows = [("flat", float(((y - y.mean()) ** 2).sum()), 1)]
    for name, degree in (("line", 1), ("quadratic", 2)):
        rows.append((name, float(((y - np.polyval(np.polyfit(x, y, degree), x)) ** 2).sum()), degree + 1))
    for name, sign in (("falling steps", -1), ("rising steps", 1)):
        fitted = sign * isotonic(sign * y)
        rows.append((name, float(((y - fitted) ** 2).sum()), len(np.unique(fitted))))
    breaks = []
    for at in x[1:-1]:
        columns = np.stack([np.ones(n), np.minimum(x - at, 0), np.maximum(x - at, 0)], 1)
        fitted = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
        breaks.append(float(((y - fitted) ** 2).sum()))
    rows.append(("two lines", min(breaks), 4))
    scale = 1e-12 * max(float(y @ y), 1e-300)  # an exact fit has no likelihood: floor at rounding error
    out = [{"shape": name, "sse": sse, "parameters": p} | information(max(sse, scale), n, p) for name, sse, p in rows]
    least = min(row["aicc"] for row in out)
    total = sum(np.exp(-0.5 * (row["aicc"] - least)) for row in out)
    for row in out:
        row["weight"] = float(np.exp(-0.5 * (row["aicc"] - least)) / total)
    return sorted(out, key=lambda row: row["aicc"])


def isotonic(y: Any) -> np.ndarray:
    """Least-squares non-decreasing fit (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value in np.asarray(y, float):
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, weight = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * weight) / (blocks[-1][1] + weight),
                blocks[-1][1] + weight,
            ]
    return np.concatenate([np.full(int(weight), mean) for mean, weight in blocks])


def ordered_contrast(values: Any, level: float = 0.95) -> dict[str, float]:
    """Does the loss fall along ordered arms? ``values`` [seeds, arms]; linear contrast per seed, Student over seeds.

    The contrast is the least-squares slope per step of the order. Also Page's L (rank sums within seeds) with its
    normal p-value against "no order", in the direction of falling losses.
    """
    y = np.asarray(values, float)
    seeds, arms = y.shape
    weights = np.arange(arms) - (arms - 1) / 2
    test = _mean_test(y @ weights / (weights @ weights), level)
    if not test:
        raise ValueError(f"{seeds} seeds: an ordered contrast needs three or more")
    ranks = y.argsort(1).argsort(1) + 1.0
    page = float((ranks[:, ::-1].sum(0) * np.arange(1, arms + 1)).sum())
    mean = seeds * arms * (arms + 1) ** 2 / 4
    variance = seeds * arms**2 * (arms + 1) * (arms**2 - 1) / 144
    from scipy.special import ndtr

    return test | {"page": page, "page_p": float(ndtr(-(page - mean) / np.sqrt(variance)))}


def kendall(a: Any, b: Any) -> float:
    """Kendall's tau-b of two rankings of the same arms."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    i, j = np.triu_indices(len(a), 1)
    u, v = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
    scale = np.sqrt(float((u != 0).sum()) * float((v != 0).sum()))
    return float((u * v).sum() / scale) if scale else float("nan")


def rank_agreement(first: Any, second: Any, draws: int = 2000, rng: int = 0, level: float = 0.95) -> dict[str, float]:
    """Does the ranking of arms persist, say with four times the training? [arms, seeds] each; tau of the means.

    The interval resamples the seeds of both conditions. ``ceiling`` is the mean tau of two halves of the first
    condition's own seeds: rankings cannot agree better than that (NaN below four seeds).
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    generator = np.random.default_rng(rng)
    taus, ceilings = np.empty(draws), np.empty(draws)
    for i in range(draws):
        pick_a, pick_b = (generator.integers(0, m.shape[1], m.shape[1]) for m in (a, b))
        taus[i] = kendall(a[:, pick_a].mean(1), b[:, pick_b].mean(1))
        order = generator.permutation(a.shape[1])
        half = a.shape[1] // 2
        ceilings[i] = kendall(a[:, order[:half]].mean(1), a[:, order[half:]].mean(1)) if half >= 2 else np.nan
    low, high = percentile(taus, level)
    ceiling = float(np.nanmean(ceilings)) if np.isfinite(ceilings).any() else float("nan")
    return {"tau": kendall(a.mean(1), b.mean(1)), "low": low, "high": high, "ceiling": ceiling}


def argmin_interval(x: Any, y: Any, draws: int = 4000, rng: int = 0, level: float = 0.95) -> dict[str, Any]:
    """Where is the minimum of ``y`` [arms, seeds] over ``x``? Estimate, set of plausible places, share of each.

    Arm means are redrawn with Student noise of their own seeds; ``low`` and ``high`` hold ``level`` of the draws.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    seeds = y.shape[1]
    if seeds < 2:
        raise ValueError("an interval for the place of the minimum needs two seeds or more")
    generator = np.random.default_rng(rng)
    noise = stdtrit(seeds - 1, generator.uniform(1e-6, 1 - 1e-6, (draws, len(x))))
    places = x[(y.mean(1) + noise * y.std(1, ddof=1) / np.sqrt(seeds)).argmin(1)]
    low, high = percentile(places, level)
    share = {float(v): float((places == v).mean()) for v in x}
    return {"estimate": float(x[y.mean(1).argmin()]), "low": low, "high": high, "share": share}
