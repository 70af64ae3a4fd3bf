"""Marks and axes that the figures of all chapters share: one look an architecture, axes a person can read."""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from seqmix_study.chapters.common import Drawn, human, listing
from seqmix_study.chapters.style import look, order

__all__ = [
    "end_labels",
    "end_texts",
    "label",
    "labels",
    "line",
    "lines_by_source",
    "log_axis",
    "look",
    "nothing",
    "panels",
    "references",
    "trend",
]

FEWEST_SEEDS = 3
"""Seeds from which on an interval is drawn."""

LINES = {"uniform": "guessing", "unigram": "unigram", "bigram": "bigram", "bayes": "Bayes"}
"""Reference lines of a loss plot: column of runs.csv -> its label."""


def label(arm: str) -> str:
    """Return the name of an arm for people."""
    return look(arm).label


def labels(arms: Iterable[str]) -> str:
    """Return the names of arms as a list for people."""
    return listing(label(arm) for arm in order(arms))


def panels(count: int = 1, width: float = 0.0, height: float = 4.2, columns: int = 2) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` panels, at most ``columns`` beside each other, and its axes in reading order."""
    across = min(count, columns)
    down = -(-count // across)
    size = (width or 7.2 + 4.2 * (across - 1), height * down)
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat[count:]:
        axis.remove()
    return figure, list(axes.flat[:count])


def log_axis(axis: Axes, which: str = "x", name: str = "", values: Iterable[float] = ()) -> None:
    """Make an axis logarithmic, ticks at 1-2-5 steps (or at ``values``) written as people say them."""
    target = getattr(axis, f"{which}axis")
    getattr(axis, f"set_{which}scale")("log")
    low, high = getattr(axis, f"get_{which}lim")()
    ticks = sorted(set(values))
    if not ticks or len(ticks) > 9:
        decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        span = np.log10(high / low)
        steps = (1,) if span > 4 else (1, 3) if span > 1.6 else (1, 2, 5) if span > 0.8 else (1, 1.5, 2, 3, 4, 6, 8)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
    target.set_major_locator(FixedLocator(ticks))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
    getattr(axis, f"set_{which}lim")(low, high)
    if name:
        getattr(axis, f"set_{which}label")(name)


def line(axis: Axes, data: pd.DataFrame, x: str, arm: str, text: str = "") -> None:
    """Draw mean and interval (columns mean, lo, hi) of one arm against ``x``: band, line and markers."""
    shape, data = look(arm), data.sort_values(x)
    style = {"color": shape.colour, "ls": shape.line, "marker": shape.marker}
    axis.plot(data[x], data["mean"], label=text or shape.label, **style)
    known = enough(data)
    if len(known) > 1:
        axis.fill_between(known[x], known["lo"], known["hi"], color=shape.colour, alpha=0.18, lw=0)
    elif len(known):
        ends = [known["mean"] - known["lo"], known["hi"] - known["mean"]]
        axis.errorbar(known[x], known["mean"], ends, color=shape.colour, capsize=3, lw=1.2)


def enough(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose interval is drawn: known, and from three seeds on (two say next to nothing)."""
    known = data.dropna(subset=["lo", "hi"])
    return known[known["n"] >= FEWEST_SEEDS] if "n" in known else known


def view(axis: Axes, data: pd.DataFrame, room: float = 1.0) -> None:
    """Set the y limits to the means, and to their intervals as far as these stay within ``room`` of the range.

    Wider ones are cut at the frame.
    """
    low, high = data["mean"].min(), data["mean"].max()
    wide, drawn = room * max(high - low, 0.02 * abs(high), 1e-9), enough(data)
    bottom = np.nanmin([low, max(drawn["lo"].min(), low - wide)])
    top = np.nanmax([high, min(drawn["hi"].max(), high + wide)])
    margin = 0.06 * (top - bottom) or 0.01
    axis.set_ylim(bottom - margin, top + margin)


def references(axis: Axes, runs: pd.DataFrame) -> dict[str, float]:
    """Draw the chance, unigram, bigram and Bayes losses of the corpus: lines, or notes at the frame where far away.

    A line may widen the axis by 60 % of its range; what lies beyond would flatten the curves, and is written with its
    value and an arrow. Returns the losses by name.
    """
    low, high = axis.get_ylim()
    room = 0.6 * (high - low)
    known = {text: float(runs[name].median()) for name, text in LINES.items() if name in runs}
    known = {text: value for text, value in known.items() if np.isfinite(value)}
    near = {text: value for text, value in known.items() if low - room <= value <= high + room}
    place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 8, "color": "0.35"}
    for text, value in near.items():
        axis.axhline(value, color="0.45", lw=1, ls=(0, (4, 3)), zorder=0)
        axis.annotate(text, (0.99, value), **place | {"va": "top" if value > high - 0.05 * (high - low) else "bottom"})
    values = [low, high, *near.values()]
    margin = 0.04 * (max(values) - min(values))
    bottom = min(values) - margin if min(values) < low else low
    axis.set_ylim(bottom, max(values) + margin if max(values) > high else high)
    for above, arrow, spot in ((True, "↑", 1.01), (False, "↓", 0.01)):
        far = sorted((value, text) for text, value in known.items() if text not in near and (value > high) == above)
        note = ", ".join(f"{text} {value:.2f}" for value, text in far)
        style = {"ha": "right", "va": "bottom", "fontsize": 8, "color": "0.35", "transform": axis.transAxes}
        axis.text(0.99, spot, f"{note} {arrow}" if far else "", **style)
    return known


def end_labels(axis: Axes, ends: Sequence[tuple[float, float, str]]) -> None:
    """Write the arms' names at the right ends of their lines; ``ends``: (x, y, arm)."""
    end_texts(axis, [(x, y, label(arm), look(arm).colour) for x, y, arm in ends])


def end_texts(axis: Axes, ends: Sequence[tuple[float, float, str, object]], gap: float = 0.055) -> None:
    """Write (x, y, text, colour) at the right ends of lines, moved apart so that none covers another."""
    if not ends:
        return
    to_axes = axis.transAxes.inverted()
    at = sorted(
        ((float(to_axes.transform(axis.transData.transform((x, y)))[1]), text, colour) for x, y, text, colour in ends),
        key=lambda end: end[:2],
    )
    wanted = np.array([height for height, *_ in at])
    places = wanted.copy()
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    places -= max(0.0, min((places - wanted).mean(), places[0]))
    for place, (_, text, colour) in zip(places, at, strict=True):
        axis.annotate(
            text,
            (1.01, place),
            xycoords="axes fraction",
            va="center",
            fontsize=9.5,
            color=colour,
            annotation_clip=False,
        )


def lines_by_source(
    data: pd.DataFrame,
    x: str,
    xlabel: str,
    ylabel: str,
    runs: pd.DataFrame | None = None,
    ticks: Iterable[float] = (),
    digits: int = 2,
    panel: str = "source",
    room: float = 1.0,
) -> tuple[Figure, dict[str, Axes], str]:
    """Draw columns mean, lo, hi of ``data`` against ``x`` (logarithmic): a panel a source, a line an arm.

    ``runs`` adds the reference lines of each corpus; ``panel`` names another column to make panels of. Returns the
    figure, its axes by panel, and the ends of all lines in words.
    """
    names = list(dict.fromkeys(sorted(data[panel]) if panel == "source" else data[panel]))
    figure, axes = panels(len(names))
    words = []
    for axis, name in zip(axes, names, strict=True):
        ends, said = [], []
        here = data[data[panel] == name]
        for arm in order(here["arm"]):
            points = here[here["arm"] == arm].sort_values(x)
            line(axis, points, x, arm)
            ends.append((points[x].iloc[-1], points["mean"].iloc[-1], arm))
            said.append(trend(points, x, arm, digits))
        view(axis, here, room)
        if runs is not None:
            references(axis, runs[runs[panel] == name])
        log_axis(axis, "x", xlabel, ticks)
        axis.set_title(name)
        end_labels(axis, ends)
        words.append(f"On {name}: " + "; ".join(said) + ".")
    for axis in axes[::2]:
        axis.set_ylabel(ylabel)
    return figure, dict(zip(names, axes, strict=True)), " ".join(words)


def rows_by_arm(
    data: pd.DataFrame, xlabel: str, axis: Axes | None = None, names: str = "name", log: bool = False
) -> Figure:
    """Draw mean and interval of every row of ``data`` (arm, mean, lo, hi, and a text in ``names``) as a dot plot."""
    figure = axis.figure if axis is not None else None
    if axis is None:
        figure, (axis,) = panels(1, 8.6, max(2.2, 0.36 * len(data) + 1.0))
    for height, row in enumerate(data.itertuples()):
        shape = look(row.arm)
        if getattr(row, "n", FEWEST_SEEDS) >= FEWEST_SEEDS:
            axis.plot([row.lo, row.hi], [height, height], color=shape.colour, lw=2.2, alpha=0.6)
        axis.plot(row.mean, height, marker=shape.marker, color=shape.colour, ls="")
    axis.set_yticks(range(len(data)), data[names])
    axis.set_ylim(len(data) - 0.4, -0.6)
    if log:
        log_axis(axis, "x")
    axis.set_xlabel(xlabel)
    return figure


def nothing(name: str, why: str) -> Drawn:
    """Return an empty figure that says why there is nothing to show in this execution."""
    figure, (axis,) = panels(1, height=1.6)
    axis.axis("off")
    axis.text(0.5, 0.5, why, ha="center", va="center", wrap=True)
    return Drawn(name, figure, pd.DataFrame({"note": [why]}), f"No picture in this execution: {why}")


def trend(data: pd.DataFrame, x: str, arm: str, digits: int = 2) -> str:
    """Return "Transformer from 2.31 at 7k to 1.80 at 780k": the ends of one line, for alt text."""
    data = data.sort_values(x).dropna(subset=["mean"])
    if not len(data):
        return f"{label(arm)} has no points"
    ends = [
        f"{human(row['mean']) if abs(row['mean']) > 99 else format(row['mean'], f'.{digits}f')} at {human(row[x])}"
        for _, row in data.iloc[[0, -1]].iterrows()
    ]
    return f"{label(arm)} {ends[0]}" if len(data) == 1 else f"{label(arm)} from {ends[0]} to {ends[1]}"
