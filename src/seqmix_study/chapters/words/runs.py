"""Every run as a row that leads on: to its configuration, and from there to the code that it ran."""

import html
import json
from collections.abc import Iterable

import pandas as pd

from seqmix.mixers import mixer
from seqmix_study.chapters.common import Tables, human, listing, several
from seqmix_study.chapters.marks import label, labels

__all__ = ["code", "listed", "page"]

SOURCES = {"stdlib": "data.files", "folder": "data.files", "prose": "data.files", "markov": "data.markov",
           "first_token": "data.recall", "mqar": "data.recall", "boxes": "data.boxes",
           **dict.fromkeys(("parity", "sum_mod5", "s3", "a5"), "data.tracking")}  # fmt: skip

COLUMNS = {
    **{"arm": "architecture", "source": "corpus", "params_non_embedding": "parameters", "seed": "seed", "lr": "rate"},
    **{"steps": "steps", "loss": "loss (nats)", "status": "ended", "code_commit": "commit"},
}
ORDER = ["group", "arm", "source", "params_non_embedding", "seed", "lr"]


def page(module: str) -> str:
    """Return the address of the page that shows a module's code, seen from an executed chapter."""
    return f"../../code/seqmix.{module}.html"


def code(fields: dict) -> dict[str, str]:
    """Return what a run consists of -> the module that holds its code (name without "seqmix.")."""
    if fields.get("kind") == "speed":
        mode = fields.get("mode", "train")
        return {"timing": "demos" if mode.startswith("document") else "timing", "models": "models.lm"}
    model, source = fields["model"], fields.get("data", {}).get("source", "stdlib")
    stack = "models.classic" if model.get("skeleton") == "classic" else "models.lm"
    places = {mixer(letter).module for letter in model["pattern"]}
    mixers = {place.partition(":")[0].removeprefix("seqmix.") for place in places if isinstance(place, str)}
    return {
        "model": stack,
        **{module.rpartition(".")[2]: module for module in sorted(mixers)},
        "initial weights": "models.initialise",
        "data": SOURCES.get(source, "data.almanac" if source.startswith("almanac") else "data.hub"),
        "training": "train",
        "one step": "step",
        "measurements": "evaluate",
    }


def listed(tables: Tables, known: dict[str, dict], study: str) -> str:
    """Return the runs of one study as HTML: a table a group, each row with its configuration folded in."""
    head = f'<h3 id="runs-{html.escape(study)}">{html.escape(study)}</h3>'
    runs = tables.runs[tables.runs["study"] == study] if len(tables.runs) else tables.runs
    parts = []
    for group, rows in runs.sort_values(ORDER).groupby("group") if len(runs) else ():
        body = "".join(_row(row, known.get(row["run_id"]), study) for row in rows.to_dict("records"))
        parts.append(_table(f"{study}, {group}: {several(len(rows), 'run')}", COLUMNS.values(), body))
    timings = tables.speed[tables.speed["study"] == study] if len(tables.speed) else tables.speed
    if len(timings):
        parts.append(_timings(timings, known, study))
    return head + ("".join(parts) or _table(f"{study}: no run in these tables", COLUMNS.values(), ""))


def _table(caption: str, names: Iterable[str], body: str) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in ("run", *names))
    return (
        f'<table class="dataframe runs"><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _row(row: dict, fields: dict | None, study: str) -> str:
    shown = {name: row.get(name) for name in COLUMNS}
    shown |= {"arm": label(row["arm"]), "params_non_embedding": human(row["params_non_embedding"])}
    shown |= {"lr": f"{row['lr']:.2g}", "code_commit": str(row["code_commit"])[:10]}
    shown["loss"] = "" if pd.isna(row["loss"]) else f"{row['loss']:.4f}"
    cells = "".join(f"<td>{html.escape(str(value))}</td>" for value in shown.values())
    return f'<tr id="{study}-{row["run_id"]}"><td>{_folded(row["run_id"], fields)}</td>{cells}</tr>'


def _folded(run_id: str, fields: dict | None) -> str:
    if fields is None:
        return f"<code>{html.escape(run_id)}</code>"
    text = html.escape(json.dumps(fields, indent=1))
    links = " · ".join(f'<a href="{page(module)}">{what}</a>' for what, module in code(fields).items())
    default = f'<a href="{page("config")}">default</a>'
    return (
        f"<details><summary><code>{html.escape(run_id)}</code></summary><pre>{text}</pre>"
        f"<p>Fields not shown are at their {default}. Code: {links}.</p></details>"
    )


def _timings(timings: pd.DataFrame, known: dict[str, dict], study: str) -> str:
    rows = []
    for (run, mode), calls in timings.groupby(["run_id", "mode"]):
        cells = (mode, len(calls), labels(calls["arm"].unique()), listing(calls["hardware"].unique()))
        cells = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        rows.append(f'<tr id="{study}-{run}"><td>{_folded(run, known.get(run))}</td>{cells}</tr>')
    caption = f"{study}: {several(len(rows), 'measurement')}"
    return _table(caption, ("what", "calls", "models", "machine"), "".join(rows))
