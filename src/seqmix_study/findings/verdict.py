"""How an interval is read, and how the answers of conditions become the verdict on a claim.

Every reading has an exact opposite, so that opposite claims get opposite verdicts from the same rows.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seqmix_study.findings.effects import Effect
from seqmix_study.findings.questions import COMPLEMENT, Question

SUPPORTED, REFUTED, MIXED, DEPENDS = "supported", "refuted", "mixed", "depends"
CLOSE, UNTESTED, UNTESTABLE, ILL = "too close to call", "not tested", "not testable", "ill-posed"
VERDICTS = (SUPPORTED, REFUTED, MIXED, DEPENDS, CLOSE, UNTESTED, UNTESTABLE, ILL)

# A sign for each verdict, so that colour is not needed.
MARKS = dict(zip(VERDICTS, "✓✗◐◑≈○—⊘", strict=True))

# Reading -> where the interval must lie for a yes; no is what its complement calls yes.
YES = {"above": {"above"}, "below": {"below"}, "same": {"same"}, "different": {"above", "below"}}
YES |= {"not_above": {"below", "same", "not_above"}, "not_below": {"above", "same", "not_below"}}


def word_of(said: str) -> str:
    """Return the verdict behind its words: "depends" for "depends on length"."""
    return DEPENDS if said.startswith(DEPENDS) else said


def side_of(effect: Effect, question: Question) -> str:
    """Return where the interval lies: above, below, same, not_above, not_below (beside the margin) or open."""
    lo, hi, around, margin = effect.lo, effect.hi, question.around, question.margin
    if effect.log:
        lo, hi, around = (math.log(v) if v > 0 else -math.inf for v in (lo, hi, around or 1.0))
        margin = math.log1p(margin)
    if math.isnan(lo) or math.isnan(hi):
        return "open"
    if lo > around + margin:
        return "above"
    if hi < around - margin:
        return "below"
    if lo > around - margin and hi < around + margin:
        return "same"
    return "not_above" if hi < around + margin else "not_below" if lo > around - margin else "open"


def reads(side: str, says: str) -> str:
    """Return yes, no or too close."""
    return "yes" if side in YES[says] else "no" if side in YES[COMPLEMENT[says]] else "too close"


@dataclass(frozen=True)
class Answer:
    """What one row says to one reading: yes, no, too close or invalid, with the condition that it is about."""

    row: str
    word: str
    condition: str
    key: dict = field(default_factory=dict)
    why: str = ""
    architecture: bool = False


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim or on one part of it; conditions in words."""

    word: str
    text: str
    answers: tuple[Answer, ...] = ()
    needs: str = ""
    # For "depends": the axis that separates yes from no.
    on: str = ""

    def conditions(self, word: str) -> list[str]:
        return list(dict.fromkeys(a.condition for a in self.answers if a.word == word))

    @property
    def said(self) -> str:
        """The verdict in words: "depends on length", "not tested"."""
        return f"depends on {self.on}" if self.word == DEPENDS else self.word


def combine(answers: Sequence[Answer], corpora: int = 1, somewhere: bool = False, complete: bool = False) -> Verdict:
    """Return the verdict of one question over its conditions.

    ``corpora``: how many must have a decided answer where the question is about architectures. ``somewhere``: the
    claim says only that there is a condition. ``complete``: it speaks of every one; none may be missing.
    """
    answers = tuple(answers)
    valid = [a for a in answers if a.word != "invalid"]
    whys = list(dict.fromkeys(a.why for a in answers if a.word == "invalid" and a.why))
    needs = "; ".join(whys)
    if not valid:
        text = needs if len(whys) == 1 else "; ".join(f"{why} ({_names(answers, 'invalid', why)})" for why in whys)
        return Verdict(UNTESTED, text or "no rows", answers, needs)
    decided = [a for a in valid if a.word != "too close"]
    words = {a.word for a in decided}
    if somewhere:
        word = "yes" if "yes" in words else "too close" if len(decided) < len(valid) else "no"
        said = {"yes": SUPPORTED, "too close": CLOSE, "no": REFUTED}[word]
        return Verdict(said, f"{word} on {_names(valid, word)}", answers)
    if words == {"yes", "no"}:
        axis = _axis(decided)
        text = f"yes on {_names(decided, 'yes')}, no on {_names(decided, 'no')}"
        return Verdict(DEPENDS if axis else MIXED, text, answers, needs, axis)
    if complete and len(valid) < len(answers) and "no" not in words:
        text = f"it speaks of every condition, and not all can be judged: {needs}"
        return Verdict(UNTESTED, text, answers, needs)
    needed = corpora if any(a.architecture for a in answers) else 1
    there = {a.key.get("corpus", a.condition) for a in valid}
    if len(there) < needed:
        have = f"{_names(valid, valid[0].word)}: {valid[0].word}"
        text = f"{len(there)} of the {needed} corpora that are needed can be judged ({have})"
        needs = needs or f"a second corpus (a claim about architectures needs {needed})"
        return Verdict(UNTESTED, text, answers, needs)
    there = {a.word for a in valid}
    said = [f"{word} on {_names(valid, word)}" for word in ("yes", "no", "too close") if word in there]
    if 2 * len(decided) > len(valid):
        return Verdict(SUPPORTED if "yes" in words else REFUTED, "; ".join(said), answers, needs)
    return Verdict(CLOSE, ", ".join(said), answers, needs)


