"""Differences and slopes as one contrast of a linear model whose units are cells of size and seed.

A seed is a unit of its own only where a seed effect is found; pairs are used only where pairing helps. Both are tested
and reported. Then the residual degrees of freedom of "cell + side" (or "cell + side + slope") carry the interval,
instead of the two degrees of freedom of three seed means.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from seqmix_study.findings.bootstrap import satterthwaite
from seqmix_study.findings.select import NotDecided

# Level of the tests for a seed effect and for pairing.
FOUND = 0.05

# Misfit between cells is pooled with the noise within them only above this p (Bancroft 1964).
POOLED = 0.25


@dataclass(frozen=True)
class Contrast:
    """An estimate with standard error and degrees of freedom; ``regret`` by which each end may be off (lo, hi)."""

    estimate: float
    se: float
    df: float
    n: int
    method: str
    regret: tuple[float, float] = (0.0, 0.0)
    # Weight of every run in the estimate, by its identifier.
    weights: dict = field(default_factory=dict)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the Student interval, not widened by the regret."""
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.se
        return self.estimate - half, self.estimate + half


def seed_tests(rows: pd.DataFrame, cells: list[str]) -> tuple[float, float, float]:
    """Return p of a seed main effect in the residuals of the cells, and correlation of the sides' pairs with its p.

    ``rows``: columns value, seed, side (0, 1) and ``cells``. NaN where there is too little to test.
    """
    group = rows.groupby([*cells, "side"], dropna=False)["value"]
    centred = rows["value"] - group.transform("mean")
    seeds = centred.groupby(rows["seed"])
    p_seed = correlation = p_pairs = np.nan
    df = len(rows) - group.ngroups - seeds.ngroups + 1  # cell means and seeds cost degrees of freedom
    if seeds.ngroups > 1 and df > 1 and group.ngroups > 2:
        between = float((seeds.sum() ** 2 / seeds.count()).sum())
        within = float(centred @ centred) - between
        if within > 0:
            p_seed = float(stats.f.sf(between / (seeds.ngroups - 1) / (within / df), seeds.ngroups - 1, df))
    pairs = rows.assign(value=centred).pivot_table(index=[*cells, "seed"], columns="side", values="value").dropna()
    if pairs.shape[1] == 2 and len(pairs) > 4 and (pairs.std() > 0).all():
        correlation = float(pairs.corr().iloc[0, 1])
        free = len(pairs) - (pairs.groupby(level=cells).ngroups if cells else 1) - 1
        if free > 1 and abs(correlation) < 1:
            p_pairs = float(stats.t.sf(correlation * np.sqrt(free / (1 - correlation**2)), free))
    return p_seed, correlation, p_pairs


def contrast(
    first: pd.DataFrame,
    second: pd.DataFrame | None,
    match: list[str],
    x: str = "",
    log: bool = True,
    lower_is_better: bool = True,
    widen: bool = True,
) -> Contrast:
    """Return mean (or slope along ``x``) of ``first`` minus ``second``, or of ``first`` alone.

    Both hold ``value``, ``seed`` and the columns ``match`` and ``x``; column ``regret``, if there, is what a better
    learning rate would have gained, in the unit of the value (``widen``: it is). Raises NotDecided where fewer than one
    degree of freedom is left.
    """
    sides = [first.assign(side=0.5)] if second is None else [first.assign(side=0.5), second.assign(side=-0.5)]
    rows = pd.concat(sides, ignore_index=True)
    if "seed" not in rows:
        rows = rows.assign(seed=rows.groupby([*match, "side"]).cumcount())
    if x:
        along = rows[x].astype(float)
        rows = rows.assign(along=np.log10(along) if log else along)
        if rows["along"].nunique() < 3:
            raise NotDecided(f"a slope needs three values of {x} or more, there are {rows['along'].nunique()}")
    cells = [*match, "along"] if x else list(match)
    found = _one_side(rows, cells, match, x) if second is None else _two_sides(rows, cells, match, x)
    by = 0.0  # how much reduced precision on one side may have moved the difference (the same on both: nothing)
    if second is not None and "shift" in first and set(first["precision"]) != set(second["precision"]):
        by = float(first["shift"].max() + second["shift"].max())
    down, up = found.regret if lower_is_better else found.regret[::-1]
    return replace(found, regret=(down + by, up + by) if widen else (0.0, 0.0))


