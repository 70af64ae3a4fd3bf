"""The compute-optimal size without a law for the loss: a curve in ln N a budget, then N_opt(C) = k C^a.

Hoffmann et al. 2022, approach 2, with the corrections that tables of others need. A budget is one that a designer made
(``intervals.budgets``), not neighbours in a scattered table. Only rows near its optimum count (far from it the loss is
no parabola, and models that hardly trained decide the squares), and the curve is a cubic where the rows allow (a
parabola's vertex is off where the two exponents differ). The exponent is that of one smooth surface through these rows
of all budgets; where they are too few, of a line through the optima. Its interval is that of tables drawn with the
misfit that neighbouring sizes share in all budgets. Beside it: the lowest row of each budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from seqmix_study.findings.fits.fit import Gate, at_most, verdict_of
from seqmix_study.findings.fits.intervals import budgets, levels, misfits, variances
from seqmix_study.findings.fits.ladder import checked, without_copies
from seqmix_study.findings.fits.optima import exponent, gates_of, optima_line, prediction

#: Excess of ln L over the lowest row up to which a row is near the optimum.
NEAR = 0.1
#: Half width over that of Student or of the drawn tables, whose misfits are estimated from few sizes: without it 90 of
#: 100 intervals hold the truth where bands of sizes share misfits of 0.02 nats, with it 96.
WIDER = 1.3
FEWEST_ROWS = 4
#: An exponent that changes by less than this on the way to either end of the budgets is one exponent.
SLIGHT = 0.01
NO_DESIGN = "no IsoFLOP design here: the rows do not come in budgets of several sizes, each apart from the next"


@dataclass
class Budget:
    """The runs of one budget, averaged at each size: ``x`` ln N, ``y`` ln L, ``log_d`` ln D, each [sizes]."""

    log_c: float
    x: np.ndarray
    y: np.ndarray
    log_d: np.ndarray
    rows: int
    why: str = ""  # no optimum, because
    half: float = np.inf  # half the width of the interval of ln N, in drawn tables

    def __post_init__(self) -> None:
        low = self.low = int(np.argmin(self.y))
        if len(self.x) < FEWEST_ROWS:
            self.why = f"{len(self.x)} sizes, a curve needs {FEWEST_ROWS}"
        elif low in (0, len(self.x) - 1):
            self.why = f"the lowest loss is at the {'largest' if low else 'smallest'} size"
        else:
            self.best, self.loss = (float(found[0]) for found in self.optimum(self.y[None]))
            if np.isnan(self.best):
                self.why = "the losses have no minimum inside the sizes"

    def window(self) -> slice:
        """The sizes around the lowest that are near it, five at least."""
        first = last = self.low
        while last - first + 1 < len(self.x):
            left = self.y[first - 1] if first else np.inf
            right = self.y[last + 1] if last + 1 < len(self.x) else np.inf
            if min(left, right) - self.y[self.low] > NEAR and last - first + 1 >= 5:
                break
            first, last = (first - 1, last) if left < right else (first, last + 1)
        return slice(first, last + 1)

    def optimum(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ln N, ln L) [R] of the minimum of a curve through losses ``y`` [R, sizes]; NaN without one."""
        rows = self.window()
        x = self.x[rows] - self.x[self.low]
        best = value = np.full(len(y), np.nan)
        for degree in (2, 3) if len(x) >= 6 else (2,):
            curve = np.linalg.lstsq(np.vander(x, degree + 1, increasing=True), y[:, rows].T, rcond=None)[0]
            with np.errstate(all="ignore"):
                root = np.sqrt(curve[2] ** 2 - 3 * curve[1] * (curve[3] if degree == 3 else 0))
                at = -curve[1] / (curve[2] + root)
            good = (at >= x[0]) & (at <= x[-1])
            best = np.where(good, at, best)
            value = np.where(good, np.polynomial.polynomial.polyval(np.where(good, at, 0), curve, tensor=False), value)
        return best + self.x[self.low], value

    def to_dict(self) -> dict[str, Any]:
        out = {"compute": float(np.exp(self.log_c)), "rows": self.rows, "why": self.why}
        if self.why:
            return out
        ends = [self.best - self.half, self.best + self.half]
        # tokens by interpolation of the rows' own: C = 6 N D need not hold in the table
        log_d = np.interp([self.best, *ends], self.x, self.log_d)
        out |= {"N_opt": np.exp(self.best), "D_opt": np.exp(log_d[0]), "loss_opt": np.exp(self.loss)}
        inside = self.x[0] <= ends[0] and ends[1] <= self.x[-1]  # beyond its sizes a budget says nothing
        spans = (tuple(np.exp(ends)), tuple(np.exp(sorted(log_d[1:])))) if inside else (None, None)
        return out | dict(zip(("N_interval", "D_interval"), spans, strict=True))


