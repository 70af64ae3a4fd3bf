"""Learning-rate sweeps: planted optima are found, from anywhere, and what a search does not know it says."""

import math

import numpy as np
import pytest

from seqmix_study.runs import rate_law
from seqmix_study.runs.bracket import HIGHEST, LOWEST, START, Optimum, rate, search, step_of


def sweep(loss, margin=0.02, start=START, fine=True, span=2, twice=False):
    """Run a search to its end against ``loss(octaves, seed)``; return the optimum and every trial that it asked for."""
    known = {}
    for _ in range(40):
        found = search(known, margin, start, fine, span, twice)
        if isinstance(found, Optimum):
            return found, known
        assert not set(found) & set(known), "a trial was asked for twice"
        known |= {(k, seed): loss(k / 2, seed) for k, seed in found}
    raise AssertionError("the search does not end")


@pytest.mark.parametrize("best", [-11.3, -9.0, -7.2, -5.6, -3.1])
@pytest.mark.parametrize("curvature", [0.002, 0.03, 0.2])
def test_a_planted_optimum_is_found_from_anywhere(best, curvature):
    found, known = sweep(lambda octaves, seed: 1.5 + curvature * (octaves - best) ** 2)
    assert found.where == "interior"
    assert found.vertex / 2 == pytest.approx(best, abs=1e-6)
    assert found.curvature == pytest.approx(curvature, rel=1e-6)
    true = curvature * (found.used / 2 - best) ** 2
    assert found.regret == pytest.approx(true, abs=1e-9)
    assert true <= max(0.02 / 8, curvature / 16) + 1e-9
    assert found.used in {k for k, _ in known}, "the rate used is that of a trial"


def test_noise_is_told_as_regret():
    """With noisy trials the bound on the regret covers the true regret in about nine of ten searches."""
    rng, covered = np.random.default_rng(3), []
    for _ in range(200):
        best = rng.uniform(-9, -5)
        noise = {}
        found, _ = sweep(lambda o, s: 0.02 * (o - best) ** 2 + noise.setdefault((o, s), rng.normal(0, 0.01)))  # noqa: B023
        covered.append(0.02 * (found.used / 2 - best) ** 2 <= found.regret_hi)
    assert np.mean(covered) > 0.8


def test_a_check_with_a_second_seed_is_not_led_by_one_lucky_run():
    """One seed of a rate beside the best one happens to be much lower; a second one finds the best rate again."""

    def lucky(octaves, seed):
        return 0.05 * (octaves + 7) ** 2 - 0.2 * (octaves == -6 and seed == 0) + 0.2 * (octaves == -6 and seed == 1)

    once, trials = sweep(lucky, fine=False)
    again, more = sweep(lucky, fine=False, twice=True)
    assert once.used / 2 > -6.6
    assert again.used / 2 == -7
    assert {seed for _, seed in trials} == {0}
    assert {k for k, seed in more if seed == 1} <= {k for k, seed in more if seed == 0}, "a second seed widens nothing"
    assert again.regret_hi > once.regret_hi, "what two seeds disagree on is told"


def test_divergence_and_edges():
    found, _ = sweep(lambda octaves, seed: math.inf if octaves > -6.4 else 2 - 0.01 * octaves)
    assert found.where == "interior"
    assert found.used / 2 <= -6.4
    falling, _ = sweep(lambda octaves, seed: -octaves)
    assert falling.where == "edge"
    assert falling.used == HIGHEST or falling.used + 2 > HIGHEST
    assert math.isinf(sweep(lambda octaves, seed: math.inf)[0].regret_hi)


@pytest.mark.parametrize("low", [-8.5, -6.0])
def test_a_task_that_is_solved_in_a_window_is_trained_in_its_middle(low):
    """The fastest rate lies at the cliff; the one used lies inside, and costs no answer."""
    high = low + 3.5
    found, known = sweep(lambda o, s: -1 + 2.0 ** -(o + 12) if low <= o <= high else 3.0, margin=0.1, span=6)
    solved = [k for (k, _), loss in known.items() if loss < 0]
    assert min(solved) < found.used < max(solved)
    assert abs(found.used - (min(solved) + max(solved)) / 2) <= 1
    assert (found.regret, found.where) == (0.0, "interior")
    narrow, _ = sweep(lambda o, s: -0.5 if abs(o + 6) < 0.3 else 3.0, margin=0.1, span=6)
    assert narrow.used == -12


def test_a_check_takes_three_points_where_the_prediction_holds():
    found, known = sweep(lambda octaves, seed: 0.02 * (octaves + 6.0) ** 2, start=-12, fine=False)
    assert sorted(known) == [(-14, 0), (-12, 0), (-10, 0)]
    assert found.used == -12
    found, known = sweep(lambda octaves, seed: 0.2 * (octaves + 4.1) ** 2, start=-12, fine=False)
    assert found.where == "interior"
    assert found.used == -8


def test_a_wide_look_finds_a_rate_that_a_narrow_one_misses():
    """At chance everywhere but around 0.05, as a task that only some rates solve."""
    solved = lambda octaves, seed: -0.5 if -5 <= octaves <= -4 else 2.3 + 0.001 * abs(octaves + 7)  # noqa: E731
    assert sweep(solved)[0].used / 2 < -6
    assert -5 <= sweep(solved, span=6)[0].used / 2 <= -4


def test_grid():
    assert all(step_of(rate(k)) == k for k in range(LOWEST, HIGHEST + 1))
    assert rate(START) == pytest.approx(2**-7)


def optimum(octaves, curvature=0.05):
    return Optimum(round(2 * octaves), 2 * octaves, "interior", curvature, 0.0, 0.001)


def test_a_planted_law_is_recovered_and_its_failure_is_told():
    law = lambda n, d: 3.0 - 0.2 * math.log2(n) - 0.3 * math.log2(d)  # noqa: E731
    base = [(7e3, 1e6), (24e3, 1e6), (150e3, 1e6), (24e3, 4e6)]
    cells = [rate_law.Swept(int(n), int(d), optimum(law(n, d))) for n, d in base]
    good = rate_law.Swept(780_000, 1_000_000, optimum(law(780_000, 1e6)))
    fitted = rate_law.fit(cells, [good], refit=0.01)
    assert fitted.coefficients == pytest.approx((3.0, -0.2, -0.3), abs=0.01)
    assert fitted.error(1_000_000)[0] <= 0.05 / 16 + 1e-9, "half a grid step at most"
    bad = rate_law.Swept(780_000, 16_000_000, optimum(law(780_000, 16e6) - 1.0))
    assert rate_law.fit(cells, [bad]).error(16_000_000)[0] > 0.02, "a check that fails costs its cells"
    assert rate_law.fit(cells, [bad]).error(1_000_000)[0] <= 0.05 / 16 + 1e-9, "and not those of short trainings"
    assert rate_law.fit(cells, [bad], refit=0.01).coefficients != fitted.coefficients


def test_one_cell_is_a_constant():
    law = rate_law.fit([rate_law.Swept(7000, 1_000_000, optimum(-7))])
    assert law.step(900_000, 16_000_000) == -14
