"""The fit doctor for surfaces L(N, D).

A published table has hundreds of points scattered over N and D and no seeds: noise is measured by the residuals, so
the design gates ask for points and spread in both directions instead of repeats. What decides: both ranges, N and D
not moving together, each term needed (F-test), intervals closed and off the bounds, resamples off the bounds. What is
only noticed: what moves without some of the rows, and a slight bend of the residuals.
"""

import numpy as np
from scipy.special import fdtrc

from seqmix_study.findings.fits.fit import Fit, Gate
from seqmix_study.findings.fits.forms import PARAMETERS
from seqmix_study.findings.fits.profile import BOUNDS

__all__ = ["ran_away", "surface_gates", "surface_status"]

MIN_LEVELS, MIN_DECADES, MAX_CORRELATION = 4, 1.0, 0.97
RUNAWAY = 10 * BOUNDS[1]
#: Standard deviations (robust) beyond which a row is named.
FAR = 8.0
#: Statistic of a bend over its 99 % quantile: above one it is noticed, above this the law is refused, if
#: the bend explains this share of the residuals: readings of a published figure bend significantly and slightly.
BENDS, MOSTLY = 1.5, 0.35


def surface_status(fit: Fit) -> str:
    """``slope_only`` needs both slopes of the plane in (ln N, ln D) below zero; see ``gates.status`` for the rest."""
    failed = {gate.severity for gate in fit.gates if not gate.passed}
    if "refused" in failed:
        return "refused"
    if "slope_only" not in failed:
        return "ok"
    ends = [fit.slope.get(f"per_efold_{name}_interval", (0, 1))[1] for name in "nd"]
    return "slope_only" if max(ends) < 0 else "refused"


def ran_away(estimates: dict[str, float]) -> Gate | None:
    """Return the gate that refuses a fit without an optimum: on losses without a law an exponent grows for ever."""
    largest = max(abs(estimates["alpha"]), abs(estimates["beta"]))
    if largest < RUNAWAY and np.isfinite(list(estimates.values())).all():
        return None
    reason = f"no optimum: an exponent grows without end ({largest:.3g}), so these losses follow no such law"
    return Gate("S4 optimum", False, largest, RUNAWAY, reason)


