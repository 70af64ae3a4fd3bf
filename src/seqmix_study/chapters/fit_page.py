"""The picture of a fit and a page about it: data, fit, band, residuals, and the rows that decide.

``plot(fits, "out.svg")`` and ``write_page(fits, document, "out.html")`` are what ``seqmix fit --plot`` and ``--report``
write. The page carries its picture and styles: it can be mailed.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmix.files import atomic_write
from seqmix_study.chapters.common import template
from seqmix_study.findings.fits import render
from seqmix_study.findings.fits.fit import WORDS, Fit, jsonable
from seqmix_study.findings.fits.forms import EQUATIONS, predict

MOST = 6  # groups in one figure
DRAWN = 1000  # points of one group in it
BLUE, RED, GREY = "#1f6fb4", "#c2410c", "#6b7280"


def plot(fits: dict[str, Fit], path: Path | str) -> None:
    """Write the figure of ``figure`` to ``path``; its ending names the format (svg, pdf, png). Raises RecordError."""
    atomic_write(Path(path), _drawn(fits, Path(path).suffix[1:].lower()))


def _drawn(fits: dict[str, Fit], form: str) -> bytes:
    """The figure as a file of one of matplotlib's formats, without the time."""
    picture = io.BytesIO()
    figure(fits).savefig(picture, format=form, bbox_inches="tight", metadata={"Date": None} if form == "svg" else None)
    return picture.getvalue()


def figure(fits: dict[str, Fit]) -> Figure:
    """One row a group (at most six): data with fit, band and (ringed) the rows that decide, and the residuals."""
    shown = dict(list(fits.items())[:MOST])
    page = Figure(figsize=(9.5, 3.9 * len(shown)), layout="constrained")
    for row, (name, fit) in zip(page.subplots(len(shown), 2, squeeze=False), shown.items(), strict=True):
        points, said = _thinned(fit.points)
        _data(row[0], fit, points)
        budgets = f", budgets {fit.isoflop['verdict']}" if fit.isoflop.get("budgets") else ""
        row[0].set_title(f"{name}: {fit.verdict.replace('_', ' ')}{budgets}{said}", loc="left")
        _budgets(row[1], fit.isoflop) if fit.agreement.get("believe") == "isoflop" else _residuals(row[1], points)
    return page


def _thinned(points: dict[str, list[float]]) -> tuple[dict[str, np.ndarray], str]:
    """The points that are drawn, at most ``DRAWN``, evenly along the table, and what the title says of it."""
    count = len(points["N"])
    kept = np.unique(np.linspace(0, count - 1, DRAWN).astype(int)) if count > DRAWN else slice(None)
    said = f" ({DRAWN} of {count} points drawn)" if count > DRAWN else ""
    return {name: np.array(values)[kept] for name, values in points.items()}, said


def _data(axis: Axes, fit: Fit, points: dict[str, np.ndarray]) -> None:
    quoted = fit.verdict == "ok"
    if fit.form == "O2":
        return _optima(axis, points["C"], points["N"], fit.estimates.get("a", np.nan), "-" if quoted else ":")
    n, y = points["N"], points["loss"]
    axis.set_xscale("log")
    if "D" not in points:
        axis.errorbar(n, y, yerr=np.nan_to_num(points["se"]), fmt="o", color=BLUE)
        grid = np.geomspace(n.min(), n.max(), 80)
        if quoted or fit.verdict == "slope_only":
            axis.plot(grid, fit.predict(grid), "-" if quoted else ":", color=RED)
        if quoted and fit.bootstrap:
            draws = fit.bootstrap["draws"]
            axis.fill_between(grid, *_band(fit, {"A": np.exp(draws["log_A"]), **draws}, grid), color=RED, alpha=0.15)
        axis.set(xlabel="parameters N", ylabel="loss (nats a token)")
        return
    marks = axis.scatter(n, y, c=points["D"], s=16, norm="log", cmap="viridis")
    axis.figure.colorbar(marks, label="tokens D")
    for grid, tokens in _curves(fit, points) if quoted else ():
        colour = marks.to_rgba(np.median(tokens))
        axis.plot(grid, fit.predict(grid, tokens), "-", color=colour, lw=1)
        if fit.bootstrap:
            axis.fill_between(grid, *_band(fit, fit.bootstrap["draws"], grid, tokens), color=colour, alpha=0.12)
    if fit.outlier.get("deviations", 0) > 8:
        axis.plot(fit.outlier["N"], fit.outlier["loss"], "s", mfc="none", mec=RED, ms=11, label="outlier")
    if fit.leverage:
        rows = np.transpose([[row["N"], row["loss"]] for row in fit.leverage])
        axis.plot(*rows, "o", mfc="none", mec=RED, ms=11, label="rows that pull most")
    if fit.isoflop.get("verdict", "refused") != "refused":
        best = [[budget["N_opt"], budget["loss_opt"]] for budget in fit.isoflop["budgets"] if not budget["why"]]
        axis.plot(*np.transpose(best), "x", color=RED, ms=8, label="optimum of a budget")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False)
    axis.set(xlabel="parameters N", ylabel="loss (nats a token)")


