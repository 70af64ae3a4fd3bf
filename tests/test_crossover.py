"""Crossings with their interval, "none in range", and how time grows with length."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from seqmix_study.findings.crossover import crossover
from seqmix_study.findings.laws import _growth
from seqmix_study.findings.select import NotDecided

SIZES = np.geomspace(1e4, 1e6, 7)


def losses(slope, offset, sd=0.01, seeds=4, rng=0, shared=0.02):
    generator = np.random.default_rng(rng)
    common = np.random.default_rng(77).standard_normal(seeds) * shared
    return (3 - slope * np.log(SIZES / 1e5) + offset)[:, None] + common + sd * generator.standard_normal((7, seeds))


def test_planted_crossing_is_covered():
    hits = 0
    for i in range(100):
        value, low, high, text = crossover(SIZES, losses(0.3, 0, rng=2 * i), losses(0.2, 0, rng=2 * i + 1))
        assert low <= value <= high
        assert "the first overtakes" in text
        hits += low <= 1e5 <= high
    assert hits >= 90
    with pytest.raises(NotDecided, match="the second overtakes"):
        crossover(SIZES, losses(0.2, 0), losses(0.3, 0, rng=1))


def test_none_in_range_and_not_resolved():
    value, low, high, text = crossover(SIZES, losses(0.2, 1), losses(0.2, 0, rng=1))
    assert "the second is lower at both ends" in text
    assert np.isnan(value)
    assert (low, high) == (SIZES[-1], np.inf)
    value, low, high, text = crossover(SIZES, losses(0.2, 0), losses(0.2, 1, rng=1))
    assert "the first is lower at both ends" in text
    assert (low, high) == (0, SIZES[0])
    for first, second, words in (
        (losses(0.2, 0), losses(0.2, 0, rng=1), "too close to call at both ends"),
        (losses(0.2, 0), losses(0.3, -0.1 * np.log(10), rng=1), "the second is lower from"),
        (losses(0.2, 0), losses(0.3, 0.1 * np.log(10), rng=1), "the first is lower up to"),
    ):
        with pytest.raises(NotDecided, match=words):
            crossover(SIZES, first, second)
    value, low, high, text = crossover(SIZES, losses(0.3, 0.1 * np.log(10)), losses(0.2, 0, rng=1))
    assert "the second is lower up to" in text
    assert np.isnan(value)
    assert 1e4 < low < high == np.inf


def test_equal_curves_rarely_cross():
    crossed = 0
    for i in range(200):
        with contextlib.suppress(NotDecided):
            value, *_ = crossover(SIZES, losses(0.2, 0, rng=2 * i), losses(0.2, 0, rng=2 * i + 1))
            crossed += np.isfinite(value)
    assert crossed <= 2


def test_lengths_cross_in_the_ratio_of_times():
    length = 2.0 ** np.arange(7, 15)
    rng = np.random.default_rng(0)
    attention = (1e-3 + 1e-6 * length + 1e-9 * length**2)[:, None] * np.exp(0.03 * rng.standard_normal((8, 20)))
    recurrent = (4e-6 * length)[:, None] * np.exp(0.03 * rng.standard_normal((8, 20)))
    # 1e-3 + 1e-6 T + 1e-9 T^2 = 4e-6 T has the roots 382 and 2618: ahead at both ends is recurrence
    value, low, high, text = crossover(length, attention, recurrent, ratio=True)
    assert np.isnan(value)
    assert "none in range" in text
    assert "though not at" in text
    value, low, high, text = crossover(length[3:], recurrent[3:], attention[3:], ratio=True)
    assert low <= 2618 * 1.05
    assert high >= 2618 * 0.95


def growth(length, times, level=0.95):
    """The effect of the growth of times [lengths, rounds]."""
    side = pd.DataFrame(times, index=length).stack().rename_axis(["length", "round"]).rename("value").reset_index()
    return _growth(side, "length", 4, level)


@pytest.mark.parametrize("power", [1, 2])
def test_exponent_of_a_pure_power(power):
    length = 2.0 ** np.arange(7, 13)
    times = (1e-7 * length**power)[:, None] * np.exp(0.02 * np.random.default_rng(1).standard_normal((6, 20)))
    result = growth(length, times)
    assert result.lo <= power <= result.hi
    assert result.hi - result.lo < 0.05
    assert growth(length, times * np.where(length < 256, 10, 1)[:, None]) == result  # beyond four doublings


def test_the_slope_of_a_sum_of_linear_and_quadratic_lies_below_two():
    length = 2.0 ** np.arange(7, 13)
    times = (1e-4 + 2e-6 * length + 5e-10 * length**2)[:, None]
    times = times * np.exp(0.01 * np.random.default_rng(2).standard_normal((6, 20)))
    assert growth(length, times).estimate < 1.5
    with pytest.raises(NotDecided, match="three are needed"):
        growth(length[-2:], times[-2:])
