"""Deciders without measured tables, and the one that only asks whether the tables reach far enough."""

from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_tables import Evidence, scope, short
from seqmix_study.findings.finding import Decision, NotTested

__all__ = ["by_arithmetic", "not_covered", "out_of_reach"]


def by_arithmetic(evidence: Evidence, flaw: str) -> Decision:
    """Refuted if the check of the document's own numbers finds the slip, supported if it clears the statement."""
    from seqmix_study.findings import documents as flaws

    found = flaws.check(flaw)
    return Decision(d.REFUTED if found.holds else d.SUPPORTED, f"By arithmetic: {found.arithmetic}.")


def not_covered(evidence: Evidence, reason: str) -> Decision:
    """Say why no measurement of this study can decide the claim."""
    raise NotTested(reason)


def out_of_reach(evidence: Evidence, study: str, column: str, needed: float) -> Decision:
    """Untested unless the runs reach ``needed`` in ``column``; the claim then needs a rule of its own."""
    rows = evidence.runs(study)
    largest = float(rows[column].max())
    name = {"params_non_embedding": "non-embedding parameters"}.get(column, column)
    text = f"The claim speaks of {short(needed)} {name}; the largest run here has {short(largest)}."
    if largest >= needed:
        text += " The tables reach that far, and no rule was written for it before."
    return Decision(d.UNTESTED, text, runs=(), scope=scope(rows))
