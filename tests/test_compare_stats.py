"""Differences with a margin, best sets, winner's curse: right on planted truth, quiet on none."""

import numpy as np
import pytest

from seqmix_study.findings.bootstrap import cluster_counts, expanded, hierarchical
from seqmix_study.findings.compare_arms import best_set, conclude, holm, over_seeds_and_blocks, paired, winners_curse


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


def test_pairing_removes_what_seeds_share():
    a, b = arm(2.0, 0.005, shared=0.5, rng=1), arm(2.1, 0.005, shared=0.5, rng=2)
    result = paired(a, b)
    assert result.conclusion == "supported"
    assert result.pairs == 5
    assert result.low < -0.1 < result.high
    assert paired(b, a).conclusion == "reversed"
    assert paired(a, dict(list(b.items())[:3])).pairs == 3
    assert paired(a, arm(2.0, 0.005, shared=0.5, rng=3)).conclusion == "equivalent"
    with pytest.raises(ValueError, match="1 common seeds"):
        paired(a, {0: 2.0})


@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_paired_intervals_cover(seeds):
    hits = 0
    for i in range(150):
        result = paired(arm(2, seeds=seeds, rng=2 * i), arm(2.05, seeds=seeds, rng=2 * i + 1), draws=600)
        hits += result.low <= -0.05 <= result.high
    assert 0.88 <= hits / 150 <= 0.995


def test_equivalence_needs_enough_precision():
    assert paired(arm(2, 0.1, 3, 1), arm(2, 0.1, 3, 2)).conclusion == "inconclusive"
    sure = paired(arm(2, 0.003, 8, 1), arm(2, 0.003, 8, 2))
    assert sure.conclusion == "equivalent"
    assert sure.p_equivalent < 0.05


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


def test_winners_curse_is_shown():
    """13 equal arms with one seed: best minus second 0.5 s, best minus worst 3.3 s on average."""
    rng = np.random.default_rng(1)
    values = 4 + 0.05 * rng.standard_normal((13, 400))
    result = winners_curse(values)
    unit = 0.05 / np.sqrt(400)
    assert result["null_lead"] / unit == pytest.approx(0.45, abs=0.08)
    assert result["null_range"] / unit == pytest.approx(3.34, abs=0.1)
    optimism = [winners_curse(4 + 0.05 * rng.standard_normal((13, 4)), draws=10)["optimism"] for _ in range(100)]
    assert np.mean(optimism) > 0.02  # the winner's own seeds flatter it
    assert np.isnan(winners_curse(values[:, :1])["corrected"])


def test_resampling_helpers():
    rng = np.random.default_rng(0)
    counts = cluster_counts(5, 200, rng, distinct=4)
    assert counts.shape == (200, 5)
    assert (counts.sum(1) == 5).all()
    assert ((counts > 0).sum(1) >= 4).all()
    low, high = expanded(rng.standard_normal(4000), 0.0, 0.95, 20, 5)
    assert low == pytest.approx(-2.13 * np.sqrt(20 / 15), abs=0.15)
    assert high > 2.2
    draws = hierarchical([np.array([1.0, 1.1]), np.array([2.0, 2.1])], np.mean, 200, rng)
    assert 1.0 <= draws.min() < draws.max() <= 2.1