def surface_gates(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> list[Gate]:
    """Return the gates in order; those of the fit only where there is one."""
    gates = _design(fit, n, d, loss)
    if not fit.estimates:
        return gates
    terms = _terms(fit, n, d, loss)
    gates += [_direction(fit, name, terms) for name in "nd"]
    # models that hardly trained widen the range of losses and hide what is wrong near the optimum
    near = loss <= np.quantile(loss, 0.9)
    spread = float(np.ptp(loss[near]))
    ratio = float(np.sqrt(np.mean(np.square(loss - fit.points["fitted"])[near]))) / max(spread, 1e-300)
    reason = f"residuals too large: {100 * ratio:.0f} % of the range of the lower nine tenths of losses (allowed 10 %)"
    gates.append(Gate("S2 noise", ratio <= 0.1, ratio, 0.1, reason, "slope_only"))
    gates += [*terms, *_closed(fit, loss)]
    if fit.bootstrap:
        share = fit.bootstrap["share_inside"]
        reason = f"unstable: only {100 * share:.0f} % of draws stay off the bounds"
        gates.append(Gate("S6 bootstrap", share >= 0.95, share, 0.95, reason, "slope_only"))
        gates.append(_structure(fit))
    return [*gates, *_second_opinions(fit)]


def _design(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> list[Gate]:
    parameters = len(PARAMETERS[fit.form])
    points = len(np.unique(np.stack([n, d], 1), axis=0))
    wanted = 3 * parameters
    gates = [
        Gate(
            "S0 points",
            points >= wanted,
            points,
            wanted,
            f"too few points: {points} different (N, D), {parameters} parameters need {wanted}",
        )
    ]
    for letter, name, values, word in (("N", "sizes", n, "sizes"), ("D", "tokens", d, "token counts")):
        levels, decades = len(np.unique(values)), float(np.log10(values.max() / values.min()))
        if levels == 1:
            reason = f"{letter} is constant ({values[0]:g}): a surface needs {MIN_LEVELS} different {word}"
            reason += "; fit L(N) without --d" if letter == "D" else ""
        else:
            reason = (
                f"{letter} hardly varies: {levels} {word} over {decades:.2f} decades "
                f"(needed: {MIN_LEVELS} over {MIN_DECADES:g})"
            )
        enough = levels >= MIN_LEVELS and decades >= MIN_DECADES - 1e-9
        gates.append(Gate(f"S0 {name}", enough, decades, MIN_DECADES, reason))
    if np.ptp(n) > 0 and np.ptp(d) > 0:
        correlation = float(abs(np.corrcoef(np.log(n), np.log(d))[0, 1]))
        reason = (
            f"N and D move together (correlation of their logarithms {correlation:.3f}): "
            "their two terms cannot be told apart"
        )
        gates.append(Gate("S0 separate", correlation <= MAX_CORRELATION, correlation, MAX_CORRELATION, reason))
    if np.ptp(loss) == 0:
        gates.append(Gate("S1 direction", False, 0.0, None, "all losses are equal"))
    return gates


def _direction(fit: Fit, name: str, terms: list[Gate]) -> Gate:
    """Does the loss rise with N at given D, or with D at given N? Judged by a plane in the logarithms.

    A table of constant-compute parabolas may have any slope there: where the fitted term is needed, a rise is only
    noticed.
    """
    slope, ends = fit.slope.get(f"per_efold_{name}"), fit.slope.get(f"per_efold_{name}_interval")
    letter = {"n": "N", "d": "D"}[name]
    if slope is None:
        return Gate("S1 direction", False, None, 0.0, f"the slope of the loss in {letter} is not determined")
    needed = all(gate.passed for gate in terms if gate.name == f"S3 term in {letter}")
    reason = f"loss rises with {letter}: {slope:.3g} nats per e-fold ({ends[0]:.3g} to {ends[1]:.3g})"
    return Gate("S1 direction", ends[0] <= 0, slope, 0.0, reason, "flag" if needed else "refused")


def _terms(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> list[Gate]:
    """Each power term against the same law with a straight line in its place: has the exponent been seen at all?"""
    e = fit.estimates
    size = np.exp(np.log(max(e["A"], 1e-300)) - e["alpha"] * np.log(n))
    data = np.exp(np.log(max(e["B"], 1e-300)) - e["beta"] * np.log(d))
    gates = []
    for letter, kept, line in (("N", data, np.log(n)), ("D", size, np.log(d))):
        exponent = "alpha" if letter == "N" else "beta"
        both = np.stack([np.ones_like(n), size, data], 1)
        straight = np.stack([np.ones_like(n), line, kept], 1)
        none = np.stack([np.ones_like(n), kept], 1)
        full, flat, gone = (_sse(m, loss) for m in (both, straight, none))
        df = max(fit.df, 1)
        p = float(fdtrc(2, df, max(gone - full, 0) / 2 / max(full / df, 1e-300)))
        gates.append(
            Gate(
                f"S3 term in {letter}",
                p < 0.05,
                p,
                0.05,
                f"the term in {letter} is not needed (F-test p = {p:.2g})",
                "slope_only",
            )
        )
        bend = float(fdtrc(1, df, max(flat - full, 0) / max(full / df, 1e-300)))
        gates.append(
            Gate(
                f"S3 curvature in {letter}",
                bend < 0.05,
                bend,
                0.05,
                f"no curvature in {letter}: a straight line in ln {letter} fits as well (F-test p = {bend:.2g}), "
                f"so {exponent} and the irreducible loss are not identifiable",
                "slope_only",
            )
        )
    return gates


def _closed(fit: Fit, loss: np.ndarray) -> list[Gate]:
    gates = []
    for name in ("alpha", "beta"):
        value = fit.estimates[name]
        low, high = fit.intervals.get(name, (value, value))
        inside = BOUNDS[0] < value < BOUNDS[1] and low > 0 and high < BOUNDS[1]
        extra = " covers zero or has the wrong sign" if low <= 0 else ""
        gates.append(
            Gate(
                f"S4 {name} closed",
                inside,
                low,
                0.0,
                f"{name} = {value:.3g}, interval ({low:.3g} to {high:.3g}){extra}; "
                f"it must be closed inside (0, {BOUNDS[1]:g})",
                "slope_only",
            )
        )
        ratio = (high - low) / 2 / abs(value)
        reason = f"interval of {name} too wide: half of it is {100 * ratio:.0f} % of the estimate (allowed 50 %)"
        gates.append(Gate(f"S5 {name} width", ratio <= 0.5, ratio, 0.5, reason, "slope_only"))
    if fit.form == "C4":
        return gates
    floor, ends = fit.estimates["E"], fit.intervals.get("E", (fit.estimates["E"],) * 2)
    least = 1e-3 * float(loss.min())
    gates.append(
        Gate(
            "S4 E off zero",
            bool(floor > least),
            floor,
            least,
            f"E = {floor:.3g} is on its bound zero: the irreducible loss is not identifiable",
            "slope_only",
        )
    )
    reason = f"the interval of E reaches zero ({ends[0]:.3g} to {ends[1]:.3g}): the floor is not identifiable"
    gates.append(Gate("S4 E closed", bool(ends[0] > least), ends[0], least, reason, "flag"))
    return gates


def _second_opinions(fit: Fit) -> list[Gate]:
    """Does the compute-optimal exponent hang on the engine, on the highest losses, on few tokens, or on one row?"""
    if not fit.cross_check:
        return []
    estimate = fit.derived["optimal_exponent"]["estimate"]
    ends = fit.derived["optimal_exponent"]["interval"]
    half = (ends[1] - ends[0]) / 2 if ends else 0.0
    other = fit.cross_check["estimates"]
    gap = other["beta"] / (other["alpha"] + other["beta"]) - estimate
    limit = max(0.03, half)
    worst = fit.leverage[0] if fit.leverage else None
    far = fit.outlier
    where = f"N = {far['N']:.4g}, D = {far['D']:.4g}, loss {far['loss']:.4g} lies {far['deviations']:.0f} sd off"
    reason = (
        f"{fit.cross_check['method']} moves the compute-optimal exponent by {gap:+.3f} (allowed {limit:.2g}); {where}"
    )
    gates = [Gate("S6 engines", abs(gap) <= limit, gap, limit, reason, "slope_only")]
    for name, found in fit.refits.items():
        move = found["optimal_exponent"] - estimate
        reason = f"{name} the compute-optimal exponent moves by {move:+.3f} (allowed {limit:.2g})"
        gates.append(Gate(f"S7 {name}", abs(move) <= limit, move, limit, reason, "flag"))
    gates.append(Gate("S7 outlier", far["deviations"] <= FAR, far["deviations"], FAR, f"an outlier: {where}", "flag"))
    if worst:
        move = worst["moves_optimal_exponent"]
        reason = (
            f"one row decides: without N = {worst['N']:.4g}, D = {worst['D']:.4g} the exponent moves by {move:+.3f}"
        )
        gates.append(Gate("S7 single row", abs(move) <= limit, move, limit, reason, "flag"))
    return gates


def _structure(fit: Fit) -> Gate:
    """A law that fails for few tokens leaves a bend along D; see ``intervals.structure``."""
    found = fit.bootstrap["structure"]
    hard = found["ratio"] > BENDS and found["explained"] > MOSTLY
    start = "the law does not hold over this table: " if hard else ""
    reason = (
        f"{start}residuals bend along D, or along N and D together, "
        f"by {found['ratio']:.1f} times what misfits of sizes explain ({100 * found['explained']:.0f} % of their "
        "variance)"
    )
    return Gate("S8 structure", found["ratio"] <= 1, found["ratio"], 1.0, reason, "refused" if hard else "flag")


def _sse(columns: np.ndarray, target: np.ndarray) -> float:
    scaled = columns / np.maximum(np.abs(columns).max(0), 1e-300)
    coefficients, *_ = np.linalg.lstsq(scaled, target, rcond=None)
    residual = target - scaled @ coefficients
    return float(residual @ residual)
