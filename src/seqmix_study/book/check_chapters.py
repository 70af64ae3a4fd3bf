"""Checks of the executed chapters: all there, complete, up to date, without errors, every figure described."""

import csv
import io
import re
from pathlib import Path

from seqmix.paths import Paths
from seqmix_study.book.executed import AlteredError, read_executed
from seqmix_study.book.finding import Finding
from seqmix_study.book.fingerprint import changed, fingerprint
from seqmix_study.book.sources import ChapterError, chapters_in_toc, load

__all__ = ["SHORTEST_ALT", "check_chapters"]

SHORTEST_ALT = 40
"""Fewest characters of a figure's alt text."""


def check_chapters(paths: Paths) -> list[Finding]:
    """Check that the table of contents, the sources and the executed chapters agree."""
    toc = (paths.root / "_toc.yml").read_text(encoding="utf-8").splitlines()
    listed = chapters_in_toc(paths)
    findings = []
    for source in sorted(paths.notebooks.glob("*.md")):
        if source.stem not in listed:
            message = f"the chapter is not in _toc.yml; add 'file: book/executed/{source.stem}'"
            findings.append(Finding(source.relative_to(paths.root), 1, message))
    for page in sorted(paths.book.glob("*.md")):
        if not any(f"book/{page.stem}" == row.split(":")[-1].strip() for row in toc):
            findings.append(Finding(page.relative_to(paths.root), 1, "the page is not in _toc.yml"))
    for name in listed:
        line = next((i for i, row in enumerate(toc, start=1) if f"book/executed/{name}" in row), 1)
        findings += _chapter(name, line, paths)
    return findings


def _chapter(name: str, toc_line: int, paths: Paths) -> list[Finding]:
    """Check one chapter of the table of contents."""
    try:
        chapter = load(name, paths)
    except ChapterError as error:
        return [Finding(Path("_toc.yml"), toc_line, str(error))]
    source = Path("notebooks", f"{name}.md")
    try:
        notebook = read_executed(name, paths)
    except AlteredError as error:
        return [Finding(source, 1, str(error))]
    if notebook is None:
        return [
            Finding(Path("_toc.yml"), toc_line, f"missing chapter: {name} was not executed; run: seqmix run {name}")
        ]
    record = notebook.metadata.get("seqmix", {})
    findings = []
    values = record.get("parameters", {})
    if set(values) != set(chapter.parameters):
        parts = ["parameters"]
    else:
        now = fingerprint(chapter, values, paths, train=record.get("train", True))
        # Versions are left out: a chapter that was executed on another machine is not stale here.
        parts = changed(record.get("fingerprint"), now, ignore=("environment",))
    if parts:
        message = f"stale chapter: {' and '.join(parts)} changed since it was executed; run: seqmix run {name}"
        findings.append(Finding(source, 1, message))
    for cell in notebook.cells:
        line = cell.metadata.get("seqmix", {}).get("line", 1)
        findings += [Finding(source, line, message) for message in _cell(cell, paths)]
    return findings


UNWRITTEN = re.compile(
    r"<\s*(?:script|iframe|object|embed|link|meta|base|form)\b|<[^>]*\son\w+\s*=|(?:\]\(|=)[\"'\s]*(?:javascript|vbscript):"
    r"|\{(?:raw|download|include|literalinclude|eval-rst|code-cell|image|figure)\}|!\[[^\]]*\]\((?:\w+:)?//",
    re.IGNORECASE,
)
"""What no computed output may hold: code that a page would run, and files from elsewhere."""


def _cell(cell, paths: Paths) -> list[str]:
    """Return what is wrong with the outputs of a cell."""
    wrong = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        for kind in ("text/html", "text/markdown"):
            if found := UNWRITTEN.search("".join(data.get(kind, ""))):
                wrong.append(f"computed output holds {found[0]!r}, which nobody wrote: look where its text comes from")
        if output["output_type"] == "error":
            wrong.append(f"error output: {output.get('ename')}: {output.get('evalue')}")
        if output.get("name") == "stderr":
            wrong.append(f"error stream: {output['text'].strip().splitlines()[0][:100]}")
        if any(key.startswith("image/") for key in data):
            wrong += _figure(cell, paths)
    return wrong


def _figure(cell, paths: Paths) -> list[str]:
    """Return what is missing at a figure: alt text, caption, numbers."""
    settings = cell.metadata.get("mystnb", {})
    alt, figure = settings.get("image", {}).get("alt", ""), settings.get("figure", {})
    wrong = []
    if len(alt) < SHORTEST_ALT:
        wrong.append(f"figure without meaningful alt text ({len(alt)} characters, at least {SHORTEST_ALT})")
    if not figure.get("caption"):
        wrong.append("figure without caption (metadata mystnb: figure: caption)")
    numbers = paths.executed / "figures" / f"{figure.get('name', '')}.csv"
    if not numbers.is_file():
        wrong.append(f"figure without its numbers: {numbers.name} is missing; show it with seqmix_study.chapters.show")
    elif len(list(csv.reader(io.StringIO(numbers.read_text(encoding="utf-8"))))) < 2:
        wrong.append(f"{numbers.name} holds no numbers")
    return wrong
