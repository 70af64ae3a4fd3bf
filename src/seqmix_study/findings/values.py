"""The number that a question is about: a column of the table, or one number per run from a second table."""

import numpy as np
import pandas as pd

from seqmix_study.findings.questions import Measure
from seqmix_study.findings.select import NotDecided, Sample, Tables, choose_best, one_per_cell, pick

__all__ = ["prepare"]


def prepare(tables: Tables, sample: Sample) -> Sample:
    """Give both sides their ``value``, keep the shared cells, one row per cell and seed.

    Raises NotDecided where a side is empty, no cell is shared, or the value does not exist.
    """
    question, rules = sample.question, tables.questions.rules
    keep = question.value.keep if isinstance(question.value, Measure) else ""
    sides = []
    common = _common_level(tables, sample) if isinstance(question.value, Measure) else np.nan
    cells = [c for c in (*sample.match, question.x) if c]
    for side, asked in zip(sample.sides, (question.first, question.second), strict=False):
        if not len(side):
            raise NotDecided(f"no finished rows of {asked.where.get('arm', 'the second side')} there")
        rates = [c for c in ("arm", *cells, "seed", "corpus") if c in side and "lr" in side]
        several = rates and "lr" not in (question.x, asked.best_of) and side.groupby(rates)["lr"].nunique().max() > 1
        if several and question.kind == "architecture" and not question.options.get("rates"):
            raise NotDecided("several learning rates in one cell: a column `role` must say which is evidence")
        side = choose_best(_trained(side, question, sample), asked, cells, sample.notes)
        side = side.assign(value=_values(tables, side, question.value, common)) if not keep else (
            _blocks(tables, side, question.value))  # fmt: skip
        side = side[np.isfinite(side["value"]) | (question.estimator == "time_to_solve")]
        sides.append(one_per_cell(side, ["arm", *cells, "seed", keep, "process", "lr" if several else "seed"]))
    if len(sides) == 2:
        sides = _shared(*sides, sample.match, rules.seeds)
    if any(not len(side) for side in sides):
        raise NotDecided("there is no number to compare")
    return Sample(question, sample.key, sides[0], sides[1] if len(sides) == 2 else None, sample.match, sample.around,
                  sample.notes)  # fmt: skip


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


def _shared(first: pd.DataFrame, second: pd.DataFrame, match: list[str], seeds: int) -> list[pd.DataFrame]:
    """Keep the cells that both sides have."""
    if not match:
        return [first, second]
    both = first[match].drop_duplicates().merge(second[match].drop_duplicates(), on=match)
    if not len(both):
        raise NotDecided(f"the sides share no value of {', '.join(match)}")
    return [side.merge(both, on=match) for side in (first, second)]


def _values(tables: Tables, side: pd.DataFrame, value: str | Measure, common: float) -> pd.Series:
    if isinstance(value, str):
        if value not in side:
            raise NotDecided(f"the table has no column {value!r}")
        return pd.to_numeric(side[value], errors="coerce")
    rows = _of_runs(tables, side, value)
    if value.take == "reach":
        level = common if value.level == "common" else value.level
        found = {run: _reached(part, value, level) for run, part in rows.groupby("run")}
        return side["run"].map({run: when for run, (when, _) in found.items()})
    if value.between:
        return side["run"].map({run: _between(part, value) for run, part in rows.groupby("run")})
    if value.take == "mean" and value.weight:
        total = (rows[value.column] * rows[value.weight]).groupby(rows["run"]).sum()
        return side["run"].map(total / rows.groupby("run")[value.weight].sum())
    grouped = rows.groupby("run")[value.column]
    if value.take == "change":
        return side["run"].map(grouped.last() - grouped.first())
    return side["run"].map(grouped.agg(value.take))


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


def _between(rows: pd.DataFrame, value: Measure) -> float:
    """Return the (weighted) mean over the first range of ``at``, minus that over the second where there is one."""
    means = []
    scale = float(rows["length"].iloc[0]) if "length" in rows else 1.0
    for low, high in value.between:
        low, high = (bound * scale + (1 if bound else 0) if 0 < high <= 1 else bound for bound in (low, high))
        part = rows[(rows[value.at] >= low) & (rows[value.at] < high)]
        weights = part[value.weight] if value.weight else pd.Series(1.0, part.index)
        means.append(float((part[value.column] * weights).sum() / weights.sum()) if weights.sum() else np.nan)
    return means[0] - means[1] if len(means) == 2 else means[0]


def _blocks(tables: Tables, side: pd.DataFrame, value: Measure) -> pd.DataFrame:
    """Return a row per run and block (``keep``) with its value."""
    rows = _of_runs(tables, side, value)
    if value.between:
        found = {key: _between(part, value) for key, part in rows.groupby(["run", value.keep])}
    else:
        weights = rows[value.weight] if value.weight else pd.Series(1.0, rows.index)
        sums = pd.DataFrame({"v": rows[value.column] * weights, "w": weights})
        sums = sums.groupby([rows["run"], rows[value.keep]]).sum()
        found = (sums["v"] / sums["w"]).to_dict()
    table = pd.Series(found).rename_axis(["run", value.keep]).rename("value").reset_index()
    return side.drop(columns=[value.keep], errors="ignore").merge(table, on="run")


def _common_level(tables: Tables, sample: Sample) -> float:
    """Return the lowest level that every run of the condition reaches (``level: common``)."""
    value = sample.question.value
    if value.take != "reach" or value.level != "common":
        return np.nan
    lows = [_of_runs(tables, side, value).groupby("run")[value.of].min() for side in sample.sides if len(side)]
    return float(max(low.max() for low in lows)) if lows else np.nan


def _reached(rows: pd.DataFrame, value: Measure, level: float) -> tuple[float, bool]:
    """Return where ``of`` first falls to the level (between evaluations on a log scale), infinity if it never does."""
    x, y = rows[value.column].to_numpy(float), rows[value.of].to_numpy(float)
    at = np.flatnonzero(y <= level)
    if not len(at):
        return np.inf, False
    i = int(at[0])
    if i == 0 or y[i - 1] == y[i] or x[i - 1] <= 0:
        return float(x[i]), True
    share = (y[i - 1] - level) / (y[i - 1] - y[i])
    return float(np.exp(np.log(x[i - 1]) + share * (np.log(x[i]) - np.log(x[i - 1])))), True
