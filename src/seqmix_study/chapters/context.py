"""Figures of the context chapter: loss by position, by visible text, by shuffled text, by age of the last mention.

Intervals come from a bootstrap over seeds and over blocks of evaluation windows; the windows are the same for every
model, so that differences between models are paired.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, listing, over_runs_and_blocks
from seqmix_study.chapters.marks import (
    FEWEST_SEEDS,
    label,
    labels,
    lines_by_source,
    log_axis,
    nothing,
    panels,
    rows_by_arm,
)
from seqmix_study.chapters.style import look
from seqmix_study.findings import context as analysis

__all__ = ["by_age", "by_index", "late_slopes", "plateau_index", "shuffled", "swaps", "truncated"]

ABOUT = ["source", "arm", "seed", "params_non_embedding", "seq_len"]
SAME_SIZE = 0.06
"""Sizes whose logarithms differ by less belong to one rung."""


def rung(sizes: pd.Series) -> pd.Series:
    """Return for every size the smallest size of its rung (matched models differ by a few percent)."""
    unique = np.sort(sizes.unique())
    start = np.concatenate([[True], np.diff(np.log(unique)) > SAME_SIZE]) if len(unique) else np.array([], bool)
    return sizes.map(
        dict(zip(unique, unique[np.maximum.accumulate(np.where(start, np.arange(len(unique)), 0))], strict=True))
    )


def comparable(tables: Tables) -> pd.DataFrame:
    """Return the runs that compare architectures: a corpus' longest window, and the rung that most of them share."""
    runs, kept = tables.main.drop_duplicates("run_id"), []
    for _, cell in runs.groupby("source"):
        cell = cell[cell["seq_len"] == cell["seq_len"].max()]
        at = rung(cell["params_non_embedding"])
        arms = cell.groupby(at)["arm"].nunique()
        kept.append(cell[at == arms[arms == arms.max()].index.max()])
    return pd.concat(kept) if kept else runs


