"""What a decider returns, and the few rules by which an interval becomes a verdict.

All effects are signed so that positive is what the claim says. With a practical margin m and a 95 % interval
[lo, hi] of the effect:

    supported            lo > m            the effect is there and matters
    refuted              hi < m            an effect that matters is excluded (reversed, or practically none)
    too close to call    otherwise

A claim of equality turns this round: supported where the interval lies inside (-m, m), refuted where it lies outside.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["CLOSE", "ILL", "REFUTED", "SUPPORTED", "UNTESTED", "VERDICTS", "Decision", "NotTested"]

SUPPORTED = "supported"
REFUTED = "refuted"
CLOSE = "too close to call"
UNTESTED = "not tested at this scale"
ILL = "ill-posed"
VERDICTS = (SUPPORTED, REFUTED, CLOSE, UNTESTED, ILL)


class NotTested(Exception):
    """The tables cannot decide: the message says what is missing, in words for the reader."""


@dataclass(frozen=True)
class Decision:
    """One verdict with what it rests on. ``estimate`` and its interval are in ``unit``; NaN where there is none."""

    verdict: str
    sentence: str
    estimate: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    unit: str = ""
    runs: tuple[str, ...] = ()
    seeds: int = 0
    scope: str = ""
    name: str = ""
    parts: tuple["Decision", ...] = field(default=())

    def named(self, name: str) -> "Decision":
        """Return the same decision with a name, as one part of a larger one."""
        return replace(self, name=name)


def directional(lo: float, hi: float, margin: float) -> str:
    """Return the verdict on "the effect is larger than ``margin``" from the interval of the effect."""
    if not (math.isfinite(lo) or math.isfinite(hi)):
        return CLOSE
    return SUPPORTED if lo > margin else REFUTED if hi < margin else CLOSE


def equality(lo: float, hi: float, margin: float) -> str:
    """Return the verdict on "there is no difference of ``margin`` or more" from the interval of the difference."""
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return CLOSE
    return SUPPORTED if -margin < lo and hi < margin else REFUTED if lo > margin or hi < -margin else CLOSE


def all_of(parts: Sequence[Decision], sentence: str = "") -> Decision:
    """Combine parts that must all hold: one refuted part refutes, one undecided part leaves it undecided.

    A part that was not tested leaves the whole untested, unless another part is already refuted.
    """
    verdicts = [part.verdict for part in parts]
    for verdict in (REFUTED, ILL, UNTESTED, CLOSE):
        if verdict in verdicts:
            return _joined(verdict, parts, sentence)
    return _joined(SUPPORTED, parts, sentence)


def any_of(parts: Sequence[Decision], sentence: str = "") -> Decision:
    """Combine parts of which one suffices ("there is a regime in which ..."); refuted where all are refuted."""
    verdicts = [part.verdict for part in parts]
    for verdict in (SUPPORTED, CLOSE, UNTESTED):
        if verdict in verdicts:
            return _joined(verdict, parts, sentence)
    return _joined(REFUTED, parts, sentence)


def agree(parts: Sequence[Decision], sentence: str = "") -> Decision:
    """Combine the same question asked of several corpora: their common answer, or too close to call.

    Corpora without the needed runs do not take part; if none has them the first reason is kept.
    """
    tested = [part for part in parts if part.verdict != UNTESTED]
    if not tested:
        return _joined(UNTESTED, parts, sentence or parts[0].sentence)
    verdicts = {part.verdict for part in tested}
    return _joined(verdicts.pop() if len(verdicts) == 1 else CLOSE, tested, sentence)


def _joined(verdict: str, parts: Sequence[Decision], sentence: str) -> Decision:
    """Return the combination. Its estimate is that of the part that decides it (the first with this verdict)."""
    if len(parts) == 1:
        return parts[0]
    lead = next((part for part in parts if part.verdict == verdict), parts[0])
    text = sentence or " ".join(f"{part.name or 'part'}: {part.verdict}. {part.sentence}" for part in parts)
    return Decision(
        verdict,
        text,
        lead.estimate,
        lead.lo,
        lead.hi,
        lead.unit,
        tuple(sorted({run for part in parts for run in part.runs})),
        min((part.seeds for part in parts if part.verdict != UNTESTED), default=0),
        "; ".join(dict.fromkeys(part.scope for part in parts if part.scope)),
        parts=tuple(parts),
    )


def number(value: float, digits: int = 3) -> str:
    """Return a number for people: 0.0312 as "0.031", 12345 as "12,345", an open end as "no bound"."""
    if not math.isfinite(value):
        return "no bound"
    if value and (abs(value) >= 10_000 or abs(value) < 10 ** (-digits)):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.2g}"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.0f}"


def interval(estimate: float, lo: float, hi: float, unit: str = "", digits: int = 3) -> str:
    """Return "0.031 nats (95 % interval 0.010 to 0.052)"."""
    unit = f" {unit}" if unit else ""
    return f"{number(estimate, digits)}{unit} (95 % interval {number(lo, digits)} to {number(hi, digits)})"


def listing(words: Iterable[str]) -> str:
    """Return "a, b and c"."""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
