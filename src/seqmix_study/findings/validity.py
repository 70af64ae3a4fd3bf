"""The validity layer: what must hold before a row may decide anything. Every reason says what is wrong, in words.

``problems`` is asked once for every row, whatever the question: no estimator and no claim has guards of its own.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from seqmix_study.findings import detect
from seqmix_study.findings.effects import Effect
from seqmix_study.findings.questions import Question, Rules
from seqmix_study.findings.select import Sample, named, pick
from seqmix_study.findings.verdict import reads, side_of

# Columns in which both sides must be alike, and what they are called.
REGIME = {"device": "kind of device", "precision": "precision", "tokens": "number of tokens",
          "length": "window", "train_tokens": "amount of training text"}  # fmt: skip

# Optima that count: inside the rates that were tried, or predicted by a law and checked (its error is regret).
TUNED = ("interior", "law")

# Largest difference of the machine's load (in processes) within one comparison of seconds.
QUIET = 0.2


def problems(sample: Sample, effect: Effect, rules: Rules) -> list[str]:
    """Return why this row cannot decide: empty if it can."""
    question = sample.question
    found = [*_units(sample, rules), *_controls(sample), *_alike(sample)]
    if question.kind in ("time", "parallel"):
        found += _seconds(sample)
    if question.kind == "parallel":
        found += _threads(sample)
    if question.kind == "architecture" and rules.tuning == "required":
        found += _tuned(sample, effect)
    if effect.false_positive > rules.false_positives:
        found.append(f"the rule says yes in {effect.false_positive:.0%} of simulated worlds where it is wrong")
    return found


def _units(sample: Sample, rules: Rules) -> Iterator[str]:
    """Distinct seeds only: rows pasted twice are one unit. A group with a name is all of its arms, but for a share."""
    pooled = sample.question.estimator != "share" and {"corpus", "size", *REGIME}.issuperset(sample.question.per)
    for side, asked in zip(sample.sides, (sample.question.first, sample.question.second), strict=False):
        group = asked.where.get("arm", []) if pooled and asked.name and not asked.best_by else []
        if missing := [arm for arm in np.atleast_1d(group) if arm not in set(side.get("arm", ()))]:
            yield f"{asked.name}: no finished rows of {', '.join(missing[:3])}{' and more' * (len(missing) > 3)}"
        if "round" in side and "process" in side:
            continue  # the units of timings are interleaved rounds
        cells = sample.question.options.get("units") == "cells" or "seed" not in side
        seeds = len(side) if cells else side["seed"].nunique()
        if seeds < rules.seeds and sample.question.estimator not in ("argmin", "rank", "two_lines"):
            yield f"{named(asked)}: {seeds} distinct seed{'s' * (seeds != 1)}, {rules.seeds} are needed"


def _controls(sample: Sample) -> Iterator[str]:
    for where in sample.question.controls:
        if not len(pick(sample.around, where)):
            yield f"control missing: no finished rows of {', '.join(f'{k} {v}' for k, v in where.items())}"


def _alike(sample: Sample) -> Iterator[str]:
    """Both sides in the same regime: device, precision, text, window and tokens."""
    if sample.second is None:
        return
    free = {*sample.question.options.get("unlike", ()), sample.question.x}
    if sample.question.estimator in ("share", "time_to_solve") or not isinstance(sample.question.value, str):
        free.add("tokens")  # runs may stop early
    if "shift" in sample.first:
        free.add("precision")  # the interval is widened instead
    for column, word in REGIME.items():
        if column not in free and column in sample.first and column in sample.second:
            there = [set(side[column].dropna()) - {""} for side in sample.sides]
            if all(there) and there[0] != there[1]:
                yield f"the sides differ in {word}"


def _seconds(sample: Sample) -> Iterator[str]:
    """Seconds compare only within one version of the code, one machine, one number of threads, one load."""
    rows = sample.rows
    for column, word in (("commit", "versions of the code"), ("hardware", "machines"), ("threads", "thread counts")):
        if column in rows and rows[column].nunique() > 1:
            yield f"seconds of several {word} ({', '.join(sorted(map(str, rows[column].unique()))[:3])})"
    if "load" in rows and float(np.ptp(rows["load"])) > QUIET:
        yield "seconds under different loads of the machine"
    processes = [set(side["process"]) for side in sample.sides] if "process" in rows else []
    if len(processes) == 2 and not processes[0] & processes[1]:
        yield "seconds of different processes, whose load is not known"
    if sample.question.again is not None:
        yield from _same_twice(sample, pick(sample.around, sample.question.again.where))


def _same_twice(sample: Sample, again: pd.DataFrame) -> Iterator[str]:
    """The second side measured a second time must agree with itself within the margin."""
    keys = [c for c in ("process", "round", *sample.match) if c in again and c in sample.second]
    column = sample.question.value
    if not len(again) or not keys or not isinstance(column, str):
        yield "control missing: no model was timed twice"
        return
    gap = np.log(again.groupby(keys)[column].median() / sample.second.groupby(keys)[column].median()).dropna()
    off = abs(float(gap.median()))
    if len(gap) and off - 1.96 * float(gap.std()) / math.sqrt(len(gap)) > math.log1p(sample.question.margin):
        yield f"a noisy machine: the same model timed twice differs by a factor {math.exp(off):.2f}"


def _threads(sample: Sample) -> Iterator[str]:
    rows = sample.rows
    if "threads" not in rows:
        yield "the number of threads is not recorded: parallelism cannot be judged"
    elif (rows["threads"] <= 1).all() and ("device" not in rows or (rows["device"] == "cpu").all()):
        yield "one thread of one processor cannot judge parallelism"


def _tuned(sample: Sample, effect: Effect) -> Iterator[str]:
    """The loser (of an equality or a trend: both sides) needs an interior optimum of its own and a small regret."""
    question = sample.question
    half = question.margin / 2 if question.unit.startswith("nats") else 0.05  # in the unit of the loss
    allowed = float(question.options.get("regret", half))
    for side, asked in _to_be_tuned(sample, effect):
        arms = sorted(set(side["arm"].astype(str))) if "arm" in side else []
        who = f"not tuned: {', '.join(arms) if 0 < len(arms) < 4 else named(asked)}"
        if not {"sweep", "optimum"} & set(side):
            yield f"{who} (the table has no columns of a sweep)"
        elif "sweep" in side and side["sweep"].fillna("").isin(["", "none"]).any():
            yield f"{who} has no sweep of its own"
        elif "optimum" in side and (~side["optimum"].isin(TUNED)).any():
            word = "lies at the edge of its grid" if (side["optimum"] == "edge").any() else "is not known"
            yield f"{who}: its best learning rate {word}"
        elif not {"regret", "regret_hi"} & set(side):
            yield f"{who}: its regret is not known"
        elif (worst := float(side["regret" if "regret" in side else "regret_hi"].mean())) > allowed:
            yield f"{who}: regret {worst:.3g} is above half the margin"


def _to_be_tuned(sample: Sample, effect: Effect):
    question = sample.question
    pairs = list(zip(sample.sides, (question.first, question.second), strict=False))
    where = side_of(effect, question)
    if question.estimator not in ("difference", "ratio", "share", "time_to_solve") or where == "same":
        return pairs
    if len(pairs) == 1:  # what does well enough untuned does not need to be tuned
        does_well = "above" if question.better == "higher" or "at_least" in question.options else "below"
        return [] if where == does_well else pairs
    middle = 1.0 if effect.log else 0.5 if question.estimator == "time_to_solve" else 0.0
    lower_is_better = question.better == "lower" and question.estimator not in ("share", "time_to_solve")
    return pairs[:1] if (effect.estimate > middle) == lower_is_better else pairs[1:]


def power_of(effect: Effect, question: Question, rules: Rules) -> float:
    """Return the power of the row: the estimator's own, or that of its Student interval at the margin."""
    if math.isfinite(effect.power):
        return effect.power
    return detect.of_student(effect.se, effect.df, _beyond(effect, question), question.says, rules.level)


def _beyond(effect: Effect, question: Question) -> float:
    """How far beyond the threshold the effect lies for which the power is given, less what the regret takes."""
    margin = question.detect or question.margin
    return max((math.log1p(margin) if effect.log else margin) - max(effect.regret), 0.0)


def too_weak(effect: Effect, question: Question, rules: Rules) -> str:
    """Return why an open row could not have been decided, with what it would take; "" where it could."""
    power = power_of(effect, question, rules)
    if not power < rules.power or reads(side_of(effect, question), question.says) != "too close":
        return ""
    beyond = _beyond(effect, question)
    units = detect.needed(effect.se, effect.df, effect.n, beyond, question.says) if effect.se > 0 else None
    would = f"; about {units} units like these {effect.n} would" if units else ""
    return f"cannot be decided here: power {power:.0%} at {question.detect or question.margin:g} past the margin{would}"
