"""Is a gap a matter of context? Models trained on short windows, and what they do in longer ones."""

import matplotlib
import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, over_runs_and_blocks, over_seeds
from seqmix_study.chapters.context import measured, rung
from seqmix_study.chapters.marks import end_texts, enough, label, lines_by_source, log_axis, nothing, panels, trend
from seqmix_study.chapters.style import order

__all__ = ["by_training_length", "carried_on", "gaps", "trained", "trained_and_read"]

ONE_LENGTH = "no architecture was trained on windows of several lengths of one corpus"


def trained(tables: Tables) -> pd.DataFrame:
    """Return the compared runs of every architecture that was trained on several windows of a corpus, at one size.

    A corpus' size is that at which most pairs of architecture and window were trained (the largest of several).
    """
    runs = tables.main.drop_duplicates("run_id")
    if not len(runs):
        return runs
    sizes, kept = rung(runs["params_non_embedding"]).rename("size"), []
    runs = runs[runs.groupby(["source", "arm", sizes])["seq_len"].transform("nunique") > 1]
    for _, cell in runs.groupby("source"):
        cell = cell.assign(size=sizes[cell.index])
        pairs = cell.drop_duplicates(["arm", "seq_len", "size"])["size"].value_counts()
        kept.append(cell[cell["size"] == pairs[pairs == pairs.max()].index.max()])
    return pd.concat(kept) if kept else runs


def by_training_length(tables: Tables) -> Drawn:
    """Held-out loss against the window that a model was trained and evaluated on."""
    name, runs = "fig-context-window", trained(tables)
    if not len(runs):
        return nothing(name, ONE_LENGTH)
    data = over_seeds(runs, ["source", "arm", "seq_len"], "loss")
    text, ticks = "window T (tokens)", data["seq_len"].unique()
    figure, _, words = lines_by_source(data, "seq_len", text, "held-out loss (nats a token)", ticks=ticks)
    return Drawn(name, figure, data, f"Held-out loss against the window of training and evaluation. {words}")


def gaps(tables: Tables, reference: str = "transformer") -> pd.DataFrame:
    """Return the loss of every architecture minus the reference's, a row a corpus, window, size and seed."""
    runs = trained(tables)
    columns = ["source", "seq_len", "size", "seed", "arm", "gap"]
    if not len(runs) or reference not in set(runs["arm"]):
        return pd.DataFrame(columns=columns)
    keys = columns[:4]
    base = runs[runs["arm"] == reference].groupby(keys)["loss"].mean().rename("base").reset_index()
    both = runs[runs["arm"] != reference].merge(base, on=keys)
    return both.assign(gap=both["loss"] - both["base"])[columns]


def carried_on(tables: Tables) -> pd.DataFrame:
    """Return how the loss goes on beyond the training window, a row a run: source, arm, size, T, seed, change.

    ``change``: loss from the training window's end to the end of the longer one, minus the loss over the last octave
    of the training window, on the same windows; negative means that the longer text is still of use.
    """
    rows, found = measured(tables, "longer", "all", tables.main.drop_duplicates("run_id")), []
    if len(rows):
        rows = rows.assign(size=rung(rows["params_non_embedding"]))
    by = ["source", "arm", "size", "seq_len", "seed", "run_id"]
    for (source, arm, size, window, seed, run), cell in rows.groupby(by) if len(rows) else ():
        inside = cell[(cell["lo"] >= window // 2) & (cell["hi"] <= window + 1)]
        beyond = cell[cell["lo"] > window]
        if len(inside) and len(beyond):
            change = np.average(beyond["loss"], weights=beyond["count"])
            change -= np.average(inside["loss"], weights=inside["count"])
            read = int(cell["hi"].max()) - 1
            found.append((*(source, arm, size, window, seed, run), read, change))
    return pd.DataFrame(found, columns=[*by, "read", "change"])


def trained_and_read(tables: Tables) -> Drawn:
    """Loss by token index for every training window: solid inside it, dashed in the longer windows read afterwards."""
    name, runs = "fig-context-trained", trained(tables)
    parts = []
    for measure in ("index", "longer") if len(runs) else ():
        rows = measured(tables, measure, "all", runs)
        if len(rows):
            summary = over_runs_and_blocks(rows, ["source", "arm", "seq_len", "middle"], "loss")
            parts.append(summary.assign(measure=measure))
    if not parts:
        return nothing(name, ONE_LENGTH)
    data = pd.concat(parts, ignore_index=True)
    cells = [(s, arm) for s in sorted(data["source"].unique()) for arm in order(data.loc[data["source"] == s, "arm"])]
    windows = sorted(data["seq_len"].unique())
    colours = dict(zip(windows, matplotlib.colormaps["viridis"](np.linspace(0, 0.8, len(windows))), strict=True))
    figure, axes = panels(len(cells))
    words, names = [], []
    for axis, (source, arm) in zip(axes, cells, strict=True):
        here, ends, said = data[(data["source"] == source) & (data["arm"] == arm)], [], []
        for window, lines in here.groupby("seq_len"):
            inner = lines[lines["measure"] == "index"].sort_values("middle")
            outer = lines[lines["measure"] == "longer"].sort_values("middle")
            outer = outer[outer["middle"] > inner["middle"].iloc[-1]] if len(inner) else outer
            for part, style in ((inner, "-"), (pd.concat([inner.tail(1), outer]), "--")):
                axis.plot(part["middle"], part["mean"], style, color=colours[window], lw=1.6)
                known = enough(part)
                axis.fill_between(known["middle"], known["lo"], known["hi"], color=colours[window], alpha=0.15, lw=0)
            both = pd.concat([inner, outer])
            ends.append((both["middle"].iloc[-1], both["mean"].iloc[-1], f"T = {window}", colours[window]))
            said.append(trend(both, "middle", arm).replace(label(arm), f"trained at T = {window}"))
        log_axis(axis, "x", "token index in the window")
        axis.set_title(f"{label(arm)}, {source}")
        names.append(ends)
        words.append(f"{label(arm)} on {source}: " + "; ".join(said) + ".")
    for axis in axes[::2]:
        axis.set_ylabel("loss (nats a token)")
    low, high = np.quantile(data["mean"], [0, 1])
    for axis, ends in zip(axes, names, strict=True):  # the names at the line ends are placed in the final limits
        axis.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        end_texts(axis, ends)
    alt = (
        "Held-out loss against token index, a panel an architecture, a line a training window, dashed beyond the "
        "window of training. " + " ".join(words)
    )
    return Drawn(name, figure, data.rename(columns={"middle": "index"}), alt)
