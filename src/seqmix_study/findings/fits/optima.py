"""A line through compute-optimal sizes: ln N_opt on ln C, how well its slope is known, and whether it is one line."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.fits.fit import Fit, Gate, at_least, at_most, data_hash, verdict_of
from seqmix_study.findings.fits.ladder import checked, without_copies
from seqmix_study.findings.fits.profile import f_test

FEWEST_BUDGETS, MIN_DECADES = 4, 1.0
#: Half width of an interval up to which its middle may be quoted as a number, and up to which it says anything. Beyond
#: the first, estimates in simulation are off by more than 0.06 now and then, and their intervals hold the truth.
MAX_HALF_WIDTH, MAX_OF_INTERVALS = 0.06, 0.12
#: Two answers are close where they are this near, or within what both intervals leave open and the width above.
CLOSE = 0.03
#: p-value below which N_opt(C) is taken to bend: not extrapolated, and no number.
BENT = 0.01


def fit_optima(c: Any, n: Any, level: float = 0.95) -> Fit:
    """Fit N_opt = k C^a to a table of compute-optimal sizes, one row a budget (form O2)."""
    c, n = checked(FLOPs=c, N=n)
    fit = Fit("O2", "squares", level=level, hash=data_hash(c, n))
    (c, n), copies = without_copies(c, n)
    fit.points = {"C": c.tolist(), "N": n.tolist()}
    if copies:
        fit.notes.append(f"{copies} rows are exact copies of others and were left out")
    count, line = len(np.unique(c)), {}
    if count >= 3:
        line = optima_line(np.log(c), np.log(n), level)
        fit.df, fit.sigma, fit.objective = len(c) - 2, line["sd"], line["sd"] ** 2 * (len(c) - 2)
        fit.estimates = {"k": float(np.exp(line["at"] - line["slope"] * line["centre"])), "a": line["slope"]}
        fit.derived = {"optimal_exponent": exponent(line), "prediction": prediction(line, np.log(c))}
        fit.intervals = {"a": fit.derived["optimal_exponent"]["interval"]}
        fit.points["fitted"] = np.exp(line["at"] + line["slope"] * (np.log(c) - line["centre"])).tolist()
    fit.gates = list(gates_of(count, float(np.log10(c.max() / c.min())), fit.derived.get("optimal_exponent"), line))
    fit.verdict = verdict_of(fit.gates)
    return fit


def optima_line(x: Any, y: Any, level: float) -> dict[str, Any]:
    """Least squares of ln N on ln C: slope, its t half width (infinite with two budgets), and whether it bends.

    ``bend``: p-value of a parabola; ``ends``: its slopes at the smallest and at the largest budget.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    centre, df = float(x.mean()), len(x) - 2
    spread = float(np.square(x - centre).sum())
    slope = float((x - centre) @ y / spread)
    residual = y - y.mean() - slope * (x - centre)
    sd = float(np.sqrt(residual @ residual / df)) if df > 0 else float("inf")
    t = float(stdtrit(df, 0.5 + level / 2)) if df > 0 else 1.0
    bend, ends = 1.0, (slope, slope)
    if df > 1 and sd > 1e-9 and len(np.unique(x)) > 3:  # less is rounding
        curve = np.polynomial.Polynomial.fit(x, y, 2)
        left = float(np.square(y - curve(x)).sum())
        bend = f_test(float(residual @ residual), left, 1, df - 1)
        ends = tuple(float(v) for v in curve.deriv()(np.array([x.min(), x.max()])))
    return {"slope": slope, "half": t * sd / np.sqrt(spread), "at": float(y.mean()), "centre": centre, "sd": sd, "t": t,
            "spread": spread, "count": len(x), "bend": bend, "ends": ends}  # fmt: skip


def exponent(line: dict[str, Any]) -> dict[str, Any]:
    """A line's slope and its interval; where the line bends, this holds the slopes at both ends too."""
    held = [line["slope"] - line["half"], line["slope"] + line["half"], *line.get("few", ())]
    held += list(line["ends"]) if line["bend"] < BENT else []
    return {"estimate": line["slope"], "interval": (min(held), max(held))}


def prediction(line: dict[str, Any], log_c: np.ndarray, largest: float = -np.inf) -> dict[str, Any]:
    """What a budget ten times the table's largest would take by a line through optima, or why the table does not say.

    ``log_c``: of the budgets with an optimum; ``largest``: of all of them.
    """
    ahead, span = float(max(log_c.max(), largest) + np.log(10)), float(np.ptp(log_c)) / np.log(10)
    far = float(ahead - log_c.max()) / np.log(10)
    at, compute = line["at"] + line["slope"] * (ahead - line["centre"]), float(np.exp(ahead))
    out = {"compute": compute, "times_largest_optimum": float(10**far)}
    half = line["t"] * line["sd"] * np.sqrt(1 + 1 / line["count"] + (ahead - line["centre"]) ** 2 / line["spread"])
    reach, (least, most) = ahead - line["centre"], line.get("few", (np.inf, -np.inf))
    down, up = (max(more - line["half"], 0) * reach for more in (line["slope"] - least, most - line["slope"]))
    low, size, high = (float(np.exp(v)) for v in (at - half - down, at, at + half + up))
    if line["bend"] < BENT:
        why = f"ln N_opt bends in ln C (p = {line['bend']:.2g}): the exponent changes with the budget"
    elif span < 1.5 * far:
        why = f"the budgets with an optimum span {span:.2f} decades: too few to go {far:.2f} beyond"
    elif not high < 9 * low:
        why = f"the size is not known within a factor of three ({low:.3g} to {high:.3g})"
    else:
        return out | {"N": size, "interval": (low, high), "D": compute / 6 / size}
    return out | {"why_not": why}


def width_gate(found: dict[str, Any] | None, beyond: str = "refused") -> Gate:
    """Is the compute-optimal exponent known as a number? Its interval alone may be quoted a little further.

    ``beyond`` that the failure has this severity.
    """
    half = float(np.ptp(found["interval"] or (0, 0))) / 2 if found else float("inf")
    reason = f"the compute-optimal exponent is only known within {half:.3f} (a number needs {MAX_HALF_WIDTH:g}, "
    reason += f"an interval from budgets {MAX_OF_INTERVALS:g})"
    severity = "interval" if half <= MAX_OF_INTERVALS else beyond
    return at_most("I2 width", half, MAX_HALF_WIDTH, reason, severity)


def gates_of(count: int, decades: float, found: dict[str, Any] | None, line: dict[str, Any]) -> Iterator[Gate]:
    """The gates of a line through optima: enough budgets over enough compute, a narrow interval, no strong bend."""
    reason = f"too few budgets with a minimum: {count}, an exponent needs {FEWEST_BUDGETS}"
    yield at_least("I0 budgets", count, FEWEST_BUDGETS, reason)
    reason = f"budgets with a minimum span {decades:.2f} decades, an exponent needs {MIN_DECADES:g}"
    yield at_least("I0 range", decades, MIN_DECADES, reason)
    if found:
        yield width_gate(found)
        share = found["estimate"]
        reason = f"N_opt ~ C^{share:.3g}: with compute the sizes or the tokens fall; were columns swapped?"
        yield Gate("I3 share", 0 < share < 1, share, 1.0, reason)
    if line and line["bend"] < BENT:
        first, last = line["ends"]
        reason = f"ln N_opt bends in ln C (p = {line['bend']:.2g}): the exponent runs from {first:.3f} to {last:.3f}"
        yield Gate("I5 bend", False, line["bend"], BENT, reason, "interval")
