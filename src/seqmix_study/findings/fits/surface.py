"""Fit a surface L(N, D) = E + A N^-alpha + B D^-beta (C5), or with an outer exponent gamma (C6).

Two engines that estimate different things where residuals are heavy-tailed: ``varpro``, least squares of the loss
over a dense grid of exponents with the linear part solved in closed form; ``huber``, the log-Huber objective of
Hoffmann et al. 2022 from sixty starts. Intervals: bootstrap over the cells of the table (rows of equal N and D move
together), restarted from the optimum and from a second point, stretched for the degrees of freedom.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.fits.fit import Fit, data_hash
from seqmix_study.findings.fits.forms import PARAMETERS, information
from seqmix_study.findings.fits.huber import Problem
from seqmix_study.findings.fits.ladder import checked
from seqmix_study.findings.fits.surface_bootstrap import bootstrap_surface, in_units, optimal_exponent
from seqmix_study.findings.fits.surface_gates import ran_away, surface_gates, surface_status

__all__ = ["fit_surface", "grid_starts"]


def fit_surface(
    n: Any,
    d: Any,
    loss: Any,
    *,
    seeds: Any = None,
    form: str = "C5",
    method: str = "varpro",
    delta: float = 1e-3,
    starts: int = 60,
    n_boot: int = 1000,
    level: float = 0.95,
    rng: int = 0,
    cross_check: bool = True,
) -> Fit:
    """Fit losses [rows] in nats per token at sizes ``n`` and training tokens ``d`` (any unit: rescaled internally).

    With ``seeds`` rows of equal (N, D) are averaged first; without, every row is a point (published tables), and rows
    of equal (N, D) are resampled together. ``delta`` is the width of the Huber loss in ln L. Raises ValueError for
    values that are not positive numbers; too few or badly placed points are a verdict.
    """
    if form not in ("C5", "C6"):
        raise ValueError(f"unknown form {form!r} for a surface; known: C5, C6")
    if method not in ("varpro", "huber"):
        raise ValueError(f"unknown method {method!r}; known: varpro, huber")
    n, d, loss = checked("N", n), checked("D", d), checked("loss", loss)
    if not len(n) == len(d) == len(loss):
        raise ValueError(f"N, D and loss have {len(n)}, {len(d)} and {len(loss)} values")
    digest = data_hash(n, d, loss)
    cell = np.unique(np.stack([n, d], 1), axis=0, return_inverse=True)[1].ravel()
    if seeds is not None:
        count = np.bincount(cell)
        n, d, loss = (np.bincount(cell, v) / count for v in (n, d, loss))
        cell = np.arange(len(n))
    fit = Fit(
        form=form,
        method=method,
        estimates={},
        intervals={},
        objective=float("nan"),
        status="refused",
        gates=[],
        level=level,
        points={"N": n.tolist(), "D": d.tolist(), "loss": loss.tolist()},
        slope=_plane(n, d, loss, level),
        hash=digest,
    )
    names = PARAMETERS[form]
    fit.df = len(loss) - len(names)
    generator = np.random.default_rng(rng)
    if fit.df > 0 and np.ptp(n) > 0 and np.ptp(d) > 0 and np.ptp(loss) > 0:
        engines = {
            kind: _engine(form, kind, n, d, loss, delta, starts, generator)
            for kind in ("varpro", "huber")
            if cross_check or kind == method
        }
        problem, best, objective, reached = engines[method]
        if form == "C5":
            bare = _engine("C4", method, n, d, loss, delta, starts, generator)
            if bare[2] <= objective * (1 + 1e-7):
                fit.form, (problem, best, objective, reached) = "C4", bare
                fit.notes.append("the irreducible loss comes out as zero: the law without a constant fits as well")
        fit.objective = objective
        fit.estimates = in_units(problem, best[None], n, d)[0]
        if gate := ran_away(fit.estimates):
            fit.estimates, fit.gates, fit.slope = {}, [gate], {}
            return fit
        residual = loss - fit.predict(n, d)
        fit.sigma = float(np.sqrt(residual @ residual / fit.df))
        fit.points["fitted"] = (loss - residual).tolist()
        fit.notes.append(f"{100 * reached:.0f} % of {starts} starts reached the optimum")
        fit.candidates = [
            {"form": fit.form, "sse": float(residual @ residual)}
            | information(float(residual @ residual), len(loss), len(names))
        ]
        if n_boot:
            bootstrap_surface(fit, problem, best, cell, n_boot, generator)
        for kind in engines.keys() - {method}:
            other, point, value, _ = engines[kind]
            fit.cross_check = {
                "method": kind,
                "estimates": in_units(other, point[None], n, d)[0],
                "objective": value,
            }
        fit.notes.append(
            f"compute-optimal N grows as C^a, a = beta / (alpha + beta) = {optimal_exponent(fit.estimates):.4g}"
        )
    fit.gates = surface_gates(fit, n, d, loss, n_boot)
    fit.status = surface_status(fit)
    fit.flags = [gate.reason for gate in fit.gates if not gate.passed and gate.severity == "flag"]
    return fit


def grid_starts(x: np.ndarray, y: np.ndarray, loss: np.ndarray, keep: int = 4) -> np.ndarray:
    """Variable projection on a grid of (alpha, beta): solve (E, A, B) >= 0 in closed form, return the best points.

    Returns [keep, 5] internal parameters (a, b, e, alpha, beta), logarithms at the centre of the data.
    """
    exponents = np.geomspace(0.01, 3.0, 48)
    u, v = np.exp(-np.outer(exponents, x)), np.exp(-np.outer(exponents, y))
    ones = np.ones_like(x)
    total = float(loss @ loss)
    best: list[tuple[float, np.ndarray]] = []
    n = len(x)
    uu, vv, uv = (u * u).sum(1), (v * v).sum(1), u @ v.T
    su, sv, ul, vl = u @ ones, v @ ones, u @ loss, v @ loss
    normal = np.empty((48, 48, 3, 3))
    normal[..., 0, 0], normal[..., 1, 1], normal[..., 2, 2] = n, uu[:, None], vv[None, :]
    normal[..., 0, 1] = normal[..., 1, 0] = su[:, None]
    normal[..., 0, 2] = normal[..., 2, 0] = sv[None, :]
    normal[..., 1, 2] = normal[..., 2, 1] = uv
    right = np.empty((48, 48, 3))
    right[..., 0], right[..., 1], right[..., 2] = loss.sum(), ul[:, None], vl[None, :]
    scale = np.sqrt(np.einsum("...ii->...i", normal))
    gram = normal / scale[..., :, None] / scale[..., None, :]
    target = right / scale
    # the non-negative solution is the best of the unconstrained ones on subsets that come out non-negative
    for subset in ((0, 1, 2), (0, 1), (0, 2), (1, 2), (1,), (2,)):
        pick = np.ix_(subset, subset)
        ridge = 1e-13 * np.eye(len(subset))
        part = np.linalg.solve(gram[..., pick[0], pick[1]] + ridge, target[..., list(subset), None])[..., 0]
        sse = total - (part * target[..., list(subset)]).sum(-1)
        sse = np.where((part >= 0).all(-1), sse, np.inf)
        for at in np.argsort(sse, axis=None)[:keep]:
            i, j = np.unravel_index(at, sse.shape)
            if not np.isfinite(sse[i, j]):
                continue
            linear = np.full(3, 1e-6 * loss.min())
            linear[list(subset)] = np.maximum(part[i, j] / scale[i, j][list(subset)], 1e-6 * loss.min())
            log = np.log(linear)
            best.append((sse[i, j], np.array([log[1], log[2], log[0], exponents[i], exponents[j]])))
    best.sort(key=lambda pair: pair[0])
    return np.stack([point for _, point in best[:keep]])


def _engine(
    form: str,
    method: str,
    n: np.ndarray,
    d: np.ndarray,
    loss: np.ndarray,
    delta: float,
    starts: int,
    rng: np.random.Generator,
) -> tuple[Problem, np.ndarray, float, float]:
    """Problem, optimum, objective (sum of Huber, or sum of squares) and share of starts that reached it."""
    x, y = np.log(n) - np.log(n).mean(), np.log(d) - np.log(d).mean()
    problem = Problem(form, x, y, loss, "huber" if method == "huber" else "squares", delta)
    seeds = grid_starts(x, y, loss)
    if form == "C4":
        seeds = np.delete(seeds, 2, axis=1)
    if form == "C6":
        seeds = np.concatenate([np.insert(seeds, 5, g, axis=1) for g in (0.0, -0.5, 0.5)])
    best, objective, reached = problem.solve(np.concatenate([problem.starts(starts, rng), seeds]))
    return problem, best, objective * (1 if method == "huber" else 2), reached


def _plane(n: np.ndarray, d: np.ndarray, loss: np.ndarray, level: float) -> dict[str, Any]:
    """Slopes dL/d ln N and dL/d ln D of a plane in the logarithms, with t intervals; {} where it is not determined."""
    x = np.stack([np.ones_like(n), np.log(n), np.log(d)], 1)
    x = x[:, [True, np.ptp(n) > 0, np.ptp(d) > 0]]
    names = [name for name, keep in (("per_efold_n", np.ptp(n) > 0), ("per_efold_d", np.ptp(d) > 0)) if keep]
    df = len(loss) - x.shape[1]
    if df < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        return {}
    coefficients, *_ = np.linalg.lstsq(x, loss, rcond=None)
    residual = loss - x @ coefficients
    se = np.sqrt(residual @ residual / df * np.diag(np.linalg.inv(x.T @ x)))
    half = stdtrit(df, 0.5 + level / 2) * se
    out: dict[str, Any] = {"c0": float(coefficients[0])}
    for i, name in enumerate(names, start=1):
        out[name] = float(coefficients[i])
        out[f"{name}_interval"] = (float(coefficients[i] - half[i]), float(coefficients[i] + half[i]))
    return out
