"""Whatever an execution leaves out, no sentence says more than its tables: subsets of arms, seeds, sizes, corpora."""

import functools
import importlib
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import synthetic_tables
from seqmix_study.chapters import budget, hybrids
from seqmix_study.chapters import say as common
from seqmix_study.chapters.common import Tables
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.style import LOOKS
from seqmix_study.chapters.words import cards, speed
from test_figures import FIGURES, STUDIES

CHAPTERS = ("recall", "hybrids", "speed", "budget", "context", "inside", "scaling")
VARIANTS = 12
DRAWN = 1
"""Subsets for which every figure is drawn (slow); the sentences are read for all."""
BY_RUN = ("curves", "context", "recall", "inside")

ODD = re.compile(
    r"(?<![\w.,])1 (?:\w+ )?(runs|seeds|sizes|steps|stacks|lengths|models|ways|calls|threads|pairs|layers|rates|points|"
    r"counts|claims|queries|rounds|measurements)\b|\bnan\b|\binf\b|\bNone\b|  |\(\)|\.\.(?!\.)|, \."
)
DECIDED = re.compile(
    r"excludes zero\b|\((above|below|lower|higher|more|less|decided)\)|of the others is one of|t-tests"
    r"|order turns along|a fall|a rise|a U:|gains \d"
    r"|still falls|is flat|95 % confidence|interval above zero"
)
FASTER = re.compile(r"faster at|slower at|overtakes")
MISSING = re.compile(r"\b(no|not|nothing|none|fewer)\b", re.IGNORECASE)
KNOWN = [*LOOKS, *(f"hybrid_{count}" for count in range(13)), "hybrid_12_conv", "hybrid_0_noconv"]


@functools.cache
def whole(study: str) -> dict[str, pd.DataFrame]:
    more = dict(STUDIES[study]) | ({} if study == "speed" else {"seeds": 3})
    return synthetic_tables.tables(study, **more)


def some(rng: np.random.Generator, values) -> list:
    values = sorted(set(values))
    return list(rng.choice(values, rng.integers(1, len(values) + 1), replace=False))


@functools.cache
def subset(study: str, number: int) -> Tables:
    """A study as some request would leave it: some arms, 1 to 3 seeds, some sizes and corpora, at either tier."""
    rng, frames = np.random.default_rng([number, *study.encode()]), dict(whole(study))
    runs, timed = frames["runs"], frames["speed"]
    if len(runs):
        kept = runs[runs["seed"] < rng.integers(1, 4)]
        for column in ("arm", "source", "params_non_embedding", "seq_len", "tokens"):
            if rng.random() < (1 if column == "arm" else 0.4):
                kept = kept[kept[column].isin(some(rng, kept[column]))]
        frames["runs"] = kept
        ids = set(kept["run_id"])
        frames |= {name: frames[name][frames[name]["run_id"].isin(ids)] for name in BY_RUN}
    if len(timed):
        arms = some(rng, timed["arm"].str.removesuffix("_again"))
        kept = timed[timed["arm"].str.removesuffix("_again").isin(arms)]
        kept = kept[kept["length"].isin(some(rng, kept["length"])) & (kept["repeat"] < rng.integers(1, 9))]
        frames["speed"] = kept[kept["mode"].isin(some(rng, kept["mode"]))]
    return Tables.of(study, ("quick", "laptop")[number % 2], frames)


@functools.cache
def sentences(study: str, number: int) -> dict[str, list[str]]:
    module = importlib.import_module(f"seqmix_study.chapters.words.{study}")
    return {name: getattr(module, name)(subset(study, number)) for name in module.__all__}


CASES = pytest.mark.parametrize(("study", "number"), [(s, n) for s in CHAPTERS for n in range(VARIANTS)])


@CASES
def test_every_part_says_something_in_whole_sentences(study, number):
    for name, lines in sentences(study, number).items():
        assert lines, f"{name} has nothing to say, and the page would call the tables empty"
        for line in lines:
            assert line.endswith(".")
            assert not (found := ODD.search(line)), f"{name}: {found[0]!r} in {line}"


