"""The compute-optimal size without a law for the loss: a curve in ln N a budget, then N_opt(C) = k C^a.

Hoffmann et al. 2022, approach 2, with the two corrections that tables of others need. Only rows near the optimum of a
budget count (far from it the loss is no parabola, and models that hardly trained decide the squares), and the curve is
a cubic where the rows allow (a parabola's vertex is off where the two exponents differ). The interval holds the
answers of narrower and wider windows and of the plain parabola. Beside it: the lowest row of each budget.
"""

from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtrit

from seqmix_study.findings.fits.fit import Fit, Gate, data_hash
from seqmix_study.findings.fits.intervals import BUDGET, levels
from seqmix_study.findings.fits.ladder import checked, without_copies

__all__ = ["agree", "fit_isoflop", "fit_optima"]

#: (excess of ln L over the lowest row, degree of the curve); the first is the estimate, the others widen it.
VARIANTS = ((0.1, 3), (0.05, 3), (0.2, 3), (0.1, 2))
FEWEST_ROWS, FEWEST_BUDGETS, MIN_DECADES = 4, 4, 1.0
#: An exponent that may be off by more than this is no answer to "how large a model?".
MAX_HALF_WIDTH = 0.06
#: Two answers agree where they are this close, or each inside the other's interval and within the width above.
CLOSE = 0.03


def fit_isoflop(c: Any, n: Any, loss: Any, d: Any = None, level: float = 0.95) -> dict[str, Any]:
    """Return N_opt(C), D_opt(C) and their exponents from losses at ``n`` parameters and ``c`` training FLOPs [rows].

    Without tokens ``d`` they are C / 6N. ``verdict`` is "ok" or "refused" with ``reasons``; ``optimal_exponent`` is
    {estimate, interval}, None where no two budgets have an optimum. ValueError for values that are not positive.
    """
    c, n, loss = checked("FLOPs", c), checked("N", n), checked("loss", loss)
    d = checked("D", d) if d is not None else c / 6 / n
    (c, n, loss, d), _ = without_copies(c, n, loss, d)
    where = levels(c, BUDGET)
    cells = [np.flatnonzero(where == b) for b in range(where.max() + 1)]
    cells = [rows for rows in cells if len(np.unique(n[rows])) >= 3]
    if sum(map(len, cells)) < len(n) / 2:  # chance neighbours in a scattered table are no budgets
        cells = []
    tables = [_curves(c[rows], n[rows], loss[rows], d[rows]) for rows in cells]
    used = [table for table in tables if not table["why"]]
    out: dict[str, Any] = {"budgets": tables, "verdict": "refused", "reasons": [], "flags": []}
    out["optimal_exponent"] = out["data_exponent"] = out["envelope"] = out["prediction"] = None
    if len(used) >= 2:
        lines = [_line([t["compute"] for t in used], [t["variants"][i] for t in used], level) for i in range(4)]
        data = _line([t["compute"] for t in used], [np.log(t["D_opt"]) for t in used], level)
        out["optimal_exponent"] = _held(lines, "slope")
        out["data_exponent"] = _held([data, *({"slope": 1 - line["slope"]} for line in lines[1:])], "slope")
        lowest = _line([t["compute"] for t in used], [np.log(t["lowest"]["N"]) for t in used], level)
        out["envelope"] = {"optimal_exponent": _held([lowest], "slope")}
        ten = [_line_at(line, 10 * used[-1]["compute"]) for line in lines]
        out["prediction"] = _prediction(used, lines[0], ten, level)
    gates = _gates(out, tables, used)
    out["reasons"] = [gate.reason for gate in gates if not gate.passed and gate.severity == "refused"]
    out["flags"] = [gate.reason for gate in gates if not gate.passed and gate.severity == "flag"]
    out["verdict"] = "refused" if out["reasons"] else "ok"
    if out["prediction"] and (out["reasons"] or out["prediction"].get("why_not")):
        why = "; ".join(out["reasons"]) or out["prediction"]["why_not"]
        out["prediction"] = {"compute": out["prediction"]["compute"], "why_not": why}
    for table in tables:
        table.pop("variants", None)
    return out


