"""The speed chapter in words, computed from its tables."""

import re

import numpy as np

from seqmix_study.chapters.common import Tables, human, listing, seconds, several, span
from seqmix_study.chapters.marks import label, labels
from seqmix_study.chapters.say import interval, scope
from seqmix_study.chapters.speed import (
    AGAIN,
    MODES,
    REFERENCE,
    by_round,
    control,
    crossover,
    demo,
    medians,
    paired_ratios,
    timed,
)
from seqmix_study.chapters.style import order
from seqmix_study.findings import growth as complexity

__all__ = ["conclusions", "demos", "exponents", "limits", "state", "trust"]

FEWEST_CALLS = 5
"""Timed calls below which no order is called decided: all of three fall on one side by chance too often."""


def trust(tables: Tables) -> list[str]:
    """Say what the A/A control shows: how far a ratio can be off on this machine for no reason at all."""
    lines, before = scope(tables), len(scope(tables))
    if not len(tables.speed):
        return ["Nothing was timed in this execution."]
    for mode, text in MODES.items():
        again = control(tables, mode)
        if not len(again):
            continue
        rows = medians(again, "ratio", ["length"])
        off = rows[(rows["lo"] > 1) | (rows["hi"] < 1)]
        name = labels(again["arm"].str.removesuffix(AGAIN))
        lines.append(
            f"{text.capitalize()}: {name} against itself is off by a factor of up to "
            f"{np.exp(noise(tables, mode)):.3f}; the interval excludes one at {len(off)} of "
            f"{several(len(rows), 'length')}. Ratios closer to one than that factor mean nothing here."
        )
    return lines if len(lines) > before else [*lines, "No model was timed twice here: how far noise goes is not known."]


def noise(tables: Tables, mode: str) -> float:
    """Return the largest |log ratio| of the model that was timed twice, 0 where there is none."""
    rows = medians(control(tables, mode), "ratio", ["length"])
    return float(np.abs(np.log(rows["mean"].astype(float))).max()) if len(rows) else 0.0


def conclusions(tables: Tables) -> list[str]:
    """Say for every mode who is faster than the Transformer at which length, and where the order turns."""
    lines = []
    for mode, text in MODES.items():
        each = paired_ratios(tables, mode)
        for arm in order(a for a in each["arm"].unique() if not a.endswith(AGAIN)):
            rows = medians(each[each["arm"] == arm], "ratio", ["length"]).sort_values("length")
            sides = {int(r.length): _side(r, noise(tables, mode)) for r in rows.itertuples()}
            said = [
                f"{text_} at {listing(length for length, side in sides.items() if side == value)}"
                for value, text_ in ((-1, "faster"), (1, "slower"), (0, "not decided"))
                if value in sides.values()
            ]
            ends = [f"{r['mean']:.2f} at {int(r['length'])}" for _, r in rows.iterrows()]
            lines.append(
                f"{text.capitalize()}, {label(arm)} against {label(REFERENCE)}: {'; '.join(said)} tokens. Its time is "
                f"that of {label(REFERENCE)} times {listing(dict.fromkeys((ends[0], ends[-1])))}."
                f"{_turn(tables, mode, arm, list(sides.values()))}"
            )
    why = "so no time is compared with that of"
    return lines or [f"No other architecture was timed beside {label(REFERENCE)}, {why} {label(REFERENCE)}."]


def _side(row, noise_: float) -> int:
    """Return -1 faster, 1 slower, 0 not decided: the interval must exclude one and the ratio exceed the noise."""
    if row.calls < FEWEST_CALLS or np.abs(np.log(row.mean)) <= noise_:
        return 0
    return -1 if row.hi < 1 else 1 if row.lo > 1 else 0


def _turn(tables: Tables, mode: str, arm: str, sides: list[int]) -> str:
    """Say at which length the order turns: only where both ends are decided, and differ."""
    if len(sides) < 2:
        return ""
    at = crossover(tables, mode, arm)
    if at is None or at.status != "crosses" or sides[0] * sides[-1] >= 0:
        return "" if {-1, 1} <= set(sides) else " No turn of the order is decided."
    text = re.sub(r"\d(?:\.\d+)?e\+\d+", lambda number: human(round(float(number[0]))), at.text)
    return f" {text}."


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
    return lines or ["Prefill was not timed at three lengths or more, in two rounds or more: no growth is estimated."]


def state(tables: Tables) -> list[str]:
    """Say how the state kept while decoding depends on the length."""
    rows = timed(tables, "decode")
    lines = []
    for arm in order(rows["arm"].unique()) if len(rows) else ():
        cell = rows[rows["arm"] == arm].assign(each=lambda d: d["state_bytes"] / d["batch_size"])
        ends = cell.sort_values("length").groupby("length")["each"].first()
        grows = f"at {ends.index[0]} tokens"
        if ends.nunique() > 1:
            grows += f", {human(ends.iloc[-1])} at {ends.index[-1]}"
        elif len(ends) > 1:
            grows = f"at every length from {ends.index[0]} to {ends.index[-1]} tokens"
        lines.append(f"{label(arm)} keeps {human(ends.iloc[0])} bytes a sequence {grows}.")
    return lines or ["Decoding was not timed in this execution, so no state is listed."]


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
                f"{seconds(other['mean'])} with {human(other['params_non_embedding'])}, which is "
                f"{other['mean'] / lstm['mean']:.2f} times the LSTM's (medians of "
                f"{several(min(lstm['calls'], other['calls']), 'call')})."
            )
    return lines or ["The documents' demonstrations were not timed in this execution."]


def limits(tables: Tables) -> list[str]:
    """Say on what the clock ran, and what that leaves out."""
    rows = tables.speed
    if not len(rows):
        return ["Nothing was timed."]
    where = listing(
        sorted({f"{r.hardware} ({r.device}, {several(r.threads, 'thread')}, {r.precision})" for r in rows.itertuples()})
    )
    devices = rows["device"].unique()
    lines = [f"Timed on {where}; {rows.groupby('mode')['length'].max().max()} tokens at the longest."]
    if "cuda" not in devices:
        lines.append("No GPU was timed: nothing is said about GPUs.")
    if "cpu" not in devices:
        lines.append("No CPU was timed: nothing is said about CPUs.")
    main = rows[rows["mode"].isin(MODES)]
    sizes = main.groupby("arm")["params_non_embedding"].first()
    if not len(sizes):
        return [*lines, "Only the documents' demonstrations were timed: no model of this study was."]
    calls = main.groupby(["mode", "arm", "length"]).size().min()
    lines.append(
        f"Models of {span(sizes)} parameters: {labels(_plain(sizes.index))}; {several(calls, 'call')} a point at the "
        "least."
    )
    return lines


def _plain(arms) -> list[str]:
    return [arm for arm in arms if not arm.endswith(AGAIN)]
