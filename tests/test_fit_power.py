"""Ladders: planted laws come back with honest intervals, and what carries no law is refused in words."""

import json

import numpy as np
import pytest

from seqmix_study.findings.fits.exponents import compare_exponents, iso_loss_ratio
from seqmix_study.findings.fits.fit import explain
from seqmix_study.findings.fits.ladder import Ladder
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.fits.profile import Profile, resample_alphas

N0 = 1e4


def table(k=7, seeds=3, decades=2.0, alpha=0.3, floor=1.7, scale=1.0, noise=0.01, misfit=0.0, rng=0):
    """Runs of a planted law: N [k * seeds], loss, seed; ``misfit`` is shared by the seeds of a size."""
    generator = np.random.default_rng(rng)
    n = N0 * 10 ** np.linspace(0, decades, k)
    loss = (floor + scale * (n / N0) ** -alpha)[:, None]
    loss = loss + misfit * generator.standard_normal((k, 1)) + noise * generator.standard_normal((k, seeds))
    return np.repeat(n, seeds), loss.ravel(), np.tile(np.arange(seeds), k)


def quick(n, loss, seeds=None, **options):
    return fit_power(n, loss, seeds=seeds, **({"n_boot": 0} | options))


def test_noise_free_law_is_recovered():
    fit = fit_power(*table(noise=1e-8)[:2])
    assert fit.verdict == "ok"
    tolerance = 1e-6
    assert fit.estimates["alpha"] == pytest.approx(0.3, abs=tolerance)
    assert fit.estimates["E"] == pytest.approx(1.7, abs=tolerance)
    assert fit.estimates["A"] == pytest.approx(N0**0.3, rel=10 * tolerance)
    assert fit.reasons == []


def test_variable_projection_equals_brute_force():
    n, loss, _ = table(rng=4)
    fit = quick(n, loss)
    ladder = Ladder.from_rows(n, loss)
    alphas = np.arange(0.05, 1.0, 0.001)
    sse = []
    for alpha in alphas:
        columns = np.stack([np.ones(ladder.k), ladder.n**-alpha], 1)
        coefficients = np.linalg.lstsq(columns / columns.max(0), ladder.mean, rcond=None)[0]
        sse.append(np.square(ladder.mean - columns / columns.max(0) @ coefficients).sum())
    assert abs(fit.estimates["alpha"] - alphas[np.argmin(sse)]) <= 0.001
    assert fit.objective <= min(sse) * (1 + 1e-9)


def test_profile_interval_is_where_the_sum_of_squares_crosses():
    profile = Profile(*(lambda t: (np.log(t.n), t.mean))(Ladder.from_rows(*table(rng=5)[:2])))
    low, high = profile.interval()
    assert profile.sse(np.array([low, high])) == pytest.approx(profile.threshold(0.95), rel=1e-6)
    assert low < profile.alpha < high


@pytest.mark.parametrize("unit", [1e-6, 1e3, 1e9])
def test_unit_of_size_changes_only_the_amplitude(unit):
    n, loss, _ = table(rng=6)
    here, there = fit_power(n, loss), fit_power(n * unit, loss)
    assert there.estimates["alpha"] == pytest.approx(here.estimates["alpha"], abs=1e-7)
    assert there.estimates["E"] == pytest.approx(here.estimates["E"], abs=1e-6)
    assert there.intervals["alpha"] == pytest.approx(here.intervals["alpha"], abs=1e-6)
    assert there.predict(n * unit) == pytest.approx(here.predict(n), abs=1e-7)


@pytest.mark.parametrize(("misfit", "tables"), [(0.0, 120), (0.01, 300)])
def test_intervals_cover_the_truth(misfit, tables):
    covered: dict[str, list[bool]] = {"alpha": [], "E": [], "A": []}
    truth = {"alpha": 0.3, "E": 1.7, "A": N0**0.3}
    for i in range(tables):
        fit = quick(*table(misfit=misfit, rng=1000 + i)[:2])
        for name, (low, high) in fit.intervals.items():
            if name in covered:
                covered[name].append(low <= truth[name] <= high)
    assert len(covered["alpha"]) == tables
    for hits in covered.values():
        assert len(hits) > 0.93 * tables
        assert (0.92 if tables == 300 else 0.9) <= np.mean(hits) <= (0.98 if tables == 300 else 0.995)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"misfit": 0.005}, {"misfit": 0.005, "k": 6}),
        ({"misfit": 0.002, "noise": 0.003, "k": 9}, {"misfit": 0.01, "k": 6}),
        ({"misfit": 0.01, "k": 9}, {"misfit": 0.002, "noise": 0.003, "k": 6}),
    ],
    ids=["alike", "quiet and long", "noisy and long"],
)
def test_equal_exponents_are_rarely_called_different(first, second):
    different = 0
    for i in range(80):
        a = quick(*table(**first, rng=i)[:2])
        b = quick(*table(**second, floor=2.0, scale=1.3, rng=5000 + i)[:2])
        different += compare_exponents(a, b)["conclusion"] == "different"
    assert different / 80 <= 0.07