def fit_optima(c: Any, n: Any, level: float = 0.95) -> Fit:
    """Fit N_opt = k C^a to a table of compute-optimal sizes, one row a budget (form O2); see ``fit_isoflop``."""
    c, n = checked("FLOPs", c), checked("N", n)
    if len(c) != len(n):
        raise ValueError(f"FLOPs and N have {len(c)} and {len(n)} values")
    digest = data_hash(c, n)
    (c, n), copies = without_copies(c, n)
    fit = Fit(
        "O2", "squares", {}, {}, float("nan"), "refused", [], {"C": c.tolist(), "N": n.tolist()}, level, hash=digest
    )
    if copies:
        fit.notes.append(f"{copies} rows are exact copies of others and were left out")
    count, decades = len(np.unique(c)), float(np.log10(c.max() / c.min()))
    half = float("inf")
    if count >= 3:
        line = _line(c, np.log(n), level)
        fit.df, fit.sigma, fit.objective = len(c) - 2, line["sd"], line["sd"] ** 2 * (len(c) - 2)
        fit.estimates = {"k": float(np.exp(line["at"] - line["slope"] * line["centre"])), "a": line["slope"]}
        half = line["half"]
        fit.intervals = {"a": (line["slope"] - half, line["slope"] + half)}
        fit.points["fitted"] = np.exp(line["at"] + line["slope"] * (np.log(c) - line["centre"])).tolist()
        fit.derived = {"optimal_exponent": _held([line], "slope")}
    fit.gates = [
        Gate("I0 budgets", count >= FEWEST_BUDGETS, count, FEWEST_BUDGETS,
             f"too few budgets: {count}, an exponent needs {FEWEST_BUDGETS}"),
        Gate("I0 range", decades >= MIN_DECADES - 1e-9, decades, MIN_DECADES,
             f"budgets span {decades:.2f} decades, an exponent needs {MIN_DECADES:g}"),
        Gate("I2 width", half <= MAX_HALF_WIDTH, half, MAX_HALF_WIDTH, _too_wide(half)),
    ]  # fmt: skip
    fit.status = "ok" if all(gate.passed for gate in fit.gates) else "refused"
    return fit


def _curves(c: np.ndarray, n: np.ndarray, loss: np.ndarray, d: np.ndarray) -> dict[str, Any]:
    """The optimum of one budget: ln N_opt under every variant, or why there is none."""
    sizes, where = np.unique(np.log(n), return_inverse=True)
    mean = np.bincount(where, np.log(loss)) / np.bincount(where)
    low = int(np.argmin(mean))
    compute = float(np.exp(np.log(c).mean()))
    table = {
        "compute": compute,
        "rows": len(n),
        "lowest": {"N": float(np.exp(sizes[low])), "loss": float(np.exp(mean[low]))},
        "why": "",
    }
    if len(sizes) < FEWEST_ROWS:
        return table | {"why": f"{len(sizes)} sizes, a curve needs {FEWEST_ROWS}"}
    if low in (0, len(sizes) - 1):
        return table | {"why": f"the lowest loss is at the {'largest' if low else 'smallest'} size"}
    found = [_vertex(sizes, mean, low, excess, degree) for excess, degree in VARIANTS]
    if found[0] is None or found[3] is None:
        return table | {"why": "the losses have no minimum inside the sizes"}
    found = [value if value is not None else found[0] for value in found]
    log_n, log_loss = found[0]
    # tokens at the optimum by interpolation of the rows' own: C = 6 N D need not hold in the table
    order = np.argsort(n)
    log_d = float(np.interp(log_n, np.log(n[order]), np.log(d[order])))
    values = {"N_opt": float(np.exp(log_n)), "D_opt": float(np.exp(log_d)), "loss_opt": float(np.exp(log_loss))}
    return table | values | {"variants": [value[0] for value in found]}


