"""Fit anyone's table: read a CSV, check its columns, fit every group, compare the groups, write it all down.

This is the whole of ``seqmix fit`` but the command line; a chapter calls ``fit_frame`` with the committed results.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqmix_study.findings.fits.exponents import compare_exponents, iso_loss_ratio
from seqmix_study.findings.fits.fit import Fit, jsonable, versions
from seqmix_study.findings.fits.forms import EQUATIONS
from seqmix_study.findings.fits.gate_verdict import explain
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.fits.surface import fit_surface

__all__ = ["TableError", "fit_frame", "read_table", "render", "report"]

#: Beyond this many groups only differences to the first are computed: 300 groups have 44 850 pairs.
ALL_PAIRS = 12


class TableError(ValueError):
    """The table cannot be fitted as asked; the message names the column and, where there is one, the line."""


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a CSV with a header line; every cell as text, so that a bad one can be shown as it stands."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a comma-separated table ({error})") from None
    frame.columns = [str(c).strip() for c in frame.columns]
    if frame.empty:
        raise TableError(f"{path}: the file is empty: a header and no rows")
    return frame


def fit_frame(
    frame: pd.DataFrame,
    *,
    n: str,
    loss: str,
    d: str | None = None,
    seed: str | None = None,
    group: str | None = None,
    method: str = "varpro",
    n_boot: int = 1000,
) -> dict[str, Fit]:
    """Fit every group of ``frame``; the arguments are column names. Without ``group`` one fit named "all".

    Raises TableError naming the column (and the known ones) where one is missing, not numeric or not positive.
    """
    for option, column in (("--n", n), ("--d", d), ("--loss", loss), ("--seed", seed), ("--group", group)):
        if column is not None and column not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise TableError(f"{option}: no column {column!r} in the table; known columns: {known}")
    if frame.empty:
        raise TableError("the table is empty: no rows")
    numbers = {name: _positive(frame, name) for name in dict.fromkeys((n, d, loss)) if name is not None}
    labels = frame[group].astype(str).str.strip() if group is not None else pd.Series("all", index=frame.index)
    fits = {}
    for label in dict.fromkeys(labels):
        rows = (labels == label).to_numpy()
        seeds = frame[seed].to_numpy()[rows] if seed is not None else None
        shared = {"seeds": seeds, "method": method, "n_boot": n_boot}
        if d is None:
            fits[label] = fit_power(numbers[n][rows], numbers[loss][rows], **shared)
        else:
            fits[label] = fit_surface(numbers[n][rows], numbers[d][rows], numbers[loss][rows], **shared)
    return fits


def report(fits: dict[str, Fit], columns: dict[str, str | None]) -> dict[str, Any]:
    """Return the JSON document: one object a group, the comparisons of groups, columns and versions."""
    names = list(fits)
    if len(names) <= ALL_PAIRS:
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    else:
        pairs = [(names[0], b) for b in names[1:]]
    comparisons = [
        {
            "first": a,
            "second": b,
            "exponents": compare_exponents(fits[a], fits[b]),
            "iso_loss_ratio": iso_loss_ratio(fits[a], fits[b]),
        }
        for a, b in pairs
    ]
    return jsonable(
        {
            "groups": {name: {"group": name, **fit.to_dict()} for name, fit in fits.items()},
            "comparisons": comparisons,
            "columns": columns,
            "versions": versions(),
        }
    )


def render(fits: dict[str, Fit], document: dict[str, Any]) -> str:
    """Return the same for a person: estimates with intervals, verdict and reasons, one block a group."""
    blocks = []
    for name, fit in fits.items():
        points = len(fit.points["N"])
        kind = "cells or rows" if "D" in fit.points else "sizes"
        lines = [f"{name}: {EQUATIONS[fit.form]}   ({points} {kind}, engine {fit.method})"]
        for parameter, value in fit.estimates.items():
            ends = fit.intervals.get(parameter)
            span = f"   95 % interval {ends[0]:.5g} to {ends[1]:.5g}" if ends else ""
            quoted = "" if fit.verdict != "refused" else "   (not to be quoted)"
            lines.append(f"  {parameter:<8} {value:.6g}{span}{quoted}")
        if fit.verdict == "slope_only" and "alpha" in fit.intervals:
            low, high = fit.intervals["alpha"]
            lines.append(f"  alpha    not identified; 95 % interval {low:.3g} to {high:.3g}")
        if np.isfinite(fit.objective):
            lines.append(f"  objective {fit.objective:.10g}   residual sd {fit.sigma:.3g} nats")
        blocks.append("\n".join([*lines, *(f"  {line}" for line in explain(fit).splitlines())]))
    for pair in document["comparisons"]:
        blocks.append(_pair_text(pair))
    return "\n\n".join(blocks)


def _pair_text(pair: dict[str, Any]) -> str:
    test, ratio = pair["exponents"], pair["iso_loss_ratio"]
    lines = [f"{pair['first']} against {pair['second']}"]
    if test.get("delta") is not None and test["conclusion"] != "not comparable":
        low, high = (("?" if v is None else f"{v:.4g}") for v in test["interval"])
        lines.append(f"  difference of alpha {test['delta']:+.4g}   95 % interval {low} to {high}")
    reason = f" ({test['reason']})" if "reason" in test else ""
    lines.append(f"  exponents {test['conclusion']}{reason}")
    lines.append(f"  iso-loss parameter ratio: {ratio['text']}")
    return "\n".join(lines)


def _positive(frame: pd.DataFrame, column: str) -> np.ndarray:
    """The column as positive floats, or TableError with the first line that is not (line 1 is the header)."""
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
    for bad, word in ((~np.isfinite(values), "not numeric"), (~(values > 0), "not positive")):
        if bad.any():
            row = int(np.argmax(bad))
            cell = frame[column].iloc[row]
            shown = repr(cell) if str(cell).strip() else "an empty cell"
            known = ", ".join(map(str, frame.columns))
            raise TableError(f"column {column!r}: {shown} in line {row + 2} is {word}; known columns: {known}")
    return values
