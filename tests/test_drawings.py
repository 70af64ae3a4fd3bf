"""Drawings show what is trained and what is measured, and nothing else."""

import pytest

from seqmix_study.chapters import drawings


def test_a_stack_is_drawn_as_it_is_trained():
    drawn = drawings.stacks(["hybrid_2", "hybrid_12"])
    two = drawn[drawn["Stack"] == "2 of 12"]
    assert list(two["layer"]) == list(range(1, 13))
    assert list(two.loc[two["Mixer"] != two["Mixer"].iloc[0], "layer"]) == [6, 12]
    assert drawn.loc[drawn["Stack"] == "12 of 12", "Mixer"].nunique() == 1
    with pytest.raises(KeyError, match="hybrid_99"):
        drawings.stacks(["hybrid_99"])


def test_a_context_is_changed_far_away_and_asked_at_the_same_place():
    drawn = drawings.interventions()
    states = drawn.pivot(index="Measurement", columns="token", values="State")
    assert set(states[16]) == {"asked"}
    assert (states[[12, 13, 14, 15]] == "seen").all(axis=None)
    assert set(states.loc["as it is", :15]) == {"seen"}
    assert (states.loc["hidden", :11] == "hidden").all()
    assert (states.loc["shuffled", :11] == "shuffled").all()
    assert list(states.columns[states.loc["one fact changed"] == "changed"]) == [3]
