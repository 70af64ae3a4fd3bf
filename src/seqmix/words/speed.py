"""The speed chapter in words, computed from its tables."""

import re

import numpy as np

from seqmix.analysis import complexity
from seqmix.figures.common import Tables, human, listing, seconds, span
from seqmix.figures.draw import label, labels
from seqmix.figures.speed import AGAIN, MODES, REFERENCE, by_round, crossover, demo, medians, paired_ratios, timed
from seqmix.figures.style import order
from seqmix.words.common import interval, scope

__all__ = ["conclusions", "demos", "exponents", "limits", "state", "trust"]


def trust(tables: Tables) -> list[str]:
    """Say what the A/A control shows: how far a ratio can be off on this machine for no reason at all."""
    lines = scope(tables)
    for mode, text in MODES.items():
        each = paired_ratios(tables, mode)
        again = each[each["arm"] == REFERENCE + AGAIN]
        if not len(again):
            continue
        rows = medians(again, "ratio", ["length"])
        off = rows[(rows["lo"] > 1) | (rows["hi"] < 1)]
        worst = rows.loc[np.abs(np.log(rows["mean"])).idxmax()]
        said = f"noisy: at {len(off)} of {len(rows)} lengths the interval excludes one" if len(off) else "quiet"
        lines.append(
            f"{text.capitalize()}: the same model against itself differs by up to {abs(worst['mean'] - 1):.1%} "
            f"({said}); ratios closer to one than that mean nothing here."
        )
    return lines


def conclusions(tables: Tables) -> list[str]:
    """Say for every mode who is faster than the Transformer at which length, and where the order turns."""
    lines = []
    for mode, text in MODES.items():
        each = paired_ratios(tables, mode)
        for arm in order(a for a in each["arm"].unique() if not a.endswith(AGAIN)):
            rows = medians(each[each["arm"] == arm], "ratio", ["length"]).sort_values("length")
            faster = [str(int(r.length)) for r in rows.itertuples() if r.hi < 1]
            slower = [str(int(r.length)) for r in rows.itertuples() if r.lo > 1]
            parts = [f"faster at {listing(faster)}"] if faster else []
            parts += [f"slower at {listing(slower)}"] if slower else []
            lines.append(
                f"{text.capitalize()}, {label(arm)} against {label(REFERENCE)}: "
                f"{'; '.join(parts) or 'no difference is decided'}"
                f" ({rows['mean'].iloc[0]:.2f} of its time at {int(rows['length'].iloc[0])}, "
                f"{rows['mean'].iloc[-1]:.2f} at {int(rows['length'].iloc[-1])}). {_turn(tables, mode, arm)}"
            )
    return lines or ["Nothing was timed beside the Transformer in this execution."]


def _turn(tables: Tables, mode: str, arm: str) -> str:
    at = crossover(tables, mode, arm)
    if at is None:
        return ""
    text = at.text.replace("lower", "faster")
    text = re.sub(r"\d\.\d+e\+\d+", lambda number: human(round(float(number[0]))), text)
    return f"{text[0].upper()}{text[1:]}."


def exponents(tables: Tables) -> list[str]:
    """Say how prefill time grows with length: its exponent at the long end, and the share of the square term."""
    rows = timed(tables, "prefill")
    lines = []
    for arm in order(rows["arm"].unique()) if len(rows) else ():
        times = by_round(tables, "prefill", arm)
        if len(times) < 3 or times.shape[1] < 2:
            continue
        lengths, seconds_ = times.index.to_numpy(float), times.to_numpy()
        growth = complexity.exponent(lengths, seconds_, doublings=np.log2(lengths[-1] / lengths[-min(5, len(lengths))]))
        share = complexity.two_terms(lengths, seconds_)["quadratic_share"][-1]
        power = interval(growth["exponent"], growth["low"], growth["high"], 2)
        part = f"{share['share']:.0%} ({share['low']:.0%} to {share['high']:.0%})"
        lines.append(
            f"{label(arm)}: from {int(growth['lengths'][0])} to {int(growth['lengths'][1])} tokens, time grows as "
            f"length to the power {power}; the square term of a + bT + cT² holds {part} of the time at the longest."
        )
    return lines or ["Prefill was timed at fewer than three lengths: no growth is estimated."]


def state(tables: Tables) -> list[str]:
    """Say how the state kept while decoding depends on the length."""
    rows = timed(tables, "decode")
    lines = []
    for arm in order(rows["arm"].unique()) if len(rows) else ():
        cell = rows[rows["arm"] == arm].assign(each=lambda d: d["state_bytes"] / d["batch_size"])
        ends = cell.sort_values("length").groupby("length")["each"].first()
        same = ends.iloc[0] == ends.iloc[-1]
        grows = "at every length" if same else f"at {ends.index[0]} tokens, {human(ends.iloc[-1])} at {ends.index[-1]}"
        lines.append(f"{label(arm)} keeps {human(ends.iloc[0])} bytes a sequence {grows}.")
    return lines


def demos(tables: Tables) -> list[str]:
    """Say what the documents' demonstrations show as written, and redone with matched parameters and a causal mask."""
    data, lines = demo(tables), []
    for mode, cell in data.groupby("mode"):
        cell = cell[cell["length"] == cell["length"].max()].set_index("arm")
        for kind in ("as_written", "matched"):
            arms = [f"{family}_{kind}" for family in ("lstm", "transformer")]
            if not set(arms) <= set(cell.index):
                continue
            lstm, other = (cell.loc[arm] for arm in arms)
            lines.append(
                f"{mode.replace('_', ' ').capitalize()}, {kind.replace('_', ' ')}, T = {int(lstm['length'])}: LSTM "
                f"{seconds(lstm['mean'])} with {human(lstm['params_non_embedding'])} parameters, Transformer "
                f"{seconds(other['mean'])} with {human(other['params_non_embedding'])}: a factor of "
                f"{other['mean'] / lstm['mean']:.2f}."
            )
    return lines or ["The documents' demonstrations were not timed in this execution."]


def limits(tables: Tables) -> list[str]:
    """Say on what the clock ran, and what that leaves out."""
    rows = tables.speed
    if not len(rows):
        return ["Nothing was timed."]
    where = listing(
        sorted({f"{r.hardware} ({r.device}, {r.threads} threads, {r.precision})" for r in rows.itertuples()})
    )
    devices = rows["device"].unique()
    lines = [f"Timed on {where}; {rows.groupby('mode')['length'].max().max()} tokens at the longest."]
    if "cuda" not in devices:
        lines.append("No GPU was there: nothing is said about GPUs.")
    if "cpu" not in devices:
        lines.append("No CPU was timed: nothing is said about CPUs.")
    main = rows[rows["mode"].isin(MODES)]
    sizes = main.groupby("arm")["params_non_embedding"].first()
    lines.append(f"Models of {span(sizes)} parameters: {labels(_plain(sizes.index))}.")
    return lines


def _plain(arms) -> list[str]:
    return [arm for arm in arms if not arm.endswith(AGAIN)]
