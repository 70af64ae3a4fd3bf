"""From rows of findings to one verdict for every claim, and the files that hold both."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from seqmix.files import atomic_write
from seqmix_study.findings import verdict as v
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.questions import OPPOSITE, Claim, Part, Questions, load
from seqmix_study.findings.select import Tables, pick
from seqmix_study.findings.verdict import Verdict
from seqmix_study.results import published

# Columns of verdicts.csv, in their order; what they mean stands in book/findings.md.
COLUMNS = (
    *("id", "document", "claim", "verdict", "text", "yes", "no", "open", "invalid", "needs", "rows"),
    *("row", "estimate", "lo", "hi", "unit", "scope", "instead", "instead_text", "metric", "rule", "claim_scope"),
    *("cites", "link", "runs"),
)

# Name of a check of a document's own arithmetic -> an object with ``holds`` and ``arithmetic``.
Check = Callable[[str], Any]


def judge(claim: Claim, found: Findings, check: Check | None = None) -> tuple[Verdict, Verdict | None]:
    """Return the verdict on one claim, and of one that no measurement decides what was measured instead.

    ``check`` looks up arithmetic by name; without it, texts stand as they are.
    """
    measured = _measured(claim, found) if claim.parts or claim.opposite_of else None
    if name := claim.ill_posed or claim.by_arithmetic:
        flaw = check(name) if check else None
        text, slip = (flaw.arithmetic, flaw.holds) if flaw else (name, True)
        if claim.by_arithmetic:
            return Verdict(v.REFUTED if slip else v.SUPPORTED, f"by arithmetic: {text}"), None
        if slip:
            return Verdict(v.ILL, f"by arithmetic: {text}"), measured
        return measured or Verdict(v.UNTESTED, f"the arithmetic does not take it apart: {text}"), None
    if claim.not_testable:
        return Verdict(v.UNTESTABLE, claim.not_testable), measured
    if claim.not_tested:
        return Verdict(v.UNTESTED, f"it would take {claim.not_tested}", needs=claim.not_tested), measured
    return measured, None


def _measured(claim: Claim, found: Findings) -> Verdict:
    """Read the rows of the claim's parts; an opposite claim reads the same rows from the other side."""
    source, rules = found.questions.source(claim), found.questions.rules
    corpora = claim.corpora or source.corpora or rules.corpora
    somewhere = source.somewhere and not claim.opposite_of
    parts = []
    for part, says in readings(claim, found.questions):
        answers = [row.answer(says, rules) for row in found.rows(part.question) if about(row.key, part.only)]
        parts.append((part.name, v.combine(answers, corpora, somewhere, source.complete)))
    return v.both(parts, corpora) if source.all else v.either(parts)


def about(key: dict[str, Any], only: dict[str, Any]) -> bool:
    """True where a condition is one that the claim speaks about."""
    asked = {column: wanted for column, wanted in only.items() if column in key}
    return not asked or len(pick(pd.DataFrame([key]), asked)) == 1


def readings(claim: Claim, questions: Questions) -> list[tuple[Part, str]]:
    """Return the parts of a claim with how each is read; an opposite claim reads the other's from the other side."""
    found = [(p, p.says or questions.questions[p.question].says) for p in questions.source(claim).parts]
    return [(part, OPPOSITE[says]) for part, says in found] if claim.opposite_of else found


def rule_of(claim: Claim, questions: Questions) -> str:
    """Return in words what is asked of the rows: made from the questions, so that it is what is computed."""
    asked = [(questions.questions[part.question], says) for part, says in readings(claim, questions)]
    lines = [f"{question.asks} Read as: {question.reading(says)}." for question, says in asked]
    joined = (" Or: " if questions.source(claim).any else " And: ").join(lines)
    return " ".join(filter(None, (joined, claim.rule)))


def table(found: Findings, check: Check | None = None) -> pd.DataFrame:
    """Return the verdicts on all claims of the questions file, in its order, as verdicts.csv holds them."""
    rows = {row.name: row for id in found.questions.questions for row in found.rows(id)}
    judged = [_plain(claim, *judge(claim, found, check), rows, found) for claim in found.questions.claims]
    return pd.DataFrame(judged).reindex(columns=COLUMNS)


def _plain(
    claim: Claim, verdict: Verdict, instead: Verdict | None, rows: dict[str, Any], found: Findings
) -> dict[str, Any]:
    shown = verdict if verdict.answers or instead is None else instead
    said = {v.SUPPORTED: "yes", v.REFUTED: "no", v.CLOSE: "too close", v.UNTESTED: "invalid"}.get(shown.word)
    # The row beside the verdict: the first that says what the verdict says.
    row = next((rows[a.row] for a in sorted(shown.answers, key=lambda a: a.word != said)), None)
    effect = row.effect if row else None
    runs = {run for a in shown.answers for run in rows[a.row].plain.get("runs", "").split()}
    words = {"yes": "yes", "no": "no", "open": "too close"}
    bad = [f"{a.condition}: {a.why}" if a.condition else a.why for a in verdict.answers if a.word == "invalid"]
    return {
        **claim.model_dump(include={"id", "document", "claim", "metric", "link"}), "claim_scope": claim.scope,
        "cites": " ".join(claim.cites), "rule": rule_of(claim, found.questions),
        "verdict": verdict.said, "text": verdict.text, "needs": verdict.needs,
        **{name: "; ".join(filter(None, verdict.conditions(word))) for name, word in words.items()},
        "invalid": "; ".join(dict.fromkeys(bad)), "rows": "; ".join(f"{a.row}: {a.word}" for a in shown.answers),
        "instead": instead.said if instead else "", "instead_text": instead.text if instead else "",
        "row": row.name if row else "", "scope": row.plain.get("scope", "") if row else "",
        **{name: getattr(effect, name, math.nan) for name in ("estimate", "lo", "hi")},
        "unit": row.question.unit if effect else "", "runs": " ".join(sorted(runs)),
    }  # fmt: skip


def write(folder: Path, found: Findings, check: Check | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write findings and verdicts into ``folder``, as CSV (and beside a stranger's table as JSON); return both."""
    both = {"findings": found.table(), "verdicts": table(found, check)}
    files = {f"{n}.csv": f.to_csv(index=False, float_format="%.6g", lineterminator="\n") for n, f in both.items()}
    if (folder / published.MANIFEST).exists():
        published.write(folder, files)
    else:  # a stranger's folder
        as_json = {"orient": "records", "double_precision": 8, "force_ascii": False, "indent": 1}
        for name, text in (files | {f"{n}.json": f.to_json(**as_json) + "\n" for n, f in both.items()}).items():
            atomic_write(folder / name, text)
    return both["findings"], both["verdicts"]


def from_files(runs: Path, *questions: Path, out: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge any table of runs: read, answer, write beside it (or into ``out``), return findings and verdicts.

    Raises QuestionsError and ValueError with the name of the file that is wrong.
    """
    return write(out or runs.parent, Findings(Tables.read(runs.parent, load(*questions), runs=runs)))
