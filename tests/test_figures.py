"""Every published figure is drawn from tables with planted truths: whole, with one seed, with missing arms, empty."""

import functools
import importlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import synthetic_tables
from seqmix_study.chapters import common, inside
from seqmix_study.chapters.common import Drawn, Tables
from seqmix_study.chapters.marks import label, nothing

STUDIES = {
    "scaling": {"arms": ("transformer", "lstm_2", "hybrid_2"), "sources": ("stdlib", "almanac")},
    "context": {"length": 128, "blocks": 6},
    "recall": {},
    "hybrids": {},
    "inside": {},
    "budget": {},
}
DRAWN = ("recall", "inside")
"""Chapters that still draw from tables; the others draw rows of findings."""
FIGURES = [
    (study, name)
    for study in DRAWN
    for name in importlib.import_module(f"seqmix_study.chapters.{study}").__all__
    if isinstance(getattr(importlib.import_module(f"seqmix_study.chapters.{study}"), name), type(nothing))
    and getattr(importlib.import_module(f"seqmix_study.chapters.{study}"), name).__annotations__.get("return") is Drawn
]


@functools.cache
def tables(study: str, variant: str) -> Tables:
    """``whole``; ``poor``: one seed, no Transformer, the quick tier; ``empty``."""
    more = dict(STUDIES.get(study, {}))
    if study != "speed":
        more["seeds"] = 3 if variant == "whole" else 1
    frames = synthetic_tables.tables(study, tier="laptop" if variant == "whole" else "quick", **more)
    if variant == "poor":
        gone = set(frames["runs"].loc[frames["runs"]["arm"].str.match("transformer|hybrid_12"), "run_id"])
        frames = {name: frame[~frame["run_id"].isin(gone)] for name, frame in frames.items()}
        frames["speed"] = frames["speed"][~frames["speed"]["arm"].str.match("transformer")]
    if variant == "empty":
        frames = {name: frame.iloc[:0] for name, frame in frames.items()}
    return Tables.of(study, "quick" if variant != "whole" else "laptop", frames)


def draw(study: str, name: str, variant: str) -> Drawn:
    drawn = getattr(importlib.import_module(f"seqmix_study.chapters.{study}"), name)(tables(study, variant))
    plt.close(drawn.figure)
    return drawn


def test_the_scanner_finds_the_figures():
    assert len(FIGURES) > 5


@pytest.mark.parametrize(("study", "name"), FIGURES)
def test_whole_tables_give_a_figure_with_data_and_a_description_of_its_arms(study, name):
    drawn = draw(study, name, "whole")
    assert drawn.name.startswith(f"fig-{study}-")
    assert len(drawn.alt) >= 40
    assert np.isfinite(drawn.data.select_dtypes("number").to_numpy(float)).any() or "note" in drawn.data
    if "note" not in drawn.data and "arm" in drawn.data:
        named = [arm for arm in drawn.data["arm"].unique() if label(arm) in drawn.alt]
        said_by_pattern = name in ("placement", "best_set", "by_count", "speed_by_count", "recall_by_count")
        assert named or said_by_pattern


@pytest.mark.parametrize("variant", ["poor", "empty"])
@pytest.mark.parametrize(("study", "name"), FIGURES)
def test_poor_tables_give_a_figure_or_the_reason_why_there_is_none(study, name, variant):
    drawn = draw(study, name, variant)
    assert len(drawn.alt) >= 40
    assert len(drawn.data)
    if variant == "empty":
        assert "No picture" in drawn.alt


def test_one_seed_has_no_interval():
    row = common.over_seeds(pd.DataFrame({"arm": ["a"], "loss": [1.0]}), ["arm"], "loss").iloc[0]
    assert row["n"] == 1
    assert np.isnan(row["lo"])


def test_the_interval_of_seeds_is_student_s():
    frame = pd.DataFrame({"arm": ["a"] * 3, "loss": [1.0, 2.0, 3.0]})
    row = common.over_seeds(frame, ["arm"], "loss").iloc[0]
    assert row["hi"] - row["mean"] == pytest.approx(4.30265 / np.sqrt(3), rel=1e-4)


def test_the_planted_order_of_methods_is_found():
    each = inside.scores(tables("inside", "whole"))
    means = each.groupby("method")["recall_at_1"].mean()
    assert means.idxmax() == "occlusion"
    assert means.idxmin() == "untrained"


@pytest.mark.parametrize(
    ("value", "said"), [(12_345, "12.3k"), (3.4e6, "3.4M"), (4096, "4096"), (0.25, "0.25"), (np.nan, "?")]
)
def test_numbers_are_said_as_people_say_them(value, said):
    assert common.human(value) == said


def test_a_list_with_commas_in_it_is_parted_by_semicolons():
    assert common.listing(["a", "b", "c"]) == "a, b and c"
    assert common.listing(["LSTM, 1 layer", "b", "c"]) == "LSTM, 1 layer; b; and c"
    assert common.listing(["LSTM, 1 layer", "b"]) == "LSTM, 1 layer and b"