def _axis(decided: Sequence[Answer]) -> str:
    """Return the one axis (not the corpus) whose values separate yes from no: numbers at one change only."""
    for axis in decided[0].key:
        if axis == "corpus" or any(axis not in a.key for a in decided):
            continue
        said = {(a.key[axis], a.word) for a in decided}
        if len(said) > len({value for value, _ in said}):
            continue  # one value says both
        numbers = all(isinstance(value, (int, float)) for value, _ in said)
        if numbers and sum(a != b for (_, a), (_, b) in itertools.pairwise(sorted(said))) > 1:
            continue
        return "the number of threads" if axis == "threads" else axis
    return ""


def both(parts: Sequence[tuple[str, Verdict]], corpora: int = 1) -> Verdict:
    """Return the verdict of parts that must all hold. Where they were asked in the same conditions, per condition."""
    if len(parts) == 1:
        return parts[0][1]
    asked = [{a.condition for a in part.answers} for _, part in parts]
    if asked[0] and all(conditions == asked[0] for conditions in asked):
        joined = [_all_in([next(a for a in part.answers if a.condition == c) for _, part in parts]) for c in asked[0]]
        found = combine(sorted(joined, key=lambda a: a.condition), corpora)
        return replace(found, answers=tuple(a for _, part in parts for a in part.answers))
    return _ranked(parts, (REFUTED, UNTESTABLE, UNTESTED, MIXED, DEPENDS, CLOSE, SUPPORTED))


def either(parts: Sequence[tuple[str, Verdict]]) -> Verdict:
    """Return the verdict of parts of which one must hold."""
    return _ranked(parts, (SUPPORTED, MIXED, DEPENDS, CLOSE, UNTESTED, UNTESTABLE, REFUTED))


def _ranked(parts: Sequence[tuple[str, Verdict]], order: Sequence[str]) -> Verdict:
    """The first word of ``order`` that a part has is the verdict of the whole."""
    lead = min((part for _, part in parts), key=lambda part: order.index(part.word))
    text = "; ".join(f"{name or 'part'}: {part.said} ({part.text})" for name, part in parts)
    needs = "; ".join(dict.fromkeys(part.needs for _, part in parts if part.needs and part.word == UNTESTED))
    return Verdict(lead.word, text, tuple(a for _, part in parts for a in part.answers), needs, lead.on)


def _all_in(parts: Sequence[Answer]) -> Answer:
    """Join the answers of one condition: one no is a no, whatever else is invalid."""
    first = min(parts, key=lambda part: ("no", "invalid", "too close", "yes").index(part.word))
    return replace(first, architecture=any(part.architecture for part in parts))


def _names(answers: Sequence[Answer], word: str, why: str = "") -> str:
    """Return the conditions that say this word (for this reason), as people list them."""
    chosen = (a.condition for a in answers if a.word == word and why in ("", a.why))
    found = list(dict.fromkeys(name or "the whole table" for name in chosen)) or ["the whole table"]
    if len(found) > 6:
        return f"{len(found)} conditions ({found[0]} ... {found[-1]})"
    return found[0] if len(found) == 1 else ", ".join(found[:-1]) + " and " + found[-1]
