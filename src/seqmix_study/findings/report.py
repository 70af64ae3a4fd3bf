"""Verdicts as plain data and short words, for tables, figures and downloads."""

import math
import re
from collections.abc import Sequence

import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings.judge import Verdict

__all__ = ["MARKS", "spoken", "table", "value"]

MARKS = {d.SUPPORTED: "✓", d.REFUTED: "✗", d.CLOSE: "≈", d.UNTESTED: "○", d.ILL: "⊘"}
"""A sign for each verdict, so that colour is not needed."""


SPOKEN = {
    "transformer": "the Transformer",
    "transformer_conv": "the Transformer with convolution",
    "deltanet": "DeltaNet",
    "deltanet_noconv": "DeltaNet without convolution",
    "gated_deltanet": "Gated DeltaNet",
    "lstm_block": "the LSTM in the block",
    "lstm_1": "the 1-layer LSTM",
    "lstm_2": "the 2-layer LSTM",
    "lstm_4": "the 4-layer LSTM",
    "lstm_1_chrono": "the 1-layer LSTM with chrono initialisation",
    "lstm_1_zero": "the 1-layer LSTM with forget bias 0",
    "hybrid_half": "the half-and-half hybrid",
    "hybrid_12_conv": "attention only with convolution",
    "hybrid_0_noconv": "DeltaNet only without convolution",
    "hybrid_12": "attention only",
    "hybrid_0": "DeltaNet only",
}
NAMES = re.compile(r"\b(" + "|".join(sorted(SPOKEN, key=len, reverse=True)) + r")\b|\bhybrid_(\d+)\b")
OPENING = re.compile(r"(^|[.:] )(the|attention)\b")


def spoken(text: str) -> str:
    """Return a sentence with the names of architectures as people say them."""
    named = NAMES.sub(lambda m: SPOKEN[m[1]] if m[1] else f"{m[2]} attention layers of 12", text)
    return OPENING.sub(lambda m: m[1] + m[2].capitalize(), named)


def value(decision: d.Decision) -> str:
    """Return estimate and interval with the unit, or nothing."""
    if not math.isfinite(decision.estimate):
        return ""
    if not (math.isfinite(decision.lo) or math.isfinite(decision.hi)):
        return f"{d.number(decision.estimate)} {decision.unit}".strip()
    return f"{d.number(decision.estimate)} ({d.number(decision.lo)} to {d.number(decision.hi)}) {decision.unit}".strip()


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """Return all verdicts as plain data, a row a claim, with the runs behind each (for download)."""
    rows = []
    for v in found:
        decision, instead = v.decision, v.instead
        rows.append({
            "id": v.claim.id, "claim": v.claim.claim, "verdict": v.verdict, "tier": v.tier,
            "estimate": decision.estimate, "lo": decision.lo, "hi": decision.hi, "unit": decision.unit,
            "seeds": decision.seeds, "runs": len(decision.runs), "scope": decision.scope, "rule": v.claim.rule,
            "sentence": decision.sentence, "instead": f"{instead.verdict}: {instead.sentence}" if instead else "",
            "run_ids": " ".join(decision.runs),
        })  # fmt: skip
    return pd.DataFrame(rows)
