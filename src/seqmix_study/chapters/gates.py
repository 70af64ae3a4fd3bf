"""Gates of the recurrent models: along the document of the pictures, and by class of token over many documents."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from seqmix_study.chapters.common import Drawn, over_seeds
from seqmix_study.chapters.looking import SOURCE, asked, models, without
from seqmix_study.chapters.marks import FEWEST_SEEDS, label, panels
from seqmix_study.chapters.style import INK, look, order

__all__ = ["by_class", "gate_classes", "gate_name", "gate_traces"]

CLASSES = {"key": "#0060a8", "value": "#8a6a00", "filler": "#e3e6ea"}
MARKS = {"key": "o", "value": "s", "filler": "x"}


def gate_traces(traces: dict) -> Drawn:
    """Gates along the document: mean over cells or heads (bold), and those that change most (thin)."""
    name, found = "fig-inside-gates", models(traces, "gates")
    if not found:
        return without(traces, name, "no architecture with gates in this execution")
    question, words = traces["question"], []
    lines = [(run, gate) for run in found for gate in run["gates"]]
    figure = Figure(figsize=(7.6, 1.35 * len(lines) + 0.9), layout="constrained")
    axes = figure.subplots(len(lines) + 1, 1, sharex=True, height_ratios=[1] * len(lines) + [0.13])
    rows = list(_gate_rows(lines))
    for axis, (run, gate) in zip(axes, lines, strict=False):
        colour, alone = look(run["arm"]).colour, gate["count"] == len(gate["units"])
        for unit in gate["units"]:
            axis.plot(unit["values"], color=colour, lw=0.8, alpha=0.55)
        axis.plot(gate["mean"], color=colour, lw=2.2)
        axis.set_ylim(-0.03, max(1.03, 1.03 * max(max(unit["values"]) for unit in gate["units"])))
        axis.axvspan(question["stated"] - 1.5, question["stated"] + 0.5, color=SOURCE, alpha=0.3, lw=0)
        axis.set_title(f"{label(run['arm'])}: {gate_name(gate['gate'], gate['layer'])}", fontsize=10)
        thin = f"{gate['count']} {gate['of']}s" if alone else f"{len(gate['units'])} of {gate['count']} {gate['of']}s"
        place = {"ha": "right", "va": "bottom", "fontsize": 8, "color": "0.35", "transform": axis.transAxes}
        axis.text(1.0, 1.01, f"bold: mean; thin: {thin}", **place)
        at = gate["mean"][question["stated"] - 1 : question["stated"] + 1]
        words.append(
            f"{label(run['arm'])}, {gate_name(gate['gate'], gate['layer'])}: mean between {min(gate['mean']):.2f} "
            f"and {max(gate['mean']):.2f}, at the statement {at[0]:.2f} (key) and {at[1]:.2f} (value)."
        )
    strip = np.array([[list(CLASSES).index(c) for c in question["classes"]]])
    axes[-1].imshow(strip, aspect="auto", cmap=ListedColormap(list(CLASSES.values())), vmin=0, vmax=2)
    axes[-1].set_yticks([])
    axes[-1].grid(visible=False)
    axes[-1].set_xlim(-0.5, question["position"] + 0.5)
    axes[-1].set_xlabel("position in the document")
    patches = [Patch(color=colour, label=kind) for kind, colour in CLASSES.items()]
    patches.append(Patch(color=SOURCE, alpha=0.3, label="statement of the asked fact"))
    figure.legend(handles=patches, loc="outside lower center", ncols=4, fontsize=9)
    return Drawn(name, figure, pd.DataFrame(rows), f"Gates along one document. {asked(question)} {' '.join(words)}")


def gate_name(gate: str, layer: int) -> str:
    """Return the name of a gate for people."""
    return {"write": "write strength β", "decay": "decay α"}.get(gate, f"{gate} gate") + f" of layer {layer}"


def _gate_rows(lines: list[tuple[dict, dict]]) -> Iterator[dict]:
    for run, gate in lines:
        at = {"arm": run["arm"], "layer": gate["layer"], "gate": gate["gate"]}
        columns = {"mean": gate["mean"], **{f"{gate['of']} {unit['unit']}": unit["values"] for unit in gate["units"]}}
        for unit, values in columns.items():
            for position, value in enumerate(values):
                yield {**at, "unit": unit, "position": position, "open": value}


def by_class(traces: dict) -> pd.DataFrame:
    """Return arm, layer, gate, class, seed and mean opening: one row a model, gate and class of token."""
    rows = [{"arm": run["arm"], "seed": run["seed"], **row} for run in traces.get("runs", []) for row in run["classes"]]
    return pd.DataFrame(rows, columns=["arm", "seed", "layer", "gate", "class", "mean", "tokens"])


def gate_classes(traces: dict) -> Drawn:
    """Mean opening of every gate at keys, values and the tokens of global sentences, over many documents and seeds."""
    name, each = "fig-inside-gate-classes", by_class(traces)
    if not len(each):
        return without(traces, name, "no architecture with gates in this execution")
    data = over_seeds(each.rename(columns={"mean": "open"}), ["arm", "layer", "gate", "class"], "open")
    rows = [(a, *key) for a in order(data["arm"]) for key in data.loc[data["arm"] == a, ["layer", "gate"]]
            .drop_duplicates().itertuples(index=False)]  # fmt: skip
    figure, (axis,) = panels(1, 7.6, 0.62 * len(rows) + 1.3)
    for height, (arm, layer, gate) in enumerate(rows):
        here = data[(data["arm"] == arm) & (data["layer"] == layer) & (data["gate"] == gate)].set_index("class")
        for shift, kind in zip((-0.2, 0, 0.2), CLASSES, strict=True):
            if kind in here.index:
                row, colour = here.loc[kind], INK if kind == "filler" else CLASSES[kind]
                if row["n"] >= FEWEST_SEEDS:
                    axis.plot([row["lo"], row["hi"]], [height + shift] * 2, color=colour, lw=2, alpha=0.5)
                text = kind if height == 0 else "_"
                axis.plot(row["mean"], height + shift, MARKS[kind], color=colour, label=text)
    texts = [f"{label(arm)}:\n{gate_name(gate, layer)}" for arm, layer, gate in rows]
    axis.set_yticks(range(len(rows)), texts)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel("mean opening of the gate (0 shut, 1 open)")
    axis.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    cells = data.itertuples(index=False)
    said = "; ".join(f"{label(r.arm)}, {gate_name(r.gate, r.layer)} at a {r[3]} {r.mean:.2f}" for r in cells)
    return Drawn(name, figure, data, f"Mean opening of the gates by class of token. {said}.")
