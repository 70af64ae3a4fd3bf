"""The scaling chapter's sentences and figures with single sizes, single architectures, ties, few seeds, one trial."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

from seqmix_study.chapters import lengths
from seqmix_study.chapters import scaling as figures
from seqmix_study.chapters.common import Tables
from seqmix_study.chapters.words import scaling as words
from test_figures import tables


def kept(**columns) -> Tables:
    """The planted tables, only rows of runs with these values (one, or a tuple) in a column."""
    whole = tables("scaling", "whole")
    runs = whole.runs
    for column, values in columns.items():
        runs = runs[runs[column].isin(values if isinstance(values, tuple) else (values,))]
    return replace(whole, runs=runs)


def sizes(arm: str = "transformer") -> list[float]:
    runs = figures.ladder(tables("scaling", "whole"))
    return sorted(runs.loc[runs["arm"] == arm, "params_non_embedding"].unique())


def drawn(draw, here: Tables):
    found = draw(here)
    plt.close(found.figure)
    return found


def test_runs_for_samples_alone_are_drawn_nowhere():
    whole = tables("scaling", "whole")
    here = replace(whole, runs=whole.runs.assign(group="samples"))
    for draw in (figures.loss_against_tokens, figures.to_target, figures.gap_against_size, lengths.surface):
        assert drawn(draw, here).alt.startswith("No picture")
    assert words.limits(here) == ["No finished run of this execution compares sizes."]


def test_one_size_shows_no_trend():
    here = kept(params_non_embedding=sizes()[2])
    assert "no trend with size" in words.conclusions(here)[-1]
    assert "at most 1 size an architecture" in words.limits(here)[0]
    assert "1 size; a law is tried" in words.fits(here)[0]


def test_a_trend_is_said_only_of_those_that_have_one():
    several = set(sizes())
    few = kept(arm=("transformer", "lstm_2"), source="stdlib", params_non_embedding=(*several, sizes("lstm_2")[0]))
    said = words.conclusions(few)
    assert "falls from every size to the next for Transformer on stdlib." in " ".join(said)
    assert said[-1] == "One size shows no trend: LSTM, 2 layers on stdlib."


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_decide_no_trend_no_gap_and_no_cost(seeds):
    here = kept(seed=tuple(range(seeds)))
    for lines in (words.conclusions(here)[-1:], words.costs(here), words.gap(here)):
        for line in lines:
            assert ("not decided" in line) or seeds == 3
    equal = [line for line in words.gap(here) if "equal training FLOPs" in line]
    assert all("minus Transformer" in line for line in equal)
    assert any("(above)" in line for line in equal) == (seeds == 3)


def test_an_architecture_alone_is_first_at_nothing():
    here = kept(arm="lstm_2")
    for line in (*words.costs(here), drawn(figures.to_target, here).alt):
        assert "fewest" not in line
    assert "Transformer and another architecture" in words.gap(here)[0]
    assert "no exponents are compared" in words.exponents(here)[0]


def test_a_loss_that_several_reach_at_the_first_evaluation_has_no_first():
    whole = tables("scaling", "whole")
    curves = whole.curves.assign(loss=whole.curves["loss"].where(whole.curves["step"] > 20, 0.5))
    here = replace(whole, curves=curves)
    early = figures.crossings(here)
    assert early["first"].all()
    assert all("nothing says who is first" in line for line in words.costs(here))
    assert not figures.crossings(whole)["first"].any()


def test_a_single_learning_rate_is_neither_inside_nor_at_the_edge_of_a_grid():
    whole = tables("scaling", "whole")
    trials = whole.runs["group"].eq("lr")
    here = replace(whole, runs=whole.runs[~trials | whole.runs["lr"].eq(whole.runs.loc[trials, "lr"].min())])
    said = " ".join(words.rates(here))
    assert "A single learning rate was tried" in said
    assert "inside its grid" not in said
    assert "the edge of its grid" not in drawn(figures.learning_rates, here).alt
