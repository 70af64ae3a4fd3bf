"""Marks and axes that the figures of all chapters share: one look an architecture, axes a person can read."""

import textwrap
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from seqmix_study.chapters.common import human, listing
from seqmix_study.chapters.style import look, look_of, order

# Letters of a line of a name beside its curve, and the height of such a line as a share of the axes.
NAME, LINE = 15, 0.08


def label(arm: str) -> str:
    """Return the name of an arm for people."""
    return look(arm).label


def labels(arms: Iterable[str]) -> str:
    """Return the names of arms as a list for people."""
    return listing(label(arm) for arm in order(arms))


def drawn_panels(figure: Figure, rows: pd.DataFrame, panel: str) -> Iterator[tuple[Axes, str, pd.DataFrame]]:
    """Yield axes, name and rows of every panel of a seaborn plot that facets by the column ``panel`` ("": by none)."""
    names = list(dict.fromkeys(rows[panel])) if panel else [""]
    for axis, name in zip(figure.axes, names, strict=False):
        yield axis, str(name), rows[rows[panel] == name] if panel else rows


def log_axis(axis: Axes, which: str = "x", values: Iterable[float] = ()) -> None:
    """Make an axis logarithmic, ticks at 1-2-5 steps (or at ``values``) written as people say them."""
    target = getattr(axis, f"{which}axis")
    getattr(axis, f"set_{which}scale")("log")
    low, high = getattr(axis, f"get_{which}lim")()
    span, ticks = np.log10(high / low), sorted(values)
    steps = (1,) if span > 4 else (1, 3) if span > 1.6 else (1, 2, 5) if span > 0.8 else (1, 1.5, 2, 3, 4, 6, 8)
    target.set_major_locator(FixedLocator(ticks) if ticks else LogLocator(subs=steps, numticks=20))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
    getattr(axis, f"set_{which}lim")(low, high)


def end_texts(axis: Axes, ends: Iterable[tuple[float, float, str]]) -> None:
    """Write the names (x, y, name) at the right ends of lines, moved apart so that none covers another."""
    to_axes = axis.transAxes.inverted()
    at = sorted((to_axes.transform(axis.transData.transform((x, y)))[1], name) for x, y, name in ends)
    texts = ["\n".join(textwrap.wrap(name, NAME)) for _, name in at]
    wanted = np.array([height for height, _ in at])
    heights = np.array([LINE * (text.count("\n") + 1.2) for text in texts])
    places = wanted.copy()
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + (heights[i - 1] + heights[i]) / 2)
    places -= max(0.0, min((places - wanted).mean(), places[0]), places[-1] + heights[-1] / 2 - 1)
    how = {"xycoords": "axes fraction", "va": "center", "fontsize": 10, "annotation_clip": False}
    for place, text, (_, name) in zip(places, texts, at, strict=True):
        axis.annotate(text, (1.01, place), color=look_of(name).colour, **how)
