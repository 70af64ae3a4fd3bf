"""Deciders about time and memory, paired within the rounds of an interleaved measurement.

A regime is one mode, length, batch, device, precision and machine. Every general statement ("faster") is asked in every
regime; the sentence says where it holds and where not.
"""

import math

import numpy as np
import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings import growth
from seqmix_study.findings.decide_recall import median_interval
from seqmix_study.findings.decide_tables import SAME_SIZE, Evidence, short
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds, ordinary_slope

__all__ = ["advantage_grows", "complexity", "demo_share", "kernel_was", "peak_memory", "speed_ratio", "state_bytes"]

REGIME = ["mode", "length", "batch_size", "device", "hardware", "precision", "threads"]
MACHINE = ["device", "hardware", "precision", "threads"]
CONTROL = "_again"
"""End of the name of an arm that was timed a second time, to show the machine's noise."""

HELD_BYTES = 16
"""Weight, gradient and two moments in float32, bytes a parameter."""


def timings(evidence: Evidence, arms: list[str], modes: list[str], matched: bool = True) -> pd.DataFrame:
    """Return the timed calls of ``arms``; raises NotTested if one is missing or their sizes differ."""
    rows = evidence.table("speed")
    if not len(rows):
        raise NotTested(f"no speed.csv in the tables of tier {evidence.tier!r}")
    rows = rows[rows["mode"].isin(modes) & rows["arm"].isin(arms)]
    missing = [arm for arm in arms if not (rows["arm"] == arm).any()]
    missing += [mode for mode in modes if not (rows["mode"] == mode).any()]
    if missing:
        raise NotTested(f"speed.csv has no timings of {d.listing(missing)}")
    sizes = rows.groupby("arm")["params_non_embedding"].median()
    if matched and sizes.max() / sizes.min() > SAME_SIZE:
        raise NotTested(f"{d.listing(arms)} were not timed at matched parameters")
    return rows.assign(**{column: rows[column].fillna("") for column in REGIME if column in rows})


def where(rows: pd.DataFrame) -> str:
    """Return the scope of timings: sizes, lengths, batches and machines by name."""
    n, t = rows["params_non_embedding"], rows["length"]
    machines = " and ".join(sorted({f"{a} ({b})" for a, b in zip(rows["device"], rows["hardware"], strict=True)}))
    modes = d.listing(dict.fromkeys(rows["mode"]))
    return (
        f"at N in [{short(n.min())}, {short(n.max())}], T in [{short(t.min())}, {short(t.max())}], {modes}, "
        f"on {machines}"
    )


def per_token(cell: pd.DataFrame, arm: str) -> pd.Series:
    """Return ln(seconds a token) by round."""
    rows = cell[cell["arm"] == arm]
    return np.log(rows["seconds"] / rows["tokens"].clip(lower=1)).groupby(rows["repeat"]).median()


def regime_name(key: dict) -> str:
    return f"{key['mode']} at T = {int(key['length'])} ({key['device']})"


def unsteady(rows: pd.DataFrame, margin: float = 1.1) -> str:
    """Return what is wrong with the calls of a regime in which one model, timed twice, differs from itself."""
    for again in sorted(arm for arm in rows["arm"].unique() if arm.endswith(CONTROL)):
        gap = (per_token(rows, again) - per_token(rows, again.removesuffix(CONTROL))).dropna()
        if len(gap) >= 6:
            ratio, lo, hi = (math.exp(v) for v in median_interval(gap.to_numpy()))
            if lo > margin or hi < 1 / margin:
                return f"Held back: a noisy machine, the same model timed twice differs by a factor {ratio:.2f}."
    return ""


def speed_ratio(
    evidence: Evidence, faster: str, slower: str, modes: list[str], margin: float = 1.1, anywhere: bool = False
) -> Decision:
    """Is ``faster`` faster than ``slower`` by a factor above ``margin`` in every regime (or ``anywhere``: in one)?"""
    rows = timings(evidence, [faster, slower], modes)
    calls = dict(list(evidence.table("speed").groupby(REGIME)))
    parts = []
    for key, cell in rows.groupby(REGIME):
        gap = (per_token(cell, slower) - per_token(cell, faster)).dropna()
        if len(gap) < 6:
            continue
        ratio, lo, hi = (math.exp(v) for v in median_interval(gap.to_numpy()))
        name = regime_name(dict(zip(REGIME, key, strict=True)))
        text = f"{slower} takes {d.interval(ratio, lo, hi, 'times', 2)} as long as {faster}."
        verdict = d.directional(lo, hi, margin)
        if noise := unsteady(calls.get(key, cell)):
            verdict, text = d.CLOSE, f"{text} {noise}"
        parts.append(Decision(verdict, text, ratio, lo, hi, "ratio of times",
                              tuple(sorted(cell["run_id"].unique())), len(gap), where(cell), name))  # fmt: skip
    if not parts:
        raise NotTested("six or more interleaved rounds of both architectures are needed in one regime")
    parts.sort(key=lambda part: part.estimate, reverse=anywhere)
    return summary(parts, rows, anywhere)


