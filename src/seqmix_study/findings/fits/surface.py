"""Fit a surface L(N, D) = E + A N^-alpha + B D^-beta (C5), or with an outer exponent gamma (C6).

Engine: the log-Huber objective of Hoffmann et al. 2022 from many starts; least squares of ln L is the second opinion
and a gate, not a choice. Refits without the highest-loss tenth, without the fewest tokens and without single rows say
what the answer hangs on. Intervals: ``intervals.py``.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.bootstrap import cluster_counts
from seqmix_study.findings.fits.fit import Fit, data_hash
from seqmix_study.findings.fits.forms import PARAMETERS, information
from seqmix_study.findings.fits.huber import SQUARES, Problem
from seqmix_study.findings.fits.intervals import Shared, structure
from seqmix_study.findings.fits.isoflop import agree, fit_isoflop
from seqmix_study.findings.fits.ladder import checked, without_copies
from seqmix_study.findings.fits.surface_gates import ran_away, surface_gates, surface_status

__all__ = ["fit_surface", "optimum"]

#: More different (N, D) than this are averaged in cells of equal width in ln N and ln D.
CELLS = 1000
MOST_ROWS = 1_000_000
#: Half width of an interval over that of the plain percentiles: these cover 93 % on exact laws in simulation.
STRETCH = 1.08
#: Single rows that are left out in turn: those that pull most.
LEFT_OUT = 30


def fit_surface(
    n: Any,
    d: Any,
    loss: Any,
    *,
    seeds: Any = None,
    form: str = "C5",
    method: str = "huber",
    delta: float = 1e-3,
    starts: int = 60,
    n_boot: int = 500,
    level: float = 0.95,
    rng: int = 0,
    cross_check: bool = True,
    flops: Any = None,
) -> Fit:
    """Fit losses [rows] in nats per token at sizes ``n`` and training tokens ``d`` (any unit: rescaled internally).

    With ``seeds`` rows of equal (N, D) are averaged first; without, every row is a point (published tables) and exact
    copies are left out. ``method``: "huber" of ln L with width ``delta``, or "squares" of ln L. ``n_boot`` draws for
    the intervals (0: none). ``flops`` [rows], else 6 N D: where they come in a few budgets, ``isoflop.py`` answers too
    and must agree. Raises ValueError for values that are not positive numbers or more than a million rows; too
    few or badly placed points are a verdict.
    """
    if form not in ("C5", "C6"):
        raise ValueError(f"unknown form {form!r} for a surface; known: C5, C6")
    if method not in ("huber", "squares"):
        raise ValueError(f"unknown method {method!r}; known: huber, squares")
    n, d, loss = checked("N", n), checked("D", d), checked("loss", loss)
    if not len(n) == len(d) == len(loss):
        raise ValueError(f"N, D and loss have {len(n)}, {len(d)} and {len(loss)} values")
    if len(n) > MOST_ROWS:
        raise ValueError(f"{len(n)} rows; at most {MOST_ROWS} are fitted: average repeats first")
    digest = data_hash(n, d, loss)
    iso = fit_isoflop(6 * n * d if flops is None else flops, n, loss, d, level)
    (n, d, loss), notes = _points(n, d, loss, seeds)
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
        notes=notes,
        hash=digest,
    )
    fit.df = len(loss) - len(PARAMETERS[form])
    if fit.df > 0 and np.ptp(n) > 0 and np.ptp(d) > 0 and np.ptp(loss) > 0:
        generator = np.random.default_rng(rng)
        problem, best = _best(fit, delta if method == "huber" else SQUARES, starts, generator)
        if gate := ran_away(fit.estimates):
            fit.estimates, fit.gates, fit.slope = {}, [gate], {}
            return fit
        if cross_check:
            _second_opinion(fit, problem, best, delta, starts, generator)
        if n_boot:
            _intervals(fit, problem, best, n_boot, generator)
        fit.derived = _derived(fit)
    fit.gates = surface_gates(fit, n, d, loss)
    if iso["budgets"] or flops is not None:
        fit.isoflop = iso
        agree(fit)
    fit.status = surface_status(fit)
    fit.flags = [gate.reason for gate in fit.gates if not gate.passed and gate.severity == "flag"]
    return fit


def optimum(values: dict[str, Any], compute: Any) -> tuple[Any, Any]:
    """(a, ln N_opt at ``compute`` FLOPs) of N_opt ~ C^a with C = 6 N D, for estimates or arrays of draws."""
    total = values["alpha"] + values["beta"]
    with np.errstate(all="ignore"):  # a draw may have an exponent below zero: no optimum there
        ratio = np.log(values["alpha"]) + values["log_A"] - np.log(values["beta"]) - values["log_B"]
        return values["beta"] / total, (ratio + values["beta"] * np.log(np.asarray(compute) / 6)) / total


def _points(n: np.ndarray, d: np.ndarray, loss: np.ndarray, seeds: Any) -> tuple[list[np.ndarray], list[str]]:
    """The points that are fitted: cell means with seeds, else rows without copies; large tables averaged in cells."""
    notes = []
    if seeds is None:
        (n, d, loss), copies = without_copies(n, d, loss)
        if copies:
            notes.append(f"{copies} rows are exact copies of others and were left out")
        names = np.arange(len(n))
    else:
        names = np.unique(np.stack([n, d], 1), axis=0, return_inverse=True)[1].ravel()
    if len(np.unique(names)) > CELLS:
        side = int(np.sqrt(CELLS)) - 1e-9
        place = [np.floor(side * np.log(v / v.min()) / np.log(v.max() / v.min() * (1 + 1e-12))) for v in (n, d)]
        names = np.unique(np.stack(place, 1), axis=0, return_inverse=True)[1].ravel()
        notes.append(f"{len(n)} rows were averaged in {names.max() + 1} cells of equal width in ln N and ln D")
    count = np.bincount(names)
    logs = [np.bincount(names, np.log(v)) / count for v in (n, d)]
    return [np.exp(logs[0]), np.exp(logs[1]), np.bincount(names, loss) / count], notes


def _best(fit: Fit, delta: float, starts: int, rng: np.random.Generator) -> tuple[Problem, np.ndarray]:
    """The optimum of the asked form, or of C4 where the floor comes out as zero; fills the estimates."""
    n, d, loss = (np.array(fit.points[key]) for key in ("N", "D", "loss"))
    x, y = (np.log(v) - np.log(v).mean() for v in (n, d))
    problem = Problem(fit.form, x, y, np.log(loss), delta)
    best, objective, reached = problem.solve(problem.starts(starts, rng))
    if fit.form == "C5":
        bare = Problem("C4", x, y, np.log(loss), delta)
        other, value, share = bare.solve(bare.starts(max(starts // 3, 8), rng), polish=1)
        if value <= objective * (1 + 1e-7):
            fit.form, problem, best, objective, reached = "C4", bare, other, value, share
            fit.notes.append("the irreducible loss comes out as zero: the law without a constant fits as well")
    fit.objective, fit.estimates = objective, {k: float(v[0]) for k, v in in_units(problem, best[None], n, d).items()}
    residual = loss - np.exp(problem.model(best[None])[0][0])
    fit.sigma = float(np.sqrt(residual @ residual / fit.df))
    fit.points["fitted"] = (loss - residual).tolist()
    fit.notes.append(f"{100 * reached:.0f} % of {starts} starts reached the optimum")
    sse, names = float(residual @ residual), PARAMETERS[fit.form]
    fit.candidates = [{"form": fit.form, "sse": sse} | information(sse, len(loss), len(names))]
    return problem, best


def in_units(problem: Problem, p: np.ndarray, n: np.ndarray, d: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters in the table's own units from internal ones [R, p]; each [R]."""
    column = {name: p[:, i] for i, name in enumerate(problem.names)}
    with np.errstate(over="ignore", under="ignore"):
        log_a = column["a"] + column["alpha"] * np.log(n).mean()
        log_b = column["b"] + column["beta"] * np.log(d).mean()
        values = {
            "E": np.exp(column["e"]) if "e" in column else np.zeros(len(p)),
            "A": np.exp(log_a),
            "B": np.exp(log_b),
            "alpha": column["alpha"],
            "beta": column["beta"],
        }
    return values | ({"gamma": np.exp(column["g"])} if "g" in column else {})


