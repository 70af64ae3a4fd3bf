"""The context chapter in words, computed from its tables."""

import numpy as np

from seqmix.analysis import context as analysis
from seqmix.analysis.context import IMPROVES, TOLERANCE
from seqmix.figures.common import Tables, human, listing, over_runs_and_blocks, over_seeds
from seqmix.figures.context import comparable, curves, increase, measured, plateaus, slopes
from seqmix.figures.draw import label
from seqmix.figures.style import order
from seqmix.figures.windows import carried_on, gaps
from seqmix.words.common import FEWEST_SEEDS, beats_unigram, interval, lowest, scope

__all__ = ["conclusions", "effective_length", "late", "limits", "plateau", "shuffling", "utilisation", "windows"]


def conclusions(tables: Tables) -> list[str]:
    """Say who predicts best at the shared size, corpus by corpus."""
    lines = [*scope(tables), *beats_unigram(tables)]
    for source, cell in comparable(tables).groupby("source"):
        size, window = human(cell["params_non_embedding"].median()), cell["seq_len"].max()
        lines += lowest(cell, f"On {source}, at {size} parameters and T = {window}")
    return lines


def late(tables: Tables, kind: str = "all") -> list[str]:
    """Say for every model whether its loss still falls over the last octave of the window."""
    lines, data = [], slopes(tables, kind)
    for (source, window), cell in data[data["arm"] != "Bayes"].groupby(["source", "seq_len"]):
        falls, flat, open_ = [], [], []
        for arm in order(cell["arm"]):
            for row in cell[cell["arm"] == arm].itertuples():
                name = f"{label(arm)} at {human(row.size)} ({interval(row.mean, row.lo, row.hi)})"
                flatness = row.lo > -TOLERANCE and row.hi < TOLERANCE
                (flat if flatness else falls if row.hi < IMPROVES else open_).append(name)
        text = f"On {source}, T = {window}, from the second quarter to the second half of the window"
        for names, said in (
            (falls, "the loss still falls for"),
            (flat, f"the loss is flat within {TOLERANCE} nats for"),
            (open_, "nothing is decided for"),
        ):
            text += f"; {said} {listing(names)}" if names else ""
        lines.append(f"{text}.")
    return lines


def plateau(tables: Tables) -> list[str]:
    """Say from which token index on each model's loss is certified to be flat."""
    lines, data = [], plateaus(tables)
    for (source, window), cell in data.groupby(["source", "seq_len"]):
        parts = []
        for arm in order(cell["arm"]):
            for row in cell[cell["arm"] == arm].itertuples():
                known = "not before the last octave" if np.isnan(row.index) else f"from {row.index:.0f} on"
                parts.append(f"{label(arm)} at {human(row.size)} {known}")
        said = f"flat within {TOLERANCE} nats of the last octave, with 95 % confidence"
        lines.append(f"On {source}, T = {window}, {said}: {listing(parts)}.")
    return lines


def utilisation(tables: Tables, kind: str = "value") -> list[str]:
    """Say which share of what there was to gain late in the window each model gained (where Bayes is known)."""
    shares: dict[tuple, list[str]] = {}
    for (source, window, arm, size), curve in curves(tables, "index", kind).items():
        found = analysis.utilisation(curve)
        if found["utilisation"] is None:
            said = found["text"]
        else:
            said = interval(found["utilisation"], found["low"], found["high"], 2)
        shares.setdefault((source, window), []).append(f"{label(arm)} at {human(size)}: {said}")
    lines = [
        f"On {source}, T = {window}, late gain on {kind} tokens over that of the optimal predictor (1 is all of it): "
        f"{'; '.join(parts)}."
        for (source, window), parts in shares.items()
    ]
    return lines or ["No corpus of this execution knows its optimal loss, so how much was left to gain is not known."]


def effective_length(tables: Tables) -> list[str]:
    """Say how many visible tokens bring each model within the tolerance of its loss with the whole window."""
    parts: dict[tuple, list[str]] = {}
    for (source, window, arm, size), curve in curves(tables, "truncate").items():
        found = analysis.effective_context(curve)
        whole = " (the whole window)" if found["length"] == window else ""
        parts.setdefault((source, window), []).append(f"{label(arm)} at {human(size)} {found['length']}{whole}")
    said = f"visible tokens that are certified to lose less than {TOLERANCE} nats against the whole window"
    return [f"On {source}, T = {window}, {said}: {listing(names)}." for (source, window), names in parts.items()]


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


def windows(tables: Tables) -> list[str]:
    """Say how the gap to the Transformer changes with the training window, and who goes on beyond it."""
    lines, each = [], gaps(tables)
    for (source, arm), cell in each.groupby(["source", "arm"]):
        rows = over_seeds(cell, ["seq_len"], "gap").itertuples()
        parts = [f"{interval(row.mean, row.lo, row.hi)} at T = {row.seq_len}" for row in rows]
        lines.append(
            f"On {source}, {label(arm)} minus {label('transformer')}, trained and evaluated on the same window, in "
            f"nats: {listing(parts)}."
        )
    changes = over_seeds(carried_on(tables), ["source", "arm", "seq_len", "read"], "change")
    for row in changes.itertuples():
        clear = row.n >= FEWEST_SEEDS and (row.hi < 0 or row.lo > 0)
        said = ("lower" if row.mean < 0 else "higher") if clear else "not decided"
        lines.append(
            f"On {row.source}, {label(row.arm)} trained at T = {row.seq_len} and read on to {row.read} tokens: beyond "
            f"its window minus its last octave {interval(row.mean, row.lo, row.hi)} nats ({said})."
        )
    return lines or ["All models of this execution were trained on one window length."]


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
