"""Which rows count: the only place that says finished, evidence, same size, sweep, control and place.

Everything is read from columns, never from the name of a group or an arm. A column that a table lacks is tolerated
where it only narrows (status, role); a question that names a column which is not there is answered "invalid".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqmix_study.findings.fits.intervals import levels
from seqmix_study.findings.questions import Derived, Measure, Question, Questions, Side, Where
from seqmix_study.results import published

# Columns that both sides of a comparison must share: each value is a cell of its own.
VARYING = ("tokens", "length", "train_tokens")

# Columns of text, which pandas reads as numbers where they are empty throughout.
TEXT = ("role", "family", "sweep", "optimum", "place", "control", "split")


class NotDecided(Exception):
    """The rows cannot answer the question; the text says why, for the reader."""


@dataclass
class Sample:
    """The rows of one condition: both sides with columns ``value``, ``seed`` and the matched ones."""

    question: Question
    key: dict[str, Any]
    first: pd.DataFrame
    second: pd.DataFrame | None
    match: list[str]
    # All evidence of the condition, whatever the arm: controls and repeated measurements are looked up here.
    around: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> pd.DataFrame:
        return pd.concat(self.sides)

    @property
    def sides(self) -> list[pd.DataFrame]:
        return [self.first] if self.second is None else [self.first, self.second]


@dataclass
class Tables:
    """Result tables by name, with the columns that the questions file renames."""

    frames: dict[str, pd.DataFrame]
    questions: Questions

    @classmethod
    def read(cls, folder: Path, questions: Questions, runs: Path | None = None) -> "Tables":
        """Read the tables of ``questions`` that a tier has published in ``folder``; one that is missing is left out.

        ``runs``: a stranger's table, the others beside it. Raises ValueError naming a file that is torn.
        """
        paths = {name: folder / file for name, file in questions.tables.items()}
        if runs:
            found = {name: _read(path) for name, path in (paths | {"runs": runs}).items() if path.is_file()}
        else:
            found = {name: published.frame(path) for name, path in paths.items()}
        return cls({name: frame for name, frame in found.items() if frame is not None}, questions)

    def __post_init__(self) -> None:
        self.frames = {name: self._named(frame) for name, frame in self.frames.items()}
        runs = self.frames.get("runs")
        for name, frame in self.frames.items() if runs is not None and "run" in runs else ():
            if name == "runs" or "run" not in frame or not frame["run"].isin(runs["run"]).any():
                continue  # a table of measurements of its own, such as timings
            keys = [c for c in ("study", "run") if c in frame and c in runs]
            new = [c for c in runs if c not in frame]
            frame = frame.merge(runs[[*keys, *new]].drop_duplicates(keys), on=keys, how="left")
            for column, how in self.questions.derived.items():  # those that need a column of both tables
                frame = frame if column in frame else _derive(frame, column, how)
            self.frames[name] = frame.copy()  # in one piece

    @cached_property
    def block_losses(self) -> pd.DataFrame:
        """The loss of every run [runs] in every block of the held-out text [blocks], in nats a token."""
        return self.frames["blocks"].pivot_table(index="run", columns="block", values="loss")

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Add the columns under the names that questions use; empty cells of text read as ""."""
        new = {}
        for name, found in self.questions.columns.items():
            known = [frame[c] for c in ([found] if isinstance(found, str) else found) if c in frame]
            for column in known:  # of several columns, the first that is filled in, row by row
                new[name] = column if name not in new else new[name].where(new[name].notna(), column)
        frame = frame.assign(**new)
        for name, how in self.questions.derived.items():
            frame = _derive(frame, name, how)
        frame = frame.copy()  # in one piece again
        empty = [c for c in frame if frame[c].isna().all()]
        text = [*frame.select_dtypes(exclude=["number", "bool"]).columns, *(c for c in empty if c in TEXT)]
        return frame.assign(**{c: frame[c].astype(object).where(frame[c].notna(), "") for c in text})

    def evidence(self, question: Question) -> pd.DataFrame:
        """Return the rows that count for a question: finished, in a role that it asks for, each run once."""
        rows = self.frames.get(question.table)
        if rows is None:
            raise NotDecided(f"there is no table {question.table!r}")
        if "status" in rows:
            ended = ("finished", "diverged") if question.options.get("failures") else ("finished",)
            rows = rows[rows["status"].isin(ended)]
        if "role" in rows:
            rows = rows[rows["role"].isin([*question.roles, ""])]
        excluded = self.questions.rules.not_evidence
        if excluded and set(excluded) <= set(rows):
            rows = rows.drop(pick(rows, excluded).index)
        rows = pick(rows, question.where)
        if question.table == "runs" and "run" in rows:
            rows = rows.drop_duplicates("run")
        if not len(rows):
            raise NotDecided("the table has no finished rows for it")
        return rows


def _read(path: Path) -> pd.DataFrame:
    """Read a stranger's table; ValueError names the file."""
    try:
        frame = pd.read_csv(path, low_memory=False)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    words = frame.select_dtypes(exclude=["number", "bool"])  # a name is one line
    return frame.assign(**{c: words[c].str.split().str.join(" ") for c in words})


def _derive(frame: pd.DataFrame, name: str, how: Derived) -> pd.DataFrame:
    """Add a column made from others; a table that lacks them stays as it is."""
    try:
        return frame.assign(**{name: _made(frame, how)})
    except KeyError:
        return frame


