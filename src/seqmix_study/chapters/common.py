"""What chapters share: templates, and how numbers are said."""

import functools
import math
from collections.abc import Iterable

import jinja2
import numpy as np


@functools.cache
def template(name: str, package: str = __package__) -> jinja2.Template:
    """Return a template of this package or another; in HTML and SVG, what it is filled with is escaped."""
    how = {"autoescape": jinja2.select_autoescape(("html", "svg")), "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=jinja2.PackageLoader(package, ""), **how).get_template(name)


def put(text: str) -> None:
    """Display HTML in a notebook."""
    from IPython.display import HTML, display

    display(HTML(text))


def human(value: float) -> str:
    """Return 12000 as "12k", 3.4e6 as "3.4M", 4096 as "4096", 0.25 as "0.25": three digits and a unit prefix."""
    if not np.isfinite(value):
        return "?"
    if abs(value) < 9999.5 and float(value).is_integer():
        return f"{value:.0f}"
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def several(count: int, word: str) -> str:
    """Return "1 seed" or "3 seeds"."""
    return f"{int(count)} {word}{'' if count == 1 else 's'}"


def span(values) -> str:
    """Return "7k to 780k", or one number where all are the same."""
    low, high = human(min(values)), human(max(values))
    return low if low == high else f"{low} to {high}"


def interval(row: dict, end: str = "") -> str:
    """Return "1.85 [1.83, 1.87]" of a row of findings (``end``: of its columns' names), as far as it is known."""
    value, *ends = (row.get(f"{name}{end}", math.nan) for name in ("estimate", "lo", "hi"))
    said = [f"{bound:.4g}" if math.isfinite(bound) else "no bound" for bound in ends]
    known = [f"{value:.4g}"] if math.isfinite(value) else []
    return " ".join(known if any(map(math.isnan, ends)) else [*known, f"[{said[0]}, {said[1]}]"])


def listing(words: Iterable[str]) -> str:
    """Return "a, b and c"; three or more with semicolons where a word has a comma of its own."""
    words = [str(word) for word in words]
    if len(words) < 3:
        return " and ".join(words)
    comma = "; " if any("," in word for word in words) else ", "
    return comma.join(words[:-1]) + (";" if comma == "; " else "") + " and " + words[-1]
