"""What a chapter notebook calls: plan the study, train what is missing, load its tables, show figures and words.

>>> here = chapter.open("frontier", tier=tier, seeds=seeds)  # doctest: +SKIP
>>> here.figure("fig-scaling-gap", plot, here.rows("gap_at_size"))  # doctest: +SKIP

Neither this module nor what it imports loads torch: training happens in worker processes.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from seqmix_study.chapters import draw, fold, rows, style
from seqmix_study.chapters.common import listing, put, several, span
from seqmix_study.chapters.request import request
from seqmix_study.chapters.show import nothing, show
from seqmix_study.findings.answer import Findings
from seqmix_study.results import collect, configurations
from seqmix_study.runs import launch

CODE = "Source text of CPython's own standard library, split by file"
BOOKS = "Long English books in a folder of the reader's, split by book"
# Where text comes from that this project did not write.
ORIGINS = {"stdlib": CODE, "python": CODE, "books": BOOKS, "prose": BOOKS}

# The tier that is a code check and no evidence.
CHECK = "quick"

# What is said of an execution that trains nothing.
DRAWN = "This page was drawn from the committed tables; what its parameters ask to be trained has no effect."

# Columns that say where a run or a timed call ran.
PLACE = ["device", "hardware", "torch", "precision"]


@dataclass
class Chapter:
    """One execution of a chapter: its tables by name, and the ways to show them."""

    tier: str
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    configurations: dict[str, dict] = field(default_factory=dict)
    # Whether this execution was asked for something else than the book's own: then it is drawn over the published.
    changed: bool = False

    @property
    def runs(self) -> pd.DataFrame:
        """The training runs, a row each; empty where there are none."""
        return self.frames.get("runs", pd.DataFrame())

    @property
    def speed(self) -> pd.DataFrame:
        """The timed calls, a row each; empty where there are none."""
        return self.frames.get("speed", pd.DataFrame())

    @functools.cached_property
    def described(self) -> Findings:
        """The questions, put to the tables of this execution."""
        return rows.described(self.frames)

    def rows(self, question: str, named: dict | None = None, mark: str = "Architecture", **where: list) -> pd.DataFrame:
        """Return the published rows of a question, a row a point; with those of this execution if it differs.

        ``named``: columns to set; ``mark``: the column in which rows of this execution are told from the published
        ones, one that parts the lines of the figure. ``where``: lists of values of columns to keep; of this
        execution, where it has such values: another text is drawn all the same, and the training of nearest length.
        The columns stand in ``chapters/rows.py``.
        """
        found = rows.where(rows.published(question), where).assign(**named or {})
        if self.changed and len(mine := rows.own(question, self.described)):
            mine = rows.where(mine, where, strict=False).assign(**named or {})
            mine[mark] = style.YOURS + mine[mark]
            found = pd.concat([found, mine], ignore_index=True) if len(found) else mine
        return found.reset_index(drop=True)

    def figure(self, name: str, plot: Any, rows: pd.DataFrame, *, alt: str = "", **how: Any) -> None:
        """Show a seaborn plot of ``rows`` as figure ``name``; ``how``: see ``chapters/draw.py``.

        ``alt`` says what is to be seen; the ends of all lines are added to it.
        """
        if not len(rows):
            show(name, *nothing("No run that may count has been published yet."))
            return
        names, along = {"by": how.get("by", "Architecture"), "panel": how.get("panel", "")}, how.get("ends", "")
        ends = draw.describe(rows, along, **names) if along else ""
        axes = {axis: plot._data.source_vars.get(axis, "") for axis in ("x", "y")}
        values = {**axes, **names, "line": along} if "estimate" in axes.values() else {}
        show(name, draw.finish(plot, rows, **how), rows, f"{alt} {ends}".strip(), **values)

    def yours(self, *questions: str) -> None:
        """Display, folded, where this execution agrees with the published rows of these questions and where not."""
        if not self.frames or (self.tier == rows.PUBLISHED and not self.changed):
            return
        both = pd.concat([rows.agreement(rows.published(q), rows.own(q, self.described)) for q in questions])
        short = self.tier == CHECK
        lead = "Its training is far too short to agree or to disagree; the table shows that the same code runs."
        said = both["said"].value_counts()
        text = lead if short else listing(f"{n} {what}" for what, n in said.items()) or "No row in common."
        fold.show(f"Your run ({self.tier} tier) beside the published one", text, fold.compared(both))

    def every_number(self, *questions: str) -> None:
        """Display, folded, the rows behind a section: estimate, interval, seeds, answer and what is wrong with it."""
        found = pd.concat([rows.published(q) for q in questions])
        asked = listing(f"`{question}`" for question in questions)
        text = f"{several(len(found), 'row')} of findings.csv; the questions are {asked}."
        fold.show("Every number", text, fold.numbers(found))

    def record(self) -> None:
        """Display, folded, what this execution rests on."""
        tier = f"Tier {self.tier}{' (a code check, no claims)' if self.tier == CHECK else ''}."
        fold.show("What this page rests on", "\n".join([tier, *self.notes]), facts(self))

    def table(self, frame: pd.DataFrame) -> None:
        """Display a table of computed numbers."""
        put(frame.to_html(index=False, border=0, float_format="{:.3g}".format, na_rep=""))


def open(name: str, **asked: Any) -> Chapter:
    """Plan a study, train its missing runs (unless ``train`` is false) and load its tables.

    ``asked``: parameters, as ``chapters/parameters.py`` has them. Raises RequestError for a wrong request,
    launch.EngineError when runs failed, collect.CollectError when there are no results to load.
    """
    style.use()
    job, tier = request(name, **asked), asked.get("tier", "quick")
    own = any(value for parameter, value in asked.items() if parameter not in ("tier", "jobs", "train"))
    if job is None:
        frames, notes = collect.load(name, tier), [DRAWN]
    else:
        summary = launch.train(job, asked.get("jobs") or None)
        summary.check()
        frames = collect.load(name, tier, plan=summary.plans[name].runs, paths=job.paths)
        notes = [f"{run}: {'; '.join(said)}" for run, said in summary.notes.items()]
    changed = job is not None and (own or tier != CHECK)
    return Chapter(tier, frames, notes, changed=changed)


def arithmetic() -> Chapter:
    """Return a chapter that rests on no run: its figures draw printed numbers."""
    style.use()
    return Chapter(rows.PUBLISHED)


def gather(tier: str) -> Chapter:
    """Return the committed tables of all studies at a tier, with the configurations of their runs."""
    style.use()
    return Chapter(tier, collect.load("all", tier), configurations=configurations.read(tier))


def facts(here: Chapter) -> pd.DataFrame:
    """Return what an execution rests on, a row for each text or task, machine and version that ran it.

    The losses are those of the part ``judged on``; learning rates were chosen on the valid part, whose size stands
    beside those of the others (in tokens).
    """
    parts = []
    if len(here.runs):
        runs = here.runs.drop_duplicates("run_id")
        runs = runs.assign(corpus_sha256=runs["corpus_sha256"].str[:12], origin=runs["source"].map(ORIGINS).fillna(""))
        by = runs.groupby(["source", "origin", "corpus_sha256", "split", *PLACE], dropna=False)
        sizes = {part: (f"{part}_size", _size) for part in ("train", "valid", "test") if f"{part}_size" in runs}
        what = {"parameters": ("params_non_embedding", span), "tokens a run": ("tokens", span),
                "seeds": ("seed", lambda drawn: listing(sorted(drawn.unique())))}  # fmt: skip
        spent = {"hours of training": ("seconds", lambda seconds: seconds.sum() / 3600)}
        ends = by["status"].value_counts().unstack(fill_value=0)
        parts.append(by.agg(**sizes, **what, **spent).join(ends).reset_index())
    if len(here.speed):
        parts.append(here.speed.groupby(PLACE, dropna=False).size().rename("timed calls").reset_index())
    return pd.concat(parts).rename(columns={"split": "judged on"}) if parts else pd.DataFrame()


def _size(values: pd.Series) -> str:
    """Return the tokens of a part of a text; a task is generated without end."""
    known = values.dropna()
    return "" if not len(known) else span(known) if known.max() else "without end"