def _two_sides(rows: pd.DataFrame, cells: list[str], match: list[str], x: str) -> Contrast:
    """Difference of the sides or of their slopes: in pairs, of two means, or in an additive model of the cells."""
    p_seed, correlation, p_pairs = seed_tests(rows, cells)
    said = f"seed effect p = {p_seed:.2g}, " if np.isfinite(p_seed) else ""
    said += f"correlation of pairs {correlation:.2f}" if np.isfinite(correlation) else "pairs not testable"
    if p_seed < FOUND or p_pairs < FOUND:
        return _paired(rows, cells, match, x, said)
    design, side = _dummies(rows, cells), rows[["side"]].to_numpy()
    if not x and design.shape[1] == 1:
        return _welch(rows, said)
    columns = [design, side]
    if x:
        columns += [_dummies(rows, match)[:, 1:] * side, side * (rows[["along"]] - rows["along"].mean()).to_numpy()]
    return _solve(rows, np.hstack(columns), f"additive model of cells ({said})", [*cells, "side"])


def _one_side(rows: pd.DataFrame, cells: list[str], match: list[str], x: str) -> Contrast:
    """Level of one side (mean over its cells, equal weights) or its slope along x."""
    if not x:
        design = _dummies(rows, cells)
        mean = np.full(design.shape[1], 1 / design.shape[1])
        mean[0] = 1.0  # column 0 is the first cell, the others are differences from it
        return _solve(rows, design, "cells of one side", [], mean)
    design = np.hstack([_dummies(rows, match), (rows["along"] - rows["along"].mean()).to_numpy()[:, None]])
    return _solve(rows, design, "straight line through the cells", [*cells])


