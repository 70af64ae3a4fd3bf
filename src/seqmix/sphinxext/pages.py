"""Directives of the pages written by hand that show what the executed chapters hold.

``headlines``     front page: a card a chapter with its answer and its main figure
``status-table``  what every chapter rests on: tier, parameters, runs, when and for how long it was executed
"""

import json
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from seqmix.notebook.sources import toc_entries

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
    """A card a chapter: question, answer, main figure."""

    def text(self, source: Path, records: list[dict]) -> str:
        cards = [card for record in records if (card := self.card(source, record))]
        return "::::{grid} 1 1 2 2\n:gutter: 3\n:class-container: headlines\n\n" + "\n".join(cards) + "::::\n"

    def card(self, source: Path, record: dict) -> str:
        name = record["headline"] or next(iter(record["figures"]), "")
        study = source / "studies" / f"{record['chapter']}.yaml"
        question = ""
        if study.is_file():
            question = yaml.safe_load(study.read_text(encoding="utf-8")).get("question", "")
        tier = record["parameters"].get("tier", "")
        lines = [f":::{{grid-item-card}} {record['title']}", f":link: {record['document']}", ":link-type: doc"]
        lines += [f":class-card: tier-{tier}", ""]
        if name:
            alt = record["figures"][name].replace("\n", " ")
            lines += [f"````{{image}} /book/executed/figures/{name}.svg", f":alt: {alt}", ":class: mpl dark-light"]
            lines += ["````", ""]
        lines += [record["answer"] or question, "", f"[tier: {tier}]{{.tier}}", ":::", ""]
        return "\n".join(lines)


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
