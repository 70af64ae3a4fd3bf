"""How much of its context does a model use? Curves over token index, visible tokens, age or swap distance.

Input: rows of ``context.csv`` (mean loss of a block of evaluation windows in a bin [lo, hi), and the count of tokens),
of one arm, one measure and one kind, with a ``seed`` column. Blocks are the same windows for every run, so differences
between runs are paired. Two errors are resampled: between seeds (multivariate t with the seeds' covariance over bins)
and between blocks (multinomial weights); their sum makes the intervals.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Curve"]


@dataclass(frozen=True)
class Curve:
    """Sums of losses over tokens, [seeds, blocks, bins], with counts; bins by ``lo`` and ``hi``."""

    lo: np.ndarray
    hi: np.ndarray
    total: np.ndarray
    count: np.ndarray
    seeds: tuple

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> "Curve":
        """Build from context rows; raises ValueError naming what is missing or mixed.

        Bins that a block has no token of (rare kinds) count zero; a seed without some block is an error.
        """
        wanted = ["seed", "lo", "hi", "block", "loss", "count"]
        if missing := [c for c in wanted if c not in rows]:
            raise ValueError(f"context rows lack the column {', '.join(missing)}")
        if rows.empty:
            raise ValueError("no context rows")
        for column in ("measure", "kind", "arm"):
            if column in rows and rows[column].nunique(dropna=False) > 1:
                values = ", ".join(sorted(map(str, rows[column].unique())))
                raise ValueError(f"context rows mix several values of {column}: {values}")
        if rows.duplicated(["seed", "lo", "block"]).any():
            raise ValueError("context rows hold a seed, bin and block twice: select one size and one study")
        bins = rows[["lo", "hi"]].drop_duplicates().sort_values("lo")
        seeds, blocks = sorted(rows["seed"].unique()), sorted(rows["block"].unique())
        wide = rows.assign(total=rows["loss"] * rows["count"]).pivot(
            index=["seed", "block"], columns="lo", values=["total", "count"]
        )
        wide = wide.reindex(pd.MultiIndex.from_product([seeds, blocks])).fillna(0.0)
        total, count = (wide[name].to_numpy(float).reshape(len(seeds), len(blocks), -1) for name in ("total", "count"))
        if (count.sum(2) == 0).any():
            raise ValueError("some seed lacks some block: runs were measured on different windows")
        return cls(bins["lo"].to_numpy(float), bins["hi"].to_numpy(float), total, count, tuple(seeds))

    def draws(self, groups: np.ndarray, draws: int = 2000, rng: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Mean of every group [groups] of bins and joint draws [draws, groups] of it under new seeds and new blocks.

        ``groups``: [groups, bins] of 0 and 1.

        The same ``rng`` gives the same blocks and seeds, so draws of two quantities of one curve are paired.
        """
        total, count = self.total @ groups.T, self.count @ groups.T
        generator = np.random.default_rng(rng)
        seeds, blocks = count.shape[:2]
        per_seed = total.sum(1) / count.sum(1)
        estimate = per_seed.mean(0)
        weights = generator.multinomial(blocks, np.full(blocks, 1 / blocks), draws).astype(float)
        pooled_total, pooled_count = total.sum(0), count.sum(0)
        with np.errstate(invalid="ignore"):
            by_block = (weights @ pooled_total) / (weights @ pooled_count) - pooled_total.sum(0) / pooled_count.sum(0)
        out = estimate + by_block * np.sqrt(blocks / max(blocks - 1, 1))
        if seeds > 1:
            normal = generator.standard_normal((draws, seeds))
            chi = np.sqrt(generator.chisquare(seeds - 1, (draws, 1)) / (seeds - 1))
            out = out + (normal / chi) @ (per_seed - estimate) / np.sqrt(seeds * (seeds - 1))
        return estimate, out

    def octave(self) -> np.ndarray:
        """Bins of the last octave of the index, (T/2, T]: [1, bins]."""
        return (self.lo >= int(self.hi[-1] - 1) / 2 - 1e-9)[None].astype(float)
