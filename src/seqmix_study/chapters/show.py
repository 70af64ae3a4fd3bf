"""Show a figure in a chapter so that the book gets picture, description and data from one place.

The figure is displayed as SVG together with a small record (name, alt text, the plotted numbers as CSV). The runner
takes the record out when it publishes the chapter: the alt text goes to the image, the numbers to
``book/executed/figures/NAME.csv``, and a line beneath the figure links them and says how to make the figure again.
In plain Jupyter the record is invisible. Every command about chapters reads this file: matplotlib (half a second) is
loaded where a figure is drawn.
"""

import io

import pandas as pd

FIGURE_MIME = "application/vnd.seqmix.figure+json"
# How the description of a figure begins that has nothing to show.
NOTHING = "No picture in this execution: "


def show(name: str, figure, data: pd.DataFrame, alt: str, **values: str) -> None:
    """Display a figure (matplotlib) under its name (letters, digits and dashes).

    ``data``: the plotted numbers; ``alt``: what is to be seen, in 40 characters or more; ``values``: where the marks
    are rows of findings, the columns of ``data`` that they show (see ``values.onto``). Raises ValueError for a name or
    an alt text that will not do.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    from seqmix_study.chapters.values import onto

    if not name.replace("-", "").isalnum():
        raise ValueError(f"figure name {name!r}: letters, digits and dashes only")
    if len(alt) < 40:
        raise ValueError(f"{name}: the alt text {alt!r} is shorter than 40 characters")
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    written = onto(picture.getvalue(), figure, data, **values) if values else picture.getvalue()
    plt.close(figure)
    record = {"name": name, "alt": alt, "csv": data.to_csv(index=False, lineterminator="\n")}
    display({"image/svg+xml": written, "text/plain": alt, FIGURE_MIME: record}, raw=True)


def nothing(why: str) -> tuple:
    """Return an empty figure that says why there is nothing to show in this execution, its data and description."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 1.6), layout="constrained")
    axis = figure.subplots()
    axis.axis("off")
    axis.text(0.5, 0.5, why, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [why]}), f"{NOTHING}{why}"