def test_unequal_exponents_are_called_different():
    a, b = quick(*table(alpha=0.2, rng=1)[:2]), quick(*table(alpha=0.45, rng=2)[:2])
    test = compare_exponents(a, b)
    assert test["conclusion"] == "different"
    assert test["interval"][0] <= -0.25 <= test["interval"][1]
    same = compare_exponents(quick(*table(noise=1e-4, rng=1)[:2]), quick(*table(noise=1e-4, rng=2)[:2]))
    assert same["conclusion"] == "equivalent"


def test_shape_of_document_zero_is_refused():
    four = fit_power(*table(k=4, seeds=1, noise=0.03)[:2])
    assert four.verdict == "refused"
    assert any("too few sizes" in reason for reason in four.reasons)
    assert any("too few seeds" in reason for reason in four.reasons)
    rising = fit_power([117504, 5e5, 2e6, 1e7], [3.25, 3.3, 3.6, 4.89])
    assert rising.verdict == "refused"
    assert any("does not fall" in reason for reason in rising.reasons)
    assert {"G0 sizes", "G1 direction"} <= {gate.name for gate in rising.gates if not gate.passed}


def test_rise_in_a_good_design_is_refused():
    fit = fit_power(*table(alpha=-0.3, scale=0.3)[:2])
    assert fit.verdict == "refused"
    assert "does not fall" in fit.reasons[0]


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused(seed):
    fit = quick(*table(scale=0.0, noise=0.05, rng=seed)[:2])
    assert fit.verdict == "refused"
    assert fit.reasons


@pytest.mark.parametrize(
    "loss",
    [
        lambda n: np.full_like(n, 2.0),
        lambda n: np.where(n > 1e5, 2.0, 3.0),
        lambda n: 5 - 0.5 * (n / N0) ** 0.3,
        lambda n: 4 - 0.2 * np.log(n / N0),
        lambda n: 2 + 1 / (1 + (n / 1e5) ** 2),
        lambda n: 2 + 0.1 * np.abs(np.log(n / 1e5)),
        lambda n: 2 + (n / N0) ** -0.3 + 0.3 * (n == n[9]),
    ],
    ids=["constant", "step", "concave", "line", "logistic", "u", "outlier"],
)
def test_other_shapes_are_not_power_laws(loss):
    n = np.repeat(N0 * np.geomspace(1, 100, 7), 3)
    fit = quick(n, loss(n) + 0.003 * np.random.default_rng(0).standard_normal(21))
    assert fit.verdict != "ok"
    assert fit.reasons


@pytest.mark.parametrize("sizes", [1, 2, 3])
def test_few_points_are_refused_with_the_reason(sizes):
    fit = fit_power(*table(k=sizes)[:2])
    assert fit.verdict == "refused"
    assert any("too few sizes" in reason for reason in fit.reasons)


@pytest.mark.parametrize(("alpha", "noise"), [(0.076, 1e-9), (0.076, 0.01), (0.2, 0.01), (0.34, 0.003)])
def test_pure_power_law_is_never_ok_with_a_wrong_exponent(alpha, noise):
    for seed in range(15):
        fit = quick(*table(alpha=alpha, floor=0.0, scale=4.5, noise=noise, misfit=noise / 2, rng=seed)[:2])
        if fit.verdict == "ok":
            assert fit.estimates["alpha"] == pytest.approx(alpha, rel=0.3)
        else:
            assert fit.verdict == "slope_only"
        if noise < 1e-6:
            assert fit.form == "K"
            assert fit.estimates["alpha"] == pytest.approx(alpha, rel=1e-5)


@pytest.mark.parametrize("shape", [lambda r: 1 / r, lambda r: np.exp((1 - r) / 2), lambda r: r**-2.0])
def test_a_law_that_fails_at_its_small_end_is_held_by_the_intervals(shape):
    held = []
    for i in range(20):
        n, loss, seeds = table(k=8, decades=2.3, noise=0.002, rng=7000 + i)
        fit = quick(n, loss + 0.15 * shape(n / n[0]), seeds)
        low, high = fit.intervals["alpha"]
        held.append(low <= 0.3 <= high)
        assert "with a start of its own" in "".join(fit.flags)
    assert np.mean(held) >= 0.8


