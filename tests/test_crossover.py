"""Crossings with their interval, "none in range", and how time grows with length."""

import numpy as np
import pytest

from seqmix_study.findings.crossover import crossover
from seqmix_study.findings.growth import exponent

SIZES = np.geomspace(1e4, 1e6, 7)


def losses(slope, offset, sd=0.01, seeds=4, rng=0, shared=0.02):
    generator = np.random.default_rng(rng)
    common = np.random.default_rng(77).standard_normal(seeds) * shared
    return (3 - slope * np.log(SIZES / 1e5) + offset)[:, None] + common + sd * generator.standard_normal((7, seeds))


def test_planted_crossing_is_covered():
    hits = 0
    for i in range(100):
        result = crossover(SIZES, losses(0.3, 0, rng=2 * i), losses(0.2, 0, rng=2 * i + 1), draws=500)
        assert result.status == "crosses"
        hits += result.low <= 1e5 <= result.high
    assert hits >= 90
    assert result.direction == "first overtakes"
    assert crossover(SIZES, losses(0.2, 0), losses(0.3, 0, rng=1)).direction == "second overtakes"


def test_none_in_range_and_not_resolved():
    apart = crossover(SIZES, losses(0.2, 1), losses(0.2, 0, rng=1))
    assert apart.status == "none in range"
    assert "the second is lower at both ends" in apart.text
    assert np.isnan(apart.value)
    same = crossover(SIZES, losses(0.2, 0), losses(0.2, 0, rng=1))
    assert same.status == "not resolved"
    meet = crossover(SIZES, losses(0.2, 0), losses(0.3, -0.1 * np.log(10), rng=1))
    assert meet.status in ("not resolved", "crosses")
    single = crossover(SIZES, losses(0.3, 0)[:, 0], losses(0.2, 0)[:, 0])
    assert single.status == "not resolved"


def test_equal_curves_rarely_cross():
    found = [crossover(SIZES, losses(0.2, 0, rng=2 * i), losses(0.2, 0, rng=2 * i + 1), draws=100) for i in range(200)]
    assert sum(r.status == "crosses" for r in found) <= 2


def test_lengths_cross_in_the_ratio_of_times():
    length = 2.0 ** np.arange(7, 15)
    rng = np.random.default_rng(0)
    attention = (1e-3 + 1e-6 * length + 1e-9 * length**2)[:, None] * np.exp(0.03 * rng.standard_normal((8, 20)))
    recurrent = (4e-6 * length)[:, None] * np.exp(0.03 * rng.standard_normal((8, 20)))
    result = crossover(length, attention, recurrent, log_ratio=True)
    # 1e-3 + 1e-6 T + 1e-9 T^2 = 4e-6 T has the roots 382 and 2618: ahead at both ends is recurrence
    assert result.status == "none in range"
    assert "though not at" in result.text
    late = crossover(length[3:], attention[3:], recurrent[3:], log_ratio=True)
    assert late.low <= 2618 * 1.05
    assert late.high >= 2618 * 0.95


def test_bad_input():
    with pytest.raises(ValueError, match="increasing"):
        crossover([2, 1], [1, 2], [2, 1])
    with pytest.raises(ValueError, match="positive"):
        exponent([1, 2, 4], [1, -1, 1])


@pytest.mark.parametrize("power", [1, 2])
def test_exponent_of_a_pure_power(power):
    length = 2.0 ** np.arange(7, 13)
    times = (1e-7 * length**power)[:, None] * np.exp(0.02 * np.random.default_rng(1).standard_normal((6, 20)))
    result = exponent(length, times)
    assert result["low"] <= power <= result["high"]
    assert result["high"] - result["low"] < 0.05
    assert result["lengths"] == (256, 4096)


def test_the_slope_of_a_sum_of_linear_and_quadratic_lies_below_two():
    length = 2.0 ** np.arange(7, 13)
    times = (1e-4 + 2e-6 * length + 5e-10 * length**2)[:, None]
    times = times * np.exp(0.01 * np.random.default_rng(2).standard_normal((6, 20)))
    assert exponent(length, times)["exponent"] < 1.5
