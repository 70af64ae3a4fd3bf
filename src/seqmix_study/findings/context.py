"""How much of its context does a model use? Curves over token index, visible tokens or swap distance.

Input: rows of ``context.csv`` (mean loss of a block of evaluation windows in a bin [lo, hi), and the count of tokens),
of one arm, one measure and one kind, with a ``seed`` column. Blocks are the same windows for every run, so differences
between runs are paired. Two errors are resampled: between seeds (multivariate t with the seeds' covariance over bins)
and between blocks (multinomial weights); their sum makes the intervals.
"""

import numpy as np
import pandas as pd


def loss_curve(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bins [bins, 2] (lo, hi), and sums of losses and counts of tokens, both [seeds, blocks, bins].

    Bins that a block has no token of (rare kinds) count zero. Raises ValueError where a seed has a bin and block twice
    or lacks some block.
    """
    bins = rows[["lo", "hi"]].drop_duplicates().sort_values("lo").to_numpy(float)
    sums = rows.assign(total=rows["loss"] * rows["count"])
    wide = sums.pivot(index=["seed", "block"], columns="lo", values=["total", "count"])
    wide = wide.reindex(pd.MultiIndex.from_product(wide.index.levels)).fillna(0.0)
    shape = (*map(len, wide.index.levels), len(bins))
    total, count = (wide[name].to_numpy(float).reshape(shape) for name in ("total", "count"))
    if (count.sum(2) == 0).any():
        raise ValueError("some seed lacks some block: runs were measured on different windows")
    return bins, total, count


def draws_of(
    total: np.ndarray, count: np.ndarray, groups: np.ndarray, draws: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of every group [groups] of bins and joint draws [draws, groups] of it under new seeds and new blocks.

    ``total`` and ``count``: those of ``loss_curve``; ``groups``: [groups, bins] of 0 and 1.
    """
    total, count = total @ groups.T, count @ groups.T
    generator = np.random.default_rng(0)
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
