"""The words of the verdicts chapter: scorecard, one entry a claim, contradictions. All computed from the verdicts."""

import html
from collections.abc import Sequence

import pandas as pd

from seqmix.paths import Paths
from seqmix_study.chapters.common import several
from seqmix_study.findings import finding as d
from seqmix_study.findings.judge import Verdict, summary, verdicts
from seqmix_study.findings.ledger import load
from seqmix_study.findings.report import MARKS, spoken, value

__all__ = ["answer", "contradictions", "counts", "details", "judged", "rules", "scorecard"]


def judged(tier: str, paths: Paths | None = None) -> list[Verdict]:
    """Return the verdicts on all claims from ``results/<tier>``."""
    return verdicts((paths or Paths()).results, tier)


def said(count: int, what: str) -> str:
    return f"{count} {what}"


def counts(found: Sequence[Verdict]) -> list[str]:
    """Return what the scorecard says in a few sentences."""
    number = summary(list(found))
    decided = number[d.SUPPORTED] + number[d.REFUTED]
    lines = [f"{len(found)} claims: {d.listing(said(count, kind) for kind, count in number.items())}."]
    tier = found[0].tier
    if tier == "quick":
        lines.append("The quick tier is a code check and never evidence: no claim that needs a measurement is judged.")
    runs = {run for v in found for run in (*v.decision.runs, *(v.instead.runs if v.instead else ()))}
    if runs:
        lines.append(f"Decided one way or the other: {decided}. The verdicts rest on {several(len(runs), 'run')}.")
    open_ = [v for v in found if v.verdict == d.UNTESTED and v.claim.empirical]
    if open_ and tier != "quick":
        lines.append(
            f"{several(len(open_), 'testable claim')} without runs, or without a fit that may be quoted; each entry "
            "says what is missing."
        )
    return lines


def answer(found: Sequence[Verdict]) -> str:
    """Return the chapter's answer in two sentences."""
    number = summary(list(found))
    sizes = (
        f"Of {len(found)} claims in five documents {are(number[d.SUPPORTED])} supported and {are(number[d.REFUTED])} "
        f"refuted by this study, {are(number[d.CLOSE])} too close to call, and {number[d.UNTESTED]} could not be "
        f"tested at the {found[0].tier} tier."
    )
    return f"{sizes} By their own arithmetic, {are(number[d.ILL])} ill-posed."


def are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def target(link: str, paths: Paths) -> str:
    """Return the page (and figure) that a claim links to, as far as it is part of this book; else ""."""
    chapter, _, figure = link.partition("#")
    toc, source = paths.root / "_toc.yml", paths.notebooks / f"{chapter}.md"
    if not source.is_file() or not toc.is_file() or f"book/executed/{chapter}\n" not in toc.read_text() + "\n":
        return ""
    known = figure and f"name: {figure}" in source.read_text(encoding="utf-8")
    return f"{chapter}.html" + (f"#{figure}" if known else "")


def anchor(claim: str) -> str:
    return f"claim-{claim.replace('.', '-')}"


def scorecard(found: Sequence[Verdict], document: int, paths: Paths | None = None) -> str:
    """Return the scorecard of one document as an HTML table: claim, verdict, estimate, scope, where to look."""
    paths = paths or Paths()
    rows = []
    for v in (v for v in found if v.claim.document == document):
        page = target(v.claim.link, paths)
        link = f'<a href="{page}">{v.claim.link.partition("#")[0]}</a>' if page else ""
        shown = v.decision if v.verdict != d.ILL or not v.instead else v.instead
        rows.append({
            "claim": f'<a href="#{anchor(v.claim.id)}">{v.claim.id}</a> {html.escape(v.claim.claim)}',
            "verdict": f"{MARKS[v.verdict]} {v.verdict}",
            "estimate (95 % interval)": html.escape(value(shown)),
            "runs": len(shown.runs) or "",
            "where": html.escape(shown.scope.removeprefix("at ")),
            "figure": link,
        })  # fmt: skip
    return pd.DataFrame(rows).to_html(index=False, border=0, escape=False, classes="verdicts", justify="left")


def details(found: Sequence[Verdict], document: int) -> str:
    """Return one folded entry a claim: rule, what the tables say, arithmetic, what is behind an ill-posed claim."""
    return "\n".join(_entry(v) for v in found if v.claim.document == document)


def _entry(v: Verdict) -> str:
    claim, parts = v.claim, [("Measured by", v.claim.metric), ("Rule", v.claim.rule)]
    if claim.scope:
        parts.append(("Scope of the claim", claim.scope))
    if v.decision.parts:
        parts += [(f"Part: {part.name}", f"{part.verdict}. {spoken(part.sentence)}") for part in v.decision.parts]
    else:
        parts.append(("Finding", spoken(v.decision.sentence)))
    if v.decision.scope:
        parts.append(("Holds", v.decision.scope))
    if v.instead:
        parts.append(("The question behind it", f"{v.instead.verdict}. {spoken(v.instead.sentence)}"))
    shown = v.arithmetic[1:] if v.verdict == d.ILL else v.arithmetic  # the first one is the finding itself
    parts += [(f.title, f"{f.arithmetic}." if f.holds else f"No slip: {f.arithmetic}.") for f in shown]
    runs = v.decision.runs or (v.instead.runs if v.instead else ())
    if runs:
        more = f" and {len(runs) - 3} more (all in the data of the scorecard's figure)" if len(runs) > 3 else ""
        parts.append(("Runs", ", ".join(runs[:3]) + more))
    body = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in parts)
    title = f"{claim.id} {html.escape(claim.claim)} <strong>{MARKS[v.verdict]} {v.verdict}</strong>"
    # the anchor stands inside: a browser then unfolds the entry when it is jumped to
    return f'<details><summary>{title}</summary><dl id="{anchor(claim.id)}">{body}</dl></details>'


def contradictions(found: Sequence[Verdict]) -> str:
    """Return the questions that the documents answer differently, each with the verdicts that settle it (Markdown)."""
    by_id = {v.claim.id: v for v in found}
    lines = []
    for item in load().contradictions:
        lines.append(f"**{item.question}** {item.answer}\n")
        for id in item.claims:
            v = by_id[id]
            shown = v.instead if v.verdict == d.ILL and v.instead else v.decision
            measured = f" ({value(shown)})" if value(shown) else ""
            behind = f"; the question behind it: {v.instead.verdict}" if v.verdict == d.ILL and v.instead else ""
            lines.append(f"* {id} {v.claim.claim} {MARKS[v.verdict]} **{v.verdict}**{behind}{measured}")
        lines.append("")
    return "\n".join(lines)


def rules() -> str:
    """Return the rules that all claims share (Markdown)."""
    return "\n".join(f"* {rule}" for rule in load().shared_rules)
