"""Figures of the speed chapter: training, prefill and decoding against length; memory; ratios; the documents' demos.

One point is the median of interleaved calls with a bootstrap interval; ratios are formed within a round of the
interleaved schedule, so that a machine that slows down for a while slows both sides.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, listing, seconds
from seqmix_study.chapters.marks import (
    end_labels,
    label,
    labels,
    lines_by_source,
    log_axis,
    look,
    nothing,
    panels,
    relabel,
    rows_by_arm,
)
from seqmix_study.chapters.style import order
from seqmix_study.findings import crossover as analysis
from seqmix_study.findings.crossover import Crossover

__all__ = ["decode", "demo_lengths", "demo_table", "memory", "prefill", "ratios", "training"]

MODES = {"train": "training step", "prefill": "reading a text at once (prefill)", "decode": "one new token (decode)"}
AGAIN = "_again"
REFERENCE = "transformer"


def median_interval(values: np.ndarray, draws: int = 500, level: float = 0.95) -> tuple[float, float, float]:
    """Return the median of ``values`` [n] and its bootstrap interval."""
    values = np.asarray(values, float)
    pick = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    lo, hi = np.quantile(np.median(values[pick], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(np.median(values)), float(lo), float(hi)


def medians(rows: pd.DataFrame, value: str, by: list[str]) -> pd.DataFrame:
    """Return mean (here: the median), lo, hi and calls of ``value`` for every cell of ``by``."""
    out = []
    for key, cell in rows.groupby(by, sort=True):
        middle, lo, hi = median_interval(cell[value].to_numpy())
        out.append({**dict(zip(by, key, strict=True)), "mean": middle, "lo": lo, "hi": hi, "calls": len(cell)})
    return pd.DataFrame(out, columns=[*by, "mean", "lo", "hi", "calls"])


def timed(tables: Tables, mode: str, control: bool = False) -> pd.DataFrame:
    """Return the calls of one mode with seconds and tokens a second; the repeated arm only with ``control``."""
    rows = tables.speed
    rows = rows[rows["mode"] == mode] if len(rows) else rows
    if len(rows) and not control:
        rows = rows[~rows["arm"].str.endswith(AGAIN)]
    return rows.assign(rate=rows["tokens"] / rows["seconds"]) if len(rows) else rows


def _lines(tables: Tables, mode: str, name: str, value: str, xlabel: str, ylabel: str) -> Drawn:
    rows = timed(tables, mode)
    if not len(rows):
        return nothing(name, f"{MODES[mode]} was not timed")
    batch = sorted(rows["batch_size"].unique())
    rows = rows.assign(panel=f"{rows['device'].iloc[0]}, batch {human(batch[0])}" + (
        f" to {human(batch[-1])}" if len(batch) > 1 else ""))  # fmt: skip
    data = medians(rows, value, ["panel", "arm", "length"])
    ticks = sorted(data["length"].unique())
    figure, axes, _ = lines_by_source(data, "length", xlabel, ylabel, ticks=ticks, panel="panel")
    say = seconds if value == "seconds" else human
    words = []
    for axis in axes.values():
        axis.set_ylim(data["lo"].min() * 0.8, data["hi"].max() * 1.25)
        log_axis(axis, "y")
        relabel(axis, data, "length")
    for arm in order(data["arm"]):
        cell = data[data["arm"] == arm].sort_values("length")
        first, last = cell.iloc[0], cell.iloc[-1]
        words.append(f"{label(arm)} {say(first['mean'])} at {first['length']}, {say(last['mean'])} at {last['length']}")
    alt = f"{ylabel.capitalize()} against {xlabel}, both logarithmic, median of calls. {'; '.join(words)}."
    return Drawn(name, figure, data, alt)


def training(tables: Tables) -> Drawn:
    """Training tokens a second against sequence length, at equal tokens a step."""
    return _lines(tables, "train", "fig-speed-training", "rate", "sequence length (tokens)", "training tokens a second")


def prefill(tables: Tables) -> Drawn:
    """Seconds to read a text of a given length at once."""
    return _lines(tables, "prefill", "fig-speed-prefill", "seconds", "text length (tokens)", "seconds a text")


def decode(tables: Tables) -> Drawn:
    """Seconds for one new token after a given context."""
    return _lines(tables, "decode", "fig-speed-decode", "seconds", "context length (tokens)", "seconds a new token")


def paired_ratios(tables: Tables, mode: str, reference: str = REFERENCE) -> pd.DataFrame:
    """Return seconds of every arm over the reference's in the same round; columns arm, length, repeat, ratio."""
    rows = timed(tables, mode, control=True)
    if not len(rows) or reference not in set(rows["arm"]):
        return pd.DataFrame(columns=["arm", "length", "repeat", "ratio"])
    wide = rows.pivot_table(index=["length", "repeat"], columns="arm", values="seconds")
    ratio = wide.div(wide[reference], axis=0).drop(columns=reference)
    return ratio.stack().rename("ratio").reset_index()[["arm", "length", "repeat", "ratio"]]