def measured(tables: Tables, measure: str, kind: str = "all", runs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the context rows of one measure with what is needed of their runs; ``middle``: the bin's centre."""
    rows = tables.joined("context", ABOUT, comparable(tables) if runs is None else runs)
    if not len(rows):
        return rows.assign(middle=[], visible=[])
    rows = rows[(rows["measure"] == measure) & (rows["kind"] == kind)]
    return rows.assign(middle=np.sqrt(rows["lo"] * (rows["hi"] - 1)), visible=rows["lo"])


def with_bayes(rows: pd.DataFrame, summary: pd.DataFrame, x: str) -> pd.DataFrame:
    """Add the optimal predictor's loss on the same tokens as one more line, where it is known.

    It is the same beside every model, a property of the windows: its interval is over blocks only.
    """
    known = rows.dropna(subset=["bayes"])
    if not len(known):
        return summary
    seeds = known.groupby(["source", x])["seed"].nunique().rename("n").reset_index()
    one = known.drop_duplicates(["source", x, "block"]).assign(arm="Bayes", run_id="Bayes")
    best = over_runs_and_blocks(one, ["source", "arm", x], "bayes").drop(columns="n").merge(seeds, on=["source", x])
    return pd.concat([summary, best], ignore_index=True)


def by_index(tables: Tables, kind: str = "all") -> Drawn:
    """Loss against the token's index in the window (logarithmic)."""
    name, rows = f"fig-context-index-{kind}", measured(tables, "index", kind)
    if not len(rows):
        return nothing(name, f"loss by index was not measured for tokens of kind {kind}")
    summary = with_bayes(rows, over_runs_and_blocks(rows, ["source", "arm", "middle"], "loss"), "middle")
    what = "tokens" if kind == "all" else f"{kind} tokens"
    figure, _, words = lines_by_source(summary, "middle", "token index in the window", "loss (nats a token)")
    alt = f"Held-out loss of {what} against their index in the window, logarithmic, a line a model. {words}"
    return Drawn(name, figure, summary.rename(columns={"middle": "index"}), alt)


def truncated(tables: Tables) -> Drawn:
    """Loss of the last token when only the last c tokens are visible: the same targets at every c."""
    name, rows = "fig-context-truncated", measured(tables, "truncate")
    if not len(rows):
        return nothing(name, "truncated context was not measured")
    summary = with_bayes(rows, over_runs_and_blocks(rows, ["source", "arm", "visible"], "loss"), "visible")
    figure, _, words = lines_by_source(summary, "visible", "visible tokens", "loss of the last token (nats)")
    alt = f"Loss of the last token of a window against how many tokens before it are visible. {words}"
    return Drawn(name, figure, summary, alt)


def increase(tables: Tables, measure: str) -> pd.DataFrame:
    """Return the rise of the loss over the whole, ordered context, paired by run and block."""
    whole = measured(tables, "truncate")
    rows = measured(tables, measure)
    if not len(whole) or not len(rows):
        return rows.assign(rise=[]) if not len(rows) else rows.iloc[:0].assign(rise=[])
    whole = whole[whole["visible"] == whole.groupby("run_id")["visible"].transform("max")]
    both = rows.merge(whole[["run_id", "block", "loss"]], on=["run_id", "block"], suffixes=("", "_whole"))
    return both.assign(rise=both["loss"] - both["loss_whole"])


def shuffled(tables: Tables) -> Drawn:
    """What far context is worth (removed) and what its order is worth (shuffled), against what stays in place."""
    name, parts = "fig-context-shuffled", []
    for measure, text in (("shuffle", "far tokens shuffled"), ("truncate", "far tokens removed")):
        rows = increase(tables, measure)
        if len(rows):
            summary = over_runs_and_blocks(rows, ["source", "arm", "visible"], "rise")
            parts.append(summary.assign(panel=summary["source"] + ", " + text))
    if len(parts) < 2:
        return nothing(name, "shuffled context was not measured")
    shown = set(parts[0]["visible"])
    data = pd.concat([part[part["visible"].isin(shown)] for part in parts])
    data = data[data["source"].isin(parts[0]["source"])].sort_values(["source", "panel", "arm", "visible"])
    text = "nearest tokens left as they are"
    figure, axes, words = lines_by_source(data, "visible", text, "rise of the loss (nats)", panel="panel", digits=3)
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
    alt = f"Rise of the last token's loss when all but the nearest tokens are shuffled or removed. {words}"
    return Drawn(name, figure, data, alt)


def by_age(tables: Tables) -> Drawn:
    """Loss of a fact's value against the tokens since its last mention (synthetic sources)."""
    name, rows = "fig-context-age", measured(tables, "age", "value")
    if not len(rows):
        return nothing(name, "the corpus of this execution does not say when a fact was last mentioned")
    summary = with_bayes(rows, over_runs_and_blocks(rows, ["source", "arm", "middle"], "loss"), "middle")
    text = "tokens since the fact was last mentioned"
    figure, _, words = lines_by_source(summary, "middle", text, "loss of the value (nats)")
    alt = f"Loss of a value that was stated before, against the tokens since then. {words}"
    return Drawn(name, figure, summary.rename(columns={"middle": "age"}), alt)


def curves(tables: Tables, measure: str, kind: str = "all") -> dict[tuple, analysis.Curve]:
    """Return (source, T, arm, size) -> curve over bins, for every architecture, size and window of the main runs."""
    rows = measured(tables, measure, kind, tables.main.drop_duplicates("run_id"))
    if not len(rows):
        return {}
    rows = rows.assign(size=rung(rows["params_non_embedding"]))
    return {
        key: analysis.Curve.from_rows(cell)
        for key, cell in rows.groupby(["source", "seq_len", "arm", "size"])
        if cell["run_id"].nunique() == cell["seed"].nunique()
    }


def slopes(tables: Tables, kind: str = "all") -> pd.DataFrame:
    """Return the change of the loss over the last octave of the window, a row a model; "Bayes" where it is known."""
    rows = []
    for (source, window, arm, size), curve in curves(tables, "index", kind).items():
        cell = {"source": source, "seq_len": window, "arm": arm, "size": size, "n": len(curve.seeds)}
        lines = {"loss": cell, "bayes": cell | {"arm": "Bayes", "size": 0}}
        for what, row in lines.items():
            if what == "loss" or np.isfinite(curve.floor).all():
                found = analysis.late_slope(curve, what=what)
                rows.append(row | {"mean": found["slope"], "lo": found["low"], "hi": found["high"]})
    columns = ["source", "seq_len", "arm", "size", "n", "mean", "lo", "hi"]
    data = pd.DataFrame(rows, columns=columns).drop_duplicates(columns[:4])
    return data.sort_values(["source", "seq_len", "mean"]).reset_index(drop=True)


def named(data: pd.DataFrame) -> pd.DataFrame:
    """Add the name of a row of a dot plot: architecture, size, corpus, window."""
    size = data["size"].map(lambda n: f", {human(n)}" if n else "")
    text = data["arm"].map(label) + size + ", " + data["source"] + ", T = " + data["seq_len"].astype(str)
    return data.assign(name=text)


def late_slopes(tables: Tables, kind: str = "all") -> Drawn:
    """Change of the loss over the last octave of the window, by architecture and size; Bayes beside it."""
    name, data = f"fig-context-late-{kind}", slopes(tables, kind)
    if not len(data):
        return nothing(name, f"loss by index was not measured for tokens of kind {kind}")
    data = named(data)
    figure = rows_by_arm(data, "change of the loss over the last octave of the window (nats)")
    figure.axes[0].axvline(0, color="0.3", lw=1)
    models = data[(data["arm"] != "Bayes") & (data["n"] >= FEWEST_SEEDS)]
    said = f"Models whose interval lies below {analysis.IMPROVES}: {(models['hi'] < analysis.IMPROVES).sum()} of "
    said = f"{said}{len(models)}" if len(models) else "No model has the three seeds that an interval takes"
    alt = (
        f"Change of the loss from the second quarter to the second half of the window for {labels(data['arm'])}; "
        f"negative means that it falls. {said}."
    )
    return Drawn(name, figure, data, alt)


def plateaus(tables: Tables, kind: str = "all") -> pd.DataFrame:
    """Return from which index on each model's loss falls no further: certified, estimated (nan: not in the window).

    That is, where it is at most the tolerance above its mean over the last octave; fewer than three seeds certify none.
    """
    rows = []
    for (source, window, arm, size), curve in curves(tables, "index", kind).items():
        try:
            found = analysis.plateau(curve)
        except ValueError:
            continue  # a window so short that no bin lies before its last octave
        row = {"source": source, "seq_len": window, "arm": arm, "size": size, "n": len(curve.seeds)}
        sure = found["index"] if len(curve.seeds) >= FEWEST_SEEDS else None
        rows.append(row | {"index": sure or np.nan, "estimate": found["estimate"] or np.nan})
    columns = ["source", "seq_len", "arm", "size", "n", "index", "estimate"]
    return pd.DataFrame(rows, columns=columns).astype({"index": float, "estimate": float})


def plateau_index(tables: Tables) -> Drawn:
    """The token index from which the loss is within the tolerance above its end: estimate and what can be certified."""
    name, data = "fig-context-plateau", plateaus(tables)
    if not len(data):
        return nothing(name, "loss by index was not measured, or the windows are too short for a plateau")
    data = named(data).sort_values(["source", "seq_len", "estimate"]).reset_index(drop=True)
    figure, (axis,) = panels(1, 8.6, max(2.2, 0.36 * len(data) + 1))
    for height, row in enumerate(data.itertuples()):
        shape, end = look(row.arm), row.seq_len
        axis.plot([8, end], [height, height], color="0.85", lw=1)
        axis.plot(row.estimate, height, marker=shape.marker, mfc="none", mec=shape.colour, ls="")
        axis.plot(row.index, height, marker=shape.marker, color=shape.colour, ls="")
        if np.isnan(row.index):
            axis.plot(end, height, marker=">", color=shape.colour, ls="")
    axis.set_yticks(range(len(data)), data["name"])
    axis.set_ylim(len(data) - 0.4, -0.6)
    log_axis(axis, "x", f"index from which on loss ≤ last octave + {analysis.TOLERANCE} nats")
    found = [f"{row.name} at {row.index:.0f}" for row in data.itertuples(index=False) if np.isfinite(row.index)]
    said = f"Certified: {listing(found)}" if found else "No plateau is certified"
    alt = (
        f"Token index from which the loss is at most {analysis.TOLERANCE} nats above that of the last octave: filled "
        "where it is certified (from three seeds on), open where it is only estimated, an arrow where none is "
        f"certified. {said}."
    )
    return Drawn(name, figure, data.rename(columns={"n": "seeds"}), alt)


def swaps(tables: Tables) -> Drawn:
    """Rise of the new value's log probability when an earlier fact is changed, by its distance."""
    name, rows = f"fig-{tables.study}-swap", measured(tables, "swap", "value", comparable(tables))
    if not len(rows):
        return nothing(name, "no fact was swapped in this execution")
    data = over_runs_and_blocks(rows, ["source", "arm", "middle"], "loss")
    figure, axes, words = lines_by_source(data, "middle", "tokens since the fact", "rise of log p (nats)")
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
    alt = f"Rise of the log probability of a new value after an earlier fact was changed, by distance. {words}"
    return Drawn(name, figure, data.rename(columns={"middle": "distance"}), alt)
