"""Roles for results: a sentence that states one names the row of findings.csv and what it says of it.

``{row}`NAME:estimate:+.2f``` prints a value of a row (columns and formats as in Python; without a column: the estimate;
``-estimate``: its negative; ``*`` in a name stands for anything, one row must fit).
``{says}`the LSTM leads <NAME below>``` prints the words and
holds them against the row: its ``direction`` (above, below, same, not_above, not_below, open) or its ``verdict`` (yes,
no, too close, invalid) must be the one named. Several rows, or ``question/*``, may be named; all must agree. A row that
says otherwise, or is not there, is a warning, which the strict build turns into an error.

``{check}`halving_paradox:ratio:.1f``` prints a number of a check of a founding document's arithmetic.
"""

import fnmatch
import re
from collections.abc import Callable

import pandas as pd
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from seqmix.paths import Paths
from seqmix_study.chapters.rows import PUBLISHED
from seqmix_study.findings import documents, study

__all__ = ["Number", "Says", "checked", "holds", "setup", "value"]

log = logging.getLogger(__name__)
SAYS = re.compile(r"^(?P<words>.+?)\s*<(?P<rows>.+?)\s+(?P<said>too close|\w+)>$", re.DOTALL)
IMPLIED = {"not_above": {"not_above", "below", "same"}, "not_below": {"not_below", "above", "same"}}
"""Weaker statements, and the directions of rows that carry them."""


def value(rows: pd.DataFrame, key: str) -> str:
    """Return a value of a row as text; raises KeyError for a row or a column that is not there."""
    name, _, rest = key.partition(":")
    column, _, spec = rest.partition(":")
    there = [row for row in rows.index if fnmatch.fnmatchcase(row, name)]
    if len(there) != 1:
        raise KeyError(f"{len(there)} rows {name!r} in findings.csv" if there else f"no row {name!r} in findings.csv")
    found = rows.loc[there[0], column.removeprefix("-") or "estimate"]
    if pd.isna(found):
        raise KeyError(f"row {name!r} holds no {column or 'estimate'}")
    return format(-found if column.startswith("-") else found, spec)


def checked(key: str) -> str:
    """Return a number of a check of a document's arithmetic as text by ``name:number:format``."""
    name, number, spec = [*key.split(":"), "", ""][:3]
    numbers = documents.check(name).numbers
    if number not in numbers:
        raise KeyError(f"check {name!r} gives no number {number!r}; it gives {', '.join(numbers)}")
    return format(numbers[number], spec)


def holds(rows: pd.DataFrame, names: str, said: str) -> str:
    """Return why rows do not carry a statement, "" if they do."""
    for pattern in names.split():
        found = rows[[fnmatch.fnmatchcase(name, pattern) for name in rows.index]]
        if not len(found):
            return f"no row {pattern!r} in findings.csv"
        for row in found.itertuples():
            if said in ("yes", "no", "too close", "invalid"):
                if row.verdict != said:
                    return f"{row.row} answers {row.verdict!r}"
            elif row.verdict == "invalid":
                return f"{row.row} is invalid: {row.why}"
            elif row.direction not in IMPLIED.get(said, {said}):
                return f"{row.row} lies {row.direction!r}: {row.estimate:.4g} [{row.lo:.4g}, {row.hi:.4g}]"
    return ""


class FromRows(SphinxRole):
    """A role that reads findings.csv of the published tier."""

    def rows(self) -> pd.DataFrame:
        paths = Paths(self.env.app.srcdir)
        self.env.note_dependency(str(paths.results / PUBLISHED / "findings.csv"))
        return study.rows(PUBLISHED, paths)

    def wrong(self, text: str) -> None:
        log.warning("%s", text, location=self.get_location(), type="findings")


class Number(FromRows):
    """A number that ``looked_up`` finds: of a row, or of a check of a founding document's arithmetic."""

    def __init__(self, kind: str, looked_up: Callable[[pd.DataFrame, str], str]) -> None:
        super().__init__()
        self.kind, self.looked_up = kind, looked_up

    def run(self):
        try:
            text = self.looked_up(self.rows(), self.text)
        except (KeyError, ValueError) as error:
            self.wrong(f"{self.text!r}: {error.args[0]}")
            text = "??"
        return [nodes.inline(self.rawtext, text, classes=["measured"], title=f"{self.kind} {self.text}")], []


class Says(FromRows):
    """Words that a row carries."""

    def run(self):
        if not (found := SAYS.match(self.text)):
            self.wrong(f"{self.text!r}: expected words <row direction>")
            return [nodes.inline(self.rawtext, self.text)], []
        if why := holds(self.rows(), found["rows"], found["said"]):
            self.wrong(f"the sentence says {found['words']!r} ({found['said']}), but {why}")
        title = f"row {' '.join(found['rows'].split())}"
        return [nodes.inline(self.rawtext, found["words"], classes=["stated"], title=title)], []


def setup(app) -> None:
    """Register the roles."""
    app.add_role("row", Number("row", value))
    app.add_role("says", Says())
    app.add_role("check", Number("check", lambda _, key: checked(key)))
