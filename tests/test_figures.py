"""Tables for tests of chapters: whole, with one seed, with missing arms, empty; and how numbers are said."""

import functools

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest

import synthetic_tables
from seqmix_study.chapters import common
from seqmix_study.chapters.common import Tables

STUDIES = {
    "scaling": {"arms": ("transformer", "lstm_2", "hybrid_2"), "sources": ("stdlib", "almanac")},
    "context": {"length": 128, "blocks": 6},
    "hybrids": {},
    "budget": {},
}


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


@pytest.mark.parametrize(
    ("value", "said"), [(12_345, "12.3k"), (3.4e6, "3.4M"), (4096, "4096"), (0.25, "0.25"), (np.nan, "?")]
)
def test_numbers_are_said_as_people_say_them(value, said):
    assert common.human(value) == said


def test_a_list_with_commas_in_it_is_parted_by_semicolons():
    assert common.listing(["a", "b", "c"]) == "a, b and c"
    assert common.listing(["LSTM, 1 layer", "b", "c"]) == "LSTM, 1 layer; b; and c"
    assert common.listing(["LSTM, 1 layer", "b"]) == "LSTM, 1 layer and b"