def control(tables: Tables, mode: str) -> pd.DataFrame:
    """Return seconds of the model that was timed twice over its own in the same round (columns as paired_ratios)."""
    rows = timed(tables, mode, control=True)
    twice = sorted(rows.loc[rows["arm"].str.endswith(AGAIN), "arm"].unique()) if len(rows) else []
    found = []
    for arm in twice:
        each = paired_ratios(tables, mode, arm.removesuffix(AGAIN))
        found.append(each[each["arm"] == arm])
    return pd.concat(found) if found else pd.DataFrame(columns=["arm", "length", "repeat", "ratio"])


def by_round(tables: Tables, mode: str, arm: str) -> pd.DataFrame:
    """Return seconds of one arm, [lengths, rounds], of the rounds that are complete."""
    rows = timed(tables, mode)
    rows = rows[rows["arm"] == arm] if len(rows) else pd.DataFrame(columns=["length", "repeat", "seconds"])
    return rows.pivot_table(index="length", columns="repeat", values="seconds").dropna(axis=1)


def crossover(tables: Tables, mode: str, arm: str) -> Crossover | None:
    """Return the length at which ``arm`` and the reference take equal time; None with fewer than two lengths."""
    first, second = (by_round(tables, mode, name) for name in (arm, REFERENCE))
    if len(first) < 2 or not first.index.equals(second.index):
        return None
    names = (label(arm), label(REFERENCE))
    x, times = first.index.to_numpy(float), (first.to_numpy(), second.to_numpy())
    return analysis.crossover(x, *times, log_ratio=True, unit=" tokens", names=names)


def ratios(tables: Tables) -> Drawn:
    """Time of every architecture over the Transformer's, in training, prefill and decoding; the A/A control beside."""
    name, parts = "fig-speed-ratios", []
    for mode, text in MODES.items():
        each = paired_ratios(tables, mode)
        if len(each):
            parts.append(medians(each, "ratio", ["arm", "length"]).assign(panel=text, mode=mode))
    if not parts:
        return nothing(name, f"{label(REFERENCE)} was not timed here, so nothing is divided by its time")
    data = pd.concat(parts, ignore_index=True)
    figure, axes, words = lines_by_source(
        data, "length", "length (tokens)", f"time / {label(REFERENCE)}'s time", panel="panel"
    )
    for panel, axis in axes.items():
        here = data[data["panel"] == panel]
        axis.set_ylim(min(0.8, here["lo"].min() * 0.85), max(1.25, here["hi"].max() * 1.2))
        log_axis(axis, "y")
        axis.axhline(1, color="0.3", lw=1)
        relabel(axis, here, "length")
    again = REFERENCE + AGAIN
    twice = f"{label(again)} is the same model timed twice. " if again in set(data["arm"]) else ""
    alt = (
        f"Time of each architecture divided by that of {label(REFERENCE)} against length; above one is slower. "
        f"{twice}{words}"
    )
    return Drawn(name, figure, data, alt)


