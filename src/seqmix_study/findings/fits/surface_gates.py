"""The fit doctor for surfaces L(N, D).

A published table has hundreds of points scattered over N and D and no seeds: noise is measured by the residuals, so
the design gates ask for points and spread in both directions instead of repeats. What decides: both ranges, N and D
not moving together, each term needed (F-test), intervals closed and off the bounds, one law
for few and for many tokens. What is only noticed: what moves without some of the rows, and a slight bend.
"""

from collections.abc import Iterator

import numpy as np

from seqmix_study.findings.fits.fit import Fit, Gate, at_least, at_most, verdict_of
from seqmix_study.findings.fits.forms import PARAMETERS
from seqmix_study.findings.fits.intervals import FEW
from seqmix_study.findings.fits.profile import BOUNDS, f_test

START = "with a start of its own"
MIN_LEVELS, MIN_DECADES, MAX_CORRELATION = 4, 1.0, 0.97
RUNAWAY = 10 * BOUNDS[1]
#: Standard deviations (robust) beyond which a row is named.
FAR = 8.0
#: A bend this many times its 99 % quantile that explains this share of the residuals is another law; readings of a
#: published figure bend significantly and slightly. Few tokens are judged by what the law says without them.
BENDS, MOSTLY = 1.5, 0.35
#: Estimates that lie farther apart than this many times the halves of their intervals that face each other are not of
#: one law. In simulation 1.25 lets 30 % of laws that fail for few tokens pass at low noise, 1.0 lets 7 %.
APART = 1.0
#: Where residuals show the failure for few tokens this many times their 99 % quantile, the law fails beyond doubt, and
#: a quarter of the distance will do: of 200 such laws at low noise 33 were ok without it, and 32 of these wrong.
SURE = 8.0


def surface_status(fit: Fit) -> str:
    """``slope_only`` needs both slopes of the plane in (ln N, ln D) below zero."""
    ends = [fit.slope.get(f"per_efold_{name}_interval", (0, 1))[1] for name in "nd"]
    return verdict_of(fit.gates, max(ends) < 0)


def ran_away(estimates: dict[str, float]) -> Gate | None:
    """Return the gate that refuses a fit without an optimum: on losses without a law an exponent grows for ever."""
    largest = max(abs(estimates["alpha"]), abs(estimates["beta"]))
    if largest < RUNAWAY and np.isfinite(list(estimates.values())).all():
        return None
    reason = f"no optimum: an exponent grows without end ({largest:.3g}), so these losses follow no such law"
    return Gate("S4 optimum", False, largest, RUNAWAY, reason)