def fit_isoflop(
    c: Any, n: Any, loss: Any, d: Any = None, level: float = 0.95, draws: int = 500, few: tuple[float, float] = (0, 0)
) -> dict[str, Any]:
    """Return N_opt(C), D_opt(C) and their exponents from losses at ``n`` parameters and ``c`` training FLOPs [rows].

    Without tokens ``d`` they are C / 6N. ``few``: by how much the exponent moves without the runs of fewest tokens, and
    how well (half an interval) that is known; the interval holds it. ``verdict`` is "ok", "interval" (too wide for a
    number) or "refused", with ``reasons``; ``bend`` is the p-value of a bend in ln C; ``optimal_exponent`` is
    {estimate, interval}, None where no two budgets have an optimum. ValueError for values that are not positive.
    """
    c, n, loss = checked(FLOPs=c, N=n, loss=loss)
    (d,) = checked(D=c / 6 / n if d is None else d)
    found = _read(*without_copies(c, n, loss, d)[0])
    used = [budget for budget in found if not budget.why]
    out: dict[str, Any] = dict.fromkeys(("optimal_exponent", "data_exponent", "envelope", "prediction"))
    out |= {"verdict": "refused", "reasons": [] if found else [NO_DESIGN], "flags": [], "bend": 1.0}
    log_c = np.array([budget.log_c for budget in used])
    line: dict[str, Any] = {}
    if len(used) >= 2:
        line = optima_line(log_c, [budget.best for budget in used], level)
        _pooled(line, used, level, draws, np.random.default_rng(0))
    out["budgets"] = [budget.to_dict() for budget in found]
    if not found:
        return out
    if line:
        line |= {key: WIDER * line[key] for key in ("t", "half")}
        if few[1]:
            middle, half = line["slope"] + few[0], np.hypot(line["half"], few[1])
            line["few"] = (middle - half, middle + half)
            out["flags"].append(f"without the fewest tokens the exponent moves by {few[0]:+.3f}: intervals hold that")
        out["optimal_exponent"] = exponent(line)
        data = optima_line(log_c, [np.log(row["D_opt"]) for row in out["budgets"] if not row["why"]], level)
        slope = data["slope"] - line.get("moved", 0.0)
        # where the share of sizes rises along the budgets, that of tokens falls
        mirrored = {key: slope + line["slope"] - np.array(line[key]) for key in ("ends", "few") if key in line}
        out["data_exponent"] = exponent(line | {"slope": slope} | mirrored)
        lowest = optima_line(log_c, [budget.x[budget.low] for budget in used], level)
        out["envelope"] = {"optimal_exponent": {"estimate": lowest["slope"], "interval": None}}
        out["bend"] = line["bend"]
        out["prediction"] = prediction(line, log_c, found[-1].log_c)
    gates = list(_gates(out["optimal_exponent"], line, found, used))
    out["verdict"] = verdict_of(gates)
    for gate in gates:
        if not gate.passed:
            out["flags" if gate.severity == "flag" else "reasons"].append(gate.reason)
    return refused(out, out["reasons"]) if out["verdict"] == "refused" else out


def refused(found: dict[str, Any], reasons: list[str]) -> dict[str, Any]:
    """What ``fit_isoflop`` found, refused for these reasons: nothing is predicted either."""
    kept = ("compute", "times_largest_optimum")
    ahead = found["prediction"] and {key: found["prediction"][key] for key in kept} | {"why_not": "; ".join(reasons)}
    return found | {"verdict": "refused", "reasons": reasons, "prediction": ahead}


def _read(c: np.ndarray, n: np.ndarray, loss: np.ndarray, d: np.ndarray) -> list[Budget]:
    """The budgets of a table, from the smallest; losses of rows that miss their budget's FLOPs are moved there.

    Along the optimum the loss falls with compute as it falls with tokens at a fixed size, so the slope of the budgets'
    lowest losses says by how much.
    """
    label, logs, y = budgets(c, n), np.log(c), np.log(loss)
    rows = [np.flatnonzero(label == b) for b in range(label.max() + 1)]
    centre = [logs[own].mean() for own in rows]
    slope = np.polyfit(centre, [y[own].min() for own in rows], 1)[0] if len(rows) > 1 else 0.0
    found = []
    for own, middle in zip(rows, centre, strict=True):
        size = levels(n[own])
        table = np.stack([np.log(n[own]), y[own] + slope * (middle - logs[own]), np.log(d[own])])
        mean = np.stack([np.bincount(size, row) / np.bincount(size) for row in table])
        found.append(Budget(float(middle), *mean, rows=len(own)))
    return found


