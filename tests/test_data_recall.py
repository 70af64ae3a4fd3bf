"""Recall tasks and counterfactual documents say what they ask, and ask what they say."""

import math

import numpy as np
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix.data.swaps import swaps


def source(name: str, seq_len: int = 64, **fields):
    return data.open_source(DataConfig(source=name, seq_len=seq_len, **fields))


def test_first_token_asks_for_the_first_token():
    opened = source("first_token", seq_len=50)
    batch = opened.batch(0, 16, 0)
    assert opened.vocab_size == 100
    assert opened.references["chance"] == pytest.approx(math.log(99))
    assert opened.chance == pytest.approx(1 / 99)
    assert (batch.targets[:, -1] == batch.inputs[:, 0]).all()
    assert (batch.targets[:, :-1] == data.IGNORE).all()
    assert batch.inputs.min() >= 1
    assert source("first_token", symbols=10).vocab_size == 10


@pytest.mark.parametrize(("pairs", "seq_len"), [(4, 16), (8, 64), (32, 256)])
def test_mqar_is_answerable_and_unambiguous(pairs, seq_len):
    opened = source("mqar", seq_len=seq_len, pairs=pairs)
    held_out = opened.evaluation(40)
    for inputs, targets, ages in zip(held_out.inputs, held_out.targets, held_out.age, strict=True):
        keys, values = inputs[0 : 2 * pairs : 2], inputs[1 : 2 * pairs : 2]
        assert len(set(keys)) == len(set(values)) == pairs
        assert keys.max() < 128 <= values.min()
        asked = np.flatnonzero(targets != data.IGNORE)
        assert sorted(inputs[asked]) == sorted(keys)  # each key once
        assert (targets[asked] == [dict(zip(keys, values, strict=True))[key] for key in inputs[asked]]).all()
        assert (inputs[asked - ages[asked]] == inputs[asked]).all()
        rest = np.delete(inputs, np.concatenate([np.arange(2 * pairs), asked]))
        assert (rest >= 128).all()  # filler never looks like a key


def test_mqar_gaps_follow_a_power_law():
    held_out = source("mqar", seq_len=256, pairs=4).evaluation(500)
    first = (held_out.targets != data.IGNORE).argmax(1)
    assert (first == 8).mean() > 0.4
    assert (held_out.targets[:, 200:] != data.IGNORE).any()


@pytest.mark.parametrize("name", ["almanac", "almanac-context"])
def test_swaps_change_one_fact_and_nothing_else(name):
    opened = source(name, seq_len=128)
    found = swaps(opened, 300)
    assert found.inputs.shape == found.swapped.shape == (300, 128)
    at = opened.almanac.offsets
    for i in range(300):
        before, after, query = found.inputs[i], found.swapped[i], found.position[i]
        changed = np.flatnonzero(before != after)
        assert (changed < query).all()
        assert (before[changed - 1] == before[query]).all()
        assert (before[changed] == found.old[i]).all()
        assert (after[changed] == found.new[i]).all()
        assert found.old[i] != found.new[i]
        assert at["v"] <= found.new[i] < opened.vocab_size
        earlier = np.flatnonzero(before[:query] == before[query])
        assert found.age[i] == query - earlier[-1]
        assert len(changed) == len(earlier) > 0
    np.testing.assert_array_equal(swaps(opened, 20).inputs, found.inputs[:20])
    assert (np.histogram(np.log2(found.age), bins=[1, 2, 3, 4, 5, 6])[0] > 20).all()


def test_swaps_need_room():
    with pytest.raises(ValueError, match="seq_len"):
        swaps(source("almanac", seq_len=2), 5)


GOLDEN = {
    "almanac": [65, 210, 258, 309, 322, 44, 183, 280, 121, 213, 268, 39],
    "markov": [30, 26, 21, 13, 1, 17, 25, 26, 9, 8, 2, 31],
    "mqar": [94, 197, 62, 130, 76, 137, 10, 165, 37, 158, 40, 233],
    "first_token": [47, 51, 75, 95, 4, 15, 82, 94, 25, 31, 87, 42],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_first_tokens_are_those_of_published_runs(name):
    """If this fails on purpose, raise the VERSION of the generator: old runs were trained on other data."""
    assert source(name).batch(0, 2, seed=0).inputs[0, :12].tolist() == GOLDEN[name]
