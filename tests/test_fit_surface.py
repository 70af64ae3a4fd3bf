"""Surfaces L(N, D): recovery without noise, units, refusals, and the published refit where its table is at hand."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from seqmix_study.findings.fits.exponents import compare_exponents
from seqmix_study.findings.fits.forms import predict
from seqmix_study.findings.fits.huber import Problem
from seqmix_study.findings.fits.surface import fit_surface, grid_starts
from seqmix_study.findings.fits.surface_bootstrap import level_effect

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def parabolas(truth, budgets=8, points=16):
    """Constant-compute slices, N and D of each point."""
    n, d = [], []
    for compute in np.geomspace(1e18, 1e22, budgets):
        size = np.sqrt(compute / 120) * np.geomspace(1 / 8, 8, points)
        n.append(size)
        d.append(compute / 6 / size)
    n, d = np.concatenate(n), np.concatenate(d)
    return n, d, predict("C5", truth, n, d)


def scattered(rng, points=60, noise=0.004, truth=HOFFMANN):
    n, d = 10 ** rng.uniform(6, 9, points), 10 ** rng.uniform(8, 11, points)
    return n, d, predict("C5", truth, n, d) * np.exp(noise * rng.standard_normal(points))


@pytest.mark.parametrize(("alpha", "beta"), [(0.34, 0.28), (0.6, 0.2)])
@pytest.mark.parametrize(("method", "tolerance"), [("varpro", 1e-6), ("huber", 1e-4)])
def test_noise_free_recovery(alpha, beta, method, tolerance):
    truth = HOFFMANN | {"alpha": alpha, "beta": beta}
    fit = fit_surface(*parabolas(truth), method=method, n_boot=0, cross_check=False)
    for name, value in truth.items():
        assert fit.estimates[name] == pytest.approx(value, rel=tolerance)


def test_constant_compute_parabolas_are_biased_where_exponents_differ():
    """Approach 2 fits a parabola in ln N to each budget; its exponent is off even without noise."""
    truth = HOFFMANN | {"alpha": 0.6, "beta": 0.2}
    n, d, loss = parabolas(truth)
    optimum, compute = [], []
    for part in np.split(np.arange(len(n)), 8):
        a, b, _ = np.polyfit(np.log(n[part]), loss[part], 2)
        optimum.append(-b / 2 / a)
        compute.append(np.log(n[part][0] * d[part][0]))
    slope = np.polyfit(compute, optimum, 1)[0]
    exact = truth["beta"] / (truth["alpha"] + truth["beta"])
    assert abs(slope - exact) > 0.01


@pytest.mark.parametrize(("unit_n", "unit_d"), [(1e-6, 1.0), (1e-9, 1e-9), (1e6, 1e-3)])
@pytest.mark.parametrize("method", ["varpro", "huber"])
def test_units_change_only_the_amplitudes(unit_n, unit_d, method):
    n, d, loss = scattered(np.random.default_rng(0))
    options = {"method": method, "n_boot": 0, "cross_check": False}
    here, there = fit_surface(n, d, loss, **options), fit_surface(n * unit_n, d * unit_d, loss, **options)
    assert there.objective == pytest.approx(here.objective, rel=1e-8)
    for name in ("E", "alpha", "beta"):
        assert there.estimates[name] == pytest.approx(here.estimates[name], rel=1e-4)


def test_grid_start_is_close_and_nothing_beats_the_fit():
    n, d, loss = scattered(np.random.default_rng(1))
    fit = fit_surface(n, d, loss, n_boot=0)
    x, y = np.log(n) - np.log(n).mean(), np.log(d) - np.log(d).mean()
    start = Problem("C5", x, y, loss, "squares").evaluate(grid_starts(x, y, loss))[0].min() * 2
    assert fit.objective <= start <= 1.3 * fit.objective
    rng = np.random.default_rng(2)
    for _ in range(200):  # brute force around the optimum
        near = {k: v * np.exp(0.01 * rng.standard_normal()) for k, v in fit.estimates.items()}
        assert np.square(loss - predict("C5", near, n, d)).sum() >= fit.objective


@pytest.mark.parametrize("kind", ["huber", "squares"])
@pytest.mark.parametrize("form", ["C5", "C6", "P3", "K"])
def test_gradients(form, kind):
    rng = np.random.default_rng(3)
    n, d, loss = scattered(rng, 20)
    y = None if form in ("P3", "K") else np.log(d) - np.log(d).mean()
    problem = Problem(form, np.log(n) - np.log(n).mean(), y, loss, kind)
    p = problem.starts(1, rng)
    weights = rng.integers(0, 3, (1, 20)).astype(float)
    gradient = problem.evaluate(p, weights)[1][0]
    for i in range(p.shape[1]):
        step = np.zeros_like(p)
        step[0, i] = 1e-6
        numeric = (problem.evaluate(p + step, weights)[0] - problem.evaluate(p - step, weights)[0]) / 2e-6
        assert gradient[i] == pytest.approx(numeric[0], rel=1e-4, abs=1e-8)


def test_constant_tokens_and_tied_tokens_are_refused():
    n, d, loss = scattered(np.random.default_rng(4))
    constant = fit_surface(n, np.full_like(n, 1e9), loss, n_boot=0)
    assert constant.verdict == "refused"
    assert "D is constant" in constant.reasons[0]
    tied = fit_surface(n, 20 * n, predict("C5", HOFFMANN, n, 20 * n), n_boot=0)
    assert tied.verdict == "refused"
    assert "move together" in tied.reasons[0]
    few = fit_surface(n[:6], d[:6], loss[:6], n_boot=0)
    assert few.verdict == "refused"
    assert "too few points" in few.reasons[0]


def test_scattered_points_without_seeds_are_ok_and_noise_is_not():
    n, d, loss = scattered(np.random.default_rng(9), 120, 0.002)
    fit = fit_surface(n, d, loss, method="huber", n_boot=200)
    assert fit.verdict == "ok"
    for name in ("alpha", "beta", "E"):
        assert fit.intervals[name][0] < HOFFMANN[name] < fit.intervals[name][1]
    noise = fit_surface(n, d, np.random.default_rng(6).uniform(2, 4, 120), n_boot=50)
    assert noise.verdict == "refused"
    rising = fit_surface(n, d, 8 - loss, n_boot=50)
    assert rising.verdict == "refused"


def test_seeds_are_averaged_and_surfaces_compared():
    rng = np.random.default_rng(7)
    n, d, loss = scattered(rng, 50, 0.0)
    rows = [np.repeat(v, 3) for v in (n, d, loss)]
    noisy = [rows[2] + 0.003 * rng.standard_normal(150) for _ in range(2)]
    a, b = (
        fit_surface(rows[0], rows[1], y, seeds=np.tile([0, 1, 2], 50), n_boot=200, cross_check=False) for y in noisy
    )
    assert len(a.points["N"]) == 50
    test = compare_exponents(a, b)
    assert test["conclusion"] in ("equivalent", "inconclusive")
    assert test["interval_beta"][0] < 0 < test["interval_beta"][1]


def test_outer_exponent_is_recovered():
    truth = HOFFMANN | {"gamma": 0.8}
    n, d, _ = scattered(np.random.default_rng(8), 150)
    fit = fit_surface(n, d, predict("C6", truth, n, d), form="C6", n_boot=0, cross_check=False)
    assert fit.estimates["gamma"] == pytest.approx(0.8, abs=1e-3)


def test_published_refit():
    """Epoch AI's reading of Hoffmann et al. 2022, figure 4 (240 of 245 points); set $SEQMIX_CHINCHILLA to its CSV."""
    path = Path(os.environ.get("SEQMIX_CHINCHILLA", "svg_extracted_data.csv"))
    if not path.is_file():
        pytest.skip("the table carries no licence and is not in the repository")
    import pandas as pd

    frame = pd.read_csv(path).dropna(subset=["Model Size", "loss"])
    frame = frame[frame["loss"] < np.sort(frame["loss"])[-5]]
    n = frame["Model Size"].to_numpy()
    d = frame["Training FLOP"].to_numpy() / 6 / n
    begin = time.perf_counter()
    fit = fit_surface(n, d, frame["loss"], method="huber")
    assert time.perf_counter() - begin < 60
    assert len(n) == 240
    assert fit.objective == pytest.approx(0.0010182740, abs=1e-9)
    assert fit.estimates["alpha"] == pytest.approx(0.34731, abs=2e-4)
    assert fit.estimates["beta"] == pytest.approx(0.36717, abs=3e-4)
    assert fit.estimates["E"] == pytest.approx(1.8172, abs=3e-4)
    assert fit.estimates["A"] == pytest.approx(477.8, abs=2)
    assert fit.estimates["B"] == pytest.approx(2143, abs=12)
    assert fit.intervals["alpha"] == pytest.approx((0.317, 0.373), abs=0.006)
    assert fit.intervals["beta"] == pytest.approx((0.331, 0.415), abs=0.006)
    assert fit.intervals["E"] == pytest.approx((1.769, 1.871), abs=0.006)
    assert fit.cross_check["estimates"]["alpha"] == pytest.approx(0.358, abs=1e-3)
    assert fit.cross_check["estimates"]["beta"] == pytest.approx(0.428, abs=1e-3)


def test_a_misfit_of_sizes_widens_the_intervals():
    """Points of one size that deviate alike are no independent points: the interval must know."""
    rng = np.random.default_rng(10)
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(1e6, 1e9, 8), np.geomspace(1e8, 1e11, 6), indexing="ij"))
    exact = predict("C5", HOFFMANN, n, d)
    alone = exact + 0.02 * rng.standard_normal(48)
    together = exact + np.repeat(0.02 * rng.standard_normal(8), 6) + 0.002 * rng.standard_normal(48)
    assert level_effect(alone - exact, np.repeat(np.arange(8), 6)) > 0.01
    assert level_effect(together - exact, np.repeat(np.arange(8), 6)) < 1e-6
    fits = [fit_surface(n, d, loss, n_boot=150, cross_check=False) for loss in (alone, together)]
    assert any("sizes were resampled too" in note for note in fits[1].notes)
    assert np.ptp(fits[1].intervals["alpha"]) > np.ptp(fits[0].intervals["alpha"])
