"""Directives of the pages written by hand that show what the executed chapters hold.

``headlines``     front page: a card a chapter with its main figure and the verdicts on its main claims
``status-table``  what every chapter rests on: tier, parameters, runs, when and for how long it was executed
"""

import csv
import json
import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from seqmix_study.book.sources import toc_entries

__all__ = ["Headlines", "StatusTable", "setup"]


def executed_records(source: Path) -> list[dict]:
    """Return the records that the runner left in the executed chapters, in the order of the table of contents."""
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    records = []
    for entry in toc_entries(toc):
        path = source / f"{entry}.ipynb"
        if entry.startswith("book/executed/") and path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("seqmix", {})
            note = path.with_suffix(".run.json")
            times = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
            records.append({"document": f"/{entry}", "path": path, **times, **record})
    return records


class FromChapters(SphinxDirective):
    """A directive that writes MyST from the chapters' records and lets the parser read it."""

    def run(self) -> list[nodes.Node]:
        source = Path(self.env.app.srcdir)
        records = executed_records(source)
        for record in records:
            self.env.note_dependency(str(record["path"]))
        self.env.note_reread()
        return self.parse_text_to_nodes(self.text(source, records)) if records else []

    def text(self, source: Path, records: list[dict]) -> str:
        raise NotImplementedError


class Headlines(FromChapters):
    """A card a chapter: its main figure, the claims it decides with their verdicts, its question.

    The lines of the content are ``chapter: claim, claim``; verdicts come from the data of the verdict chapter.
    """

    has_content = True

    def text(self, source: Path, records: list[dict]) -> str:
        known = {record["chapter"]: record for record in records}
        claims = verdicts(source)
        wanted = [line.partition(":") for line in self.content if line.strip()]
        chosen = [(name.strip(), ids.split(",")) for name, _, ids in wanted] or [(name, []) for name in known]
        cards = [self.card(source, known[name], ids, claims) for name, ids in chosen if name in known]
        if not cards:
            return ""
        return "::::{grid} 1 2 2 3\n:gutter: 3\n:class-container: headlines\n\n" + "\n".join(cards) + "::::\n"

    def card(self, source: Path, record: dict, ids: list[str], claims: dict[str, dict]) -> str:
        figures = dict(record["figures"])
        name = record["headline"] or next(iter(figures), "")
        lines = [f":::{{grid-item-card}} {record['title']}", f":link: {record['document']}", ":link-type: doc", ""]
        if name in figures:
            lines += [f"````{{image}} /book/executed/figures/{name}.svg", f":alt: {figures[name]}"]
            lines += [":class: mpl dark-light", "````", ""]
        for claim in (claims[i.strip()] for i in ids if i.strip() in claims):
            shade = claim["verdict"].split()[0].lower()
            lines += [f"“{claim['claim'].rstrip('.')}” [{claim['verdict']}]{{.verdict .verdict-{shade}}}", ""]
        lines += [question(source, record["chapter"]), ""]
        return "\n".join([*lines, ":::", ""])


def verdicts(source: Path) -> dict[str, dict]:
    """Return the rows of the published verdicts by claim (claim, verdict, tier, ...); empty if there are none."""
    table = source / "book" / "executed" / "figures" / "fig-verdicts-count.csv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as handle:
        return {row["id"]: row for row in csv.DictReader(handle) if "verdict" in row}


def question(source: Path, chapter: str) -> str:
    """Return the question that a chapter opens with."""
    notebook = source / "notebooks" / f"{chapter}.md"
    found = re.search(r"^\*\*Question\.\*\* (.+)$", notebook.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


class StatusTable(FromChapters):
    """What every chapter rests on."""

    def text(self, source: Path, records: list[dict]) -> str:
        rows = ["| chapter | tier | executed (UTC) | seconds | figures |", "|---|---|---|---|---|"]
        for record in records:
            when = record.get("finished_at", "").replace("T", " ").removesuffix("Z")
            rows.append(
                f"| {{doc}}`{record['document']}` | {record['parameters'].get('tier', '')} | {when} "
                f"| {record.get('seconds', '')} | {len(record['figures'])} |"
            )
        return "\n".join(rows) + "\n"


def setup(app) -> None:
    """Register the directives."""
    app.add_directive("headlines", Headlines)
    app.add_directive("status-table", StatusTable)