def summary(parts: list[Decision], rows: pd.DataFrame, anywhere: bool = False) -> Decision:
    """Combine regimes: the verdict of all (or any), one sentence that says where it holds, fails and is open."""
    joined = d.any_of(parts) if anywhere else d.all_of(parts)
    groups = []
    for verdict, word in ((d.SUPPORTED, "holds"), (d.REFUTED, "fails"), (d.CLOSE, "is open")):
        names = [part.name for part in parts if part.verdict == verdict]
        if names:
            shown = "; ".join(names[:4]) + (f"; and {len(names) - 4} more" if len(names) > 4 else "")
            groups.append(f"{word} in {len(names)} of {len(parts)} regimes ({shown})")
    lead = next((part for part in parts if part.verdict == joined.verdict), parts[0])
    text = f"It {', '.join(groups)}. {lead.name}: {lead.sentence}"
    return Decision(**(vars(joined) | {"sentence": text, "scope": where(rows)}))


def advantage_grows(evidence: Evidence, faster: str, slower: str, mode: str, min_lengths: int = 3) -> Decision:
    """Does the advantage of ``faster`` grow with length? Slope of ln(time ratio a token) on ln T, a slope a round."""
    rows = timings(evidence, [faster, slower], [mode])
    parts = []
    for key, cell in rows.groupby(MACHINE):
        gaps = {t: per_token(c, slower) - per_token(c, faster) for t, c in cell.groupby("length")}
        wide = pd.DataFrame(gaps).dropna()
        if wide.shape[1] < min_lengths or len(wide) < 3:
            continue
        effect = of_seeds([ordinary_slope(np.log(wide.columns.to_numpy(float)), row) for row in wide.to_numpy()])
        text = (
            f"The time ratio {slower} to {faster} goes with the length to the power "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}."
        )
        parts.append(Decision(d.directional(effect.lo, effect.hi, 0.0), text, effect.estimate, effect.lo, effect.hi,
                              "power of the length", tuple(sorted(cell["run_id"].unique())), effect.seeds, where(cell),
                              f"{mode} ({key[0]})"))  # fmt: skip
    if not parts:
        raise NotTested(f"{min_lengths} lengths with three rounds each are needed")
    return d.all_of(parts)


def complexity(
    evidence: Evidence, arm: str, mode: str, low: float, high: float = math.inf, doublings: float = 4
) -> Decision:
    """Is the exponent of time in length between ``low`` and ``high`` over the last ``doublings`` of the length?

    Prefill: time of reading the whole sequence. Decode: time of one further token against the context. Where enough
    lengths were timed the share of the quadratic term at the longest is said too.
    """
    rows = timings(evidence, [arm], [mode], matched=False)
    parts = []
    for key, cell in rows.groupby(MACHINE):
        # one measurement can hold several batches: keep the one with the most lengths
        batch = cell.groupby("batch_size")["length"].nunique().idxmax()
        cell = cell[cell["batch_size"] == batch]
        wide = cell.pivot_table(index="length", columns="repeat", values="seconds", aggfunc="median").dropna(axis=1)
        if len(wide) < 3 or wide.shape[1] < 3:
            continue
        lengths, times = wide.index.to_numpy(float), wide.to_numpy()
        try:
            found = growth.exponent(lengths, times, doublings=doublings)
        except ValueError:
            continue
        inside = low < found["low"] and found["high"] < high
        outside = found["high"] < low or found["low"] > high
        verdict = d.SUPPORTED if inside else d.REFUTED if outside else d.CLOSE
        share = growth.two_terms(lengths, times, draws=200)["quadratic_share"][-1] if len(wide) >= 4 else None
        text = (
            f"The {mode} time of {arm} goes with the length to the power "
            f"{d.interval(found['exponent'], found['low'], found['high'], '', 2)} from T = "
            f"{found['lengths'][0]:.0f} to "
            f"{found['lengths'][1]:.0f}"
            + (f"; the quadratic term makes up {share['share']:.0%} of the longest." if share else ".")
        )
        parts.append(Decision(verdict, text, found["exponent"], found["low"], found["high"], "power of the length",
                              tuple(sorted(cell["run_id"].unique())), wide.shape[1], where(cell),
                              str(key[0])))  # fmt: skip
    if not parts:
        raise NotTested(f"three lengths within {doublings:g} doublings, three rounds each, are needed")
    return d.all_of(parts)