def memory(tables: Tables) -> Drawn:
    """Bytes of state a sequence while decoding, and bytes kept for the backward pass while training."""
    name, parts = "fig-speed-memory", []
    for mode, column, text in (
        ("decode", "state_bytes", "state while decoding (bytes a sequence)"),
        ("train", "peak_bytes", "kept for the backward pass (bytes a step)"),
    ):
        rows = timed(tables, mode)
        rows = rows[rows[column] > 0] if len(rows) else rows
        if len(rows):
            scale = rows["batch_size"] if column == "state_bytes" else 1
            cells = rows.assign(mean=rows[column] / scale).groupby(["arm", "length"])["mean"].first().reset_index()
            parts.append(cells.assign(lo=np.nan, hi=np.nan, panel=text))
    if not parts:
        return nothing(name, "no memory was recorded")
    data = pd.concat(parts, ignore_index=True)
    figure, axes, words = lines_by_source(data, "length", "length (tokens)", "bytes", panel="panel")
    for panel, axis in axes.items():
        here = data[data["panel"] == panel]
        axis.set_ylim(here["mean"].min() * 0.7, here["mean"].max() * 1.4)
        log_axis(axis, "y")
        relabel(axis, here, "length")
    return Drawn(
        name, figure, data.drop(columns=["lo", "hi"]), f"Bytes of state and of training memory by length. {words}"
    )


DEMOS = {"document_3": "document 3", "document_4": "document 4"}


def demo(tables: Tables) -> pd.DataFrame:
    """Return the timings of the documents' demonstrations: medians by document, arm and length."""
    rows = tables.speed
    rows = rows[rows["mode"].isin(DEMOS)] if len(rows) else rows
    if not len(rows):
        return pd.DataFrame(columns=["mode", "arm", "length", "params_non_embedding", "mean", "lo", "hi", "calls"])
    return medians(rows, "seconds", ["mode", "arm", "length", "params_non_embedding"])


def demo_table(tables: Tables) -> Drawn:
    """Every demonstration as it was written and redone with matched parameters, at its longest sequence."""
    name, data = "fig-speed-demos", demo(tables)
    if not len(data):
        return nothing(name, "the demonstrations were not timed")
    data = data[data["length"] == data.groupby("mode")["length"].transform("max")]
    size = data["params_non_embedding"].map(human)
    what = data["arm"].str.replace("_", " ") + ", " + size + ", T = " + data["length"].astype(str)
    data = data.assign(name=data["mode"].map(DEMOS) + ": " + what)
    figure = rows_by_arm(data, "seconds a call (median); beside the name: parameters, length", log=True)
    said = "; ".join(f"{row.name} {seconds(row.mean)}" for row in data.itertuples(index=False))
    return Drawn(name, figure, data, f"Time of the documents' demonstrations, as written and matched. {said}.")


def demo_lengths(tables: Tables) -> Drawn:
    """Document 4's benchmark against length: as written beside matched, causal and warmed up."""
    name, data = "fig-speed-benchmark", demo(tables)
    data = data[data["mode"] == "document_4"]
    if data["length"].nunique() < 2:
        return nothing(name, "document 4's benchmark was timed at fewer than two lengths")
    figure, (axis,) = panels(1)
    for arm in order(data["arm"]):
        cell = data[data["arm"] == arm].sort_values("length")
        shape = look(arm)
        style = "-" if arm.endswith("matched") else ":"
        axis.plot(cell["length"], cell["mean"], color=shape.colour, ls=style, marker=shape.marker)
        axis.fill_between(cell["length"], cell["lo"], cell["hi"], color=shape.colour, alpha=0.18, lw=0)
    log_axis(axis, "x", "sequence length (tokens)", data["length"].unique())
    log_axis(axis, "y", "seconds a call")
    last = data.sort_values("length").groupby("arm").last()
    end_labels(axis, [(row["length"], row["mean"], arm) for arm, row in last.iterrows()])
    ends = listing(f"{label(arm)} {seconds(row['mean'])}" for arm, row in last.iterrows())
    alt = f"Seconds a call against length for {labels(data['arm'])}. At the longest: {ends}."
    return Drawn(name, figure, data, alt)
