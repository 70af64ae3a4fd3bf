"""What a chapter computes beside its argument: tables and facts, folded away until a reader opens them."""

import html

import pandas as pd

from seqmix_study.chapters.common import interval, put


def show(title: str, text: str, table: pd.DataFrame | None = None) -> None:
    """Display lines of text and a table under a line that opens them; every value is escaped."""
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in text.splitlines())
    how = {"index": False, "border": 0, "na_rep": "", "float_format": "{:.5g}".format, "escape": True}
    body = "" if table is None or not len(table) else table.to_html(**how)
    inside = f'{lines}<div class="wide">{body}</div>'
    put(f'<details class="computed"><summary>{html.escape(title)}</summary>{inside}</details>')


def numbers(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of findings as people read them: a row a condition."""
    names = {"Architecture": "architecture", "verdict": "answer", "why": "because"}
    named = found[["row", "condition", "Architecture", "n", "verdict", "why"]].rename(columns=names)
    return named.assign(**{"estimate [interval]": _intervals(found)})


def compared(both: pd.DataFrame) -> pd.DataFrame:
    """Return published and own rows side by side (see ``rows.agreement``)."""
    pair = {"published": _intervals(both), "yours": _intervals(both, "_yours")}
    return both[["condition", "Architecture"]].assign(**pair, together=both["said"])


def _intervals(rows: pd.DataFrame, end: str = "") -> list[str]:
    return [f"{interval(row, end)} {row[f'unit{end}']}" for row in rows.to_dict("records")]
