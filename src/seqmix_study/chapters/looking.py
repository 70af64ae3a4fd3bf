"""Pictures of what goes on inside the models while they read one document, and a measurement beside them.

Input are traces (``seqmix_study.runs.looking``): plain data, so that the pictures of a published tier need no weights.
Every heat map and trace marks the statement of the fact that is asked for; it was stated once, so that this is the one
true source of the answer.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from seqmix_study.chapters.common import Drawn, over_seeds
from seqmix_study.chapters.inside import METHODS
from seqmix_study.chapters.marks import label, nothing, rows_by_arm
from seqmix_study.chapters.style import INK, order

__all__ = ["found_once", "heads", "highlights", "maps", "models", "once"]

SOURCE = "#d1490c"
"""Colour of the true source in every picture."""

SHADES = {"cmap": "Blues", "norm": PowerNorm(0.5, 0, 1)}
"""The square root of a weight is shown: small ones are many, and would be invisible."""

MISSING = "neither the weights of these models nor published traces are on this machine"
FAINT = 0.03
"""Smaller attention weights are left out of the table of the maps."""


def models(traces: dict, part: str = "highlights") -> list[dict]:
    """Return the models that have a ``part``, one an architecture (the first seed), in the order of legends."""
    first: dict[str, dict] = {}
    for run in sorted(traces.get("runs", []), key=lambda run: run["seed"]):
        if run.get(part):
            first.setdefault(run["arm"], run)
    return [first[arm] for arm in order(first)]


def without(traces: dict, name: str, why: str) -> Drawn:
    """Return the empty figure that says why: ``why``, or that there are no traces at all."""
    return nothing(name, why if traces else MISSING)


def _triangle(rows: list[list[float]]) -> np.ndarray:
    """Return rows of growing length as a square array; nan above the diagonal."""
    out = np.full((len(rows), len(rows)), np.nan)
    for t, row in enumerate(rows):
        out[t, : t + 1] = row
    return out


def _mark(axis: Axes, question: dict, text: bool) -> None:
    """Mark key and value of the asked fact's statement by a frame and an arrow above the axis."""
    at = question["stated"] - 0.5
    axis.axvspan(at - 1, at + 1, fill=False, ec=SOURCE, lw=1.4, zorder=5)
    axis.plot(at, 1.0, "v", color=SOURCE, transform=axis.get_xaxis_transform(), clip_on=False, ms=7, zorder=6)
    if text:
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axis.annotate("true source", (at, 1.0), xytext=(0, 7), color=SOURCE, fontsize=9, **place)


def _heat(axis: Axes, values: np.ndarray, names: list[str], question: dict, text: bool) -> None:
    axis.imshow(values, aspect="auto", interpolation="nearest", **SHADES)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(-0.5, question["position"] + 0.5)
    axis.grid(visible=False)
    _mark(axis, question, text)


def asked(question: dict) -> str:
    """Return what is asked and where, in words, for descriptions."""
    q = question
    key, value = q["tokens"][q["stated"] - 1 : q["stated"] + 1]
    return (
        f"The key {key} is asked for at position {q['position']}; it was stated once, with the value {value}, at "
        f"positions {q['stated'] - 1} and {q['stated']}."
    )


def _on_source(position: int, question: dict) -> bool:
    return position in (question["stated"] - 1, question["stated"])


