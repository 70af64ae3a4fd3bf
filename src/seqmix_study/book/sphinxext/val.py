"""Roles for numbers: ``{val}`` takes one from a results table, ``{said}`` marks one that a source states.

``{val}`laptop/runs:study=scaling,arm=transformer,seed=0:loss:.3f```
reads ``results/laptop/runs.csv``, keeps the rows where all conditions hold, and formats the column. Several rows need
an aggregate: ``mean(loss)``, ``min(...)``, ``max(...)``, ``sum(...)``, or ``count()``. Anything that does not work out
to one number is a warning, which the strict build turns into an error.
"""

import csv
import io
import re
from pathlib import Path
from statistics import fmean

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from seqmix_study.results import published

__all__ = ["Said", "Val", "lookup", "setup"]

log = logging.getLogger(__name__)
AGGREGATES = {"mean": fmean, "min": min, "max": max, "sum": sum, "count": len}
COLUMN = re.compile(r"^(?:(mean|min|max|sum|count)\((\w*)\)|(\w+))$")


def lookup(results: Path, key: str) -> tuple[str, Path]:
    """Return the formatted value of a key and the table it came from; raises ValueError, KeyError or OSError."""
    parts = key.split(":")
    if len(parts) not in (3, 4):
        raise ValueError("expected tier/table:condition,...:column or ...:format")
    name, where, column = parts[:3]
    table = results / f"{name}.csv"
    match = COLUMN.match(column)
    if not match:
        raise ValueError(f"cannot read the column {column!r}")
    conditions = dict(pair.split("=", 1) for pair in where.split(",") if pair)
    if (text := published.content(table)) is None:
        raise FileNotFoundError(f"{table} is not published")
    reader = csv.DictReader(io.StringIO(text.decode(), newline=""))
    rows = [row for row in reader if all(row[k] == v for k, v in conditions.items())]
    if match[1] == "count":
        value = len(rows)
    else:
        cells = [row[match[2] or match[3]] for row in rows]
        if not cells:
            raise ValueError("no row fulfils the conditions")
        if not match[1] and len(set(cells)) > 1:
            raise ValueError(f"{len(cells)} rows fulfil the conditions with different values: name an aggregate")
        value = AGGREGATES[match[1]](float(c) for c in cells) if match[1] else cells[0]
    spec = parts[3] if len(parts) == 4 else ""
    return (format(float(value), spec) if spec else str(value)), table


class Val(SphinxRole):
    """A number from a results table."""

    def run(self):
        results = Path(self.env.app.srcdir) / self.env.app.config.seqmix_results
        try:
            text, table = lookup(results, self.text)
            self.env.note_dependency(str(table))
        except (ValueError, KeyError, OSError) as error:
            log.warning("%r: %s: %s", self.text, type(error).__name__, error, location=self.get_location(), type="val")
            text = "??"
        return [nodes.inline(self.rawtext, text, classes=["measured"], title=f"from results/{self.text}")], []


class Said(SphinxRole):
    """A number as a cited source states it: not measured here."""

    def run(self):
        return [nodes.inline(self.rawtext, self.text, classes=["said"])], []


def setup(app) -> None:
    """Register the roles."""
    app.add_config_value("seqmix_results", "results", "env")
    app.add_role("val", Val())
    app.add_role("said", Said())
