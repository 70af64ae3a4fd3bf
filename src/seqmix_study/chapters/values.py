"""The values of a figure, put over its marks: a reader points at one, or steps from one to the next by keyboard.

They are part of the SVG: a point a row of findings, with its words. ``book/static/figures.js`` shows the words and
lights up what has the same name in all figures of the page.
"""

import html
import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmix_study.chapters.common import Values, drawn_panels, human
from seqmix_study.chapters.style import look_of

__all__ = ["onto"]

CLOSED = "</svg>"


def onto(picture: str, figure: Figure, values: Values) -> str:
    """Return the SVG with its values over it. ``picture``: the figure as matplotlib has just written it."""
    groups = []
    for axis, panel, here in drawn_panels(figure, values.rows, values.panel):
        for name, rows in here.groupby(values.by, sort=False) if values.by in here else [("", here)]:
            points = [(*_place(axis, row[values.x], row[values.y]), row) for row in rows.to_dict("records")]
            points = [point for point in points if math.isfinite(point[0] + point[1])]
            groups.append(_group(str(name), panel, points, axis, values))
    label = "Values: arrow keys step from one to the next"
    over = f'<g class="values" fill="none" stroke="none" role="group" aria-label="{label}">{"".join(groups)}</g>'
    head, _, tail = picture.rpartition(CLOSED)
    return head + over + CLOSED + tail


def _place(axis: Axes, x, y) -> tuple[float, float]:
    """Return the place of a mark in points from the figure's upper left corner."""
    figure = axis.figure
    at = axis.transData.transform((float(axis.convert_xunits(x)), float(axis.convert_yunits(y))))
    across, up = figure.transFigure.inverted().transform(at)
    width, height = 72 * figure.get_size_inches()
    return round(across * width, 1), round((1 - up) * height, 1)


def _group(name: str, panel: str, points: list, axis: Axes, values: Values) -> str:
    """Return the marks of one name in one panel."""
    path = " ".join(f"{x},{y}" for x, y, _ in sorted(points, key=lambda point: point[:2]))
    line = f'<polyline points="{path}"/>' if values.lines and len(points) > 1 else ""
    marks = [
        f'<circle cx="{x}" cy="{y}" r="7" role="img" aria-label="{said}"><title>{said}</title></circle>'
        for x, y, row in points
        for said in [html.escape(_said((panel, name), row, axis, values))]
    ]
    return f'<g data-name="{html.escape(name)}" style="color:{look_of(name).colour}">{line}{"".join(marks)}</g>'


def _said(names: tuple[str, ...], row: dict, axis: Axes, values: Values) -> str:
    """Return "Python source, LSTM, parameters 23.7k: 1.85 [1.83, 1.87] nats"."""
    along, label = (values.x, axis.get_xlabel()) if values.y == "estimate" else (values.y, axis.get_ylabel())
    at = row[along]
    place = f"{label} {human(at) if isinstance(at, (int, float)) else at}".strip()
    ends = f" [{row['lo']:.3g}, {row['hi']:.3g}]" if pd.notna(row.get("lo")) and pd.notna(row.get("hi")) else ""
    where = ", ".join(dict.fromkeys(part for part in (*names, place) if part))
    return f"{where}: {row['estimate']:.3g}{ends} {row.get('unit', '')}".strip()