def heads(traces: dict) -> Drawn:
    """Attention of the asking position, a row a head of every layer."""
    name, found = "fig-inside-heads", models(traces, "heads")
    if not found:
        return without(traces, name, "no architecture with attention in this execution")
    question, rows, words = traces["question"], [], []
    ratios = [len(run["heads"]) for run in found]
    figure = Figure(figsize=(7.6, 0.34 * sum(ratios) + 0.62 * len(found) + 0.5), layout="constrained")
    axes = figure.subplots(len(found), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axis, run in zip(axes, found, strict=True):
        names = [f"layer {head['layer']}, head {head['head']}" for head in run["heads"]]
        _heat(axis, np.array([head["row"] for head in run["heads"]], float), names, question, axis is axes[0])
        axis.set_title(label(run["arm"]), fontsize=10.5)
        peaks = []
        for head, text in zip(run["heads"], names, strict=True):
            top = int(np.argmax(head["row"]))
            peaks.append(f"{text}: {head['row'][top]:.2f} at {top}" + (" (source)" * _on_source(top, question)))
            rows += [{"arm": run["arm"], "layer": head["layer"], "head": head["head"], "position": t, "weight": w}
                     for t, w in enumerate(head["row"])]  # fmt: skip
        words.append(f"{label(run['arm'])}, largest weight of {'; '.join(peaks)}.")
    axes[-1].set_xlabel(f"position in the document (the question is asked at {question['position']})")
    alt = f"Heat map of the attention weights of the asking position. {asked(question)} {' '.join(words)}"
    return Drawn(name, figure, pd.DataFrame(rows), alt)


def maps(traces: dict) -> Drawn:
    """The whole map of the best head beside attention rollout; a circle where the question should look."""
    name, found = "fig-inside-maps", models(traces, "map")
    if not found:
        return without(traces, name, "no architecture with attention in this execution")
    question, rows, words = traces["question"], [], []
    figure = Figure(figsize=(7.6, 3.9 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), 2, squeeze=False, sharex=True, sharey=True)
    for pair, run in zip(axes, found, strict=True):
        best = run["heads"][run["best"]]
        shown = {f"best head (layer {best['layer']}, head {best['head']})": run["map"], "rollout": run["rollout"]}
        said = []
        for axis, (kind, triangle) in zip(pair, shown.items(), strict=True):
            grid = _triangle(triangle)
            image = axis.imshow(grid, interpolation="nearest", **SHADES)
            axis.plot(
                question["stated"] - 0.5,
                question["position"],
                "o",
                ms=11,
                mfc="none",
                mec=SOURCE,
                mew=1.6,
                clip_on=False,
                zorder=6,
            )
            axis.grid(visible=False)
            axis.set_title(f"{label(run['arm'])}:\n{kind}", fontsize=10)
            weight = grid[question["position"], question["stated"] - 1 : question["stated"] + 1].sum()
            said.append(f"{kind} puts {weight:.2f} of the question's weight on the source")
            at = np.argwhere(np.nan_to_num(grid) >= FAINT)
            rows += [{"arm": run["arm"], "map": kind.split(" (")[0], "query": t, "position": s, "weight": grid[t, s]}
                     for t, s in at]  # fmt: skip
        words.append(f"{label(run['arm'])}: {'; '.join(said)}.")
        pair[0].set_ylabel("asking position")
    for axis in axes[-1]:
        axis.set_xlabel("position looked at")
    figure.colorbar(
        image, ax=axes, location="bottom", shrink=0.5, aspect=40, label="weight", ticks=[0, 0.05, 0.2, 0.5, 1]
    )
    alt = f"Attention maps, best head left and rollout right. {asked(question)} {' '.join(words)}"
    return Drawn(name, figure, pd.DataFrame(rows), alt)


def highlights(traces: dict) -> Drawn:
    """What every method highlights on the same question: a row an architecture and method, scaled to its maximum."""
    name, found = "fig-inside-highlights", models(traces)
    if not found:
        return without(traces, name, "no method was tried in this execution")
    question, rows, words, names, grid, ends = traces["question"], [], [], [], [], []
    for run in found:
        said = []
        for method in [m for m in METHODS if m in run["highlights"]]:
            values = run["highlights"][method]
            top = int(np.argmax(values))
            said.append(f"{METHODS[method]} at {top}" + " (source)" * _on_source(top, question))
            names.append(METHODS[method])
            grid.append(np.clip(values, 0, 1) / max(max(values), 1e-9))
            rows += [{"arm": run["arm"], "method": method, "position": t, "score": v} for t, v in enumerate(values)]
        ends.append(len(names))
        words.append(f"{label(run['arm'])}, first highlight of {'; '.join(said)}.")
    starts = [0, *ends[:-1]]
    figure = Figure(figsize=(7.6, 0.27 * len(names) + 0.5 * len(found) + 0.6), layout="constrained")
    ratios = [end - start for start, end in zip(starts, ends, strict=True)]
    axes = figure.subplots(len(found), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axis, run, start, end in zip(axes, found, starts, ends, strict=True):
        _heat(axis, np.array(grid[start:end]), names[start:end], question, axis is axes[0])
        tops = [int(np.argmax(row)) for row in grid[start:end]]
        axis.plot(tops, range(len(tops)), "o", ms=6, mfc="#ffd24d", mec=INK, mew=1.1, zorder=7)
        answered = "answered rightly" if run["right"] else "answered wrongly"
        axis.set_title(f"{label(run['arm'])} ({answered})", fontsize=10.5)
    axes[-1].set_xlabel("position in the document (circle: the first highlight)")
    alt = f"What every method highlights on one question. {asked(question)} {' '.join(words)}"
    return Drawn(name, figure, pd.DataFrame(rows), alt)


def once(traces: dict) -> pd.DataFrame:
    """Return arm, method, seed and the share of answered questions at whose only source a method points first."""
    rows = [
        {"arm": run["arm"], "seed": run["seed"], "method": method, "found": share, "chance": run["once"]["chance"],
         "answered": run["once"]["answered"]}
        for run in traces.get("runs", []) for method, share in run["once"]["found"].items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["arm", "seed", "method", "found", "chance", "answered"])


def found_once(traces: dict) -> Drawn:
    """Share of answered questions whose first highlight is the only statement of the asked fact."""
    name, each = "fig-inside-once", once(traces)
    if not len(each):
        return without(traces, name, "no question for a fact stated once was answered rightly")
    data = over_seeds(each, ["arm", "method"], "found")
    arms, methods = order(data["arm"]), list(METHODS)
    data = data.assign(place=data["arm"].map(arms.index) * 100 + data["method"].map(methods.index))
    data = data.assign(name=data["arm"].map(label) + ": " + data["method"].map(METHODS)).sort_values("place")
    data = data.drop(columns="place").reset_index(drop=True)
    figure = rows_by_arm(data, "share of questions whose first highlight is the only source (dashed: chance)")
    figure.axes[0].axvline(float(each["chance"].mean()), color="0.45", lw=1, ls=(0, (4, 3)))
    figure.axes[0].set_xlim(-0.02, 1.02)
    said = "; ".join(f"{row.name} {row.mean:.2f}" for row in data.itertuples(index=False))
    return Drawn(name, figure, data, f"Share of questions whose first highlight is the only true source. {said}.")
