"""The appendices: every run as a row that leads to its configuration and its code, and what models write.

Pages are put together by templates that escape every value.
"""

import pandas as pd

from seqmix.mixers import mixer
from seqmix_study.chapters.chapter import Chapter
from seqmix_study.chapters.common import human, several, template
from seqmix_study.chapters.marks import label, labels

SOURCES = {"stdlib": "data.files", "python": "data.files", "books": "data.files", "prose": "data.files",
           "folder": "data.files", "markov": "data.markov", "first_token": "data.recall", "mqar": "data.recall",
           "boxes": "data.boxes", **dict.fromkeys(("parity", "sum_mod5", "s3", "a5"), "data.tracking")}  # fmt: skip

COLUMNS = ("architecture", "corpus", "parameters", "seed", "rate", "steps", "loss (nats)", "ended", "commit")
TIMED = ("what", "calls", "models", "machine")
ORDER = ["group", "arm", "source", "params_non_embedding", "seed", "lr"]

# What all training runs share -> the module that holds its code.
COMMON = {"fields and their defaults": "config", "training": "train", "one step": "step", "measurements": "evaluate",
          "initial weights": "models.initialise"}  # fmt: skip


def page(module: str) -> str:
    """Return the address of the page that shows a module's code, seen from an executed chapter."""
    return f"../../code/seqmix.{module}.html"


def code(fields: dict) -> dict[str, str]:
    """Return what a run has of its own -> the module that holds its code (name without "seqmix.")."""
    if fields.get("kind") == "speed":
        mode = fields.get("mode", "train")
        return {"timing": "demos" if mode.startswith("document") else "timing", "models": "models.lm"}
    model, source = fields["model"], fields.get("data", {}).get("source", "stdlib")
    places = {mixer(letter).module for letter in model["pattern"]}
    mixers = {place.partition(":")[0].removeprefix("seqmix.") for place in places if isinstance(place, str)}
    return {
        "model": "models.classic" if model.get("skeleton") == "classic" else "models.lm",
        **{module.rpartition(".")[2]: module for module in sorted(mixers)},
        "data": SOURCES.get(source, "data.almanac"),
    }


def listed(here: Chapter, study: str) -> str:
    """Return the runs of one study as HTML: a table a group, each row with its configuration folded in.

    Runs that only searched a rate are counted: with them the page of a whole tier is too large to open.
    """
    runs, timings = (f[f["study"] == study] if len(f) else f for f in (here.runs, here.speed))
    known = here.configurations
    parts = []
    for group, rows in runs.sort_values(ORDER).groupby("group") if len(runs) else ():
        kept = rows[rows["role"] != "sweep"]
        cells = [(r["run_id"], known.get(r["run_id"]), _cells(r)) for r in kept.to_dict("records")]
        runs_of = f"{several(len(cells), 'run')}, {several(len(rows) - len(cells), 'trial')} of a rate"
        parts.append((f"{study}, {group}: {runs_of}", COLUMNS, cells, _modules(cells)))
    if len(timings):
        calls = [
            (run, known.get(run), (mode, len(each), labels(each["arm"].unique()), ", ".join(each["hardware"].unique())))
            for (run, mode), each in timings.groupby(["run_id", "mode"])
        ]
        parts.append((f"{study}: {several(len(calls), 'measurement')}", TIMED, calls, _modules(calls)))
    return template("runs.html").render(study=study, tables=parts, page=page, common=COMMON)


def _modules(rows: list[tuple]) -> list[str]:
    """Return the modules that hold the code of some runs, beyond what all share."""
    return list(dict.fromkeys(module for _, fields, _ in rows if fields for module in code(fields).values()))


def _cells(row: dict) -> tuple:
    loss = "" if pd.isna(row["loss"]) else f"{row['loss']:.4f}"
    return (label(row["arm"]), row["source"], human(row["params_non_embedding"]), row["seed"], f"{row['lr']:.2g}",
            row["steps"], loss, row["status"], str(row["code_commit"])[:10])  # fmt: skip


def sample(row: dict, unfolded: bool = False) -> str:
    """Return one text that a model wrote (a row of ``samples.json``), beside what stood there, as HTML."""
    return template("sample.html").render(name=label(row["arm"]), unfolded=unfolded, **row)
