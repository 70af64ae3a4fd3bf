"""Surfaces L(N, D): recovery without noise, units, refusals, and the published refit where its table is at hand."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from seqmix_study.findings.fits.exponents import compare_exponents
from seqmix_study.findings.fits.forms import predict
from seqmix_study.findings.fits.huber import SQUARES, Problem
from seqmix_study.findings.fits.intervals import levels, variances
from seqmix_study.findings.fits.surface import fit_surface

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
@pytest.mark.parametrize(("method", "tolerance"), [("squares", 1e-4), ("huber", 1e-4)])
def test_noise_free_recovery(alpha, beta, method, tolerance):
    truth = HOFFMANN | {"alpha": alpha, "beta": beta}
    fit = fit_surface(*parabolas(truth), method=method, n_boot=0)
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
@pytest.mark.parametrize("method", ["squares", "huber"])
def test_units_change_only_the_amplitudes(unit_n, unit_d, method):
    n, d, loss = scattered(np.random.default_rng(0))
    options = {"method": method, "n_boot": 0}
    here, there = fit_surface(n, d, loss, **options), fit_surface(n * unit_n, d * unit_d, loss, **options)
    assert there.objective == pytest.approx(here.objective, rel=1e-8)
    for name in ("E", "alpha", "beta"):
        assert there.estimates[name] == pytest.approx(here.estimates[name], rel=1e-4)


def test_nothing_beats_the_fit():
    n, d, loss = scattered(np.random.default_rng(1))
    fit = fit_surface(n, d, loss, method="squares", n_boot=0)
    rng = np.random.default_rng(2)
    for _ in range(200):  # brute force around the optimum
        near = {k: v * np.exp(0.01 * rng.standard_normal()) for k, v in fit.estimates.items()}
        assert np.square(np.log(loss / predict("C5", near, n, d))).sum() / 2 >= fit.objective


@pytest.mark.parametrize("form", ["C4", "C5", "C6"])
def test_derivatives(form):
    rng = np.random.default_rng(3)
    n, d, loss = scattered(rng, 20)
    problem = Problem(form, np.log(n) - np.log(n).mean(), np.log(d) - np.log(d).mean(), np.log(loss))
    p = problem.starts(1, rng)
    slope = problem.model(p)[1][0]
    for i in range(p.shape[1]):
        step = np.zeros_like(p)
        step[0, i] = 1e-6
        numeric = (problem.model(p + step)[0] - problem.model(p - step)[0])[0] / 2e-6
        assert slope[:, i] == pytest.approx(numeric, rel=1e-4, abs=1e-8)


def test_a_batch_is_its_rows():
    """Weighted problems solved together are the ones solved alone on the rows that count."""
    rng = np.random.default_rng(12)
    n, d, loss = scattered(rng, 40)
    x, y = (np.log(v) - np.log(v).mean() for v in (n, d))
    problem = Problem("C5", x, y, np.log(loss), SQUARES)
    best = problem.solve(problem.starts(20, rng))[0]
    weights = (rng.random((5, 40)) < 0.7).astype(float)
    together = problem.minimise(np.tile(best, (5, 1)), weights, tol=1e-12)[0]
    for row, w in zip(together, weights > 0, strict=True):
        alone = Problem("C5", x[w], y[w], np.log(loss)[w], SQUARES)
        assert row == pytest.approx(alone.minimise(best[None], tol=1e-12)[0][0], abs=1e-4)


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
    a, b = (fit_surface(rows[0], rows[1], y, seeds=np.repeat([0, 1, 2], 50), n_boot=200) for y in noisy)
    assert len(a.points["N"]) == 50
    test = compare_exponents(a, b)
    assert test["conclusion"] in ("equivalent", "inconclusive")
    assert test["interval_beta"][0] < 0 < test["interval_beta"][1]


def test_a_single_row_that_decides_is_named():
    n, d, loss = scattered(np.random.default_rng(11), 40, 0.001)
    loss[row := int(np.argmax(n / d))] *= 1.5
    fit = fit_surface(n, d, loss, method="squares", n_boot=0)
    assert [fit.leverage[0][key] for key in "ND"] == pytest.approx([n[row], d[row]])
    kept = np.arange(40) != row
    move = fit.leverage[0]["moves_optimal_exponent"]
    alone = fit_surface(n[kept], d[kept], loss[kept], method="squares", n_boot=0)
    exponents = [one.derived["optimal_exponent"]["estimate"] for one in (alone, fit)]
    assert move == pytest.approx(exponents[0] - exponents[1], abs=1e-3)
    gate = next(gate for gate in fit.gates if gate.name == "S7 single row")
    assert not gate.passed
    assert gate.reason in fit.flags
    assert f"without N = {n[row]:.4g}" in gate.reason


def test_outer_exponent_is_recovered():
    truth = HOFFMANN | {"gamma": 0.8}
    n, d, _ = scattered(np.random.default_rng(8), 150)
    fit = fit_surface(n, d, predict("C6", truth, n, d), form="C6", n_boot=0)
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
    begin = time.process_time()
    fit = fit_surface(n, d, frame["loss"])
    assert time.process_time() - begin < 60
    assert len(n) == 240
    assert fit.objective == pytest.approx(0.0010182740, abs=1e-9)
    assert fit.estimates["alpha"] == pytest.approx(0.34731, abs=2e-4)
    assert fit.estimates["beta"] == pytest.approx(0.36717, abs=3e-4)
    assert fit.estimates["E"] == pytest.approx(1.8172, abs=3e-4)
    assert fit.estimates["A"] == pytest.approx(477.8, abs=2)
    assert fit.estimates["B"] == pytest.approx(2143, abs=12)
    assert fit.verdict == "ok"
    published = {"alpha": (0.317, 0.373), "beta": (0.331, 0.415), "E": (1.769, 1.871)}  # rows taken as independent
    for name, (low, high) in published.items():
        assert fit.intervals[name][0] < low
        assert high < fit.intervals[name][1]


def test_the_page_prints_what_the_command_prints(tmp_path):
    source = Path(os.environ.get("SEQMIX_CHINCHILLA", "svg_extracted_data.csv"))
    if not source.is_file():
        pytest.skip("the table carries no licence and is not in the repository")
    import pandas as pd
    from click.testing import CliRunner

    from seqmix_study.__main__ import main

    frame = pd.read_csv(source).dropna(subset=["Model Size", "loss"])
    frame[frame["loss"] < frame["loss"].nlargest(5).min()].to_csv(tmp_path / "c.csv", index=False)
    arguments = ["fit", str(tmp_path / "c.csv"), "--n", "Model Size", "--flops", "Training FLOP", "--loss", "loss"]
    said = CliRunner().invoke(main, arguments).output.rstrip()
    assert said in (Path(__file__).parents[1] / "book" / "fit.md").read_text()


def grid(k=8, m=6):
    return (v.ravel() for v in np.meshgrid(np.geomspace(1e6, 1e9, k), np.geomspace(1e8, 1e11, m), indexing="ij"))


def test_a_misfit_of_sizes_widens_the_intervals():
    """Points of one size that deviate alike are no independent points: the interval must know."""
    rng = np.random.default_rng(10)
    n, d = grid()
    exact = predict("C5", HOFFMANN, n, d)
    alone = exact + 0.02 * rng.standard_normal(48)
    together = exact + np.repeat(0.02 * rng.standard_normal(8), 6) + 0.002 * rng.standard_normal(48)
    fits = [fit_surface(n, d, loss, n_boot=150) for loss in (alone, together)]
    parts = [fit.bootstrap["deviations"] for fit in fits]
    assert parts[0]["rows"] == pytest.approx(0.02, rel=0.4)
    assert parts[1]["sizes"] == pytest.approx(0.02, rel=0.6)
    assert parts[1]["rows"] < 0.005
    assert np.ptp(fits[1].intervals["alpha"]) > np.ptp(fits[0].intervals["alpha"])
    assert np.ptp(fits[1].intervals["beta"]) < np.ptp(fits[0].intervals["beta"])


def test_variances_are_found_again():
    """Planted variances of sizes, token counts and rows, on average over tables."""
    rng = np.random.default_rng(13)
    n, d = grid(12, 8)
    slope = np.stack([np.ones_like(n), np.log(n), np.log(d)], 1)
    columns = [np.eye(levels(v).max() + 1)[levels(v)] for v in (n, d)]
    found = []
    for _ in range(60):
        parts = [sd * rng.standard_normal(u.shape[1]) for sd, u in zip((0.3, 0.1), columns, strict=True)]
        y = sum(u @ p for u, p in zip(columns, parts, strict=True)) + 0.2 * rng.standard_normal(len(n))
        residual = y - slope @ np.linalg.lstsq(slope, y, rcond=None)[0]
        found.append(variances(residual, slope, columns, 6))
    assert np.sqrt(np.mean(found, 0)) == pytest.approx([0.3, 0.1, 0.2], rel=0.15)


def test_values_within_two_per_cent_are_one_level():
    assert levels(np.array([100.0, 101.0, 150.0, 100.5, 1000.0])).tolist() == [0, 0, 1, 0, 2]


def test_a_law_that_fails_for_few_tokens_is_refused():
    n, d = grid()
    rng = np.random.default_rng(14)
    loss = predict("C5", HOFFMANN, n, d) * np.exp(0.003 * rng.standard_normal(48))
    assert fit_surface(n, d, loss, n_boot=150).verdict == "ok"
    fails = fit_surface(n, d, loss + 0.3 * 1e9 / d, n_boot=150)
    assert fails.verdict == "refused"
    assert "does not hold" in fails.reasons[0]


def test_noise_does_not_hide_a_law_that_fails_for_few_tokens():
    """At noise 0.01 beta absorbs most of the failure: the intervals hold the answers without few tokens."""
    n, d = grid()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        loss = (predict("C5", HOFFMANN, n, d) + 0.5 * 1e9 / d) * np.exp(0.01 * rng.standard_normal(48))
        fit = fit_surface(n, d, loss, n_boot=150, starts=12)
        assert fit.bootstrap["answers"]["with all rows"]["beta"]["interval"][0] > HOFFMANN["beta"]
        low, high = fit.intervals["beta"]
        assert fit.verdict != "ok" or low <= HOFFMANN["beta"] <= high


def test_a_start_of_its_own_is_recovered():
    n, d = grid()
    rng = np.random.default_rng(18)
    loss = (predict("C5", HOFFMANN, n, d) + 0.4e9 / d) * np.exp(0.001 * rng.standard_normal(48))
    found = fit_surface(n, d, loss, n_boot=100).bootstrap
    assert found["structure"]["few tokens"]["nats"] == pytest.approx(0.4e9 / d.min(), rel=0.05)
    answer = found["answers"]["with a start of its own"]
    low, high = answer["beta"]["interval"]
    assert low <= 0.28 <= high < found["answers"]["with all rows"]["beta"]["estimate"]
    assert answer["alpha"]["estimate"] == pytest.approx(0.34, abs=0.02)


@pytest.mark.parametrize("noise", [0.001, 0.02])
def test_a_start_that_noise_may_hide_widens_the_interval_where_it_matters(noise):
    """The law is exact here. With little noise no start is left that would move the exponent; with much, one is."""
    n, d = grid()
    loss = predict("C5", HOFFMANN, n, d) * np.exp(noise * np.random.default_rng(19).standard_normal(48))
    fit = fit_surface(n, d, loss, n_boot=100)
    plain = fit.bootstrap["answers"]["with all rows"]["beta"]["interval"]
    hidden = noise > 0.01
    assert ("with a start of its own" in fit.bootstrap["answers"]) == hidden
    assert (fit.intervals["beta"][0] < plain[0] - 0.01) == hidden
    assert any("nats may hide here" in flag for flag in fit.flags) == hidden


def test_seeds_that_are_copies_are_refused():
    n, d, loss = scattered(np.random.default_rng(17), 50)
    seeds, options = np.repeat([0, 1, 2], 50), {"n_boot": 0, "starts": 8}
    copied = fit_surface(np.tile(n, 3), np.tile(d, 3), np.tile(loss, 3), seeds=seeds, **options)
    assert copied.verdict == "refused"
    assert "exactly equal losses" in copied.reasons[0]
    own = np.tile(loss, 3) + 0.001 * np.random.default_rng(1).standard_normal(150)
    assert fit_surface(np.tile(n, 3), np.tile(d, 3), own, seeds=seeds, **options).verdict == "ok"
    one = np.concatenate([loss, loss, own[:50]])  # two of three seeds are one run
    assert fit_surface(np.tile(n, 3), np.tile(d, 3), one, seeds=seeds, **options).verdict == "refused"


def test_one_corrupted_row_is_named():
    n, d = grid(7, 6)
    rng = np.random.default_rng(15)
    loss = predict("C5", HOFFMANN, n, d) + 0.004 * rng.standard_normal(42)
    loss[17] += 0.8
    fit = fit_surface(n, d, loss, n_boot=150)
    assert (fit.outlier["N"], fit.outlier["D"]) == pytest.approx((n[17], d[17]))
    said = " ".join(fit.reasons + fit.flags)
    assert f"{n[17]:.4g}" in said


def test_many_rows_are_averaged():
    rng = np.random.default_rng(16)
    n, d, loss = scattered(rng, 100_000)
    begin = time.process_time()
    fit = fit_surface(n, d, loss)
    assert time.process_time() - begin < 60
    assert len(fit.points["N"]) <= 1000
    assert fit.estimates["alpha"] == pytest.approx(0.34, abs=0.005)


@pytest.mark.parametrize("rows", range(2, 12))
def test_a_few_rows_of_one_budget_are_refused_in_words(rows):
    """N and D are two names of one thing there, up to rounding: no error of linear algebra."""
    n = np.round(np.geomspace(1e7, 1e9, rows))
    d = np.round(1e18 / 6 / n)
    loss = 1.7 + 0.8 * (n / 1e8) ** -0.35 + 0.6 * (d / 1e10) ** -0.4
    with warnings.catch_warnings(action="error"):
        fit = fit_surface(n, d, loss, flops=np.full(rows, 1e18), n_boot=50)
    assert fit.verdict == "refused"
    assert any("too few points" in reason or "move together" in reason for reason in fit.reasons)