def _second_opinion(
    fit: Fit, problem: Problem, best: np.ndarray, delta: float, starts: int, rng: np.random.Generator
) -> None:
    """The other engine, and refits without the highest losses, the fewest tokens, and without single rows."""
    n, d, loss = (np.array(fit.points[key]) for key in ("N", "D", "loss"))
    kind = "squares" if fit.method == "huber" else "huber"
    other = Problem(problem.form, problem.x, problem.y, problem.log_loss, SQUARES if kind == "squares" else delta)
    point, value, _ = other.solve(np.concatenate([best[None], other.starts(max(starts // 3, 8), rng)]), polish=1)
    estimates = {k: float(v[0]) for k, v in in_units(other, point[None], n, d).items()}
    fit.cross_check = {"method": kind, "estimates": estimates, "objective": value}
    kept = {
        "without the highest-loss tenth": loss < np.quantile(loss, 0.9),
        "without the fewest-token third": d > np.quantile(d, 1 / 3) * (1 + 1e-9),
    }
    kept = {name: rows for name, rows in kept.items() if rows.sum() > 2 * len(best)}
    pull = np.abs(problem.log_loss - problem.model(best[None])[0][0])
    pull = pull * np.linalg.norm(np.linalg.qr(problem.model(best[None])[1][0])[0], axis=1)
    worst = np.argsort(-pull)[: min(LEFT_OUT, len(n))]
    weights = np.concatenate([np.array(list(kept.values()), float).reshape(-1, len(n)), np.ones((len(worst), len(n)))])
    weights[len(kept) + np.arange(len(worst)), worst] = 0.0
    found = in_units(problem, problem.minimise(np.tile(best, (len(weights), 1)), weights)[0], n, d)
    share = found["beta"] / (found["alpha"] + found["beta"])
    own = fit.estimates["beta"] / (fit.estimates["alpha"] + fit.estimates["beta"])
    fit.refits = {
        name: {"alpha": found["alpha"][i], "beta": found["beta"][i], "optimal_exponent": share[i]}
        for i, name in enumerate(kept)
    }
    moves = share[len(kept) :] - own
    off = problem.log_loss - problem.model(best[None])[0][0]
    usual = 1.4826 * float(np.median(np.abs(off))) + 1e-12
    far = int(np.argmax(np.abs(off)))
    fit.outlier = {"N": n[far], "D": d[far], "loss": loss[far], "deviations": abs(off[far]) / usual}
    fit.leverage = [
        {"N": n[worst[i]], "D": d[worst[i]], "loss": loss[worst[i]], "moves_optimal_exponent": moves[i]}
        for i in np.argsort(-np.abs(moves))[:3]
    ]


def _intervals(fit: Fit, problem: Problem, best: np.ndarray, draws: int, rng: np.random.Generator) -> None:
    """Fill intervals, the draws behind them, what residuals share, and whether the law bends."""
    n, d = np.array(fit.points["N"]), np.array(fit.points["D"])
    shared = Shared(problem, best, n, d)
    rows = in_units(problem, shared.refits(draws, rng), n, d)
    with np.errstate(divide="ignore"):
        rows |= {"log_A": np.log(rows["A"]), "log_B": np.log(rows["B"])}
    for name in PARAMETERS[fit.form]:
        if name in ("A", "B"):
            ends = stretched(rows[f"log_{name}"], np.log(fit.estimates[name]), fit.level)
            with np.errstate(over="ignore"):
                fit.intervals[name] = (float(np.exp(ends[0])), float(np.exp(ends[1])))
        else:
            low, high = stretched(rows[name], fit.estimates[name], fit.level)
            fit.intervals[name] = (max(low, 0.0) if name == "E" else low, high)
    least = 1e-3 * min(fit.points["loss"])
    inside = (np.minimum(rows["alpha"], rows["beta"]) > 0.01) & (np.maximum(rows["alpha"], rows["beta"]) < 3)
    inside &= (rows["E"] > least) | (fit.form == "C4")
    ratio, p, explained = structure(problem, best, n, d, rng)
    deviations = shared.deviations()
    counts = cluster_counts(len(n), draws, rng, distinct=min(len(n), len(best) + 1))
    alone = in_units(problem, problem.minimise(np.tile(best, (draws, 1)), counts, max_iter=40, tol=1e-5)[0], n, d)
    ends = [50 * (1 - fit.level), 50 * (1 + fit.level)]
    fit.bootstrap = {
        "resamples": draws,
        "unit": ", ".join([*(name for name, sd in deviations.items() if name != "rows" and sd > 0), "rows"]),
        "deviations": deviations,
        "rows_alone": {name: tuple(np.nanpercentile(alone[name], ends)) for name in ("alpha", "beta", "E")},
        "share_inside": float(inside.mean()),
        "structure": {"ratio": ratio, "p": p, "explained": explained},
        "draws": rows,
    }


def stretched(draws: np.ndarray, estimate: float, level: float) -> tuple[float, float]:
    """Percentile interval of ``draws`` [R], widened about its estimate."""
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(draws, [50 * (1 - level), 50 * (1 + level)])
    return float(estimate - STRETCH * (estimate - low)), float(estimate + STRETCH * (high - estimate))


def _derived(fit: Fit) -> dict[str, Any]:
    """The compute-optimal exponent, and N_opt, D_opt at the largest budget of the table and ten times beyond."""
    n, d = np.array(fit.points["N"]), np.array(fit.points["D"])
    budgets = float((6 * n * d).max()) * np.array([1.0, 10.0])
    values = fit.estimates | {"log_A": np.log(fit.estimates["A"]), "log_B": np.log(fit.estimates["B"])}
    share, log_n = optimum(values, budgets)
    draws = fit.bootstrap.get("draws")
    out: dict[str, Any] = {"optimal_exponent": {"estimate": share, "interval": None}}
    sizes: list[Any] = [None, None]
    if draws:
        shares, logs = optimum({k: v[:, None] for k, v in draws.items()}, budgets)
        out["optimal_exponent"]["interval"] = stretched(shares[:, 0], share, fit.level)
        sizes = [tuple(np.exp(stretched(logs[:, i], log_n[i], fit.level))) for i in range(2)]
    out["optimal_size"] = [
        {"compute": c, "N": np.exp(v), "interval": span, "D": c / 6 / np.exp(v)}
        for c, v, span in zip(budgets, log_n, sizes, strict=True)
    ]
    return out


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
