"""The context chapter in words, computed from its tables."""

import numpy as np

from seqmix_study.chapters.common import Tables, human, listing, over_runs_and_blocks, over_seeds, several
from seqmix_study.chapters.context import comparable, curves, increase, measured, plateaus, slopes
from seqmix_study.chapters.marks import label, labels
from seqmix_study.chapters.say import FEWEST_SEEDS, beats_unigram, interval, lowest, scope, sign
from seqmix_study.chapters.style import order
from seqmix_study.chapters.windows import carried_on, gaps
from seqmix_study.findings import context as analysis
from seqmix_study.findings.context import IMPROVES, TOLERANCE

__all__ = ["conclusions", "effective_length", "late", "limits", "plateau", "shuffling", "utilisation", "windows"]


def conclusions(tables: Tables) -> list[str]:
    """Say who predicts best at the shared size, corpus by corpus."""
    lines = [*scope(tables), *beats_unigram(tables)]
    for source, cell in comparable(tables).groupby("source"):
        size, window = human(cell["params_non_embedding"].median()), cell["seq_len"].max()
        lines += lowest(cell, f"On {source}, at {size} parameters and T = {window}")
    return lines


def few(seeds: int) -> str:
    """Return what models too few for an interval over seeds decide ("" for enough of them)."""
    return "" if seeds >= FEWEST_SEEDS else f"over windows only, {several(seeds, 'seed')}: not decided"


def late(tables: Tables, kind: str = "all") -> list[str]:
    """Say for every model whether its loss still falls over the last octave of the window."""
    lines, data = [], slopes(tables, kind)
    for (source, window), cell in data[data["arm"] != "Bayes"].groupby(["source", "seq_len"]):
        falls, flat, open_ = [], [], []
        for arm in order(cell["arm"]):
            for row in cell[cell["arm"] == arm].itertuples():
                name, flatness = f"{label(arm)} at {human(row.size)}", row.lo > -TOLERANCE and row.hi < TOLERANCE
                if row.n < FEWEST_SEEDS:
                    open_.append(f"{name} ({row.mean:.3f}, {several(row.n, 'seed')})")
                    continue
                name += f" ({interval(row.mean, row.lo, row.hi)})"
                (flat if flatness else falls if row.hi < IMPROVES else open_).append(name)
        kinds = (
            (falls, "the loss still falls for"),
            (flat, f"the loss is flat within {TOLERANCE} nats for"),
            (open_, "nothing is decided for"),
        )
        said = "; ".join(f"{text} {listing(names)}" for names, text in kinds if names)
        lines.append(f"On {source}, T = {window}, from the second quarter to the second half of the window {said}.")
    return lines or ["The loss by index was not measured in this execution."]


def plateau(tables: Tables) -> list[str]:
    """Say from which token index on each model's loss is certified to fall no further."""
    lines, data = [], plateaus(tables)
    for (source, window), cell in data.groupby(["source", "seq_len"]):
        sure, open_ = [], []
        for arm in order(cell["arm"]):
            for row in cell[cell["arm"] == arm].itertuples():
                index = row.estimate if row.n < FEWEST_SEEDS else row.index
                known = "not before the last octave" if np.isnan(index) else f"from {index:.0f} on"
                name = f"{label(arm)} at {human(row.size)} {known}"
                if row.n < FEWEST_SEEDS:
                    open_.append(f"{name} ({several(row.n, 'seed')})")
                else:
                    sure.append(name)
        said = f"On {source}, T = {window}, loss no more than {TOLERANCE} nats above that of the last octave"
        lines += [f"{said}, with 95 % confidence: {listing(sure)}."] if sure else []
        lines += [f"{said}, by mean and not decided: {listing(open_)}."] if open_ else []
    return lines or ["No plateau is looked for: that takes the loss by index in windows that are long enough."]


def utilisation(tables: Tables, kind: str = "value") -> list[str]:
    """Say which share of what there was to gain late in the window each model gained (where Bayes is known)."""
    shares: dict[tuple, list[str]] = {}
    for (source, window, arm, size), curve in curves(tables, "index", kind).items():
        found = analysis.utilisation(curve)
        if found["utilisation"] is None:
            known = np.isfinite(curve.floor).all()
            said = "no fall of the optimal loss is shown there" if known else "the optimal loss is not known"
        elif open_ := few(len(curve.seeds)):
            said = f"{found['utilisation']:.2f} ({open_})"
        else:
            said = interval(found["utilisation"], found["low"], found["high"], 2)
        shares.setdefault((source, window), []).append(f"{label(arm)} at {human(size)}: {said}")
    lines = [
        f"On {source}, T = {window}, late gain on {kind} tokens over that of the optimal predictor (1 is all of it): "
        f"{'; '.join(parts)}."
        for (source, window), parts in shares.items()
    ]
    return lines or [f"How much there was to gain is not known: no loss of {kind} tokens by index was measured here."]


