"""The number that a question is about: a column of the table, or one number per run from a second table."""

from dataclasses import replace

import numpy as np
import pandas as pd

from seqmix_study.findings.questions import Measure
from seqmix_study.findings.select import NotDecided, Sample, Tables, choose_best, named, one_per_cell, pick


def prepare(tables: Tables, sample: Sample) -> Sample:
    """Give both sides their ``value``, keep the shared cells, one row per cell and seed.

    Raises NotDecided where a side is empty, no cell is shared, or the value does not exist.
    """
    question, sides = sample.question, []
    cells = [c for c in (*sample.match, question.x) if c]
    factors = [question.options[name] for name in ("one", "other") if name in question.options]
    measure = question.value if isinstance(question.value, Measure) else None
    common = _common_levels(tables, sample, cells) if measure else {}
    for side, asked in zip(sample.sides, (question.first, question.second), strict=False):
        if not len(side):
            raise NotDecided(f"no finished rows of {named(asked)} there")
        rates = [c for c in ("arm", *cells, "seed", "corpus") if c in side and "lr" in side]
        several = rates and "lr" not in (question.x, asked.best_of) and side.groupby(rates)["lr"].nunique().max() > 1
        if several and question.kind == "architecture" and not question.options.get("rates"):
            raise NotDecided("several learning rates in one cell: a column `role` must say which is evidence")
        side = choose_best(_trained(side, question, sample), asked, cells, sample.notes)
        side = _measured(tables, side, measure, common) if measure else _column(side, question.value)
        side = side[np.isfinite(side["value"]) | (question.estimator == "time_to_solve")]
        apart = [measure.keep if measure else "", "lr" if several else ""]
        sides.append(one_per_cell(side, ["arm", *cells, *factors, "seed", "process", *apart]))
    if len(sides) == 2 and sample.match:
        sides = _shared(*sides, sample.match)
    if any(not len(side) for side in sides):
        raise NotDecided("there is no number to compare")
    return replace(sample, first=sides[0], second=sides[1] if len(sides) == 2 else None)


def _trained(side: pd.DataFrame, question, sample: Sample) -> pd.DataFrame:
    """Leave out models that do not beat the bigram model: they were not trained."""
    if question.kind != "architecture" or not {"bigram", "loss"} <= set(side):
        return side
    cells = [c for c in ("arm", *sample.match, question.x) if c in side]
    means = side.groupby(cells, dropna=False)[["loss", "bigram"]].transform("mean")
    good = ~(means["loss"] >= means["bigram"])
    if not good.any():
        raise NotDecided(f"not trained: {', '.join(sorted(set(side['arm'].astype(str))))} loses to the bigram model")
    if not good.all():
        sample.notes.append(f"{int((~good).sum())} runs left out that lose to the bigram model")
    return side[good]


def _shared(first: pd.DataFrame, second: pd.DataFrame, match: list[str]) -> list[pd.DataFrame]:
    """Keep the cells that both sides have."""
    both = first[match].drop_duplicates().merge(second[match].drop_duplicates(), on=match)
    if not len(both):
        raise NotDecided(f"the sides share no value of {', '.join(match)}")
    return [side.merge(both, on=match) for side in (first, second)]


def _column(side: pd.DataFrame, name: str) -> pd.DataFrame:
    if name not in side:
        raise NotDecided(f"the table has no column {name!r}")
    return side.assign(value=pd.to_numeric(side[name], errors="coerce"))


def _measured(tables: Tables, side: pd.DataFrame, value: Measure, common: dict) -> pd.DataFrame:
    """Return the side with the number of each run, or of each run in each block (``keep``), as its ``value``."""
    rows = _of_runs(tables, side, value)
    by = ["run", value.keep] if value.keep else ["run"]
    if value.take == "reach":
        level = common if value.level == "common" else dict.fromkeys(rows["run"], value.level)
        found = pd.Series({run: _reached(part, value, level[run]) for run, part in rows.groupby("run")})
    elif value.between:
        found = _between(rows, value, by)
    elif value.take == "mean":
        found = _mean(rows, value, by)
    else:
        found = rows.groupby(by)[value.column].agg(value.take)
    found = found.rename("value").rename_axis(by).reset_index()
    return side.drop(columns=["value", value.keep], errors="ignore").merge(found, on="run", how="left")


def _of_runs(tables: Tables, side: pd.DataFrame, value: Measure) -> pd.DataFrame:
    """Return the rows of the second table that belong to the runs of a side, in the order of ``by``."""
    if value.table not in tables.frames:
        raise NotDecided(f"there is no table {value.table!r}")
    rows = tables.frames[value.table]
    rows = pick(rows[rows["run"].isin(side["run"])], value.where)
    if "study" in side and "study" in rows:
        rows = rows[rows["study"].isin(side["study"].unique())]
    if not len(rows):
        raise NotDecided(f"the table {value.table!r} has no rows of these runs")
    return rows.sort_values(["run", value.by or value.at or "run"], kind="stable")


def _between(rows: pd.DataFrame, value: Measure, by: list[str]) -> pd.Series:
    """Return the (weighted) mean over the first range of ``at``, minus that over the second where there is one."""
    scale = rows.get("length", 1.0)
    means = []
    for low, high in value.between:
        if 0 < high <= 1:
            low, high = low * scale, high * scale + (high == 1)
        part = rows[(rows[value.at] >= low) & (rows[value.at] < high)]
        means.append(_mean(part, value, by))
    return means[0] - means[1] if len(means) == 2 else means[0]


def _mean(rows: pd.DataFrame, value: Measure, by: list[str]) -> pd.Series:
    weights = rows[value.weight] if value.weight else pd.Series(1.0, rows.index)
    sums = rows[by].assign(total=rows[value.column] * weights, weight=weights).groupby(by)[["total", "weight"]].sum()
    return sums["total"] / sums["weight"].where(sums["weight"] > 0)


def _common_levels(tables: Tables, sample: Sample, cells: list[str]) -> dict[str, float]:
    """Return for every run the lowest level that all runs of its cell, of both sides, reach (``level: common``)."""
    value = sample.question.value
    if value.take != "reach" or value.level != "common":
        return {}
    rows = sample.rows
    lowest = rows["run"].map(_of_runs(tables, rows, value).groupby("run")[value.of].min())
    worst = lowest.groupby([rows[c] for c in cells]).transform("max") if cells else lowest.max()
    return dict(zip(rows["run"], worst if cells else [worst] * len(rows), strict=True))


def _reached(rows: pd.DataFrame, value: Measure, level: float) -> float:
    """Return where ``of`` first falls to the level (between evaluations on a log scale), infinity if it never does."""
    x, y = rows[value.column].to_numpy(float), rows[value.of].to_numpy(float)
    at = np.flatnonzero(y <= level)
    if not len(at):
        return np.inf
    i = int(at[0])
    if i == 0 or x[i - 1] <= 0:
        return float(x[i])
    return float(np.exp(np.interp(level, [y[i], y[i - 1]], np.log([x[i], x[i - 1]]))))
