"""The context chapter in words, computed from its tables."""

import pandas as pd

from seqmix.figures.common import Tables, human, listing, over_runs_and_blocks
from seqmix.figures.context import comparable, increase, measured, rung, slopes
from seqmix.figures.draw import label
from seqmix.figures.style import order
from seqmix.words.common import beats_unigram, interval, lowest, scope

__all__ = ["conclusions", "effective_length", "late", "limits", "shuffling", "utilisation"]

DELTA = 0.02
"""Nats below which a difference in loss counts as none (METHOD of the study, set before the results)."""


def conclusions(tables: Tables) -> list[str]:
    """Say who predicts best at the shared size, corpus by corpus."""
    lines = [*scope(tables), *beats_unigram(tables)]
    for source, cell in comparable(tables).groupby("source"):
        size, window = human(cell["params_non_embedding"].median()), cell["seq_len"].max()
        lines += lowest(cell, f"On {source}, at {size} parameters and T = {window}")
    return lines


def _late(tables: Tables, kind: str, octave: int = 0) -> pd.DataFrame:
    each = slopes(tables, kind=kind, octave=octave)
    if not len(each):
        return pd.DataFrame(columns=["source", "seq_len", "arm", "size", "mean", "lo", "hi", "n"])
    each = each.assign(size=rung(each["params_non_embedding"]))
    return over_runs_and_blocks(each, ["source", "seq_len", "arm", "size"], "change")


def late(tables: Tables, kind: str = "all") -> list[str]:
    """Say for every model whether its loss still falls over the last octave of the window."""
    lines = []
    what = "" if kind == "all" else f" ({kind} tokens)"
    for (source, window), cell in _late(tables, kind).groupby(["source", "seq_len"]):
        falls, flat, open_ = [], [], []
        for arm in order(cell["arm"]):
            for row in cell[cell["arm"] == arm].itertuples():
                name = f"{label(arm)} at {human(row.size)} ({interval(row.mean, row.lo, row.hi)})"
                flatness = row.lo > -DELTA and row.hi < DELTA
                (falls if row.hi < 0 and not flatness else flat if flatness else open_).append(name)
        text = f"On {source}, T = {window}, from the second quarter to the second half of the window{what}"
        for names, said in (
            (falls, "the loss still falls for"),
            (flat, f"the loss is flat within {DELTA} nats for"),
            (open_, "nothing is decided for"),
        ):
            text += f"; {said} {listing(names)}" if names else ""
        lines.append(f"{text}.")
    return lines


def utilisation(tables: Tables, kind: str = "value") -> list[str]:
    """Say which share of what there was to gain late in the window each model gained (where Bayes is known)."""
    lines = []
    best = slopes(tables, "bayes", kind)
    if not len(best):
        return ["No corpus of this execution knows its optimal loss, so how much was left to gain is not known."]
    truth = over_runs_and_blocks(best, ["source", "seq_len"], "change").set_index(["source", "seq_len"])
    for (source, window), cell in _late(tables, kind).groupby(["source", "seq_len"]):
        if (source, window) not in truth.index:
            continue
        bayes = truth.loc[(source, window)]
        if bayes["hi"] > -DELTA:
            lines.append(f"On {source}, T = {window}, there is nothing left to gain late: every model must be flat.")
            continue
        shares = []
        for row in cell.itertuples():
            share = [value / bayes["mean"] for value in (row.mean, row.hi, row.lo)]
            shares.append(f"{label(row.arm)} at {human(row.size)} {interval(*share, digits=2)}")
        lines.append(
            f"On {source}, T = {window}, the optimal predictor gains {-bayes['mean']:.3f} nats on {kind} tokens over "
            f"the last octave; share gained (1 is all of it): {listing(shares)}."
        )
    return lines


def effective_length(tables: Tables) -> list[str]:
    """Say how many visible tokens bring each model within DELTA of its loss with the whole window."""
    rows = increase(tables, "truncate")
    if not len(rows):
        return []
    summary = over_runs_and_blocks(rows, ["source", "arm", "visible"], "rise")
    lines = []
    for source, cell in summary.groupby("source"):
        parts = []
        for arm in order(cell["arm"]):
            inside = cell[(cell["arm"] == arm) & (cell["hi"] < DELTA)]["visible"]
            top = cell[cell["arm"] == arm]["visible"].max()
            reach = inside.min()
            parts.append(f"{label(arm)} {int(reach)}" + (" (the whole window)" if reach == top else ""))
        lines.append(
            f"On {source}, visible tokens that come within {DELTA} nats of the whole window: {listing(parts)}."
        )
    return lines


def shuffling(tables: Tables) -> list[str]:
    """Say from where on the order of far tokens is of no measurable use."""
    rows = increase(tables, "shuffle")
    if not len(rows):
        return []
    lines = []
    for source, cell in over_runs_and_blocks(rows, ["source", "arm", "visible"], "rise").groupby("source"):
        parts = []
        for arm in order(cell["arm"]):
            used = cell[(cell["arm"] == arm) & (cell["lo"] > 0)]["visible"]
            parts.append(f"{label(arm)} {f'beyond {int(used.max())} tokens' if len(used) else 'nowhere'}")
        lines.append(f"On {source}, shuffling raises the loss, with an interval above zero, for: {listing(parts)}.")
    return lines


def limits(tables: Tables) -> list[str]:
    """Say how long the windows of this execution are and how many tokens stand behind a point."""
    runs = tables.main
    if not len(runs):
        return []
    lines = []
    for source, cell in runs.groupby("source"):
        windows = listing(f"{length}" for length in sorted(cell["seq_len"].unique()))
        tokens = sorted({human(t) for t in cell["tokens"]}, key=len)
        lines.append(
            f"{source}: windows of {windows} tokens, {listing(tokens)} training tokens; nothing here speaks of longer "
            "text."
        )
    count = measured(tables, "index").groupby(["run_id", "lo"])["count"].sum()
    if len(count):
        lines.append(
            f"The thinnest bin of the loss by index holds {human(count.min())} tokens a run, the widest "
            f"{human(count.max())}."
        )
    return lines