def effective_length(tables: Tables) -> list[str]:
    """Say how many visible tokens bring each model within the tolerance of its loss with the whole window."""
    parts: dict[tuple, list[str]] = {}
    for (source, window, arm, size), curve in curves(tables, "truncate").items():
        found, open_ = analysis.effective_context(curve), few(len(curve.seeds))
        length = found["estimate" if open_ else "length"]
        whole = " (the whole window)" if length == window else ""
        parts.setdefault((source, window, open_), []).append(f"{label(arm)} at {human(size)} {length}{whole}")
    lines = []
    for (source, window, open_), names in parts.items():
        said = f"that lose less than {TOLERANCE} nats against the whole window ({open_ or 'with 95 % confidence'})"
        lines.append(f"On {source}, T = {window}, visible tokens {said}: {listing(names)}.")
    return lines or ["The loss with fewer visible tokens was not measured in this execution."]


def shuffling(tables: Tables) -> list[str]:
    """Say from where on the order of far tokens is of no measurable use."""
    rows, lines = increase(tables, "shuffle"), []
    if not len(rows):
        return ["What the order of far tokens is worth was not measured in this execution."]
    for source, cell in over_runs_and_blocks(rows, ["source", "arm", "visible"], "rise").groupby("source"):
        parts, open_ = [], {}
        for arm in order(cell["arm"]):
            here = cell[cell["arm"] == arm]
            used = here[here["lo"] > 0]["visible"]
            if said := few(here["n"].min()):
                open_.setdefault(said, []).append(arm)
            else:
                parts.append(f"{label(arm)} {f'beyond {int(used.max())} tokens' if len(used) else 'nowhere'}")
        text = f"On {source}, shuffling raises the loss, with an interval above zero, for: {listing(parts)}."
        lines += [text] if parts else []
        said = f"On {source}, rise of the loss by shuffling"
        lines += [f"{said} ({why}): {labels(arms)}." for why, arms in open_.items()]
    return lines


def windows(tables: Tables) -> list[str]:
    """Say how the gap to the Transformer changes with the training window, and who goes on beyond it."""
    lines, each = [], gaps(tables)
    for (source, arm), cell in each.groupby(["source", "arm"]):
        rows = over_seeds(cell, ["seq_len"], "gap").itertuples()
        parts = [
            f"{interval(row.mean, row.lo, row.hi)} at T = {row.seq_len} ({sign(row, 'below', 'above')})" for row in rows
        ]
        lines.append(
            f"On {source}, {label(arm)} minus {label('transformer')}, trained and evaluated on the same window, in "
            f"nats: {listing(parts)}."
        )
    if not lines:
        lines.append(
            f"Nothing is said about gaps on shorter windows: that takes the {label('transformer')} and another "
            "architecture, each trained on windows of several lengths of one corpus."
        )
    changes = over_seeds(carried_on(tables), ["source", "arm", "size", "seq_len", "read"], "change")
    for row in changes.itertuples():
        lines.append(
            f"On {row.source}, {label(row.arm)} at {human(row.size)}, trained at T = {row.seq_len} and read on to "
            f"{row.read} tokens: beyond its window minus its last octave {interval(row.mean, row.lo, row.hi)} nats "
            f"({sign(row, 'lower', 'higher')})."
        )
    return lines if len(changes) else [*lines, "No model was read on beyond the window of its training."]


def limits(tables: Tables) -> list[str]:
    """Say how long the windows of this execution are and how many tokens stand behind a point."""
    runs = tables.main
    if not len(runs):
        return ["No finished run is compared in this execution, so it shows nothing about context."]
    lines, read = [], carried_on(tables).groupby("source")["read"].max().to_dict()
    for source, cell in runs.groupby("source"):
        windows = listing(f"{length}" for length in sorted(cell["seq_len"].unique()))
        tokens = sorted({human(t) for t in cell["tokens"]}, key=len)
        lines.append(
            f"{source}: trained on windows of {windows} tokens, {listing(tokens)} training tokens a run; nothing here "
            f"speaks of text longer than {max(cell['seq_len'].max(), read.get(source, 0))} tokens."
        )
    count = measured(tables, "index").groupby(["run_id", "lo"])["count"].sum()
    if len(count):
        lines.append(
            f"The thinnest bin of the loss by index holds {human(count.min())} tokens a run, the widest "
            f"{human(count.max())}."
        )
    return lines
