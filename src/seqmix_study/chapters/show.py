"""Show a figure in a chapter so that the book gets picture, description and data from one place.

The figure is displayed as SVG together with a small record (name, alt text, the plotted numbers as CSV). The runner
takes the record out when it publishes the chapter: the alt text goes to the image, the numbers to
``book/executed/figures/NAME.csv``, and a line beneath the figure links them and says how to make the figure again.
In plain Jupyter the record is invisible.
"""

import io

__all__ = ["FIGURE_MIME", "show"]

FIGURE_MIME = "application/vnd.seqmix.figure+json"


def show(drawn) -> None:
    """Display a figure.

    ``drawn`` has ``name`` (letters, digits and dashes), ``figure`` (matplotlib), ``data`` (the plotted numbers, a
    DataFrame) and ``alt`` (at least 40 characters that say what is to be seen); where its marks are rows of findings,
    also ``values`` (``common.Values``). Raises ValueError if they do not.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    from seqmix_study.chapters.values import onto

    if not drawn.name.replace("-", "").isalnum():
        raise ValueError(f"figure name {drawn.name!r}: letters, digits and dashes only")
    if len(drawn.alt) < 40:
        raise ValueError(f"{drawn.name}: the alt text {drawn.alt!r} is shorter than 40 characters")
    picture = io.StringIO()
    drawn.figure.savefig(picture, format="svg", metadata={"Date": None})
    written = picture.getvalue()
    if values := getattr(drawn, "values", None):
        written = onto(written, drawn.figure, values)
    plt.close(drawn.figure)
    record = {"name": drawn.name, "alt": drawn.alt, "csv": drawn.data.to_csv(index=False, lineterminator="\n")}
    display({"image/svg+xml": written, "text/plain": drawn.alt, FIGURE_MIME: record}, raw=True)