@CASES
def test_no_absent_architecture_is_named_unless_it_is_called_missing(study, number):
    tables = subset(study, number)
    arms = {arm for frame in (tables.runs, tables.speed) for arm in (frame["arm"] if len(frame) else ())}
    present = sorted((label(arm) for arm in arms), key=len, reverse=True)
    absent = [label(arm) for arm in KNOWN if not any(text.startswith(label(arm)) for text in present)]
    for name, lines in sentences(study, number).items():
        for line in lines:
            if name == "demos" or MISSING.search(line):
                continue
            for text in present:
                line = line.replace(text, "")
            assert not [text for text in absent if re.search(rf"\b{re.escape(text)}", line)], f"{name}: {line}"


@CASES
def test_fewer_than_three_seeds_decide_nothing(study, number):
    tables = subset(study, number)
    if study == "speed" or tables.runs["seed"].nunique() >= common.FEWEST_SEEDS:
        return
    said = [line for lines in sentences(study, number).values() for line in lines]
    assert not [line for line in said if DECIDED.search(line)]


@pytest.mark.parametrize("repeats", [1, 2, 3, 4, 8])
def test_a_few_timed_calls_decide_no_order(repeats):
    frames = whole("speed")
    tables = Tables.of("speed", "laptop", frames | {"speed": frames["speed"][frames["speed"]["repeat"] < repeats]})
    decided = [line for line in speed.conclusions(tables) if FASTER.search(line)]
    assert bool(decided) == (repeats >= speed.FEWEST_CALLS)


def test_a_ratio_within_the_noise_of_the_clock_is_no_difference():
    frames = whole("speed")
    rows = frames["speed"]
    noisy = rows.assign(seconds=rows["seconds"].where(rows["arm"] != "transformer_again", rows["seconds"] * 50))
    tables = Tables.of("speed", "laptop", frames | {"speed": noisy})
    assert not [line for line in speed.conclusions(tables) if FASTER.search(line)]


@pytest.mark.parametrize(("study", "name"), [pair for pair in FIGURES if pair[0] in CHAPTERS])
def test_a_figure_counts_seeds_and_describes_what_is_there(study, name):
    for number in range(DRAWN):
        tables = subset(study, number)
        drawn = getattr(importlib.import_module(f"seqmix_study.chapters.{study}"), name)(tables)
        plt.close(drawn.figure)
        assert not (found := re.search(r"\bnan\b|\binf\b", drawn.alt)), f"{found[0]} in {drawn.alt}"
        if "n" in drawn.data:
            assert drawn.data["n"].max() <= tables.runs["seed"].nunique()


def test_runs_that_read_no_more_than_a_cut_text_are_no_further_seeds():
    frames = synthetic_tables.tables("budget", seeds=1)
    tables = Tables.of("budget", "quick", frames | {"runs": frames["runs"].assign(tokens=8192.0)})
    for draw in (budget.by_text, budget.after_the_best, budget.loss_by_repetition, budget.loss_against_seconds):
        drawn = draw(tables)
        plt.close(drawn.figure)
        assert set(drawn.data["n"]) == {1}


def test_two_seeds_separate_no_stack():
    runs = hybrids.stacks(Tables.of("hybrids", "laptop", whole("hybrids")))
    assert len(hybrids.separable(runs)["set"]) < runs["arm"].nunique()
    assert len(hybrids.separable(runs[runs["seed"] < 2])["set"]) == runs["arm"].nunique()


def test_what_is_not_compared_is_not_called_untrained():
    tables = Tables.of("scaling", "quick", whole("scaling"))
    trials = replace(tables, runs=tables.runs[tables.runs["group"] == "lr"])
    assert "No finished run is compared here" in " ".join(common.scope(trials))
    assert "There is no finished training run." in common.scope(replace(tables, runs=tables.runs.iloc[:0]))
    lost = replace(tables, runs=tables.runs.iloc[:1].assign(status="diverged"))
    assert "1 of 1 run did not finish" in " ".join(common.scope(lost))


@pytest.mark.parametrize("study", ["scaling", "recall", "hybrids", "budget"])
def test_the_cards_of_one_run_and_of_none_are_sentences(study):
    tables = Tables.of(study, "quick", whole(study))
    for count in (0, 1):
        here = replace(tables, runs=tables.runs.iloc[:count])
        for name in ("check", "corpus_text", "failures", "model_text", "totals"):
            lines = getattr(cards, name)(here)
            assert lines
            assert not [line for line in lines if ODD.search(line) or re.search(r"\bAll [01] ", line)]
