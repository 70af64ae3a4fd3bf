"""Fit a surface L(N, D) = E + A N^-alpha + B D^-beta (C5), or with an outer exponent gamma (C6).

Engine: the log-Huber objective of Hoffmann et al. 2022 from many starts; least squares of ln L is the second opinion
and a gate, not a choice. Refits without the highest-loss tenth, without the fewest tokens and without single rows say
what the answer hangs on. Intervals: ``intervals.py``.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.bootstrap import stretched
from seqmix_study.findings.fits.agreement import agree
from seqmix_study.findings.fits.fit import Fit, data_hash
from seqmix_study.findings.fits.forms import PARAMETERS
from seqmix_study.findings.fits.huber import ORDER, SQUARES, Problem
from seqmix_study.findings.fits.intervals import FEW, Shared, budgets, structure
from seqmix_study.findings.fits.isoflop import fit_isoflop
from seqmix_study.findings.fits.ladder import cells, checked, copied_repeats, without_copies
from seqmix_study.findings.fits.optima import CLOSE
from seqmix_study.findings.fits.surface_gates import START, ran_away, surface_gates, surface_status

#: More different (N, D) than this are averaged in cells of equal width in ln N and ln D.
CELLS = 1000
#: Half width of an interval over that of the plain percentiles: these cover 93 % on exact laws in simulation.
STRETCH = 1.08
#: Single rows that are left out in turn: those that pull most.
LEFT_OUT = 30
ALL, SHORT = "with all rows", "without the fewest-token quarter"
LEAST, MOST = "without the quarter of least compute", "without the quarter of most compute"
EXPONENTS = ("alpha", "beta", "optimal_exponent")


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
    flops: Any = None,
) -> Fit:
    """Fit losses [rows] in nats per token at sizes ``n`` and training tokens ``d`` (any unit: rescaled internally).

    With ``seeds`` rows of equal (N, D) are averaged first; without, every row is a point (published tables) and exact
    copies are left out. ``method``: "huber" of ln L with width ``delta``, or "squares" of ln L. ``n_boot`` draws for
    the intervals (0: none). Where ``flops`` [rows], or else 6 N D, come in a few budgets, ``isoflop.py`` answers too
    and must agree. Raises ValueError for values that are not positive numbers; too few or badly placed points
    are a verdict.
    """
    for what, word, known in (("form", form, "C5, C6"), ("method", method, "huber, squares")):
        if word not in known.split(", "):
            raise ValueError(f"unknown {what} {word!r} of a surface; known: {known}")
    n, d, loss = checked(N=n, D=d, loss=loss)
    given = {} if flops is None else {"the FLOPs given": checked(FLOPs=flops, N=n)[0]}
    rows, counts = (n, loss, d), given | {"6 N D": 6 * n * d}
    # planned in one count, budgets may be scattered in the other
    counted = max(counts, key=lambda name: (budgets(counts[name], n) >= 0).sum())
    planned = bool((budgets(counts[counted], n) >= 0).any())
    fit = Fit(form, method, level=level, hash=data_hash(n, d, loss))
    if seeds is not None and (gate := copied_repeats(cells(len(n), n, d), loss)):
        fit.gates.append(gate)
    (n, d, loss), fit.notes = _points(n, d, loss, seeds)
    fit.points = {"N": n.tolist(), "D": d.tolist(), "loss": loss.tolist()}
    fit.slope = _plane(n, d, loss, level)
    fit.df = len(loss) - len(PARAMETERS[form])
    if fit.df > 0 and np.ptp(n) > 0 and np.ptp(d) > 0 and np.ptp(loss) > 0:
        generator = np.random.default_rng(rng)
        problem, best = _best(fit, delta if method == "huber" else SQUARES, starts, generator)
        if gate := ran_away(fit.estimates):
            fit.estimates, fit.slope = {}, {}
            fit.points.pop("fitted")
            fit.gates.append(gate)
        else:
            _second_opinion(fit, problem, best, delta, generator)
            _answers(fit, problem, best, n_boot, planned, generator)
    fit.gates += surface_gates(fit, n, d, loss)
    if planned or flops is not None:
        few = (0.0, 0.0)
        if short := fit.bootstrap.get("answers", {}).get(SHORT, {}).get("optimal_exponent"):
            few = (short["estimate"] - fit.derived["optimal_exponent"]["estimate"], np.ptp(short["interval"]) / 2)
        fit.isoflop = fit_isoflop(counts[counted], *rows, level=level, few=few) | {"counted": counted}
        agree(fit, counts[counted], *rows)
    fit.verdict = surface_status(fit)
    if fit.verdict != "ok" and not fit.isoflop:
        fit.notes.append("6 N D comes in no budgets: if runs were planned by FLOPs, name their column (--flops)")
    return fit


def _points(n: np.ndarray, d: np.ndarray, loss: np.ndarray, seeds: Any) -> tuple[list[np.ndarray], list[str]]:
    """The points that are fitted: cell means with seeds, else rows without copies; large tables averaged in cells."""
    notes = []
    if seeds is None:
        (n, d, loss), copies = without_copies(n, d, loss)
        if copies:
            notes.append(f"{copies} rows are exact copies of others and were left out")
    names = np.arange(len(n)) if seeds is None and len(n) <= CELLS else cells(CELLS, n, d)
    count = np.bincount(names)
    if len(n) > CELLS:
        notes.append(f"{len(n)} rows were averaged in {len(count)} cells")
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
    found = quantities(problem, best[None], n, d)
    fit.objective, fit.estimates = objective, {name: float(found[name][0]) for name in PARAMETERS[fit.form]}
    residual = loss - np.exp(problem.model(best[None])[0][0])
    fit.sigma = float(np.sqrt(residual @ residual / fit.df))
    fit.points["fitted"] = (loss - residual).tolist()
    fit.notes.append(f"{100 * reached:.0f} % of {starts} starts reached the optimum")
    return problem, best


def quantities(problem: Problem, p: np.ndarray, n: np.ndarray, d: np.ndarray) -> dict[str, np.ndarray]:
    """What internal parameters [R, p] say in the units of the table's ``n`` and ``d``; each [R].

    The law's parameters, the exponent a of N_opt ~ C^a for C = 6 N D, and ln N_opt at the largest budget and ten times
    beyond; NaN where an exponent is not positive.
    """
    at = {name: p[:, i] for i, name in enumerate(ORDER[problem.form])}
    with np.errstate(all="ignore"):
        log_a, log_b = at["a"] + at["alpha"] * np.log(n).mean(), at["b"] + at["beta"] * np.log(d).mean()
        out = {"E": np.exp(at["e"]) if "e" in at else np.zeros(len(p)), "A": np.exp(log_a), "B": np.exp(log_b)}
        out |= {"alpha": at["alpha"], "beta": at["beta"], "log_A": log_a, "log_B": log_b}
        if "g" in at:
            out["gamma"] = np.exp(at["g"])
        total = at["alpha"] + at["beta"]
        ratio = np.log(at["alpha"]) + log_a - np.log(at["beta"]) - log_b
        out["optimal_exponent"] = at["beta"] / total
        for times in (1, 10):
            out[f"log_n_{times}"] = (ratio + at["beta"] * np.log(times * (n * d).max())) / total
    return out


def _second_opinion(fit: Fit, problem: Problem, best: np.ndarray, delta: float, rng: np.random.Generator) -> None:
    """The other engine, and refits without the highest losses, the fewest tokens, and without single rows."""
    n, d, loss = (np.array(fit.points[key]) for key in ("N", "D", "loss"))
    kind = "squares" if fit.method == "huber" else "huber"
    other = Problem(problem.form, problem.x, problem.y, problem.log_loss, SQUARES if kind == "squares" else delta)
    point, value, _ = other.solve(np.concatenate([best[None], other.starts(20, rng)]), polish=1)
    found = quantities(other, point[None], n, d)
    fit.cross_check = {"method": kind, "objective": value}
    fit.cross_check["estimates"] = {name: float(found[name][0]) for name in PARAMETERS[fit.form]}
    kept = {"without the highest-loss tenth": loss < np.quantile(loss, 0.9), SHORT: _upper(d)}
    kept |= {LEAST: _upper(n * d), MOST: _upper(1 / n / d)}
    kept = {name: rows for name, rows in kept.items() if rows.sum() > 2 * len(best)}
    model, slope = (v[0] for v in problem.model(best[None]))
    off = np.abs(problem.log_loss - model)
    worst = np.argsort(-off * np.linalg.norm(np.linalg.qr(slope)[0], axis=1))[:LEFT_OUT]
    weights = np.array([*kept.values(), *(np.arange(len(n)) != worst[:, None])], float)
    again = quantities(problem, problem.minimise(np.tile(best, (len(weights), 1)), weights)[0], n, d)
    fit.refits = {name: {key: again[key][i] for key in EXPONENTS} for i, name in enumerate(kept)}
    moves = again["optimal_exponent"][len(kept) :] - quantities(problem, best[None], n, d)["optimal_exponent"]
    far = int(np.argmax(off))
    usual = 1.4826 * float(np.median(off)) + 1e-12
    fit.outlier = {"N": n[far], "D": d[far], "loss": loss[far], "deviations": off[far] / usual}
    fit.leverage = [
        {"N": n[worst[i]], "D": d[worst[i]], "loss": loss[worst[i]], "moves_optimal_exponent": moves[i]}
        for i in np.argsort(-np.abs(moves))[:3]
    ]


def _upper(values: np.ndarray) -> np.ndarray:
    """The rows beyond the quarter with the smallest values."""
    return values > np.quantile(values, 0.25) * (1 + 1e-9)


def _answers(fit: Fit, problem: Problem, best: np.ndarray, draws: int, planned: bool, rng: np.random.Generator) -> None:
    """Fill what is derived from the law and, from ``draws`` refits to drawn tables, the intervals.

    Where the residuals say that the law fails for few tokens, or the exponent of a table ``planned`` in budgets falls
    without them (their smallest budgets have no others), intervals hold the answer without the fewest-token quarter
    too. Where a start that they do not exclude moves the compute-optimal exponent, they hold what ``_started``
    says, unless it contradicts that answer. Where they bend otherwise, those of the exponents hold the answers without
    the least and without the most compute: a law that bends says something else there.
    """
    n, d = np.array(fit.points["N"]), np.array(fit.points["D"])
    own = quantities(problem, best[None], n, d)
    ends: dict[str, Any] = dict.fromkeys(own)
    if draws:
        shared = Shared(problem, best, n, d)
        seen = structure(problem, best, n, d, rng)
        first = quantities(problem, shared.refits(draws, rng), n, d)
        drawn, points = {ALL: first}, {ALL: own}
        sure = max(seen[name]["ratio"] for name in FEW) > 1
        if sure or planned:
            rows = _upper(d)
            if rows.sum() > 2 * len(best) and len(np.unique(d[rows])) > 2:
                other = Problem(problem.form, problem.x[rows], problem.y[rows], problem.log_loss[rows], problem.delta)
                point = other.solve(np.concatenate([best[None], other.starts(20, rng)]), polish=1)[0]
                drawn[SHORT] = quantities(other, Shared(other, point, n[rows], d[rows]).refits(draws, rng), n, d)
                points[SHORT] = quantities(other, point[None], n, d)
                if not (sure or _falls(drawn, points)):
                    del drawn[SHORT], points[SHORT]
        spans = {
            name: {key: stretched(more[key], points[name][key][0], fit.level, STRETCH) for key in more}
            for name, more in drawn.items()
        }
        started, more, moved = _started(problem, best, n, d, seen[FEW[0]], spans[ALL])
        short = spans.get(SHORT, more)
        if moved > CLOSE and all(more[k][0] <= short[k][1] and short[k][0] <= more[k][1] for k in EXPONENTS):
            points[START], spans[START] = started, more
        drawn = {key: np.concatenate([more[key] for more in drawn.values()]) for key in own}
        ends = {key: (min(s[key][0] for s in spans.values()), max(s[key][1] for s in spans.values())) for key in own}
        if seen["bend"]["ratio"] > 1:
            for key in EXPONENTS:
                held = [*ends[key], *(fit.refits[name][key] for name in (LEAST, MOST) if name in fit.refits)]
                ends[key] = (min(held), max(held))
        with np.errstate(over="ignore"):
            ends |= {name: tuple(np.exp(ends[f"log_{name}"])) for name in "AB"}
        ends["E"] = (max(ends["E"][0], 0.0), ends["E"][1])
        fit.intervals = {name: ends[name] for name in PARAMETERS[fit.form]}
        fit.bootstrap = {
            "resamples": draws,
            "deviations": shared.deviations(),
            "structure": seen,
            "answers": {
                name: {key: {"estimate": points[name][key][0], "interval": span[key]} for key in EXPONENTS}
                for name, span in spans.items()
            },
            "draws": drawn,
        }
    fit.derived["optimal_exponent"] = {"estimate": own["optimal_exponent"][0], "interval": ends["optimal_exponent"]}
    fit.derived["optimal_size"] = []
    for times in (1, 10):
        size, span = np.exp(own[f"log_n_{times}"][0]), ends[f"log_n_{times}"]
        compute = 6 * times * float((n * d).max())
        row = {"compute": compute, "N": size, "interval": None if span is None else tuple(np.exp(span))}
        fit.derived["optimal_size"].append(row | {"D": compute / 6 / size})


def _falls(drawn: dict[str, Any], points: dict[str, Any]) -> bool:
    """Is the compute-optimal exponent lower without the fewest tokens, by half a standard error of the difference?

    Exact laws say so in three of ten tables, and pay with a wider interval.
    """
    whole, short = (float(np.nanvar(drawn[name]["optimal_exponent"])) for name in (ALL, SHORT))
    move = float(points[ALL]["optimal_exponent"][0] - points[SHORT]["optimal_exponent"][0])
    return move > 0.5 * np.sqrt(max(short - whole, 0.1 * short))


def _started(
    problem: Problem, best: np.ndarray, n: np.ndarray, d: np.ndarray, seen: dict[str, float], plain: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, tuple[float, float]], float]:
    """The law of losses less a start that takes its own time, S / D: quantities, intervals, and how far it may move.

    beta absorbs most of a start, so in a noisy table residuals do not show it. What the law says with the most of it
    that they do not exclude adds in squares to the half of its ``plain`` interval on that side. The third number is the
    move of the compute-optimal exponent.
    """
    size = np.array([0.0, seen["nats"], seen["most"]])
    left = problem.log_loss + np.log(np.maximum(1 - size[:, None] * d.min() / d * np.exp(-problem.log_loss), 0.5))
    found = quantities(problem, problem.minimise(np.tile(best, (3, 1)), None, left, 1000, 1e-12)[0], n, d)
    spans = {}
    for key, (none, some, most) in found.items():
        low, high = (abs(end - none) for end in plain[key])
        ends = (none - np.hypot(low, none - most), some + high), (some - low, none + np.hypot(high, most - none))
        spans[key] = ends[0] if most < none else ends[1]
    return {key: value[1:2] for key, value in found.items()}, spans, abs(np.ptp(found["optimal_exponent"][[0, 2]]))


def _plane(n: np.ndarray, d: np.ndarray, loss: np.ndarray, level: float) -> dict[str, Any]:
    """Slopes dL/d ln N and dL/d ln D of a plane in the logarithms, with t intervals; {} where it is not determined."""
    logs = {name: np.log(v) for name, v in (("per_efold_n", n), ("per_efold_d", d)) if np.ptp(v) > 0}
    df = len(loss) - 1 - len(logs)
    if df < 1 or not logs:
        return {}
    x = np.stack([v - v.mean() for v in logs.values()], 1)
    if np.linalg.cond(x) > 1e4:  # one budget: N and D are two names of one thing
        return {}
    inverse = np.linalg.pinv(x)
    slopes = inverse @ loss
    residual = loss - loss.mean() - x @ slopes
    half = stdtrit(df, 0.5 + level / 2) * np.sqrt(residual @ residual / df) * np.linalg.norm(inverse, axis=1)
    out: dict[str, Any] = {"c0": float(loss.mean() - slopes @ [v.mean() for v in logs.values()])}
    for name, slope, reach in zip(logs, slopes.tolist(), half.tolist(), strict=True):
        out |= {name: slope, f"{name}_interval": (slope - reach, slope + reach)}
    return out
