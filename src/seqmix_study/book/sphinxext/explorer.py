"""``explorer``: a published figure that the reader can turn, drawn by ``book/static/explorer.js`` from its own numbers.

::

    ```{explorer} fig-scaling-size-non-embedding
    :x: parameters, logarithmic
    :y: loss (nats a token)
    ```

The numbers are those of the CSV file beneath the figure (columns arm, mean, lo, hi, the x column, and what tells the
panels apart). The figure itself is the fallback, for readers without JavaScript and for print. If the chapter was not
executed, or its figure has no points, the directive leaves a note instead.
"""

import csv
import json
import math
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from seqmix_study.book.sphinxext.chapters import executed_records
from seqmix_study.chapters import style

__all__ = ["Explorer", "explorer_data", "setup"]

DASHES = {"-": "none", "--": "6 3", ":": "2 3", "-.": "6 3 2 3"}
NOT_A_PANEL = {"arm", "mean", "lo", "hi", "n"}


def explorer_data(rows: list[dict], column: str, panel: str | None) -> dict | None:
    """Return what the script needs: rows and the looks of their arms; None if the table has no points.

    ``column`` is the x axis, ``panel`` the column whose values are offered as a choice (None: one panel).
    """
    points = []
    for row in rows:
        x, mean = _number(row.get(column)), _number(row.get("mean"))
        if x is not None and mean is not None:
            ends = {end: _number(row.get(end)) for end in ("lo", "hi")}
            points.append(
                {"group": row.get(panel, "") if panel else "", "arm": row["arm"], "x": x, "mean": mean, **ends}
            )
    if not points:
        return None
    looks = {}
    for arm in style.order(point["arm"] for point in points):
        look = style.look(arm)
        dash = " ".join(f"{d * 2:g}" for d in look.line[1]) if isinstance(look.line, tuple) else DASHES[look.line]
        looks[arm] = {"colour": look.colour, "label": look.label, "dash": dash}
    return {"rows": points, "looks": looks}


def _number(text: str | None) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


class Explorer(SphinxDirective):
    """Embed the numbers of a figure and the figure as fallback."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils wants a plain class attribute
        "column": directives.unchanged_required,
        "panel": directives.unchanged,
        "x": directives.unchanged_required,
        "y": directives.unchanged_required,
        "log": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        name, source = self.arguments[0], Path(self.env.app.srcdir)
        table = source / "book" / "executed" / "figures" / f"{name}.csv"
        self.env.note_reread()
        data = None
        if table.is_file():
            with table.open(encoding="utf-8", newline="") as handle:
                data = explorer_data(list(csv.DictReader(handle)), self.options["column"], self.options.get("panel"))
        if data is None:
            return [nodes.paragraph(text="This execution of the book has no points for this explorer.")]
        records = executed_records(source)
        alt = next((text for r in records for known, text in r["figures"] if known == name), name)
        log = self.options.get("log", "")
        data |= {"xName": self.options["x"], "yName": self.options["y"], "groupName": self.options.get("panel", "")}
        data |= {"logX": "x" in log, "logY": "y" in log, "snap": self.options["column"] == "parameters"}
        data["alt"] = alt
        picture = nodes.image(uri=f"/book/executed/figures/{name}.svg", alt=alt, classes=["mpl", "dark-light"])
        script = json.dumps(data).replace("</", "<\\/")
        return [
            nodes.raw("", '<div class="explorer">', format="html"),
            *self.in_place(picture),
            nodes.raw("", f'<script type="application/json">{script}</script></div>', format="html"),
        ]

    def in_place(self, picture: nodes.image) -> list[nodes.Node]:
        """Resolve the address of the picture as the image directive does."""
        relative, _ = self.env.relfn2path(picture["uri"])
        picture["uri"] = f"/{relative}"
        return [picture]


def setup(app) -> None:
    """Register the directive and its script."""
    app.add_directive("explorer", Explorer)
    app.add_js_file("explorer.js", loading_method="defer")