def _vertex(sizes: np.ndarray, log_loss: np.ndarray, low: int, excess: float, degree: int) -> tuple | None:
    """(ln N, ln L) of the minimum of a polynomial through the rows around the lowest, at least five of them."""
    first = last = low
    while last - first + 1 < len(sizes):
        left = log_loss[first - 1] if first else np.inf
        right = log_loss[last + 1] if last + 1 < len(sizes) else np.inf
        if min(left, right) - log_loss[low] > excess and last - first + 1 >= 5:
            break
        first, last = (first - 1, last) if left < right else (first, last + 1)
    x, y = sizes[first : last + 1] - sizes[low], log_loss[first : last + 1]
    if len(x) < degree + 3:
        degree = 2
    curve = np.polynomial.Polynomial.fit(x, y, degree)
    turns = curve.deriv().roots()
    turns = turns[np.abs(turns.imag) < 1e-9].real
    turns = [t for t in turns if x[0] <= t <= x[-1] and curve.deriv(2)(t) > 0]
    if not turns:
        return _vertex(sizes, log_loss, low, excess, 2) if degree > 2 else None
    best = min(turns, key=curve)
    return float(best + sizes[low]), float(curve(best))


def _line(c: Any, log_n: Any, level: float) -> dict[str, float]:
    """Least squares of ln N on ln C: slope with the half width of its t interval (infinite with two budgets)."""
    x, y = np.log(np.asarray(c, float)), np.asarray(log_n, float)
    centre = float(x.mean())
    spread = float(((x - centre) ** 2).sum())
    slope = float((x - centre) @ y / spread)
    residual = y - y.mean() - slope * (x - centre)
    df = len(x) - 2
    sd = float(np.sqrt(residual @ residual / df)) if df > 0 else float("inf")
    t = float(stdtrit(df, 0.5 + level / 2)) if df > 0 else 1.0
    bend = 1.0
    if df > 1:
        cubic = np.polynomial.Polynomial.fit(x, y, 2)
        left = float(np.square(y - cubic(x)).sum())
        bend = float(fdtrc(1, df - 1, max(float(residual @ residual) - left, 0) / max(left / (df - 1), 1e-300)))
    return {"slope": slope, "half": t * sd / np.sqrt(spread), "at": float(y.mean()), "centre": centre, "sd": sd, "t": t,
            "spread": spread, "count": len(x), "bend": bend}  # fmt: skip


def _line_at(line: dict[str, float], compute: float) -> tuple[float, float]:
    """ln N at a budget, and the half width of its prediction interval."""
    away = np.log(compute) - line["centre"]
    spread = np.sqrt(1 + 1 / line["count"] + away**2 / line["spread"])
    return line["at"] + line["slope"] * away, line["t"] * line["sd"] * spread


def _held(lines: list[dict[str, float]], key: str) -> dict[str, Any]:
    """The first line's value with its interval, widened to hold the values of the others."""
    value, half = lines[0][key], lines[0]["half"]
    others = [line[key] for line in lines]
    return {"estimate": value, "interval": (min(value - half, *others, value), max(value + half, *others, value))}


def _prediction(used: list[dict], line: dict[str, float], ten: list[tuple], level: float) -> dict[str, Any]:
    """What a budget ten times the largest would take, or why the table does not say."""
    value, half = ten[0]
    low, high = min(value - half, *(v for v, _ in ten)), max(value + half, *(v for v, _ in ten))
    compute = 10 * used[-1]["compute"]
    out = {"compute": compute, "N": float(np.exp(value)), "interval": (float(np.exp(low)), float(np.exp(high)))}
    out["D"] = compute / 6 / out["N"]
    decades = np.log10(used[-1]["compute"] / used[0]["compute"])
    if line["bend"] < 0.01:
        out["why_not"] = f"ln N_opt bends in ln C (p = {line['bend']:.2g}): the exponent changes with the budget"
    elif decades < 1.5:
        out["why_not"] = f"the budgets span {decades:.2f} decades: too few to go one decade beyond"
    elif not high - low < 2 * np.log(3):
        out["why_not"] = f"the size is not known within a factor of three ({np.exp(low):.3g} to {np.exp(high):.3g})"
    return out