def _dummies(rows: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Return an intercept and a column for every further group of ``by``."""
    group = rows.groupby(by, dropna=False).ngroup() if by else np.zeros(len(rows))
    table = np.array(pd.get_dummies(group, dtype=float))
    table[:, 0] = 1.0
    return table


def _solve(
    rows: pd.DataFrame, design: np.ndarray, method: str, misfit: list[str], pick: np.ndarray | None = None
) -> Contrast:
    """Least squares; the contrast is the last coefficient unless ``pick`` says which.

    ``misfit``: columns of cells. Where the misfit between cells is larger than the noise within them, it carries the
    interval (with its few degrees of freedom): seeds do not repeat a misfit.
    """
    y = rows["value"].to_numpy(float)
    inverse = np.linalg.pinv(design)
    pick = np.eye(design.shape[1])[-1] if pick is None else pick
    row_weights = pick @ inverse
    residual = y - design @ (inverse @ y)
    rank = np.linalg.matrix_rank(design)
    df = len(y) - rank
    if df < 1:
        raise NotDecided(f"{len(y)} cells leave no degree of freedom: more seeds or sizes are needed")
    mean_square = float(residual @ residual) / df
    if misfit:
        group = rows.groupby(misfit, dropna=False)["value"]
        pure = float(((rows["value"] - group.transform("mean")) ** 2).sum())
        cells = group.ngroups
        df_pure, df_misfit = len(y) - cells, cells - rank
        if df_pure > 0 and df_misfit > 0 and pure > 0:
            between = (float(residual @ residual) - pure) / df_misfit
            if stats.f.sf(between / (pure / df_pure), df_misfit, df_pure) < POOLED:
                mean_square, df, method = between, df_misfit, f"{method}; misfit between cells carries the interval"
    if mean_square <= 1e-30 * max(1.0, float(y @ y)):
        raise NotDecided("the values do not vary at all between seeds: are they copies of one run?")
    se = float(np.sqrt(mean_square * (row_weights @ row_weights)))
    weights = dict(zip(rows["run"], row_weights, strict=True)) if "run" in rows else {}
    return Contrast(float(row_weights @ y), se, df, len(y), method, _widening(rows, row_weights), weights)


def _regret(rows: pd.DataFrame) -> pd.Series:
    """Return what a better learning rate would have gained, run by run (its bound where known); NaN: not known."""
    column = next((c for c in ("regret_hi", "regret") if c in rows and rows[c].notna().any()), None)
    return rows[column].clip(lower=0.0) if column else pd.Series(np.nan, rows.index)


def _widening(rows: pd.DataFrame, weights: np.ndarray) -> tuple[float, float]:
    """Return by how much the lower and the upper end of a loss move if every run had been tuned to its best rate."""
    regret = _regret(rows).fillna(0.0).to_numpy(float)
    return float(np.maximum(weights, 0) @ regret), float(np.maximum(-weights, 0) @ regret)


def _paired(rows: pd.DataFrame, cells: list[str], match: list[str], x: str, said: str) -> Contrast:
    """Differences within pairs; clustered by seed where the differences still have a seed effect."""
    pair = [*cells, "seed"]
    wide = rows.pivot_table(index=pair, columns="side", values="value").dropna()
    if wide.shape[1] < 2 or len(wide) < 2:
        raise NotDecided("fewer than two pairs of equal seed")
    pairs = (wide[0.5] - wide[-0.5]).rename("value").reset_index().assign(side=0.5, run=range(len(wide)))
    regrets = rows.assign(regret=_regret(rows)).groupby([*pair, "side"])["regret"].mean().groupby("side").mean()
    regret = tuple(float(regrets.fillna(0.0).get(side, 0.0)) for side in (0.5, -0.5))
    p_seed = seed_tests(pairs, cells)[0] if cells else np.nan
    if p_seed < FOUND:
        values = pairs.groupby("seed").apply(lambda part: _of_seed(part, x), include_groups=False).dropna()
        if len(values) < 2:
            raise NotDecided("a seed effect was found, and there are fewer than two seeds")
        se = float(values.std() / np.sqrt(len(values)))
        return Contrast(float(values.mean()), se, len(values) - 1, len(values), f"seeds as units ({said})", regret)
    found = _one_side(pairs, [], match, x)
    weights = {}
    if "run" in rows:
        runs = rows.pivot_table(index=pair, columns="side", values="run", aggfunc="first").loc[wide.index]
        for i, weight in found.weights.items():
            weights |= {runs[0.5].iloc[i]: weight, runs[-0.5].iloc[i]: -weight}
    return replace(found, method=f"pairs of equal seed ({said})", regret=regret, weights=weights)


def _of_seed(part: pd.DataFrame, x: str) -> float:
    if not x:
        return float(part["value"].mean())
    return float(np.polyfit(part["along"], part["value"], 1)[0]) if part["along"].nunique() > 1 else np.nan


def _welch(rows: pd.DataFrame, said: str) -> Contrast:
    """One cell: two means whose variances may differ."""
    parts = [rows.loc[rows["side"] == side, "value"].to_numpy(float) for side in (0.5, -0.5)]
    if min(map(len, parts)) < 2:
        raise NotDecided(f"two seeds a side are needed, there are {len(parts[0])} and {len(parts[1])}")
    errors = [part.var(ddof=1) / len(part) for part in parts]
    if sum(errors) <= 0:
        raise NotDecided("the values do not vary at all between seeds: are they copies of one run?")
    df = satterthwaite(*((error, len(part) - 1) for error, part in zip(errors, parts, strict=True)))
    weights = np.where(rows["side"] > 0, 1 / len(parts[0]), -1 / len(parts[1]))
    by_run = dict(zip(rows["run"], weights, strict=True)) if "run" in rows else {}
    return Contrast(float(parts[0].mean() - parts[1].mean()), float(np.sqrt(sum(errors))), float(df), len(rows),
                    f"Welch ({said})", _widening(rows, weights), by_run)  # fmt: skip
