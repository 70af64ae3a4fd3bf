"""Context rows of comparable runs: what the pictures of the chapter that looks inside still share."""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Tables

__all__ = ["comparable", "measured"]

ABOUT = ["source", "arm", "seed", "params_non_embedding", "seq_len"]
SAME_SIZE = 0.06
"""Sizes whose logarithms differ by less belong to one rung."""


def rung(sizes: pd.Series) -> pd.Series:
    """Return for every size the smallest size of its rung (matched models differ by a few percent)."""
    unique = np.sort(sizes.unique())
    start = np.concatenate([[True], np.diff(np.log(unique)) > SAME_SIZE]) if len(unique) else np.array([], bool)
    return sizes.map(
        dict(zip(unique, unique[np.maximum.accumulate(np.where(start, np.arange(len(unique)), 0))], strict=True))
    )


def comparable(tables: Tables) -> pd.DataFrame:
    """Return the runs that compare architectures: a corpus' longest window, and the rung that most of them share."""
    runs, kept = tables.main.drop_duplicates("run_id"), []
    for _, cell in runs.groupby("source"):
        cell = cell[cell["seq_len"] == cell["seq_len"].max()]
        at = rung(cell["params_non_embedding"])
        arms = cell.groupby(at)["arm"].nunique()
        kept.append(cell[at == arms[arms == arms.max()].index.max()])
    return pd.concat(kept) if kept else runs


def measured(tables: Tables, measure: str, kind: str = "all", runs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the context rows of one measure with what is needed of their runs; ``middle``: the bin's centre."""
    rows = tables.joined("context", ABOUT, comparable(tables) if runs is None else runs)
    if not len(rows):
        return rows.assign(middle=[], visible=[])
    rows = rows[(rows["measure"] == measure) & (rows["kind"] == kind)]
    return rows.assign(middle=np.sqrt(rows["lo"] * (rows["hi"] - 1)), visible=rows["lo"])
