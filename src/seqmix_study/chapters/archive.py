"""The appendices: every run as a row that leads to its configuration and its code, and what models write.

Pages are put together by templates that escape every value.
"""

from seqmix.mixers import mixer
from seqmix_study.chapters.chapter import Chapter
from seqmix_study.chapters.common import human, several, template
from seqmix_study.chapters.marks import label, labels

SOURCES = {"stdlib": "data.files", "python": "data.files", "books": "data.files", "prose": "data.files",
           "folder": "data.files", "markov": "data.markov", "first_token": "data.recall", "mqar": "data.recall",
           "boxes": "data.boxes", **dict.fromkeys(("parity", "sum_mod5", "s3", "a5"), "data.tracking")}  # fmt: skip

ORDER = ["group", "arm", "source", "params_non_embedding", "seed", "lr"]

# What all training runs share -> the module that holds its code.
COMMON = {"fields and their defaults": "config", "training": "train", "one step": "step", "measurements": "evaluate",
          "initial weights": "models.initialise"}  # fmt: skip


def page(module: str) -> str:
    """Return the address of the page that shows a module's code, seen from an executed chapter."""
    return f"../../code/seqmix.{module}.html"


def code(fields: dict) -> list[str]:
    """Return the modules that hold the code of what a run has of its own (names without "seqmix.")."""
    if fields.get("kind") == "speed":
        mode = fields.get("mode", "train")
        return ["demos" if mode.startswith("document") else "timing", "models.lm"]
    model, source = fields["model"], fields.get("data", {}).get("source", "stdlib")
    places = {mixer(letter).module for letter in model["pattern"]}
    mixers = {place.partition(":")[0].removeprefix("seqmix.") for place in places if isinstance(place, str)}
    skeleton = "models.classic" if model.get("skeleton") == "classic" else "models.lm"
    return [skeleton, *sorted(mixers), SOURCES.get(source, "data.almanac")]


def listed(here: Chapter, study: str) -> str:
    """Return the runs of one study as HTML: a table a group, each row with its configuration folded in.

    Runs that only searched a rate are counted: with them the page of a whole tier is too large to open.
    """
    runs, timings = (f[f["study"] == study] for f in (here.runs, here.speed))

    def modules(rows: list[dict]) -> list[str]:  # that hold the code of some runs, beyond what all share
        known = [here.configurations[row["run_id"]] for row in rows if row["run_id"] in here.configurations]
        return list(dict.fromkeys(module for fields in known for module in code(fields)))

    groups = [
        (group, rows[rows["role"] != "sweep"].to_dict("records"), (rows["role"] == "sweep").sum())
        for group, rows in runs.sort_values(ORDER).groupby("group")
    ]
    calls = timings.groupby(["run_id", "mode"], as_index=False).agg(
        calls=("arm", "size"), models=("arm", labels), machine=("hardware", lambda named: ", ".join(named.unique()))
    )
    tables = {"groups": groups, "calls": calls.to_dict("records"), "known": here.configurations}
    how = {"modules": modules, "page": page, "label": label, "human": human, "several": several}
    return template("runs.html").render(study=study, common=COMMON, **tables, **how)


def sample(row: dict, unfolded: bool = False) -> str:
    """Return one text that a model wrote (a row of ``samples.json``), beside what stood there, as HTML."""
    return template("sample.html").render(name=label(row["arm"]), unfolded=unfolded, **row)
