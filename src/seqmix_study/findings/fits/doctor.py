"""Fit anyone's table: check its columns, fit every group, compare the groups, write it all down.

This is the whole of ``seqmix fit`` but the command line, with the same names; a chapter calls ``fit_frame`` with the
committed results.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from seqmix_study.findings.fits.exponents import compare_exponents, iso_loss_ratio
from seqmix_study.findings.fits.fit import Fit, explain, jsonable, mark, versions
from seqmix_study.findings.fits.forms import EQUATIONS
from seqmix_study.findings.fits.optima import fit_optima, width_gate
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.fits.surface import fit_surface
from seqmix_study.findings.fits.table import TableError, numbers, plausible

#: Beyond this many groups only differences to the first are computed: 100 groups have 4 950 pairs.
ALL_PAIRS, MOST_GROUPS = 12, 100


def fit_frame(
    frame: pd.DataFrame,
    *,
    n: str,
    loss: str | None = None,
    d: str | None = None,
    flops: str | None = None,
    seed: str | None = None,
    group: str | None = None,
    form: str | None = None,
    method: str | None = None,
    n_boot: int = 500,
) -> dict[str, Fit]:
    """Fit every group of ``frame``; the arguments are column names. Without ``group`` one fit named "all".

    ``n`` and ``loss``: a ladder L(N). With ``d``, or ``flops`` (then D = C / 6N), a surface, and the budgets' answer.
    ``n`` and ``flops`` without ``loss``: a table of compute-optimal sizes. ``form``: "c5" or "c6" for surfaces.
    ``method``: "huber" or "squares" for surfaces. Raises TableError naming the column
    (and the known ones) where one is missing, not numeric or not positive.
    """
    columns = {"n": n, "d": d, "loss": loss, "flops": flops, "seed": seed, "group": group}
    known = ", ".join(map(str, frame.columns))
    for key, column in columns.items():
        if column is not None and column not in frame.columns:
            other = "; is the separator another one?" if len(frame.columns) == 1 else ""
            raise TableError(f"--{key}: no column {column!r} in the table; known columns: {known}{other}")
    if loss is None and (flops is None or d is not None):
        raise TableError("--loss is needed; only a table of compute-optimal sizes (--flops and --n) has none")
    surface = loss is not None and (d is not None or flops is not None)
    if (form or method) and not surface:
        raise TableError("--form and --method are those of a surface: it needs --d or --flops, and --loss")
    notes = list(frame.attrs.get("notes", []))
    if frame.empty:
        raise TableError("the table is empty: no rows")
    kinds = {"n": "size", "d": "tokens", "loss": "loss", "flops": "flops"}
    read: dict[str, np.ndarray] = {}
    for key, kind in kinds.items():
        if columns[key] is not None:
            read[key], said = numbers(frame, columns[key], kind)
            notes += said
    if surface:
        plausible(read["n"], f"column {n!r}", "size")
        if d is None:
            read["d"] = read["flops"] / 6 / read["n"]
            notes.append("tokens were not given: D = C / 6N")
        plausible(read["d"], f"column {d!r}" if d is not None else f"{flops!r} / 6 {n!r}", "tokens")
        if np.median(read["d"] / read["n"]) < 1:
            notes.append("most rows have fewer tokens than parameters: were the columns of --n and --d swapped?")
        notes += _compute(read) if d is not None and flops is not None else []
    labels = frame[group].astype(str).str.strip() if group is not None else pd.Series("all", index=frame.index)
    if not (filled := labels != "").all():
        line = frame.index[int(np.argmin(filled))]
        raise TableError(f"column {group!r}: an empty cell in line {line}; fill such cells or leave their rows out")
    names = list(dict.fromkeys(labels))
    if len(names) > MOST_GROUPS:
        raise TableError(f"--group {group!r}: {len(names)} groups; at most {MOST_GROUPS} are fitted at once")
    fits = {}
    for label in names:
        rows = (labels == label).to_numpy()
        own = {key: values[rows] for key, values in read.items()}
        seeds = frame[seed].to_numpy()[rows] if seed is not None else None
        try:
            if loss is None:
                fits[label] = fit_optima(own["flops"], own["n"])
            elif surface:
                more = {"form": (form or "c5").upper(), "method": method or "huber"}
                fits[label] = fit_surface(**own, seeds=seeds, n_boot=n_boot, **more)
            else:
                fits[label] = fit_power(**own, seeds=seeds, n_boot=2 * n_boot)
        except ValueError as error:
            raise TableError(f"group {label!r}: {error}") from None
        fits[label].notes = notes + fits[label].notes
    return fits


def _compute(read: dict[str, np.ndarray]) -> list[str]:
    """Notes on FLOPs against 6 N D; TableError where they are not in one unit."""
    ratio = read["flops"] / (6 * read["n"] * read["d"])
    low, middle, high = np.quantile(ratio, [0.0, 0.5, 1.0])
    if high / low > 100 or not 0.03 < middle < 30:
        raise TableError(f"FLOPs are {low:.3g} to {high:.3g} times 6 N D: mixed units, or columns that were swapped?")
    return [f"FLOPs are {middle:.3g} times 6 N D (median)"] if not 0.9 < middle < 1.1 else []


def report(fits: dict[str, Fit], columns: dict[str, str | None]) -> dict[str, Any]:
    """Return the JSON document: one object a group, the comparisons of groups, columns and versions."""
    pairs = list(combinations(fits.items(), 2))[: len(fits) - 1 if len(fits) > ALL_PAIRS else None]
    comparisons = [
        {"first": a, "second": b, "exponents": compare_exponents(x, y), "iso_loss_ratio": iso_loss_ratio(x, y)}
        for (a, x), (b, y) in pairs
    ]
    groups = {name: {"group": name, **fit.to_dict()} for name, fit in fits.items()}
    return jsonable({"groups": groups, "comparisons": comparisons, "columns": columns, "versions": versions()})


def render(fits: dict[str, Fit], document: dict[str, Any]) -> str:
    """Return the same for a person: verdict, estimates with intervals and reasons, one block a group."""
    blocks = []
    for name, fit in fits.items():
        kind = {"D": "points", "C": "budgets"}.get(next((key for key in "DC" if key in fit.points), ""), "sizes")
        lines = [f"{name}: {EQUATIONS[fit.form]}   ({len(fit.points['N'])} {kind}, engine {fit.method})"]
        said = mark(fit.verdict)
        for parameter, value in fit.estimates.items():
            marked = "" if parameter in ("c0", "slope") and fit.verdict == "slope_only" else said
            lines.append(f"  {parameter:<8} {value:.6g}{_span(fit.intervals.get(parameter))}{marked}")
        if fit.verdict == "slope_only" and "alpha" in fit.intervals and "alpha" not in fit.estimates:
            lines.append("  alpha    not identified; 95 % interval {:.3g} to {:.3g}".format(*fit.intervals["alpha"]))
        if (own := fit.derived.get("optimal_exponent")) and not fit.isoflop:
            lines.append(f"  N_opt ~ C^{own['estimate']:.4g}{_span(own['interval'])}{mark(_word(fit))}")
        lines += _ahead(fit.derived.get("prediction"), fit.verdict)
        if np.isfinite(fit.objective):
            lines.append(f"  objective {fit.objective:.10g}   residual sd {fit.sigma:.3g}")
        lines += [f"  {line}" for line in explain(fit).splitlines()] + (_budget_lines(fit) if fit.isoflop else [])
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *map(_pair_text, document["comparisons"])])


def _word(fit: Fit) -> str:
    """The verdict on the surface's compute-optimal exponent, which may be less sure than the law."""
    unsure = fit.verdict == "ok" and not width_gate(fit.derived.get("optimal_exponent")).passed
    return "interval" if unsure else fit.verdict