def _pooled(line: dict[str, Any], used: list[Budget], level: float, draws: int, rng: np.random.Generator) -> None:
    """Take slope and half width of a line from all budgets at once; nothing is done where rows are too few.

    One smooth surface around the optimum: a level a budget, a vertex that moves with ln C, a curvature that does, and
    one skew. Curves of single budgets spend a skew each, which makes their optima several times as uncertain. A size
    that is badly tuned is so in every budget, and tilts neighbouring ones alike: what bands of sizes share in the
    residuals is drawn anew.
    """
    inside = [budget.window() for budget in used]
    x = np.concatenate([budget.x[rows] for budget, rows in zip(used, inside, strict=True)])
    y = np.concatenate([budget.y[rows] for budget, rows in zip(used, inside, strict=True)])
    log_c = np.array([budget.log_c for budget in used])
    where = np.repeat(np.arange(len(used)), [rows.stop - rows.start for rows in inside])
    v, found = (log_c - log_c.mean())[where], np.array([line["at"], line["slope"]])
    for _ in range(40):
        u = x - found[0] - found[1] * v
        smooth = np.stack([u, u * v, u * v * v, u * u, u * u * v, u**3], 1)
        smooth = np.concatenate([smooth, np.eye(len(used))[where]], 1)
        solve = np.linalg.pinv(smooth)
        curve = solve @ y
        free = len(y) - smooth.shape[1]
        if free < 3 or len(used) < 3 or not curve[3] > 0:
            return
        step = np.clip(-curve[:2] / 2 / curve[3], -0.5, 0.5)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    fitted = smooth @ curve
    shared = misfits("sizes", np.exp(x))
    columns = [part.columns(np.ones(len(x))) for part in shared]
    *parts, rest = variances(y - fitted, smooth, columns, 6 if shared[0].repeated else 1)
    noise = np.sqrt(rest * free / rng.chisquare(free, draws))[:, None] * rng.standard_normal((draws, len(x)))
    for part, variance in zip(shared, parts, strict=True):
        noise += np.sqrt(variance) * part.sample(draws, rng)
    line |= {"at": float(found[0]), "slope": float(found[1]), "moved": float(found[1]) - line["slope"]}
    line["half"] = float(np.quantile(np.abs(noise @ solve[1]), level) / 2 / curve[3])
    ends = found[1] - curve[2] / curve[3] * (log_c[[0, -1]] - log_c.mean())
    bend = 2 * float(ndtr(-np.abs(curve[2]) / WIDER / max(np.std(noise @ solve[2]), 1e-300)))
    bends = ((bend, tuple(ends.tolist())), (line["bend"], line["ends"]))  # of the surface, and of the line of optima
    line["bend"], line["ends"] = min((p if np.ptp([found[1], *two]) > SLIGHT else 1.0, two) for p, two in bends)
    drawn = fitted + np.concatenate([np.zeros((1, len(x))), noise])
    for i, (budget, rows) in enumerate(zip(used, inside, strict=True)):
        losses = np.tile(budget.y, (draws + 1, 1))
        losses[:, rows] = drawn[:, where == i]
        top, *others = budget.optimum(losses)[0]
        far = np.nan_to_num(np.abs(others - top), nan=np.inf)  # a drawn curve without a minimum: anywhere
        budget.half = float(np.quantile(far, level, method="higher"))


def _gates(
    found: dict[str, Any] | None, line: dict[str, Any], tables: list[Budget], used: list[Budget]
) -> Iterator[Gate]:
    decades = (used[-1].log_c - used[0].log_c) / np.log(10) if used else 0.0
    left = [f"{np.exp(budget.log_c):.2g} FLOPs: {budget.why}" for budget in tables if budget.why]
    why = "; ".join(left[:3]) + (f"; and {len(left) - 3} more" if len(left) > 3 else "")
    yield from gates_of(len(used), decades, found, line)
    most = len(left) > len(tables) / 2
    said = "most budgets have no minimum inside their sizes" if most else "budgets left out"
    yield at_most("I1 optima", len(left), 0, f"{said}: {why}", "refused" if most else "flag")
