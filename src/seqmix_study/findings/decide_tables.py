"""The result tables as deciders see them: finished runs, paired by seed, never a learning-rate sweep by mistake."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from seqmix_study.findings.finding import NotTested
from seqmix_study.results import published

__all__ = ["Evidence", "scope", "with_sizes"]

NEEDED = {
    "runs": "study group arm run_id status source seed pattern conv seq_len steps lr tokens params_non_embedding loss "
    "device hardware",
    "curves": "study run_id step tokens seconds loss",
    "context": "study run_id measure kind lo hi block loss bayes count",
    "recall": "study run_id task distance step accuracy",
    "speed": "run_id arm mode length batch_size repeat seconds tokens params_non_embedding state_bytes peak_bytes "
    "device hardware threads precision",
    "inside": "study run_id method score value",
}
"""Columns that the deciders read, by table."""

SWEEP = r"^lr|[-_]lr$|^sweep"
"""Groups whose name says that they vary the learning rate."""

CONTROLS = ("markov",)
"""Negative controls: corpora on which far context is of no use by construction. They have no vote on a claim."""

TEXT = ("pattern", "conv", "group", "arm", "source", "device", "hardware", "precision", "kernel", "method", "kind")

ENDS = {
    "deltanet": "hybrid_0",
    "transformer": "hybrid_12",
    "transformer_conv": "hybrid_12_conv",
    "deltanet_noconv": "hybrid_0_noconv",
}
"""Names of the pure stacks and their controls in the hybrids study."""

SAME_SIZE = 1.12
"""Runs whose non-embedding parameters differ by less than this factor are one size (arms are matched to 3 %)."""


@dataclass(frozen=True)
class Evidence:
    """All tables of one tier. Missing tables are empty; a column that is missing reads as NaN."""

    tier: str
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    answered: dict[str, object] = field(default_factory=dict, compare=False)
    """Decisions by question: several claims ask the same one."""

    @classmethod
    def read(cls, results: Path, tier: str) -> "Evidence":
        """Read ``results/<tier>/*.csv``; a folder or file that is not there gives empty tables.

        Raises ValueError naming the file for one that is torn or lacks a column that rules need.
        """
        tables = {}
        for name, needed in NEEDED.items():
            file = results / tier / f"{name}.csv"
            found = published.frame(file)
            if found is None:
                continue
            tables[name] = found
            if missing := [column for column in needed.split() if column not in tables[name]]:
                raise ValueError(f"{file} lacks the column {', '.join(missing)}")
        return cls(tier, tables)

    def __post_init__(self) -> None:
        """Read empty cells of text columns as "", and give the ends of the hybrids study one name."""
        for name, table in self.tables.items():
            empty = {column: table[column].astype(object).fillna("") for column in TEXT if column in table}
            self.tables[name] = table.assign(**empty)
        runs = self.tables.get("runs")
        if runs is not None and len(runs):
            ends = runs["study"].eq("hybrids") & runs["arm"].isin(ENDS)
            self.tables["runs"] = runs.assign(arm=runs["arm"].where(~ends, runs["arm"].replace(ENDS)))

    def table(self, name: str) -> pd.DataFrame:
        return self.tables.get(name, pd.DataFrame())

    def runs(
        self,
        study: str,
        arms: list[str] | None = None,
        source: str | None = None,
        groups: list[str] | None = None,
        sweep: bool = False,
        tokens: str | None = None,
        statuses: tuple[str, ...] = ("finished",),
    ) -> pd.DataFrame:
        """Return the finished runs of a study, one row a run; learning-rate sweeps only with ``sweep``.

        ``tokens="common"`` keeps the training length that most runs have: a ladder is a law at one length only.
        A run that diverged is a failure, not a gap, where ``statuses`` asks for it. Raises NotTested, with the missing
        piece named, if nothing is left.
        """
        rows = self.table("runs")
        if not len(rows) or not (rows["study"] == study).any():
            raise NotTested(f"no runs of the study {study!r} in the tables of tier {self.tier!r}")
        rows = rows[(rows["study"] == study) & rows["status"].isin(statuses)]
        named = rows["group"].fillna("").astype(str)
        rows = rows[named.isin(groups)] if groups else rows[named.str.contains(SWEEP) == sweep]
        if source is not None:
            rows = rows[rows["source"] == source]
        if arms is not None:
            missing = [arm for arm in arms if not (rows["arm"] == arm).any()]
            if missing:
                where = f" on {source}" if source else ""
                raise NotTested(f"no finished runs of {', '.join(missing)} in the study {study!r}{where}")
            rows = rows[rows["arm"].isin(arms)]
        if tokens == "common" and len(rows):
            rows = rows[rows["tokens"] == rows["tokens"].mode().max()]
        if not len(rows):
            raise NotTested(f"no finished runs of the study {study!r} fit the rule")
        return rows.drop_duplicates("run_id").sort_values("run_id")

    def sources(self, study: str, arms: list[str], groups: list[str] | None = None) -> list[str]:
        """Return the corpora, controls apart, on which each of ``arms`` has finished runs, in alphabetical order."""
        rows = self.table("runs")
        if not len(rows):
            return []
        rows = rows[(rows["study"] == study) & (rows["status"] == "finished")]
        named = rows["group"].fillna("").astype(str)
        rows = rows[named.isin(groups)] if groups else rows[~named.str.contains(SWEEP)]
        asked = sorted(set(rows["source"]) - set(CONTROLS))
        return [source for source in asked if set(arms) <= set(rows[rows["source"] == source]["arm"])]

    def joined(self, name: str, runs: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        """Return the rows of a table that belong to ``runs`` of the same study, with ``columns`` of their run."""
        table = self.table(name)
        if not len(table):
            raise NotTested(f"no {name}.csv in the tables of tier {self.tier!r}")
        table = table[table["study"].isin(runs["study"].unique()) & table["run_id"].isin(runs["run_id"])]
        table = table.drop(columns=[c for c in columns if c in table]).merge(
            runs[["run_id", *columns]].drop_duplicates("run_id"), on="run_id"
        )
        if not len(table):
            raise NotTested(f"{name}.csv has no rows of the runs that the rule needs")
        return table


def with_sizes(rows: pd.DataFrame, same: float = SAME_SIZE) -> pd.DataFrame:
    """Add ``size``: the median parameters of the group of nearly equal non-embedding sizes a run belongs to."""
    order = rows.sort_values("params_non_embedding", kind="stable")
    n = order["params_non_embedding"].to_numpy(float)
    label = np.concatenate([[0], np.cumsum(n[1:] / n[:-1] > same)]) if len(n) else np.zeros(0)
    sizes = order.assign(_rung=label)
    sizes["size"] = sizes.groupby("_rung")["params_non_embedding"].transform("median")
    return sizes.drop(columns="_rung").sort_values("run_id")


def common_cells(rows: pd.DataFrame, arms: list[str], by: list[str], seeds: int) -> pd.DataFrame:
    """Keep the cells (``by`` and seed) that every arm has; raise NotTested below ``seeds`` paired seeds a cell."""
    wide = rows[rows["arm"].isin(arms)].groupby([*by, "seed", "arm"])["loss"].mean().unstack("arm")
    wide = wide.reindex(columns=arms).dropna()
    counts = wide.groupby(level=list(range(len(by)))).size() if len(wide) else pd.Series(dtype=int)
    good = counts[counts >= seeds].index
    if not len(good):
        most = int(counts.max()) if len(counts) else 0
        raise NotTested(f"{seeds} paired seeds of {' and '.join(arms)} are needed, the tables have {most}")
    return wide[[key in set(good) for key in wide.index.droplevel("seed")]]


def scope(rows: pd.DataFrame) -> str:
    """Return "at N in [7k, 332k], T in [256], tokens [1.0M], on almanac": the region a verdict speaks about."""
    parts = []
    for column, name in (("params_non_embedding", "N in"), ("seq_len", "T in"), ("tokens", "tokens")):
        values = rows[column].dropna() if column in rows else pd.Series(dtype=float)
        if len(values):
            ends = [short(float(values.min())), short(float(values.max()))]
            parts.append(f"{name} [{', '.join(dict.fromkeys(ends))}]")
    text = "at " + ", ".join(parts) if parts else ""
    for column, name in (("source", "on"), ("device", "device")):
        if column in rows and rows[column].notna().any():
            values = " and ".join(sorted(map(str, rows[column].dropna().unique())))
            text += f"{', ' if text else ''}{name} {values}"
    return text


def short(value: float) -> str:
    """Return 12345 as "12k" and 2.1e6 as "2.1M"."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.4g}"