@pytest.mark.parametrize(("misfit", "least"), [(0.0, 39), (0.003, 38), (0.01, 28)])
def test_exact_laws_stay_ok_and_badly_tuned_sizes_mostly(misfit, least):
    fits = [quick(*table(k=8, noise=0.005, misfit=misfit, rng=8000 + i)) for i in range(40)]
    assert sum(fit.verdict == "ok" for fit in fits) >= least
    assert sum(fit.verdict in ("ok", "interval") for fit in fits) >= 39


def test_shallow_law_is_slope_only():
    verdicts = [quick(*table(alpha=0.08, misfit=0.005, rng=seed)[:2]) for seed in range(30)]
    assert sum(fit.verdict == "slope_only" for fit in verdicts) >= 28
    fit = next(fit for fit in verdicts if fit.verdict == "slope_only")
    assert fit.form == "S2"
    assert "alpha" not in fit.estimates
    assert fit.intervals["slope"][1] < 0


def test_seeds_are_repeats_and_not_points():
    n, loss, seeds = table(seeds=5)
    assert Ladder.from_rows(n, loss, seeds).k == 7
    assert len(quick(n, loss, seeds).points["N"]) == 7
    assert quick(n, loss, seeds).df == 4
    once = quick(n, loss, np.zeros_like(seeds))
    assert "28 rows repeat a size and seed" in once.notes[0]
    assert once.verdict == "refused"


def test_rows_pasted_three_times_are_no_seeds():
    n, loss, _ = table(seeds=1)
    pasted = quick(np.tile(n, 3), np.tile(loss, 3))
    assert pasted.verdict == "refused"
    assert "14 rows are exact copies" in pasted.notes[0]
    named = quick(np.tile(n, 3), np.tile(loss, 3), np.repeat([0, 1, 2], len(n)))
    assert named.verdict == "refused"
    assert any("exactly equal losses" in reason for reason in named.reasons)


def test_twenty_thousand_sizes_are_averaged():
    n = np.geomspace(1e4, 1e7, 20_000)
    loss = 1.7 + (n / N0) ** -0.3 + 0.01 * np.random.default_rng(0).standard_normal(len(n))
    fit = fit_power(n, loss)
    assert len(fit.points["N"]) <= 200
    assert fit.estimates["alpha"] == pytest.approx(0.3, abs=0.02)


def test_held_out_largest_size_is_checked():
    n, loss, _ = table(noise=0.003, rng=1)
    loss[n == n.max()] += 0.1  # the largest size did not finish training, say; still no rise
    fit = quick(n, loss)
    gate = next(gate for gate in fit.gates if gate.name == "G8 hold-out")
    assert not gate.passed
    assert fit.verdict != "ok"


def test_bootstrap_of_resamples_equals_refits():
    ladder = Ladder.from_rows(*table(rng=9)[:2])
    counts = np.ones((1, ladder.k))
    alpha, floor, log_a = resample_alphas(ladder.log_n, ladder.mean, counts)
    estimate = Profile(ladder.log_n, ladder.mean).estimates()
    assert alpha[0] == pytest.approx(estimate["alpha"], abs=1e-3)  # the grid
    assert floor[0] == pytest.approx(estimate["E"], abs=5e-3)
    assert np.exp(log_a[0]) == pytest.approx(estimate["A"], rel=0.01)


def test_iso_loss_ratio_recovers_a_planted_shift():
    a = fit_power(*table(noise=0.003, rng=1)[:2])
    n, loss, _ = table(noise=0.003, rng=2)
    b = fit_power(n / 3, loss)
    ratio = iso_loss_ratio(a, b)
    assert ratio["ratio"] == pytest.approx([3.0] * 5, rel=0.15)
    assert all(low < 3 < high for low, high in zip(ratio["low"], ratio["high"], strict=True))
    far = fit_power(*table(floor=5.0)[:2])
    assert "no common range" in iso_loss_ratio(a, far)["text"]
    refused = fit_power(*table(k=4)[:2])
    assert "both families need a law" in iso_loss_ratio(a, refused)["text"]


def test_explanation_and_json():
    n, loss, seeds = table(noise=0.003)
    fit = fit_power(n, loss, seeds=seeds)
    assert explain(fit).startswith("verdict")
    document = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert {"form", "estimates", "intervals", "objective", "verdict", "reasons"} <= set(document)
    assert len(document["data_sha256"]) == 64


@pytest.mark.parametrize("bad", [[1, 2, -3], [1, 2, np.nan], ["a", 1, 2], []])
def test_bad_values_are_errors(bad):
    with pytest.raises(ValueError, match="N: "):
        fit_power(bad, [3, 2, 1])
