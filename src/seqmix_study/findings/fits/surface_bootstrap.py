"""Intervals of a surface fit: resample what varies together, refit, stretch for the degrees of freedom.

The unit is a cell (rows of equal N and D). Where the residuals of one size go together (a badly tuned size is off at
every number of tokens), sizes are resampled too, and tokens likewise; every parameter gets its widest interval. In
simulation with such a misfit of sizes the intervals of cells alone cover alpha in 51 % of tables, the wider ones in
97 %.
"""

import numpy as np
from scipy.special import fdtrc

from seqmix_study.findings.bootstrap import cluster_counts, expanded
from seqmix_study.findings.fits.fit import Fit
from seqmix_study.findings.fits.forms import PARAMETERS
from seqmix_study.findings.fits.huber import Problem

__all__ = ["bootstrap_surface", "in_units", "level_effect", "optimal_exponent"]

#: A second start that never won in this many resamples is not tried on the others.
TRIAL = 100
#: p-value below which the residuals of a level count as going together; lenient: overlooking it is the worse error.
TOGETHER = 0.2
#: Hoffmann et al. 2022 (unrounded a, b, e, alpha, beta): the second start of every resample.
HOFFMANN = {"a": 6.0073404, "b": 6.0179186, "e": 0.5267228, "alpha": 0.33917084, "beta": 0.2849083}


def bootstrap_surface(
    fit: Fit, problem: Problem, best: np.ndarray, cell: np.ndarray, draws: int, rng: np.random.Generator
) -> None:
    """Fill ``fit.intervals`` and ``fit.bootstrap``; ``cell`` [points] numbers the cells, ``best`` is the optimum."""
    n, d = np.asarray(fit.points["N"]), np.asarray(fit.points["D"])
    rows = _refits(fit, problem, best, cell, draws, rng)
    units = {"cells of equal N and D": (rows, int(cell.max()) + 1, len(best))}
    residual = np.asarray(fit.points["loss"]) - np.asarray(fit.points["fitted"])
    for name, values in (("sizes", n), ("token counts", d)):
        levels = np.unique(values, return_inverse=True)[1].ravel()
        p = level_effect(residual, levels)
        if p < TOGETHER:
            # a term is seen by its own levels only: three parameters, its amplitude and exponent and the floor
            units[name] = (_refits(fit, problem, best, levels, draws, rng), int(levels.max()) + 1, 3)
            if p < 0.01:
                fit.notes.append(f"residuals of equal {name} go together (p = {p:.2g}): {name} were resampled too")
    for parameter in PARAMETERS[fit.form]:
        ends = [_interval(fit, parameter, *unit) for unit in units.values()]
        fit.intervals[parameter] = (min(e[0] for e in ends), max(e[1] for e in ends))
    exponents = np.array([[row["alpha"], row["beta"]] for row in rows])
    floor = np.array([row["E"] for row in rows])
    inside = ((exponents > 0.01) & (exponents < 3)).all(1) & (
        (floor > 1e-3 * min(fit.points["loss"])) | (fit.form == "C4")
    )
    share = exponents[:, 1] / exponents.sum(1)
    fit.bootstrap = {
        "resamples": draws,
        "unit": ", ".join(units),
        "share_inside": float(inside.mean()),
        "optimal_exponent": {
            "estimate": optimal_exponent(fit.estimates),
            "interval": np.percentile(share, [2.5, 97.5]),
        },
        "draws": {"rows": rows},
    }


def level_effect(residual: np.ndarray, levels: np.ndarray) -> float:
    """p-value that points of one level deviate alike (one-way F-test); 1 where levels hardly repeat."""
    groups, n = int(levels.max()) + 1, len(levels)
    if groups < 5 or n < 2 * groups or np.ptp(residual) == 0:
        return 1.0
    count = np.bincount(levels)
    mean = np.bincount(levels, residual) / count
    between = float((count * (mean - residual.mean()) ** 2).sum()) / (groups - 1)
    within = float(((residual - mean[levels]) ** 2).sum()) / (n - groups)
    scale = 1e-12 * float(np.abs(residual).max()) ** 2
    return float(fdtrc(groups - 1, n - groups, between / max(within, scale)))


def _refits(
    fit: Fit, problem: Problem, best: np.ndarray, unit: np.ndarray, draws: int, rng: np.random.Generator
) -> list[dict[str, float]]:
    n, d = np.asarray(fit.points["N"]), np.asarray(fit.points["D"])
    clusters = int(unit.max()) + 1
    least = min(clusters, len(best) + 1 if clusters == len(unit) else 4)
    weights = cluster_counts(clusters, draws, rng, distinct=least)[:, unit]
    second = best.copy()
    for name in set(HOFFMANN) & set(problem.names):
        shift = {"a": -HOFFMANN["alpha"] * np.log(n).mean(), "b": -HOFFMANN["beta"] * np.log(d).mean()}
        second[problem.names.index(name)] = HOFFMANN[name] + shift.get(name, 0.0)
    if np.abs(problem.evaluate(second[None])[0][0]) > 1e3 * abs(fit.objective) + 1:
        second = problem.starts(1, rng)[0]  # another unit of N or D, or of loss: Hoffmann's point is far away
    fitted, wins = problem.solve_weighted(weights[:TRIAL], [best, second])
    if draws > TRIAL:
        rest, _ = problem.solve_weighted(weights[TRIAL:], [best, second] if wins else [best])
        fitted = np.concatenate([fitted, rest])
    return in_units(problem, fitted, n, d)


def _interval(fit: Fit, name: str, rows: list[dict[str, float]], clusters: int, parameters: int) -> tuple[float, float]:
    values = np.array([row[name] for row in rows])
    if name not in ("A", "B"):
        low, high = expanded(values, fit.estimates[name], fit.level, clusters, parameters)
        return (max(low, 0.0) if name == "E" else low), high
    # positive and skewed: stretched on the logarithm
    logs = np.log(np.maximum(values, 1e-300))
    low, high = expanded(logs, float(np.log(fit.estimates[name])), fit.level, clusters, parameters)
    with np.errstate(over="ignore"):
        return float(np.exp(low)), float(np.exp(high))


def in_units(problem: Problem, p: np.ndarray, n: np.ndarray, d: np.ndarray) -> list[dict[str, float]]:
    """Parameters in the table's own units from internal ones [R, p]."""
    column = {name: p[:, i] for i, name in enumerate(problem.names)}
    with np.errstate(over="ignore", under="ignore"):
        values = {
            "E": np.exp(column["e"]) if "e" in column else np.zeros(len(p)),
            "A": np.exp(column["a"] + column["alpha"] * np.log(n).mean()),
            "B": np.exp(column["b"] + column["beta"] * np.log(d).mean()),
            "alpha": column["alpha"],
            "beta": column["beta"],
        }
        if "g" in column:
            values["gamma"] = np.exp(column["g"])
    return [{name: float(v[i]) for name, v in values.items()} for i in range(len(p))]


def optimal_exponent(estimates: dict[str, float]) -> float:
    """a in N_opt ~ C^a: beta / (alpha + beta)."""
    return estimates["beta"] / (estimates["alpha"] + estimates["beta"])
