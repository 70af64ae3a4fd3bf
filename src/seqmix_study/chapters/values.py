"""The values of a figure, put over its marks: a reader points at one, or steps from one to the next by keyboard.

They are part of the SVG: a point a row of findings, with its words. ``book/static/figures.js`` shows the words and
lights up what has the same name in all figures of the page.
"""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmix_study.chapters.common import human, interval, template
from seqmix_study.chapters.marks import drawn_panels
from seqmix_study.chapters.style import look_of


def onto(
    picture: str, figure: Figure, rows: pd.DataFrame, x: str, y: str, by: str, panel: str = "", line: str = ""
) -> str:
    """Return the SVG with its values over it. ``picture``: the figure as matplotlib has just written it.

    ``x``, ``y``, ``by``, ``panel``: the columns on its axes, of its names and of its panels; ``line``: anything where
    the marks of a name are joined.
    """
    groups = []
    for axis, part, here in drawn_panels(figure, rows, panel):
        for name, each in here.groupby(by, sort=False) if by in here else [("", here)]:
            marks = []
            for row in each.to_dict("records"):
                across, down = _place(axis, row[x], row[y])
                if math.isfinite(across + down):
                    marks.append((across, down, _said((part, str(name)), row, axis, x, y)))
            groups.append((name, look_of(str(name)).colour, marks))
    head, closed, tail = picture.rpartition("</svg>")
    return head + template("values.svg").render(groups=groups, joined=line) + closed + tail


def _place(axis: Axes, x, y) -> tuple[float, float]:
    """Return the place of a mark in points from the figure's upper left corner."""
    at = axis.transData.transform((float(axis.convert_xunits(x)), float(axis.convert_yunits(y))))
    across, up = at * 72 / axis.figure.dpi
    return round(across, 1), round(72 * axis.figure.get_figheight() - up, 1)


def _said(names: tuple[str, ...], row: dict, axis: Axes, x: str, y: str) -> str:
    """Return "Python source, LSTM, parameters 23.7k: 1.85 [1.83, 1.87] nats"."""
    along, label = (x, axis.get_xlabel()) if y == "estimate" else (y, axis.get_ylabel())
    at = row[along]
    place = f"{label} {human(at) if isinstance(at, (int, float)) else at}".strip()
    where = ", ".join(dict.fromkeys(part for part in (*names, place) if part))
    judged = ", cannot be judged" if row.get("verdict") == "invalid" else ""
    return f"{where}: {interval(row)} {row.get('unit', '')}".strip() + judged
