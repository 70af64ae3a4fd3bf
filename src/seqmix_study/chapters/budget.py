"""Figures of the budget chapter: little and much training text, and what a loss costs in time and compute.

With little text the same steps repeat it, and a model that is trained too long gets worse: so the best held-out loss
along the way counts, as if every model had been stopped in time, and what is lost after it is shown apart.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, over_seeds
from seqmix_study.chapters.marks import labels, lines_by_source, nothing, relabel, trend
from seqmix_study.chapters.scaling import LOSS

__all__ = ["after_the_best", "by_text", "loss_against_seconds", "loss_by_repetition"]

TEXT = "training text (tokens, at most)"


def amounts(tables: Tables) -> pd.DataFrame:
    """Return the finished runs with ``text``, an upper bound of the distinct tokens they saw, and their best loss.

    ``text`` is what was offered, or the tokens read where these are fewer.
    """
    runs = tables.main.drop_duplicates("run_id")
    if not len(runs):
        return runs.assign(text=[], best=[], lost=[])
    given = runs["train_tokens"] if "train_tokens" in runs else pd.Series(0.0, runs.index)
    text = given.fillna(0).where(given.fillna(0) > 0, np.inf)
    best = runs["run_id"].map(tables.curves.groupby("run_id")["loss"].min()).fillna(runs["loss"])
    runs = runs.assign(text=np.minimum(text, runs["tokens"]), best=np.minimum(best, runs["loss"]))
    return runs.assign(lost=runs["loss"] - runs["best"], epochs=runs["tokens"] / runs["text"])


def by_seed(rows: pd.DataFrame, value: str, x: str = "text") -> pd.DataFrame:
    """Return the mean of ``value`` of every source, architecture, ``x`` and seed: a row a seed, for intervals."""
    return rows.groupby(["source", "arm", x, "seed"])[value].mean().reset_index()


def by_text(tables: Tables) -> Drawn:
    """Best held-out loss against the amount of distinct training text, at equal steps."""
    name, runs = "fig-budget-text", amounts(tables)
    if not len(runs):
        return nothing(name, "no finished run")
    data = over_seeds(by_seed(runs, "best"), ["source", "arm", "text"], "best")
    ticks, most = data["text"].unique(), runs[runs["text"] == runs.groupby("source")["text"].transform("max")]
    figure, _, words = lines_by_source(data, "text", TEXT, f"best {LOSS}", most, ticks=ticks)
    return Drawn(name, figure, data, f"Best held-out loss along training against {TEXT}. {words}")


def after_the_best(tables: Tables) -> Drawn:
    """What is lost when training goes on after the best held-out loss, by amount of text."""
    name, runs = "fig-budget-overfit", amounts(tables)
    if not len(runs):
        return nothing(name, "no finished run")
    data = over_seeds(by_seed(runs, "lost"), ["source", "arm", "text"], "lost")
    ticks = data["text"].unique()
    figure, axes, words = lines_by_source(data, "text", TEXT, "final minus best loss (nats)", ticks=ticks, digits=3)
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
    return Drawn(name, figure, data, f"Final minus best held-out loss against {TEXT}. {words}")


def loss_by_repetition(tables: Tables) -> Drawn:
    """Held-out loss through training with the least text and with all of it, side by side."""
    name, runs = "fig-budget-curves", amounts(tables)
    curves = tables.joined("curves", ["source", "arm", "seed", "text"], runs) if len(runs) else tables.curves.iloc[:0]
    if not len(curves):
        return nothing(name, "no loss curve was recorded")
    parts = []
    for source, cell in curves.groupby("source"):
        for amount in sorted({cell["text"].min(), cell["text"].max()}):
            some = by_seed(cell[cell["text"] == amount], "loss", "tokens")
            some = over_seeds(some, ["source", "arm", "tokens"], "loss")
            parts.append(some.assign(panel=f"{source}: text of at most {human(amount)} tokens"))
    data = pd.concat(parts)
    figure, axes, words = lines_by_source(data, "tokens", "training tokens seen", LOSS, panel="panel")
    low, high = min(axis.get_ylim()[0] for axis in axes.values()), max(axis.get_ylim()[1] for axis in axes.values())
    for panel, axis in axes.items():
        axis.set_ylim(low, high)
        relabel(axis, data[data["panel"] == panel], "tokens")
    return Drawn(name, figure, data, f"Held-out loss through training, with the least text and with the most. {words}")


def loss_against_seconds(tables: Tables, cost: str = "seconds") -> Drawn:
    """Held-out loss against the seconds (or flops) of training, with the most text."""
    name, runs = f"fig-budget-{cost}", amounts(tables)
    runs = runs[runs["text"] == runs.groupby("source")["text"].transform("max")] if len(runs) else runs
    curves = tables.joined("curves", ["source", "arm", "seed"], runs) if len(runs) else tables.curves.iloc[:0]
    if not len(curves):
        return nothing(name, "no loss curve was recorded")
    keys = ["source", "arm", "step"]
    each = curves.groupby([*keys, "seed"])["loss"].mean().reset_index()
    data = over_seeds(each, keys, "loss").merge(curves.groupby(keys)[cost].mean().reset_index(), on=keys)
    text = {"seconds": "seconds of training", "flops": "training FLOPs"}[cost]
    figure, _, _ = lines_by_source(data, cost, text, LOSS, runs)
    groups = data.groupby(["source", "arm"])
    words = "; ".join(f"on {source}, {trend(cell, cost, arm)}" for (source, arm), cell in groups)
    return Drawn(name, figure, data, f"Held-out loss against {text}, for {labels(data['arm'])}: {words}.")


def gap_by_text(tables: Tables, arm: str, reference: str = "transformer") -> pd.DataFrame:
    """Return best loss of ``arm`` minus the reference's, by source, text and seed (columns ..., gap)."""
    runs = amounts(tables)
    if not len(runs):
        return pd.DataFrame(columns=["source", "text", "seed", "gap"])
    wide = runs.pivot_table(index=["source", "text", "seed"], columns="arm", values="best")
    if arm not in wide or reference not in wide:
        return pd.DataFrame(columns=["source", "text", "seed", "gap"])
    return (wide[arm] - wide[reference]).dropna().rename("gap").reset_index()