def _span(ends: Any) -> str:
    return f"   95 % interval {ends[0]:.5g} to {ends[1]:.5g}" if ends else ""


def _budget_lines(fit: Fit) -> list[str]:
    """The budgets' answer, the three exponents side by side, and which to believe."""
    found = fit.isoflop
    used = sum(1 for table in found["budgets"] if not table["why"])
    said = {"ok": "ok: consistent with N_opt = k C^a", "interval": "interval only"}.get(found["verdict"], "refused")
    lines = [f"  budgets  {said}; {used} of {len(found['budgets'])} have an optimum, counted in {found['counted']}"]
    words = (("failed", "reasons"), ("noticed", "flags"))
    lines += [f"    {word:<8} {text}" for word, key in words for text in found[key]]
    lines += [_optimum(table) + mark(found["verdict"]) for table in found["budgets"] if not table["why"]]
    verdicts = {"surface": _word(fit), "budgets": found["verdict"], "lowest rows": "refused"}
    for (name, verdict), value in zip(verdicts.items(), fit.agreement["optimal_exponent"].values(), strict=True):
        if value:
            lines.append(f"    N_opt ~ C^{value['estimate']:.4g}{_span(value['interval'])}   {name}{mark(verdict)}")
    if data := found["data_exponent"]:
        lines.append(f"    D_opt ~ C^{data['estimate']:.4g}{_span(data['interval'])}   budgets{mark(found['verdict'])}")
    return [*lines, *_ahead(found["prediction"], found["verdict"]), f"  believe  {fit.agreement['text']}"]


def _optimum(table: dict[str, Any]) -> str:
    """The best size and tokens of one budget, with their intervals where its sizes hold them."""
    spans = (table["N_interval"], table["D_interval"])
    size, data = (f"{ends[0]:.3g} to {ends[1]:.3g}" if ends is not None else "not inside its sizes" for ends in spans)
    said = f"    at {table['compute']:.3g} FLOPs: N_opt {table['N_opt']:.3g} ({size}), "
    return f"{said}D_opt {table['D_opt']:.3g} ({data})"


def _ahead(found: dict[str, Any] | None, verdict: str) -> list[str]:
    """What is said of a budget ten times the table's largest."""
    if not found:
        return []
    times = found["times_largest_optimum"]
    more = f"; {times:.3g} times the largest budget with an optimum" if times > 10.5 else ""
    said = f"    at {found['compute']:.3g} FLOPs (ten times more{more}): "
    if "why_not" in found:
        return [f"{said}no answer, {found['why_not']}"]
    low, high = found["interval"]
    return [f"{said}N = {found['N']:.3g} ({low:.3g} to {high:.3g}), D = {found['D']:.3g}{mark(verdict)}"]


def _pair_text(pair: dict[str, Any]) -> str:
    test, ratio = pair["exponents"], pair["iso_loss_ratio"]
    lines = [f"{pair['first']} against {pair['second']}"]
    if test.get("delta") is not None and test["conclusion"] != "not comparable":
        low, high = (("?" if v is None else f"{v:.4g}") for v in test["interval"])
        lines.append(f"  difference of {test['exponent']} {test['delta']:+.4g}   95 % interval {low} to {high}")
    reason = f" ({test['reason']})" if "reason" in test else ""
    lines += [f"  exponents {test['conclusion']}{reason}", f"  iso-loss parameter ratio: {ratio['text']}"]
    return "\n".join(lines)
