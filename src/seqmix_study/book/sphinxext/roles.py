"""Roles for results: no number is typed, and a sentence that states a result names the row that carries it.

``{row}`NAME:estimate:+.2f``` prints a value of a row of findings.csv (columns and formats as in Python, or ``human``;
without a column: the estimate; ``-estimate``: its negative; ``*`` in a name stands for anything, one row must fit).
``{says}`the LSTM leads <NAME below>``` prints the words and
holds them against the row: its ``direction`` (above, below, same, not_above, not_below, open) or its ``verdict`` (yes,
no, too close, invalid) must be the one named, or its estimate must compare as said (``==1``, ``>.9``). Several rows, or
``question/*``, may be named; all must agree. A row that says otherwise, or is not there, is a warning, which the strict
build turns into an error.

``{val}`runs:study == "scaling" and seed == 0:loss.mean:.3f``` prints one number of another published table: a query and
an aggregate of a column, as pandas has them.
``{check}`halving_paradox:ratio:.1f``` prints a number of a check of a founding document's arithmetic.
``{said}`4.055``` marks a number that a cited source states: not measured here.
"""

import fnmatch
import re
from collections.abc import Callable

import pandas as pd
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from seqmix.paths import Paths
from seqmix_study.chapters.common import human
from seqmix_study.chapters.rows import PUBLISHED
from seqmix_study.findings import documents, study
from seqmix_study.results import published

log = logging.getLogger(__name__)
SAYS = re.compile(r"^(?P<words>.+?)\s*<(?P<rows>.+?)\s+(?P<said>too close|[\w<>=.]+)>$", re.DOTALL)
# Weaker statements, and the directions of rows that carry them.
IMPLIED = {"not_above": {"not_above", "below", "same"}, "not_below": {"not_below", "above", "same"}}


def value(rows: pd.DataFrame, key: str) -> str:
    """Return a value of a row as text; raises KeyError for a row or a column that is not there."""
    name, column, spec = [*key.split(":"), "", ""][:3]
    there = [row for row in rows.index if fnmatch.fnmatchcase(row, name)]
    if len(there) != 1:
        raise KeyError(f"{len(there)} rows {name!r} in findings.csv" if there else f"no row {name!r} in findings.csv")
    found = rows.loc[there[0], column.removeprefix("-") or "estimate"]
    if pd.isna(found):
        raise KeyError(f"row {name!r} holds no {column or 'estimate'}")
    found = -found if column.startswith("-") else found
    return human(found) if spec == "human" else format(found, spec)


def lookup(key: str, paths: Paths) -> str:
    """Return a number of a published table as text by ``table:query:column.aggregate:format``; KeyError for none."""
    name, where, what, spec = [*key.split(":"), "", ""][:4]
    column, _, aggregate = what.partition(".")
    try:
        found = published.frame(paths.results / PUBLISHED / f"{name}.csv").query(where)[column].agg(aggregate)
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        raise KeyError(f"{type(error).__name__}: {error}") from error
    if pd.isna(found):
        raise KeyError(f"no row of {name}.csv fulfils {where!r}")
    return format(found, spec)


def checked(key: str) -> str:
    """Return a number of a check of a document's arithmetic as text by ``name:number:format``."""
    name, number, spec = [*key.split(":"), "", ""][:3]
    numbers = documents.check(name).numbers
    if number not in numbers:
        raise KeyError(f"check {name!r} gives no number {number!r}; it gives {', '.join(numbers)}")
    return format(numbers[number], spec)


def holds(rows: pd.DataFrame, names: str, said: str) -> str:
    """Return why rows do not carry a statement, "" if they do."""
    compared = said[0] in "<>="
    for pattern in names.split():
        if not len(found := rows[[fnmatch.fnmatchcase(name, pattern) for name in rows.index]]):
            return f"no row {pattern!r} in findings.csv"
        for row in found.itertuples():
            if said in ("yes", "no", "too close", "invalid"):
                if row.verdict != said:
                    return f"{row.row} answers {row.verdict!r}"
            elif row.verdict == "invalid":
                return f"{row.row} is invalid: {row.why}"
            elif not (pd.eval(f"{row.estimate} {said}") if compared else row.direction in IMPLIED.get(said, {said})):
                return f"{row.row} lies {row.direction!r}: {row.estimate:.4g} [{row.lo:.4g}, {row.hi:.4g}]"
    return ""


def stated(text: str, paths: Paths) -> str:
    """Return the words of a statement; raises ValueError where it has none, or where a row denies it."""
    if not (found := SAYS.match(text)):
        raise ValueError("expected words <row direction>")
    if why := holds(study.rows(PUBLISHED, paths), found["rows"], found["said"]):
        raise ValueError(f"the sentence says {found['words']!r} ({found['said']}), but {why}")
    return found["words"]


class Reading(SphinxRole):
    """A role that prints what ``read`` makes of its text and the published tables; what it refuses is a warning."""

    def __init__(self, style: str, read: Callable[[str, Paths], str]) -> None:
        super().__init__()
        self.style, self.read = style, read

    def run(self):
        paths = Paths(self.env.app.srcdir)
        try:
            text = self.read(self.text, paths)
        except (LookupError, ValueError) as error:
            log.warning("%r: %s", self.text, error.args[0], location=self.get_location(), type="findings")
            text = "??"
        return [nodes.inline(self.rawtext, text, classes=[self.style])], []


ROLES = {
    "row": Reading("measured", lambda key, paths: value(study.rows(PUBLISHED, paths), key)),
    "val": Reading("measured", lookup),
    "check": Reading("measured", lambda key, _: checked(key)),
    "says": Reading("stated", stated),
    "said": Reading("said", lambda text, _: text),
}
