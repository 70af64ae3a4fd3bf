"""Power-law fits of the runs in a figure, through ``seqmix_study.findings``; here only the bookkeeping of rows."""

import functools
from collections.abc import Set

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import several
from seqmix_study.findings.fits.fit import Fit
from seqmix_study.findings.fits.ladder import Ladder
from seqmix_study.findings.fits.power import fit_power, hold_out

__all__ = ["held_out", "of", "table"]

COLUMNS = ["source", "arm", "predicted", "lo", "hi", "measured", "sizes"]

Edges = Set[tuple[str, str]]

FEWEST = 4
"""Sizes below which no curve with three parameters is tried."""


def of(runs: pd.DataFrame, column: str = "params_non_embedding", edges: Edges = frozenset()) -> Fit | None:
    """Return the gated fit of loss against ``column`` for one arm's runs, or None with fewer than four sizes.

    ``edges``: (source, arm) whose best learning rate stood at the edge of its grid; their fits are refused.
    """
    if runs[column].nunique() < FEWEST:
        return None
    rows = runs.sort_values(["run_id"])
    edge = (rows["source"].iloc[0], rows["arm"].iloc[0]) in edges
    return _fit(*(tuple(rows[name]) for name in (column, "loss", "seed", "tokens")), edge)


@functools.lru_cache(maxsize=256)
def _fit(sizes: tuple, losses: tuple, seeds: tuple, tokens: tuple, edge: bool) -> Fit:
    flags = [edge] * len(sizes)
    return fit_power(sizes, losses, seeds=seeds, tokens=tokens, lr_at_edge=flags)


def table(runs: pd.DataFrame, column: str = "params_non_embedding", edges: Edges = frozenset()) -> pd.DataFrame:
    """Return one row a corpus and arm: verdict, exponent with interval, and the failed gates in words."""
    rows = []
    for (source, arm), cell in runs.groupby(["source", "arm"]):
        fit, sizes = of(cell, column, edges), cell[column].nunique()
        row = {"source": source, "arm": arm, "sizes": sizes, "seeds": cell["seed"].nunique()}
        if fit is None:
            reason = f"{several(sizes, 'size')}; a law is tried from {FEWEST} on"
            rows.append({**row, "verdict": "refused", "alpha": np.nan, "lo": np.nan, "hi": np.nan, "why": reason})
            continue
        low, high = fit.intervals.get("alpha", (np.nan, np.nan))
        alpha = fit.estimates.get("alpha", np.nan) if fit.status == "ok" else np.nan
        rows.append(
            {**row, "verdict": fit.status, "alpha": alpha, "lo": low, "hi": high, "why": "; ".join(fit.reasons)}
        )
    return pd.DataFrame(rows, columns=["source", "arm", "sizes", "seeds", "verdict", "alpha", "lo", "hi", "why"])


def held_out(runs: pd.DataFrame, column: str = "params_non_embedding") -> pd.DataFrame:
    """Predict every arm's largest size from its smaller ones (at least four); columns as in COLUMNS."""
    rows = []
    for (source, arm), cell in runs.groupby(["source", "arm"]):
        if cell[column].nunique() <= FEWEST:
            continue
        result = hold_out(Ladder.from_rows(cell[column], cell["loss"], cell["seed"]))
        middle, half = result["predicted"], result.get("half_width", np.nan)
        ends = {"predicted": middle, "lo": middle - half, "hi": middle + half, "measured": result["observed"]}
        rows.append({"source": source, "arm": arm, **ends, "sizes": cell[column].nunique()})
    return pd.DataFrame(rows, columns=COLUMNS).dropna(subset=["predicted", "lo"])
