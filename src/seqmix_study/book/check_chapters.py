"""Checks of the executed chapters: all there, complete, up to date, without errors, every figure described."""

from collections.abc import Iterable

from seqmix.paths import Paths
from seqmix_study.book.executed import AlteredError, read_executed
from seqmix_study.book.fingerprint import changed, fingerprint
from seqmix_study.book.sources import ChapterError, chapters_in_toc, load


def check_chapters(paths: Paths, names: Iterable[str] | None = None) -> list[str]:
    """Check executed chapters (without names: all) against their sources; return "file:line: what is wrong"."""
    wanted = chapters_in_toc(paths) if names is None else names
    return sorted(finding for name in wanted for finding in _chapter(name, paths))


def _chapter(name: str, paths: Paths) -> list[str]:
    """Check one chapter of the table of contents."""
    source = f"notebooks/{name}.md"
    try:
        chapter, notebook = load(name, paths), read_executed(name, paths)
    except (ChapterError, AlteredError) as error:
        return [f"{source}:1: {error}"]
    if notebook is None:
        return [f"{source}:1: missing chapter: it was not executed; run: seqmix run {name}"]
    record = notebook.metadata["seqmix"]
    findings, parts = [], changed(record["fingerprint"], fingerprint(chapter, record["parameters"], paths))
    # Versions are left out: a chapter that was executed on another machine is not stale here.
    if what := " and ".join(part for part in parts if part != "environment"):
        findings += [f"{source}:1: stale chapter: {what} changed since it was executed; run: seqmix run {name}"]
    for cell in notebook.cells:
        line = cell.metadata.get("seqmix", {}).get("line", 1)
        findings += [f"{source}:{line}: {message}" for message in _outputs(cell)]
    return findings


def _outputs(cell) -> list[str]:
    """Return what is wrong with the outputs of a cell."""
    wrong = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/markdown" in data:
            wrong.append("computed Markdown, which could hold directives: show HTML with every value escaped")
        if output["output_type"] == "error":
            wrong.append(f"error output: {output['ename']}: {output['evalue']}")
        if output.get("name") == "stderr":
            wrong.append(f"error stream: {output['text'].strip().splitlines()[0][:100]}")
        if any(key.startswith("image/") for key in data):
            settings = cell.metadata.get("mystnb", {})
            if not settings.get("image", {}).get("alt"):
                wrong.append("figure without alt text: show it with seqmix_study.chapters.show")
            if not settings.get("figure", {}).get("caption"):
                wrong.append("figure without caption (metadata mystnb: figure: caption)")
    return wrong