def _bytes(evidence: Evidence, arms: list[str], modes: list[str], total) -> pd.DataFrame:
    rows = timings(evidence, arms, modes)
    rows = rows.assign(bytes=total(rows))
    if not rows["bytes"].gt(0).all():
        raise NotTested("the table does not hold the bytes of these models")
    return rows


def _leaner(rows: pd.DataFrame, leaner: str, other: str, margin: float, what: str) -> Decision:
    """Bytes are counted, not sampled: the interval is the number itself."""
    parts = []
    for key, cell in rows.groupby(REGIME):
        sizes = cell.groupby("arm")["bytes"].median()
        if len(sizes) < 2:
            continue
        ratio = float(sizes[other] / sizes[leaner])
        name = regime_name(dict(zip(REGIME, key, strict=True)))
        verdict = d.SUPPORTED if ratio > margin else d.REFUTED
        text = f"{other} needs {ratio:.2f} times the {what} of {leaner}."
        parts.append(Decision(verdict, text, ratio, ratio, ratio, f"ratio of {what}",
                              tuple(sorted(cell["run_id"].unique())), 0, where(cell), name))  # fmt: skip
    if not parts:
        raise NotTested("no regime holds both architectures")
    return summary(sorted(parts, key=lambda part: part.estimate), rows)


def peak_memory(evidence: Evidence, leaner: str, other: str, mode: str = "train", margin: float = 1.1) -> Decision:
    """Does ``leaner`` train in less memory (weights, gradients, moments, and what the backward pass keeps)?"""
    total = lambda rows: rows["peak_bytes"] + HELD_BYTES * rows["params_non_embedding"]  # noqa: E731
    rows = _bytes(evidence, [leaner, other], [mode], total)
    if not rows["peak_bytes"].gt(0).all():
        raise NotTested("the table does not hold what the backward pass keeps")
    return _leaner(rows, leaner, other, margin, "training memory")


def state_bytes(evidence: Evidence, leaner: str, other: str, margin: float = 1.0) -> Decision:
    """Is the state that decoding keeps smaller, at every context length?"""
    rows = _bytes(evidence, [leaner, other], ["decode"], lambda rows: rows["state_bytes"])
    return _leaner(rows, leaner, other, margin, "decoding state")


def demo_share(evidence: Evidence, share: float, mode: str = "document_3") -> Decision:
    """Does the demonstration's Transformer layer take less than ``share`` of the LSTM's time, as printed?"""
    arms = ["transformer_as_written", "lstm_as_written"]
    rows = timings(evidence, arms, [mode], matched=False)
    parts = []
    for key, cell in rows.groupby(REGIME):
        gap = (per_token(cell, arms[0]) - per_token(cell, arms[1])).dropna()
        if len(gap) < 6:
            continue
        ratio, lo, hi = (math.exp(v) for v in median_interval(gap.to_numpy()))
        verdict = d.SUPPORTED if hi < share else d.REFUTED if lo > share else d.CLOSE
        text = f"The Transformer layer takes {d.interval(ratio, lo, hi, 'times', 2)} the LSTM's time."
        parts.append(Decision(verdict, text, ratio, lo, hi, "ratio of times", tuple(sorted(cell["run_id"].unique())),
                              len(gap), where(cell), regime_name(dict(zip(REGIME, key, strict=True)))))  # fmt: skip
    if not parts:
        raise NotTested("six or more interleaved rounds of the demonstration are needed")
    return summary(parts, rows)


def kernel_was(evidence: Evidence, groups: list[str], plain: str = "math") -> Decision:
    """Was the attention kernel of the repeated benchmark the plain one?"""
    rows = evidence.table("speed")
    rows = rows[rows["group"].isin(groups)] if "group" in rows else rows[:0]
    named = {str(k) for k in rows.get("kernel", pd.Series(dtype=str)).dropna()}
    known = {k for k in named if k in (plain, "flash", "efficient", "cudnn")}
    if not known:
        raise NotTested("the tables do not name the attention kernel that ran in the repeated benchmark")
    verdict = d.SUPPORTED if known == {plain} else d.REFUTED
    return Decision(verdict, f"Attention kernels that ran: {d.listing(sorted(known))}.", scope=where(rows))
