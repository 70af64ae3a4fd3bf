"""The verdict of a list of gates, and the fit doctor's report in words.

The gates themselves: ``gates.py`` for L(N), ``surface_gates.py`` for L(N, D).
"""

from typing import Any

from seqmix_study.findings.fits.fit import Fit, Gate
from seqmix_study.findings.fits.gates import Evidence, ladder_gates

__all__ = ["Evidence", "explain", "gates", "ladder_gates", "status"]


def gates(fit: Fit) -> list[Gate]:
    """Return every gate that the fit went through, passed or not, in order."""
    return list(fit.gates)


def status(gates: list[Gate], slope: dict[str, Any]) -> str:
    """``refused`` if a hard gate failed, or if not even the slope is separable from zero; else the milder words."""
    failed = {gate.severity for gate in gates if not gate.passed}
    if "refused" in failed:
        return "refused"
    if "slope_only" not in failed:
        return "ok"
    return "slope_only" if slope and slope["interval"][1] < 0 else "refused"


def explain(fit: Fit) -> str:
    """Return the doctor's report: the verdict, what decided it, what was noticed, and what would help."""
    words = {
        "ok": "ok: consistent with the law; the exponents may be quoted with their intervals",
        "slope_only": "slope only: the loss falls, but the table does not determine an exponent or a floor",
        "refused": "refused: no law may be quoted from this table",
    }
    lines = [f"verdict  {words[fit.status]}"]
    lines += [f"  failed   {reason}" for reason in fit.reasons]
    lines += [f"  noticed  {flag}" for flag in fit.flags]
    lines += [f"  note     {note}" for note in fit.notes]
    advice = {
        "G0 sizes": "train more sizes: five at least, seven recommended",
        "G0 range": "spread the sizes over at least 1.5 decades",
        "G0 seeds": "repeat every size with at least three seeds",
        "G1 direction": "tune the learning rate and the number of steps of the larger sizes, and look for overfitting",
        "G3 noise": "add seeds, and tune each size: the misfit of single sizes is not averaged out by seeds",
        "G5 curvature": "widen the range of sizes: one more decade says more than five more seeds",
        "S8 structure": "leave out the runs with the fewest tokens, or those far from the optimum, and compare",
        "S0 tokens": "vary the tokens, or leave --d out and fit the ladder at fixed tokens",
    }
    for gate in fit.gates:
        if not gate.passed and gate.name in advice:
            lines.append(f"  try      {advice[gate.name]}")
    return "\n".join(lines)
