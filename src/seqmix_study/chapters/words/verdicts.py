"""The words of the verdicts chapter: scorecard, one entry for each claim, contradictions. All read from rows."""

import html
import math

import pandas as pd

from seqmix.paths import Paths
from seqmix_study.chapters.common import listing, several
from seqmix_study.findings import study
from seqmix_study.findings import verdict as v

__all__ = ["answer", "contradictions", "counts", "details", "effects", "judged", "scorecard", "value"]


def judged(tier: str, paths: Paths | None = None) -> pd.DataFrame:
    """Return the verdicts on all claims from ``results/<tier>``, a row for each."""
    return study.verdicts(tier, paths).assign(tier=tier)


def effects(tier: str, paths: Paths | None = None) -> pd.DataFrame:
    """Return the findings of ``results/<tier>``, a row for each effect and condition."""
    return study.rows(tier, paths)


def number(found: pd.DataFrame) -> dict[str, int]:
    kinds = found["verdict"].map(v.word_of)
    return {kind: int((kinds == kind).sum()) for kind in v.VERDICTS}


def counts(found: pd.DataFrame) -> list[str]:
    """Return what the scorecard says in a few sentences."""
    each = {kind: count for kind, count in number(found).items() if count}
    lines = [f"{len(found)} claims: {listing(f'{count} {kind}' for kind, count in each.items())}."]
    if (found["tier"] == "quick").any():
        lines.append("The quick tier is a code check and never evidence: no claim that needs a measurement is judged.")
    decided = found[found["verdict"].map(v.word_of).isin([v.SUPPORTED, v.REFUTED, v.MIXED, v.DEPENDS])]
    runs = {run for text in decided["runs"] for run in text.split()}
    if runs:
        lines.append(f"{several(len(decided), 'claim')} got an answer; it rests on {several(len(runs), 'run')}.")
    return lines


def answer(found: pd.DataFrame) -> str:
    """Return the chapter's answer in two sentences."""
    n, sources = number(found), several(len(study.asked().documents), "source")
    return (
        f"Of {len(found)} claims in {sources} {are(n[v.SUPPORTED])} supported and {are(n[v.REFUTED])} refuted by "
        f"this study, {are(n[v.MIXED] + n[v.DEPENDS])} true in some conditions and false in others, {are(n[v.CLOSE])} "
        f"too close to call, and {n[v.UNTESTED]} could not be tested at the {found['tier'].iloc[0]} tier. By their own "
        f"arithmetic, {are(n[v.ILL])} ill-posed; {are(n[v.UNTESTABLE])} not testable at all."
    )


def are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def value(row: pd.Series) -> str:
    """Return estimate and interval with the unit, or nothing."""
    if not (math.isfinite(row["lo"]) or math.isfinite(row["hi"])):
        return ""
    said = [f"{row[c]:.3g}" if math.isfinite(row[c]) else "no bound" for c in ("estimate", "lo", "hi")]
    return f"{said[0]} ({said[1]} to {said[2]}) {row['unit']}".replace("no bound (", "(").strip()


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


def mark(said: str) -> str:
    """Return a verdict with its sign."""
    return f"{v.MARKS[v.word_of(said)]} {said}"


def scorecard(found: pd.DataFrame, document: int, paths: Paths | None = None) -> str:
    """Return the scorecard of one document as an HTML table: claim, verdict, estimate, scope, where to look."""
    paths = paths or Paths()
    rows = []
    for _, claim in found[found["document"] == document].iterrows():
        page = target(claim["link"], paths)
        link = f'<a href="{page}">{claim["link"].partition("#")[0]}</a>' if page else ""
        rows.append({
            "claim": f'<a href="#{anchor(claim["id"])}">{claim["id"]}</a> {html.escape(claim["claim"])}',
            "verdict": mark(claim["verdict"]),
            "estimate (95 % interval)": html.escape(value(claim)),
            "runs": len(claim["runs"].split()) or "",
            "where": html.escape(claim["scope"]),
            "figure": link,
        })  # fmt: skip
    return pd.DataFrame(rows).to_html(index=False, border=0, escape=False, classes="verdicts", justify="left")


def details(found: pd.DataFrame, document: int) -> str:
    """Return one folded entry for each claim: what was asked, what the rows say, arithmetic, what it would take."""
    return "\n".join(_entry(claim) for _, claim in found[found["document"] == document].iterrows())


def _entry(claim: pd.Series) -> str:
    parts = [("Measured by", claim["metric"]), ("Rule", claim["rule"]), ("Scope of the claim", claim["claim_scope"])]
    parts += [("Finding", claim["text"]), ("Holds", claim["scope"])]
    if claim["instead"]:
        parts.append(("The question behind it", f"{claim['instead']}. {claim['instead_text']}"))
    elif claim["needs"] and claim["needs"] not in claim["text"]:
        parts.append(("It would take", claim["needs"]))
    parts.append(("Rows of findings.csv", claim["rows"]))
    for name in study.asked().claim(claim["id"]).flaws:
        flaw = study.check(name)
        parts.append((flaw.title, f"{flaw.arithmetic}." if flaw.holds else f"No slip: {flaw.arithmetic}."))
    runs = claim["runs"].split()
    more = f" and {len(runs) - 3} more (all in the data of the scorecard's figure)" if len(runs) > 3 else ""
    parts.append(("Runs", ", ".join(runs[:3]) + more))
    body = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in parts if text)
    title = f"{claim['id']} {html.escape(claim['claim'])} <strong>{mark(claim['verdict'])}</strong>"
    # the anchor stands inside: a browser then unfolds the entry when it is jumped to
    return f'<details><summary>{title}</summary><dl id="{anchor(claim["id"])}">{body}</dl></details>'


def contradictions(found: pd.DataFrame) -> str:
    """Return the questions that the documents answer differently, each with the verdicts that settle it (Markdown)."""
    lines = []
    for item in study.asked().contradictions:
        lines.append(f"**{item.question}** {item.answer}\n")
        for _, claim in found.loc[list(item.claims)].iterrows():
            measured = f" ({value(claim)})" if value(claim) else ""
            behind = f"; the question behind it: {claim['instead']}" if claim["instead"] else ""
            lines.append(f"* {claim['id']} {claim['claim']} **{mark(claim['verdict'])}**{behind}{measured}")
        lines.append("")
    return "\n".join(lines)
