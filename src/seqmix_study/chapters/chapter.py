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
from seqmix_study.chapters.common import human, listing, put, several, span
from seqmix_study.chapters.marks import labels
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
        fold.show("What this page rests on", "\n".join(facts(self) + self.notes))

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
        frames, notes = _published(name, tier, own)
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


def _published(name: str, tier: str, asked: bool) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the committed tables of a study, and what to say of them."""
    frames = collect.load(name, tier)
    said = "Nothing was trained for this page: it was drawn from the committed tables"
    there = any(len(frame) for frame in frames.values())
    said += "." if there else ", which hold no run of this study at this tier."
    more = " What the parameters ask to be trained or measured has no effect on it."
    return frames, [said + (more if there and asked else "")]


def facts(here: Chapter) -> list[str]:
    """Return what an execution rests on, a sentence a fact."""
    runs, timings = here.runs, here.speed
    lines = [f"Tier **{here.tier}**{' (a code check, no claims)' if here.tier == CHECK else ''}."]
    if len(runs):
        single = runs.drop_duplicates("run_id")
        counts = single["status"].value_counts()
        drawn = sorted(single["seed"].unique())
        seeds = f"seed{'' if len(drawn) == 1 else 's'} {listing(drawn)}"
        ends = listing(f"{counts[status]} {status}" for status in counts.index)
        lines.append(f"{several(len(single), 'training run')}: {ends}; {seeds}.")
        lines += [_corpus(source, cell) for source, cell in single.groupby("source")]
        lines.append(
            f"{span(single['tokens'])} training tokens a run, {human(single['tokens'].sum())} in all; "
            f"{single['seconds'].sum() / 3600:.2g} hours of training, summed over runs."
        )
        lines.append(f"Architectures: {labels(single['arm'])}.")
    if len(timings):
        lines.append(
            f"{several(len(timings), 'timed call')} on {listing(sorted(timings['hardware'].dropna().unique()))}."
        )
    for frame in (runs, timings):
        if len(frame) and "device" in frame:
            names = [name for name in ("device", "hardware", "torch", "precision") if name in frame]
            lines += [f"Ran on {_places(row)}." for row in frame[names].drop_duplicates().to_dict("records")]
    return list(dict.fromkeys(lines))


def _places(row: dict) -> str:
    return ", ".join(f"torch {v}" if k == "torch" else f"{v}" for k, v in row.items() if pd.notna(v) and v != "")


def _corpus(source: str, runs: pd.DataFrame) -> str:
    """Say of one corpus where it comes from, how large its parts are, and what each of them was used for."""
    hashes = listing(sorted(f"`{str(h)[:12]}`" for h in runs["corpus_sha256"].unique()))
    count = f"{several(len(runs), 'run')}, {span(runs['params_non_embedding'])} parameters"
    judged = runs["test_tokens"].dropna() if "test_tokens" in runs else ()
    on = "Losses are those of its validation part, which learning rates were chosen on as well."
    if len(judged):
        on = f"Each loss rests on {span(judged)} tokens of its test part, which no choice has seen."
    return f"Corpus `{source}` (sha256 {hashes}): {count}. {_parts(source, runs)}. {on}"


def _parts(source: str, runs: pd.DataFrame) -> str:
    sizes = {part: runs[f"{part}_size"].dropna() for part in ("train", "valid", "test") if f"{part}_size" in runs}
    if len(sizes.get("train", ())) and not sizes["train"].max():
        return "Generated without end, what is held out from seeds of its own"
    said = listing(f"{part} {span(found)} tokens" for part, found in sizes.items() if len(found))
    return f"{ORIGINS.get(source, 'Text or task by that name')}: {said or 'the sizes of its parts were not recorded'}"