def _gates(out: dict[str, Any], tables: list[dict], used: list[dict]) -> list[Gate]:
    found = out["optimal_exponent"]
    half = (found["interval"][1] - found["interval"][0]) / 2 if found else float("inf")
    decades = float(np.log10(used[-1]["compute"] / used[0]["compute"])) if used else 0.0
    left = [f"{t['compute']:.2g} FLOPs: {t['why']}" for t in tables if t["why"]]
    why = "; ".join(left[:3]) + (f"; and {len(left) - 3} more" if len(left) > 3 else "")
    lost = len(tables) - len(used)
    gates = [
        Gate("I0 budgets", len(used) >= FEWEST_BUDGETS, len(used), FEWEST_BUDGETS,
             f"too few budgets with a minimum: {len(used)} of {len(tables)}, an exponent needs {FEWEST_BUDGETS}"
             + (f" ({why})" if why else "")),
        Gate("I0 range", decades >= MIN_DECADES - 1e-9, decades, MIN_DECADES,
             f"budgets with a minimum span {decades:.2f} decades, an exponent needs {MIN_DECADES:g}"),
        Gate("I1 optimum", 2 * len(used) >= len(tables), lost, len(tables) / 2,
             f"most budgets have no minimum inside their sizes: {why}"),
        Gate("I2 width", half <= MAX_HALF_WIDTH, half, MAX_HALF_WIDTH, _too_wide(half)),
        Gate("I3 lost", not lost, lost, 0, f"budgets left out: {why}", "flag"),
    ]  # fmt: skip
    if len(used) > FEWEST_BUDGETS:
        moves = []
        for i in range(len(used)):
            rest = used[:i] + used[i + 1 :]
            line = _line([t["compute"] for t in rest], [t["variants"][0] for t in rest], 0.95)
            moves.append(line["slope"] - found["estimate"])
        worst = int(np.argmax(np.abs(moves)))
        reason = f"the budget of {used[worst]['compute']:.3g} FLOPs moves the exponent by {-moves[worst]:+.3f}"
        gates.append(Gate("I4 budget", abs(moves[worst]) <= half, moves[worst], half, reason, "flag"))
    return gates


def _too_wide(half: float) -> str:
    return f"the exponent is only known within {half:.3f} (allowed {MAX_HALF_WIDTH:g})"


def agree(fit: Fit) -> None:
    """Compare the surface's exponent with the budgets', fill ``fit.agreement``, and add the gates that follow."""
    own, iso = fit.derived.get("optimal_exponent"), fit.isoflop.get("optimal_exponent")
    usable = fit.isoflop.get("verdict") == "ok"
    close = _close(own, iso) if own and iso else None
    answers = {
        "surface": own,
        "parabola": iso,
        "lowest row": (fit.isoflop.get("envelope") or {}).get("optimal_exponent"),
    }
    if own and iso:
        half = np.ptp(own["interval"]) / 2 if own["interval"] else 0.0
        reason = f"the compute-optimal exponent is only known within {half:.3f} (allowed 0.1)"
        fit.gates.append(Gate("S5 optimum width", half <= 0.1, half, 0.1, reason, "slope_only"))
        if usable:
            gap = own["estimate"] - iso["estimate"]
            reason = (
                f"the surface says N_opt ~ C^{own['estimate']:.3f}, a curve a budget says {iso['estimate']:.3f}: "
                "rows away from the optimum decide the surface"
            )
            fit.gates.append(Gate("S6 budgets", bool(close), gap, CLOSE, reason, "slope_only"))
    surface_ok = own is not None and not any(not g.passed and g.severity != "flag" for g in fit.gates)
    if surface_ok and usable:
        verdict, believe, text = "agree", "both", "surface and budgets agree: either may be quoted"
    elif usable:
        verdict = "one method only" if close is None or close else "disagree"
        believe, text = "isoflop", "believe the curve a budget: it asks nothing of rows far from the optimum"
    elif surface_ok:
        verdict, believe, text = (
            "one method only",
            "surface",
            "believe the surface: the budgets alone carry no exponent",
        )
    else:
        verdict, believe, text = "none", "none", "no compute-optimal exponent may be quoted from this table"
    fit.agreement = {"verdict": verdict, "believe": believe, "text": text, "optimal_exponent": answers}


def _close(a: dict[str, Any], b: dict[str, Any]) -> bool:
    gap = abs(a["estimate"] - b["estimate"])
    spans = [x["interval"] or (x["estimate"],) * 2 for x in (a, b)]
    inside = spans[0][0] <= b["estimate"] <= spans[0][1] and spans[1][0] <= a["estimate"] <= spans[1][1]
    return bool(gap <= CLOSE or (inside and gap <= MAX_HALF_WIDTH))
