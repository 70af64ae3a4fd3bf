"""Which compute-optimal exponent to believe, where a surface and its budgets both have one."""

from dataclasses import replace
from typing import Any

import numpy as np

from seqmix_study.findings.fits.fit import Fit, Gate, at_least
from seqmix_study.findings.fits.intervals import FEW
from seqmix_study.findings.fits.isoflop import fit_isoflop, refused
from seqmix_study.findings.fits.optima import BENT, CLOSE, MAX_HALF_WIDTH, width_gate

WHOM = {"surface": "the surface", "isoflop": "the budgets", "both": "both", "none": "neither"}


def agree(fit: Fit, c: np.ndarray, n: np.ndarray, loss: np.ndarray, d: np.ndarray) -> None:
    """Compare the surface's exponent with the budgets', fill ``fit.agreement``, and add the gates that follow.

    Where both pass their own checks and differ, see ``_judge``.
    """
    own, iso = fit.derived.get("optimal_exponent"), fit.isoflop
    curve, lowest = iso["optimal_exponent"], (iso["envelope"] or {}).get("optimal_exponent")
    if own and own["interval"]:
        gate = width_gate(own, "slope_only")
        fit.gates.append(gate if iso["budgets"] else replace(gate, severity="flag"))
    why = f"the budgets' optima bend in ln C (p = {iso['bend']:.2g}), which those of such a law do not"
    fit.gates.append(at_least("S6 bend", iso["bend"], BENT, why, "interval"))
    failed = [gate.reason for gate in fit.gates if not gate.passed and gate.severity not in ("flag", "interval")]
    seen = fit.bootstrap.get("structure", {})
    if iso["verdict"] != "refused" and any(name in seen and seen[name]["ratio"] > 1 for name in FEW):
        why = "the losses fail the law for few tokens, and the best rows of the smallest budgets have few"
        fit.isoflop = iso = refused(iso, [why])
    law, curves = own is not None and not failed, iso["verdict"] != "refused"
    word = _compared(own, curve) if own and curve else ""
    said = ""
    if word == "disagree":
        said = f"the surface says N_opt ~ C^{own['estimate']:.3f}, the budgets {curve['estimate']:.3f}"
    verdict = word if said or (law and curves) else "one method only"
    if law and curves and said:
        believe, why = _judge(fit, said, c, n, d)
    elif law and curves:
        believe, why = "both", "surface and budgets agree"
    elif law:
        believe = "surface"
        why = "the budgets alone carry no exponent" if iso["budgets"] else "there is no other method here"
        why += f", though {said}" if said else ""
    elif curves:
        believe, why = "isoflop", "they ask nothing of rows far from the optimum"
        if said:
            why += f"; {said}, and the surface is not ok ({(failed or ['it has no optimum'])[0]})"
    else:
        verdict, believe, why = "none", "none", "no compute-optimal exponent may be quoted from this table"
    if verdict == "close":
        ends = [end for value in (own, curve) for end in value["interval"] or [value["estimate"]]]
        why = "surface and budgets are close, but neither estimate is in the other's interval; "
        why += f"quote the interval that holds both, {min(ends):.3f} to {max(ends):.3f}"
    for name, value, other in (("surface", own, "isoflop"), ("budgets", curve, "surface")):
        if verdict != "close" and believe not in (other, "none") and value["interval"]:
            span = "{:.3f} to {:.3f}".format(*value["interval"])
            number = f"C^{value['estimate']:.3f} ({span})"
            sure = width_gate(value).passed and iso["bend"] >= BENT
            quote = number if sure else f"the interval, {span}, and no number in it"
            why += f"; of the {name} quote {quote}"
    fit.agreement = {"verdict": verdict, "believe": believe, "text": f"{WHOM[believe]}: {why}"}
    fit.agreement["optimal_exponent"] = {"surface": own, "parabola": curve, "lowest row": lowest}


def _judge(fit: Fit, said: str, c: np.ndarray, n: np.ndarray, d: np.ndarray) -> tuple[str, str]:
    """Whom to believe, and why, where a law and curves that both look sound differ; the other one is demoted.

    The curves are fitted to the losses of the surface itself. If they give the surface's exponent, they can be trusted
    in this design, and the losses near the optima are not the surface's. If they give what they gave on the data, the
    design makes them wrong, and the surface explains it. If neither, neither is believed.
    """
    own, curve = (part["optimal_exponent"]["estimate"] for part in (fit.derived, fit.isoflop))
    twin = (fit_isoflop(c, n, fit.predict(n, d), d, draws=2)["optimal_exponent"] or {}).get("estimate", np.nan)
    said += f"; from the losses of the surface itself budgets say {twin:.3f}"
    believe, why = "none", f"{said}, which explains neither"
    if abs(twin - own) <= CLOSE:
        believe, why = "isoflop", f"{said}, so the surface misses the losses near the optima"
    elif abs(twin - curve) <= CLOSE:
        believe, why = "surface", f"{said}, so budgets mislead in this design"
    if believe != "surface":
        fit.gates.append(Gate("S6 budgets", False, own - curve, CLOSE, why, "slope_only"))
    if believe != "isoflop":
        fit.isoflop = refused(fit.isoflop, [why])
    return believe, why


def _compared(a: dict[str, Any], b: dict[str, Any]) -> str:
    """Two answers in one word.

    "agree": an estimate lies inside the other's interval, and they are no number's width apart; "close": neither does,
    but they are near, or within what both intervals leave open; else "disagree".
    """
    low, high = sorted((a, b), key=lambda one: one["estimate"])
    ends = [one["interval"] or (one["estimate"],) * 2 for one in (low, high)]
    gap = high["estimate"] - low["estimate"]
    up, down = ends[0][1] - low["estimate"], high["estimate"] - ends[1][0]
    if gap > max(CLOSE, min(np.hypot(up, down), MAX_HALF_WIDTH)):
        return "disagree"
    return "agree" if gap <= max(up, down) else "close"
