"""U, monotone or flat: the two-lines test finds what is there and nothing in noise."""

import numpy as np
import pytest

from seqmix_study.findings.shape import (
    argmin_interval,
    isotonic,
    kendall,
    ordered_contrast,
    rank_agreement,
    shapes,
    two_lines,
)

X = np.arange(13.0)


def curve(mean, sd=0.02, seeds=5, rng=0):
    return np.asarray(mean)[:, None] + sd * np.random.default_rng(rng).standard_normal((len(mean), seeds))


def test_planted_u_is_found():
    result = two_lines(X, curve(0.02 * np.abs(X - 4)))
    assert result["conclusion"] == "U"
    assert result["break"] == pytest.approx(4, abs=1)
    assert result["left"]["slope"] == pytest.approx(-0.02, abs=0.01)
    assert result["right"]["low"] < 0.02 < result["right"]["high"]


def test_saturating_curve_is_no_u():
    """A quadratic calls this a U (its minimum lies inside the range); two lines do not."""
    mean = np.exp(-X / 2)
    bend = np.polyfit(X, mean, 2)
    assert 0 < -bend[1] / 2 / bend[0] < 12
    found = [two_lines(X, curve(mean, rng=i))["conclusion"] for i in range(40)]
    assert found.count("U") <= 3
    assert found.count("falls") >= 35


def test_flat_noise_has_no_shape():
    found = [two_lines(X, curve(0 * X, rng=i))["conclusion"] for i in range(200)]
    assert found.count("U") <= 12
    assert found.count("not shown") >= 160


def test_monotone_curves():
    assert two_lines(X, curve(-0.03 * X))["conclusion"] == "falls"
    assert two_lines(X, curve(0.03 * X))["conclusion"] == "rises"
    assert two_lines(X, curve(0.02 * np.abs(X - 4), seeds=2))["reason"] == "2 seeds: three are needed"


@pytest.mark.parametrize(("mean", "best"), [(0 * X, "flat"), (-0.05 * X, "line"), (0.05 * np.abs(X - 4), "two lines")])
def test_aic_ranks_shapes(mean, best):
    ranked = shapes(X, curve(mean, sd=0.02, rng=3).mean(1))
    assert ranked[0]["shape"] == best
    assert sum(row["weight"] for row in ranked) == pytest.approx(1)


def test_isotonic_against_brute_force():
    y = [1.0, 3.0, 2.0, 2.5, 5.0, 4.0]
    assert isotonic(y) == pytest.approx([1, 2.5, 2.5, 2.5, 4.5, 4.5])
    assert isotonic([1.0, 2.0, 3.0]) == pytest.approx([1, 2, 3])


def test_ordered_contrast():
    values = curve([2.2, 2.1, 2.0], 0.02, 6).T
    result = ordered_contrast(values)
    assert result["high"] < 0
    assert result["slope"] == pytest.approx(-0.1, abs=0.02)
    assert result["page_p"] < 0.01
    assert ordered_contrast(values[:, ::-1])["page_p"] > 0.9
    with pytest.raises(ValueError, match="three or more"):
        ordered_contrast(values[:2])


def test_kendall_and_agreement():
    assert kendall([1, 2, 3, 4], [1, 2, 3, 4]) == 1
    assert kendall([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(2 / 3)
    same = rank_agreement(curve(0.1 * X, seeds=4), curve(0.1 * X, seeds=4, rng=1), draws=200)
    assert same["tau"] == 1
    assert same["ceiling"] > 0.95
    noise = rank_agreement(curve(0 * X, seeds=4), curve(0 * X, seeds=4, rng=1), draws=200)
    assert noise["low"] < 0 < noise["high"]


def test_place_of_the_minimum():
    result = argmin_interval(X, curve(0.05 * np.abs(X - 3)))
    assert result["low"] <= 3 <= result["high"]
    assert result["share"][3.0] > 0.5
    wide = argmin_interval(X, curve(0 * X))
    assert wide["high"] - wide["low"] > 8
