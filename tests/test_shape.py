"""U, monotone or flat: the two-lines test finds what is there and nothing in noise."""

import numpy as np
import pytest

from seqmix_study.findings.shape import two_lines

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
