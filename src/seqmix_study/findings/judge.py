"""From ledger and tables to verdicts. Everything is recomputed on every call; nothing is stored or typed in."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqmix_study.findings import (
    decide_budget,
    decide_context,
    decide_fits,
    decide_hybrids,
    decide_inside,
    decide_other,
    decide_recall,
    decide_scaling,
    decide_speed,
    decide_stacks,
)
from seqmix_study.findings import documents as flaws
from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_tables import Evidence
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.ledger import Claim, Ledger, Step, load

__all__ = ["DECIDERS", "Verdict", "judge", "summary", "verdicts"]

Decider = Callable[..., Decision]

DECIDERS: dict[str, Decider] = {
    name: getattr(module, name)
    for module, names in (
        (decide_scaling, ("gap_slope", "loss_difference", "trend")),
        (decide_fits, ("crossover", "exponent_difference", "iso_loss_ratio", "own_exponent")),
        (decide_budget, ("data_size", "to_target")),
        (decide_context, decide_context.__all__),
        (decide_recall, decide_recall.__all__),
        (decide_hybrids, decide_hybrids.__all__),
        (decide_stacks, decide_stacks.__all__),
        (decide_speed, decide_speed.__all__),
        (decide_inside, decide_inside.__all__),
        (decide_other, decide_other.__all__),
    )
    for name in names
}
"""Every decider by the name that the ledger uses: (evidence, parameters of the claim) -> Decision."""

QUICK = "the quick tier checks that everything works and is never evidence"


@dataclass(frozen=True)
class Verdict:
    """The outcome for one claim: what the rule says about the tables, and what the document's own arithmetic says."""

    claim: Claim
    tier: str
    decision: Decision
    instead: Decision | None = None
    """For an ill-posed claim: the answer to the meaningful question behind it."""
    arithmetic: tuple[flaws.Flaw, ...] = field(default=())

    @property
    def verdict(self) -> str:
        return self.decision.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready data; a number that does not exist is ``None``."""
        claim, document = self.claim, load().documents[self.claim.document]
        return {
            "id": claim.id,
            "document": claim.document,
            "document_title": document.title,
            "claim": claim.claim,
            "metric": claim.metric,
            "rule": claim.rule,
            "claim_scope": claim.scope,
            "link": claim.link,
            "deciders": [step.by for step in claim.decide],
            "tier": self.tier,
            **_plain(self.decision),
            "instead": _plain(self.instead) if self.instead else None,
            "arithmetic": [{"check": f.name, "found": f.holds, "steps": list(f.lines)} for f in self.arithmetic],
        }


def _plain(decision: Decision) -> dict[str, Any]:
    number = lambda value: float(f"{value:.6g}") if math.isfinite(value) else None  # noqa: E731
    return {
        "verdict": decision.verdict,
        "sentence": decision.sentence,
        "estimate": number(decision.estimate),
        "interval": [number(decision.lo), number(decision.hi)],
        "unit": decision.unit,
        "runs": len(decision.runs),
        "run_ids": list(decision.runs),
        "seeds": decision.seeds,
        "scope": decision.scope,
        "parts": [{"name": part.name, **_plain(part)} for part in decision.parts],
    }


def _ask(step: Step, claim: Claim, evidence: Evidence) -> Decision:
    """Put one question to the tables; what the tables cannot decide is a verdict, not an error."""
    if evidence.tier == "quick" and claim.design.study:
        return Decision(d.UNTESTED, f"Not judged: {QUICK}.", name=step.name)
    if claim.design.study and evidence.tier not in claim.design.tiers:
        return Decision(d.UNTESTED, f"The rule asks for the tier {d.listing(claim.design.tiers)}.", name=step.name)
    question = json.dumps([step.by, step.given], sort_keys=True)
    if question not in evidence.answered:
        try:
            evidence.answered[question] = DECIDERS[step.by](evidence, **step.given)
        except NotTested as gap:
            evidence.answered[question] = Decision(d.UNTESTED, sentence(str(gap)))
    return evidence.answered[question].named(step.name)


def sentence(reason: str) -> str:
    """Return a reason as a sentence; the name of a file or of an architecture keeps its small letter."""
    first = reason.partition(" ")[0]
    named = "." in first or "_" in first
    return f"{reason if named else reason[:1].upper() + reason[1:]}".rstrip(".") + "."


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on one claim from the tables of one tier."""
    parts = [_ask(step, claim, evidence) for step in claim.decide]
    decision = (d.any_of if claim.combine == "any" else d.all_of)(parts) if parts else None
    shown = tuple(flaws.check(name) for name in dict.fromkeys((claim.ill_posed, *claim.flaws)) if name)
    if claim.ill_posed:
        fatal = shown[0]
        if fatal.holds:
            return Verdict(
                claim, evidence.tier, Decision(d.ILL, f"By arithmetic: {fatal.arithmetic}."), decision, shown
            )
        decision = decision or Decision(d.UNTESTED, f"The arithmetic does not take it apart: {fatal.arithmetic}.")
    return Verdict(claim, evidence.tier, decision, None, shown)


def verdicts(results: Path, tier: str, ledger: Ledger | None = None) -> list[Verdict]:
    """Return the verdicts on all claims, in the order of the ledger, from ``results/<tier>/*.csv``."""
    evidence = Evidence.read(results, tier)
    return [judge(claim, evidence) for claim in (ledger or load()).claims]


def summary(found: list[Verdict]) -> dict[str, int]:
    """Return how many claims have each verdict (all five kinds, zeros included)."""
    return {kind: sum(v.verdict == kind for v in found) for kind in d.VERDICTS}
