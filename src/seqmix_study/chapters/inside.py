"""Figures of the chapter that looks inside: does what a method highlights lie where the answer stands?

The synthetic source knows where the answer to every query was stated, so that highlights can be scored: the share of
queries whose first highlighted token is a true source (key or value of any earlier statement of the asked fact), and
the rise of the loss when highlighted tokens are replaced.
"""

import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, over_runs_and_blocks, over_seeds
from seqmix_study.chapters.context import comparable, measured
from seqmix_study.chapters.marks import label, lines_by_source, nothing, panels, rows_by_arm
from seqmix_study.chapters.style import GREY, order

__all__ = ["deletion", "sources_found", "swaps"]

METHODS = {
    "attention_best_head": "best attention head",
    "attention_mean": "mean attention",
    "rollout": "attention rollout",
    "gradient_x_input": "gradient × input",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
    "untrained": "gradient × input, untrained weights",
}


UNSCORED = {"right": "no query was answered rightly, so no method was scored", "all": "no query was asked"}


def scores(tables: Tables, asked: str = "right") -> pd.DataFrame:
    """Return arm, method, seed and one column a score; ``asked``: queries answered "right", or "all" of them."""
    rows = tables.inside
    runs = tables.main.drop_duplicates("run_id")
    if not len(rows) or not len(runs):
        return pd.DataFrame(columns=["source", "arm", "method", "seed", "recall_at_1", "deletion", "deletion_random"])
    rows = rows.drop(columns=[c for c in ("arm", "source", "seed") if c in rows])
    rows = rows.merge(runs[["run_id", "source", "arm", "seed"]], on="run_id")
    rows = rows[rows["score"].str.endswith(f"_{asked}")]
    rows = rows.assign(score=rows["score"].str.removesuffix(f"_{asked}"))
    keys = ["source", "arm", "method", "seed"]
    return rows.pivot_table(index=keys, columns="score", values="value").reset_index()


def _sorted(data: pd.DataFrame) -> pd.DataFrame:
    arms, methods = order(data["arm"]), list(METHODS)
    places = data["arm"].map(arms.index) * 100 + data["method"].map(methods.index)
    text = data["arm"].map(label) + ": " + data["method"].map(METHODS)
    return data.assign(name=text, place=places).sort_values("place").drop(columns="place").reset_index(drop=True)


def sources_found(tables: Tables, asked: str = "right") -> Drawn:
    """Share of queries whose first highlight is a true source, by architecture and method."""
    name, each = f"fig-inside-found-{asked}", scores(tables, asked)
    if not len(each):
        return nothing(name, UNSCORED[asked])
    data = _sorted(over_seeds(each, ["source", "arm", "method"], "recall_at_1"))
    figure = rows_by_arm(data, "share of queries whose first highlight is a true source (dashed: chance)")
    chance = float(each["chance"].mean())
    figure.axes[0].axvline(chance, color=GREY, lw=1, ls=(0, (4, 3)))
    figure.axes[0].set_xlim(-0.02, 1.02)
    said = "; ".join(f"{row.name} {row.mean:.2f}" for row in data.itertuples(index=False))
    which = "all queries" if asked == "all" else "the queries answered rightly"
    return Drawn(name, figure, data, f"Share of {which} whose first highlight is a true source. {said}.")


def deletion(tables: Tables, asked: str = "right") -> Drawn:
    """Rise of the loss when the two highlighted tokens are replaced, beside replacing two tokens anywhere."""
    name, each = "fig-inside-deletion", scores(tables, asked)
    if not len(each):
        return nothing(name, UNSCORED[asked])
    keys = ["source", "arm", "method"]
    data = _sorted(over_seeds(each, keys, "deletion"))
    blind = over_seeds(each, keys, "deletion_random")[[*keys, "mean"]].rename(columns={"mean": "anywhere"})
    data = data.merge(blind, on=keys)
    figure, (axis,) = panels(1, 8.6, max(2.2, 0.36 * len(data) + 1))
    rows_by_arm(data, "rise of the loss (nats): highlighted tokens replaced; cross: tokens anywhere", axis)
    axis.plot(data["anywhere"], range(len(data)), "x", color=GREY)
    axis.axvline(0, color="0.3", lw=1)
    said = "; ".join(f"{row.name} {row.mean:.2f} against {row.anywhere:.2f}" for row in data.itertuples(index=False))
    return Drawn(name, figure, data, f"Rise of the loss when highlighted tokens are replaced, or any. {said}.")


def swaps(tables: Tables) -> Drawn:
    """Rise of the new value's log probability when an earlier fact is changed, by its distance."""
    name, rows = f"fig-{tables.study}-swap", measured(tables, "swap", "value", comparable(tables))
    if not len(rows):
        return nothing(name, "no fact was swapped in this execution")
    data = over_runs_and_blocks(rows, ["source", "arm", "middle"], "loss")
    figure, axes, words = lines_by_source(data, "middle", "tokens since the fact", "rise of log p (nats)")
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
    alt = f"Rise of the log probability of a new value after an earlier fact was changed, by distance. {words}"
    return Drawn(name, figure, data.rename(columns={"middle": "distance"}), alt)


def contrast(each: pd.DataFrame, arm: str, first: str, second: str, score: str = "recall_at_1") -> pd.Series:
    """Return first minus second method of one arm, by seed."""
    wide = each[each["arm"] == arm].pivot_table(index="seed", columns="method", values=score)
    if first not in wide or second not in wide:
        return pd.Series(dtype=float)
    return (wide[first] - wide[second]).dropna()
