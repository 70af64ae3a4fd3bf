"""The words of the "spot the flaw" chapter: what a document says, and what its own numbers say. All computed."""

import html

from seqmix_study.chapters.common import listing
from seqmix_study.chapters.words.verdicts import anchor
from seqmix_study.findings import documents as flaws
from seqmix_study.findings.documents_hybrids import order_statistics
from seqmix_study.findings.study import asked

__all__ = ["answer", "cards", "chance_of_a_lead", "questions", "tally"]


def tally() -> list[str]:
    """Return how many checks found a slip, and which cleared their document."""
    found = [flaws.check(name) for name in flaws.names()]
    clear = [f for f in found if not f.holds]
    per = [
        f"{sum(f.document == d and f.holds for f in found)} in document {d}"
        for d in sorted({f.document for f in found})
    ]
    return [
        f"{len(found)} checks of printed numbers, {len(found) - len(clear)} find a slip: {listing(per)}.",
        f"{len(clear)} clear their document: {listing(f.title.lower() for f in clear)}.",
    ]


def answer() -> str:
    """Return the chapter's answer."""
    found = [flaws.check(name) for name in flaws.names()]
    ill = sum(bool(claim.ill_posed) and flaws.check(claim.ill_posed).holds for claim in asked().claims)
    return (
        f"Without training anything, {sum(f.holds for f in found)} of {len(found)} checks of the "
        "documents' own numbers "
        f"find a slip, and {ill} of {len(asked().claims)} claims fall to it altogether."
    )


def about(name: str) -> list[str]:
    """Return the ids of the claims that a check concerns."""
    return [c.id for c in asked().claims if name in (c.ill_posed, c.by_arithmetic, *c.flaws)]


def questions(document: int) -> str:
    """Return the claims of one document that have a slip, as questions to the reader (Markdown)."""
    ledger, names = asked(), [n for n in flaws.names() if flaws.check(n).document == document]
    ids = [id for name in names for id in about(name)]
    lines = [f"* {c.id} {c.claim}" for c in ledger.claims if c.id in ids]
    return "\n".join(["Before you unfold the answers: what is wrong with each of these, if anything?", "", *lines])


def cards(document: int) -> str:
    """Return the checks of one document, folded: title, arithmetic, lesson, claims concerned (HTML)."""
    out = []
    for name in flaws.names():
        found = flaws.check(name)
        if found.document != document:
            continue
        steps = "".join(f"<li>{html.escape(line)}</li>" for line in found.lines)
        links = ", ".join(f'<a href="verdicts.html#{anchor(id)}">{id}</a>' for id in about(name))
        verdict = "A slip" if found.holds else "No slip"
        out.append(
            f"<details><summary>Answer on {listing(f'claim {id}' for id in about(name))}</summary>"
            f"<p><strong>{html.escape(found.title)}.</strong> {verdict} (verdict on {links}).</p>"
            f"<ul>{steps}</ul><p><em>{html.escape(found.lesson)}</em></p></details>"
        )
    return "\n".join(out)


def chance_of_a_lead(arms: int, noise: float) -> list[str]:
    """Return what chance alone gives between ``arms`` equal architectures whose runs spread by ``noise`` nats."""
    expected = order_statistics(arms)
    lead = flaws.check("single_run_significance").numbers["lead"]
    first, span = (expected[1] - expected[0]) * noise, (expected[-1] - expected[0]) * noise
    words = "more" if first > lead else "less"
    return [
        f"{arms} equal architectures, one run each, spread {noise:g} nats: on average the best leads the second by "
        f"{first:.3g} nats and the last by {span:.3g}.",
        f"Over the second, that is {words} than the printed lead of {lead:.3f} nats. The document does not say which "
        "spread is true.",
    ]