def surface_gates(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> Iterator[Gate]:
    """Yield the gates in order; those of the fit only where there is one."""
    yield from _design(fit, n, d, loss)
    if not fit.estimates:
        return
    terms = list(_terms(fit, n, d, loss))
    yield from (_direction(fit, name, terms) for name in "nd")
    # models that hardly trained widen the range of losses and hide what is wrong near the optimum
    near = loss <= np.quantile(loss, 0.9)
    spread = float(np.ptp(loss[near]))
    ratio = float(np.sqrt(np.mean(np.square(loss - fit.points["fitted"])[near]))) / max(spread, 1e-300)
    reason = f"residuals too large: {100 * ratio:.0f} % of the range of the lower nine tenths of losses (allowed 10 %)"
    yield at_most("S2 noise", ratio, 0.1, reason, "slope_only")
    yield from terms
    yield from _closed(fit, loss)
    if fit.bootstrap:
        yield from _structure(fit)
    yield from _second_opinions(fit)


def _design(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> Iterator[Gate]:
    parameters = len(PARAMETERS[fit.form])
    points, wanted = len(np.unique(np.stack([n, d], 1), axis=0)), 3 * parameters
    reason = f"too few points: {points} different (N, D), {parameters} parameters need {wanted}"
    yield at_least("S0 points", points, wanted, reason)
    for letter, name, values, word in (("N", "sizes", n, "sizes"), ("D", "tokens", d, "token counts")):
        levels, decades = len(np.unique(values)), float(np.log10(values.max() / values.min()))
        reason = f"{letter} hardly varies: {levels} {word} over {decades:.2f} decades "
        reason += f"(needed: {MIN_LEVELS} over {MIN_DECADES:g})"
        if levels == 1:
            reason = f"{letter} is constant ({values[0]:g}): a surface needs {MIN_LEVELS} different {word}"
            reason += "; fit L(N) without --d" if letter == "D" else ""
        enough = levels >= MIN_LEVELS and decades >= MIN_DECADES - 1e-9
        yield Gate(f"S0 {name}", enough, decades, MIN_DECADES, reason)
    if np.ptp(n) > 0 and np.ptp(d) > 0:
        correlation = float(abs(np.corrcoef(np.log(n), np.log(d))[0, 1]))
        reason = f"N and D move together (correlation of their logarithms {correlation:.3f}): "
        reason += "their two terms cannot be told apart"
        yield at_most("S0 separate", correlation, MAX_CORRELATION, reason)
    if np.ptp(loss) == 0:
        yield Gate("S1 direction", False, 0.0, None, "all losses are equal")


def _direction(fit: Fit, name: str, terms: list[Gate]) -> Gate:
    """Does the loss rise with N at given D, or with D at given N? Judged by a plane in the logarithms.

    A table of constant-compute parabolas may have any slope there: where the fitted term is needed, a rise is only
    noticed.
    """
    slope, ends = fit.slope.get(f"per_efold_{name}"), fit.slope.get(f"per_efold_{name}_interval")
    letter = name.upper()
    if slope is None:
        return Gate("S1 direction", False, None, 0.0, f"the slope of the loss in {letter} is not determined")
    needed = all(gate.passed for gate in terms if gate.name == f"S3 term in {letter}")
    reason = f"loss rises with {letter}: {slope:.3g} nats per e-fold ({ends[0]:.3g} to {ends[1]:.3g})"
    return Gate("S1 direction", ends[0] <= 0, slope, 0.0, reason, "flag" if needed else "refused")


def _terms(fit: Fit, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> Iterator[Gate]:
    """Each power term against the same law with a straight line in its place: has the exponent been seen at all?"""
    e, one, df = fit.estimates, np.ones_like(n), max(fit.df, 1)
    size = np.exp(np.log(max(e["A"], 1e-300)) - e["alpha"] * np.log(n))
    data = np.exp(np.log(max(e["B"], 1e-300)) - e["beta"] * np.log(d))
    full = _sse((one, size, data), loss)
    for letter, exponent, kept, line in (("N", "alpha", data, np.log(n)), ("D", "beta", size, np.log(d))):
        flat, gone = _sse((one, line, kept), loss), _sse((one, kept), loss)
        p = f_test(gone, full, 2, df)
        reason = f"the term in {letter} is not needed (F-test p = {p:.2g})"
        yield at_most(f"S3 term in {letter}", p, 0.05, reason, "slope_only")
        p = f_test(flat, full, 1, df)
        reason = f"no curvature in {letter}: a straight line in ln {letter} fits as well (F-test p = {p:.2g}), "
        reason += f"so {exponent} and the irreducible loss are not identifiable"
        yield at_most(f"S3 curvature in {letter}", p, 0.05, reason, "slope_only")


def _closed(fit: Fit, loss: np.ndarray) -> Iterator[Gate]:
    for name in ("alpha", "beta"):
        value = fit.estimates[name]
        low, high = fit.intervals.get(name, (value, value))
        inside = BOUNDS[0] < value < BOUNDS[1] and low > 0 and high < BOUNDS[1]
        extra = " covers zero or has the wrong sign" if low <= 0 else ""
        reason = f"{name} = {value:.3g}, interval ({low:.3g} to {high:.3g}){extra}; "
        reason += f"it must be closed inside (0, {BOUNDS[1]:g})"
        yield Gate(f"S4 {name} closed", inside, low, 0.0, reason, "slope_only")
        ratio = (high - low) / 2 / abs(value)
        reason = f"interval of {name} too wide: half of it is {100 * ratio:.0f} % of the estimate (allowed 60 %)"
        yield at_most(f"S5 {name} width", ratio, 0.6, reason, "slope_only")
    if fit.form == "C4":
        return
    floor, ends = fit.estimates["E"], fit.intervals.get("E", (fit.estimates["E"],) * 2)
    least = 1e-3 * float(loss.min())
    reason = f"E = {floor:.3g} is on its bound zero: the irreducible loss is not identifiable"
    yield at_least("S4 E off zero", floor, least, reason, "slope_only")
    reason = f"the interval of E reaches zero ({ends[0]:.3g} to {ends[1]:.3g}): the floor is not identifiable"
    yield at_least("S4 E closed", ends[0], least, reason, "flag")


def _structure(fit: Fit) -> Iterator[Gate]:
    """Is it one law for few and for many tokens, and without a bend? See ``intervals.structure``."""
    (whole, own), *others = fit.bootstrap["answers"].items()
    structure = fit.bootstrap["structure"]
    apart = APART / 4 if max(structure[name]["ratio"] for name in structure if name != "bend") > SURE else APART
    for name, found in structure.items():
        ratio, share = found["ratio"], found["explained"]
        hard = name == "bend" and ratio > BENDS and share > MOSTLY
        reason = "the law does not hold over this table: " if hard else ""
        reason += f"residuals have structure ({name}), {ratio:.1f} times what misfits of sizes explain and "
        reason += f"{100 * share:.0f} % of their variance"
        held = ["without the least and without the most compute"] if name == "bend" else [other for other, _ in others]
        if held and not hard:
            reason += f": intervals hold the answers {' and '.join(held)}"
        yield at_most("S8 structure", ratio, 1.0, reason, "refused" if hard else "flag")
    if start := dict(others).get(START):
        low, high = start["optimal_exponent"]["interval"]
        most = structure[FEW[0]]["most"]
        reason = f"a start of up to {most:.2g} nats may hide here: with it the exponent is {low:.3g} to {high:.3g}"
        yield Gate("S8 start", False, most, None, reason, "flag")
    # what noise may hide widens, and refuses only where the failure is beyond doubt
    for name, answer in [one for one in others if one[0] != START or apart < APART]:
        for key, other in answer.items():
            low, high = sorted((own[key], other), key=lambda one: one["estimate"])
            gap = high["estimate"] - low["estimate"]
            reach = low["interval"][1] - low["estimate"] + high["estimate"] - high["interval"][0]
            if gap > apart * reach:
                spans = ["{:.3g} to {:.3g}".format(*one[key]["interval"]) for one in (answer, own)]
                reason = f"the law does not hold over this table: {name} {key.replace('_', ' ')} is {spans[0]}, "
                yield Gate("S8 few tokens", False, gap, apart * reach, f"{reason}{whole} {spans[1]}")


def _second_opinions(fit: Fit) -> Iterator[Gate]:
    """Does the compute-optimal exponent hang on the engine, on the highest losses, on few tokens, or on one row?"""
    estimate, ends = (fit.derived["optimal_exponent"][key] for key in ("estimate", "interval"))
    other, far, worst = fit.cross_check["estimates"], fit.outlier, fit.leverage[0]
    gap = other["beta"] / (other["alpha"] + other["beta"]) - estimate
    limit = max(0.03, (ends[1] - ends[0]) / 2 if ends else 0.0)
    where = f"N = {far['N']:.4g}, D = {far['D']:.4g}, loss {far['loss']:.4g} lies {far['deviations']:.0f} sd off"
    said = f"moves the compute-optimal exponent by {gap:+.3f} (allowed {limit:.2g})"
    reason = f"{fit.cross_check['method']} {said}; {where}"
    yield Gate("S6 engines", abs(gap) <= limit, gap, limit, reason, "slope_only")
    moves = {name: (name, found["optimal_exponent"] - estimate) for name, found in fit.refits.items()}
    row = f"one row decides: without N = {worst['N']:.4g}, D = {worst['D']:.4g}"
    for name, (who, move) in (moves | {"single row": (row, worst["moves_optimal_exponent"])}).items():
        reason = f"{who} the compute-optimal exponent moves by {move:+.3f} (allowed {limit:.2g})"
        yield Gate(f"S7 {name}", abs(move) <= limit, move, limit, reason, "flag")
    yield at_most("S7 outlier", far["deviations"], FAR, f"an outlier: {where}", "flag")


def _sse(columns: tuple[np.ndarray, ...], target: np.ndarray) -> float:
    scaled = np.stack([column / max(np.abs(column).max(), 1e-300) for column in columns], 1)
    coefficients, *_ = np.linalg.lstsq(scaled, target, rcond=None)
    residual = target - scaled @ coefficients
    return float(residual @ residual)
