"""Conclusions with a margin, seeds and blocks, best sets: right on planted truth, quiet on none."""

import numpy as np
import pytest

from seqmix_study.findings.compare_arms import best_set, conclude, holm, over_seeds_and_blocks


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.2, -0.05, "supported"),
        (0.05, 0.2, "reversed"),
        (-0.01, 0.01, "equivalent"),
        (-0.1, 0.1, "inconclusive"),
        (-0.2, -0.01, "inconclusive"),
    ],
)
def test_conclusions(low, high, word):
    assert conclude(low, high, 0.02) == word
    mirrored = {"supported": "reversed", "reversed": "supported"}.get(word, word)
    assert conclude(low, high, 0.02, claimed=1) == mirrored


def arm(mean, sd=0.01, seeds=5, rng=0, shared=0.0):
    generator = np.random.default_rng(rng)
    common = np.random.default_rng(99).standard_normal(seeds) * shared
    return {s: mean + common[s] + sd * generator.standard_normal() for s in range(seeds)}


def test_blocks_and_seeds_both_count():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        values = 0.1 + 0.02 * rng.standard_normal((4, 1)) + 0.05 * rng.standard_normal((1, 32))
        result = over_seeds_and_blocks(values, draws=600)
        hits += result.low <= 0.1 <= result.high
    assert 0.9 <= hits / 150 <= 0.995


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_best_set_keeps_ties_and_drops_the_worse():
    arms = {f"tie{i}": arm(2.0, 0.01, 6, i) for i in range(4)} | {"worse": arm(2.3, 0.01, 6, 9)}
    result = best_set(arms)
    assert set(result["set"]) == {f"tie{i}" for i in range(4)}
    assert result["first_share"]["worse"] == 0
    assert sum(result["first_share"].values()) == pytest.approx(1)
    wrong = 0
    for i in range(60):  # equal arms: the truly best (any) must stay in the set
        equal = {k: arm(2.0, 0.03, 3, 100 * i + k) for k in range(6)}
        wrong += len(best_set(equal, draws=50)["set"]) < 6
    assert wrong <= 6
