"""Finish a seaborn plot for the book: one column of panels that a phone can show, direct labels, axes for people.

The cell of a chapter says what is drawn; what all figures share is done here. Figures are drawn at the width of a
phone, with text as text, and are enlarged on wider screens.
"""

import textwrap
import warnings

import pandas as pd
import seaborn.objects as so
from matplotlib.figure import Figure

from seqmix_study.chapters.common import human
from seqmix_study.chapters.marks import drawn_panels, end_texts, log_axis
from seqmix_study.chapters.style import GREY, INK, RC, look_of, order_labels

# Inches; 360 points, about the pixels of a phone's column.
WIDTH = 5.0

# Inches a panel.
HEIGHT = 2.6

# Beneath a figure with rows that may carry no verdict.
HOLLOW = "hollow: cannot be judged (too few runs, or not tuned)"

# Letters of a line of the title.
TITLE = 50


def scales(rows: pd.DataFrame, by: str = "Architecture") -> dict[str, so.Nominal]:
    """Return ``color``, ``marker`` and ``linestyle`` of the names in a column, each always drawn alike.

    Pass them on to ``seaborn.objects.Plot.scale``; a name that starts with "yours: " has the colour of its model.
    """
    names = order_labels(rows[by].dropna().unique())
    parts = {"color": "colour", "marker": "marker", "linestyle": "line"}
    return {
        scale: so.Nominal({name: getattr(look_of(name), part) for name in names}, order=names)
        for scale, part in parts.items()
    }


def finish(
    plot: so.Plot,
    rows: pd.DataFrame,
    *,
    title: str = "",
    panel: str = "",
    ends: str = "",
    by: str = "Architecture",
    zero: str = "",
    at: float = 0.0,
    logy: bool = False,
    height: float = HEIGHT,
) -> Figure:
    """Compile a plot and return its figure.

    ``panel``: the column that the plot facets by, in rows; ``ends``: the column on the x axis at whose largest value
    the names of ``by`` are written beside the lines, instead of a legend; ``zero``: what the line at ``at`` means;
    ``logy``: equal factors are equal distances (seaborn misplaces bands where its own y scale is logarithmic).
    """
    weak = rows[rows["verdict"] == "invalid"] if "verdict" in rows else rows[:0]
    panels = rows[panel].nunique() if panel else 1
    figure = Figure(figsize=(WIDTH, height * panels + (0.3 if title else 0)), layout="constrained")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tight_layout.*|.*layout engine.*")
        plot.theme(RC).on(figure).layout(engine="constrained").plot()
    if ends or (by in rows and rows[by].nunique() < 2):
        figure.legends.clear()
    across, up = (plot._data.source_vars.get(axis) for axis in ("x", "y"))
    for axis, _, here in drawn_panels(figure, rows, panel):
        if plot._scales.get("x") == "log":
            seen = here[ends].dropna().unique() if ends else ()
            log_axis(axis, "x", values=seen if len(seen) < 5 else ())
        if logy or plot._scales.get("y") == "log":
            log_axis(axis, "y")
        limits = axis.axis()
        for row in weak[weak.index.isin(here.index)].to_dict("records"):
            axis.plot([row[across]], [row[up]], marker="o", color="white", markersize=2.5, zorder=3)
        axis.axis(limits)
        if zero:
            axis.axhline(at, color=GREY, lw=1, zorder=0)
        if ends:
            last = here.sort_values(ends).groupby(by, sort=False).last()
            names = zip(last[ends], last["estimate"], last.index, strict=True)
            end_texts(axis, [*names, *([(here[ends].max(), at, zero)] if zero else [])])
        elif zero:
            axis.annotate(zero, (0.01, at), xycoords=("axes fraction", "data"), va="bottom", fontsize=10, color=GREY)
    if len(weak):
        figure.supxlabel(HOLLOW, x=0.01, ha="left", fontsize=10, color=GREY)
    if title:
        figure.suptitle(
            "\n".join(textwrap.wrap(title, TITLE)), x=0.01, ha="left", fontsize=11, weight="bold", color=INK
        )
    return figure


def describe(rows: pd.DataFrame, x: str, by: str = "Architecture", panel: str = "") -> str:
    """Return what a reader who does not see the figure needs: the ends of every line, a panel a sentence."""
    said = []
    for name, here in rows.dropna(subset="estimate").groupby(panel or (lambda _: ""), sort=False):
        lines = []
        for line, part in here.groupby(by, sort=False):
            points = part.sort_values(x).iloc[[0, -1]][["estimate", x]].itertuples(index=False)
            ends = [f"{human(value)} at {human(at)}" for value, at in points]
            lines.append(f"{line} {ends[0]}" if len(part) == 1 else f"{line} from {ends[0]} to {ends[1]}")
        said.append((f"{name}: " if name else "") + "; ".join(lines) + ".")
    return " ".join(said)