def _made(frame: pd.DataFrame, how: Derived) -> pd.Series:
    if how.count:
        return frame[how.count[1]].astype(str).str.count(re.escape(how.count[0]))
    if how.ratio:
        return frame[how.ratio[0]] / frame[how.ratio[1]]
    if how.sum:
        return sum(factor * frame[c] for c, factor in how.sum.items())
    if how.until:
        return frame[how.until[0]].astype(float).where(frame[how.until[1]] >= how.until[2], np.inf)
    if how.map:
        ((column, values),) = how.map.items()
        return frame[column].map({old: new for new, olds in values.items() for old in olds}).fillna("")
    return np.log(frame[how.log].where(frame[how.log] > 0))


def pick(rows: pd.DataFrame, where: Where) -> pd.DataFrame:
    """Return the rows that fulfil every condition of ``where``; raises NotDecided for a column that is not there."""
    for column, wanted in where.items():
        if column not in rows:
            raise NotDecided(f"the table has no column {column!r}")
        rows = rows[_fits(rows[column], wanted)]
    return rows


def _fits(values: pd.Series, wanted: Any) -> pd.Series:
    if isinstance(wanted, dict):
        tests = {"min": values.ge, "max": values.le, "not": lambda bound: ~_fits(values, bound)}
        return pd.concat([tests[name](bound) for name, bound in wanted.items()], axis=1).all(axis=1)
    if isinstance(wanted, list):
        return values.isin(wanted)
    if isinstance(wanted, str) and wanted.startswith("@"):
        return values == {"@largest": values.max, "@smallest": values.min}[wanted]()
    return values == wanted


def size_groups(sizes: pd.Series, same: float) -> pd.Series:
    """Return for each size the median of its group: sizes within a factor ``same`` of the group's smallest are one.

    Sizes that are words ("small") are their own groups.
    """
    if not pd.api.types.is_numeric_dtype(sizes):
        return sizes
    known = sizes.dropna()
    return known.groupby(levels(known.to_numpy(float), np.log(same))).transform("median").reindex(sizes.index)


def samples(tables: Tables, question: Question) -> Iterator[Sample]:
    """Yield one sample for every value of the columns ``per``, in their order."""
    rules = tables.questions.rules
    rows = tables.evidence(question)
    if "size" in rows:
        rows = rows.assign(size=size_groups(rows["size"], rules.same_size))
    if rules.precision_shift and question.kind == "architecture" and "precision" in rows:
        reduced = ~rows["precision"].isin(["float32", "float64", ""]) & rows["precision"].notna()
        rows = rows.assign(shift=rules.precision_shift * reduced)
    per = [c for c in question.per if c in rows and c != question.x]
    left = pick(rows, question.first.where)
    if not len(left):
        raise NotDecided(f"no finished rows of {named(question.first)}")
    keys = left[per].drop_duplicates().sort_values(per).to_dict("records") if per else [{}]
    for key in keys:
        fixed = question.second.where if question.second else {}
        around = pick(rows, {c: v for c, v in key.items() if c not in {"arm", *fixed}})
        first, second = pick(left, key), None
        if question.second:
            of_arm = {"arm": key["arm"]} if "arm" in key and not {"arm", "family"} & set(fixed) else {}
            second = pick(around, of_arm | fixed)
        yield Sample(question, key, first, second, _match(question, rows, per), around)


def named(side: Side) -> str:
    """Return what a side is called: its name, or what it is selected by."""
    value = next((side.where[c] for c in ("arm", "family") if c in side.where), next(iter(side.where.values()), ""))
    return side.name or (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "all rows"


def _match(question: Question, rows: pd.DataFrame, per: list[str]) -> list[str]:
    free = {*per, question.x, *question.options.get("unlike", ())}
    if question.estimator in ("share", "time_to_solve") or isinstance(question.value, Measure):
        return [c for c in question.match if c in rows and c not in free]
    varying = [c for c in VARYING if c in rows and rows[c].nunique() > 1]
    return [c for c in dict.fromkeys((*question.match, *varying)) if c in rows and c not in free]


def one_per_cell(side: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Average rows of the same cell and seed: what was measured twice is not two units."""
    by = [c for c in dict.fromkeys(by) if c in side]
    if "seed" not in by or not side.duplicated(by).any():
        return side
    cells = side.groupby(by, dropna=False)
    numbers = side.select_dtypes("number").columns.difference(by)
    others = side.columns.difference([*numbers, *by])
    return pd.concat([cells[[*numbers]].mean(), cells[[*others]].first()], axis=1).reset_index()


def choose_best(side: pd.DataFrame, chosen: Side, cells: list[str], notes: list[str]) -> pd.DataFrame:
    """Keep, in every cell, the candidate with the lowest mean of ``best_by`` (chosen on other rows than judged)."""
    if not chosen.best_by or not len(side):
        return side
    if chosen.best_by not in side or side[chosen.best_by].isna().all():
        raise NotDecided(f"there is no column {chosen.best_by!r} to choose the best of {named(chosen)} by")
    means = side.groupby([*cells, chosen.best_of])[chosen.best_by].mean().reset_index()
    best = means.loc[means.groupby(cells)[chosen.best_by].idxmin() if cells else [means[chosen.best_by].idxmin()]]
    if chosen.best_of == "arm":
        notes.append("chosen: " + ", ".join(dict.fromkeys(map(str, best["arm"]))))
    return side.merge(best[[*cells, chosen.best_of]], on=[*cells, chosen.best_of])