def _optima(axis: Axes, c: np.ndarray, n: np.ndarray, slope: float, line: str, **bars: np.ndarray) -> None:
    """Compute-optimal sizes and the power law through them."""
    axis.errorbar(c, n, fmt="o", color=BLUE, **bars)
    axis.plot(c, np.exp(np.log(n).mean() + slope * (np.log(c) - np.log(c).mean())), line, color=RED)
    axis.set(xscale="log", yscale="log", xlabel="training FLOPs", ylabel="compute-optimal parameters")


def _budgets(axis: Axes, found: dict[str, Any]) -> None:
    """The best size of each budget with its interval (without a bar: not inside its sizes), and their exponent."""
    used = [budget for budget in found["budgets"] if not budget["why"]]
    c, n = (np.array([budget[key] for budget in used]) for key in ("compute", "N_opt"))
    ends = np.array([budget["N_interval"] or (budget["N_opt"],) * 2 for budget in used]).T
    line = "-" if found["verdict"] == "ok" else ":"
    _optima(axis, c, n, found["optimal_exponent"]["estimate"], line, yerr=np.abs(ends - n))


def _curves(fit: Fit, points: dict[str, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sizes and tokens [60] along which a law is drawn: along each budget where there are any, else at equal tokens."""
    n, d = points["N"], points["D"]
    optima = [budget["N_opt"] * budget["D_opt"] for budget in fit.isoflop.get("budgets", ()) if not budget["why"]]
    same = n * d if optima else d
    for value in optima or np.unique(np.quantile(d, np.linspace(0, 1, 6), method="nearest")):
        near = n[np.abs(np.log(same / value)) < 0.3]
        if len(near):
            grid = np.geomspace(near.min(), near.max(), 60)
            yield grid, value / grid if optima else np.full(60, value)


def _band(fit: Fit, draws: dict[str, np.ndarray], grid: np.ndarray, d: np.ndarray | None = None) -> tuple:
    """95 % band of the fitted law over ``grid`` (and tokens ``d`` there), from at most 200 draws."""
    rows = []
    for i in range(min(200, len(draws["alpha"]))):
        values = fit.estimates | {name: draws[name][i] for name in fit.estimates if name in draws}
        if np.isfinite(list(values.values())).all() and values["A"] > 0:
            rows.append(predict(fit.form, values, grid, d))
    return tuple(np.percentile(rows, [2.5, 97.5], axis=0)) if rows else (grid * np.nan, grid * np.nan)


def _residuals(axis: Axes, points: dict[str, np.ndarray]) -> None:
    seen, fitted = points.get("loss", points["N"]), points.get("fitted", np.array([]))
    axis.axhline(0, color=GREY, lw=1)
    axis.set(xlabel="fitted", ylabel="residual (sd)", title="residuals")
    if len(fitted) == len(seen) and np.isfinite(fitted).all():
        logs = np.log(seen / fitted)
        scale = max(float(np.std(logs)), 1e-300)
        axis.plot(fitted, logs / scale, "o", color=BLUE, ms=4)


def write_page(fits: dict[str, Fit], document: dict[str, Any], path: Path | str, title: str = "table") -> None:
    """Write one self-contained HTML page: verdicts, picture, the text report and the JSON document."""
    picture = _drawn(fits, "svg").decode().partition("<svg")[2]
    whole = json.dumps(jsonable(document), indent=1, allow_nan=False)
    shown = {"fits": fits, "title": title, "report": render(fits, document), "whole": whole}
    text = template("fit.html").render(picture=picture, equations=EQUATIONS, words=WORDS, **shown)
    atomic_write(Path(path), text)
