"""Estimators on planted truth: intervals cover, rules are quiet where there is nothing, what is there is found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seqmix_study.findings.answer import Findings, holm
from seqmix_study.findings.detect import needed, null_shapes, of_student, rate
from seqmix_study.findings.linear import contrast, seed_tests
from seqmix_study.findings.questions import Questions
from seqmix_study.findings.select import Tables
from seqmix_study.findings.shapes import two_line_fall_and_rise

SIZES = (1e4, 3e4, 1e5, 3e5, 1e6)


def cells(rng, mean=0.0, sd=0.01, seeds=3, sizes=SIZES, slope=0.0, shared=None, misfit=None):
    """Values of one arm, [sizes x seeds]; ``shared`` is added by seed, ``misfit`` by size."""
    shared = np.zeros(seeds) if shared is None else shared
    misfit = np.zeros(len(sizes)) if misfit is None else misfit
    return pd.DataFrame([
        {"size": size, "seed": seed,
         "value": mean + slope * np.log10(size) - 0.3 * np.log10(size) + shared[seed] + misfit[i] + sd * rng.normal()}
        for i, size in enumerate(sizes) for seed in range(seeds)
    ])  # fmt: skip


def coverage(make, truth, draws=60, **how):
    """Share of draws whose 95 % interval holds the truth, and the mean width."""
    rng, inside, width = np.random.default_rng(0), 0, 0.0
    for _ in range(draws):
        lo, hi = contrast(*make(rng), ["size"] if "x" not in how else [], **how).interval()
        inside, width = inside + (lo <= truth <= hi), width + hi - lo
    return inside / draws, width / draws


def alike(rng):
    return cells(rng, 0.05), cells(rng)


def with_seeds(rng):
    shared = 0.03 * rng.normal(size=3)
    return cells(rng, 0.05, shared=shared), cells(rng, shared=shared)


def unequal_noise(rng):
    return cells(rng, 0.05, sd=0.03), cells(rng, sd=0.005)


def gap_changes(rng):
    return cells(rng, 0.05 + 0.1 * 5, slope=-0.1), cells(rng)


def one_size(rng):
    return cells(rng, 0.05, sizes=(1e5,), sd=0.03), cells(rng, sizes=(1e5,))


@pytest.mark.parametrize("make", [alike, with_seeds, unequal_noise, one_size])
def test_intervals_of_a_difference_cover(make):
    assert 0.87 <= coverage(make, 0.05)[0] <= 1.0


def test_a_gap_that_changes_with_size_widens_the_interval():
    assert coverage(gap_changes, 0.05)[0] > 0.97


def test_cells_are_units_where_seeds_have_no_effect():
    """Residual degrees of freedom of the additive model, not the two of three seed means."""
    width = coverage(alike, 0.05)[1]
    rng, by_seed = np.random.default_rng(0), []
    for _ in range(60):
        first, second = alike(rng)
        gap = (first.groupby("seed")["value"].mean() - second.groupby("seed")["value"].mean()).to_numpy()
        by_seed.append(2 * 4.303 * gap.std(ddof=1) / np.sqrt(3))
    assert width < np.mean(by_seed) / 1.3


def test_pairs_are_used_where_seeds_have_an_effect():
    rng = np.random.default_rng(0)
    found = contrast(*with_seeds(rng), ["size"])
    assert found.method.startswith("pairs of equal seed")
    assert found.se < 0.005
    assert contrast(*alike(rng), ["size"]).method.startswith("additive model")


def test_the_test_for_seeds_is_exact_and_sees_an_effect():
    rng, p_none, p_some = np.random.default_rng(1), [], []
    for _ in range(60):
        for found, shared in ((p_none, 0.0), (p_some, 0.03)):
            by_seed = shared * rng.normal(size=3)
            both = pd.concat(
                [cells(rng, shared=by_seed).assign(side=0.5), cells(rng, shared=by_seed).assign(side=-0.5)]
            )
            found.append(seed_tests(both, ["size"])[0])
    assert np.mean(np.array(p_none) < 0.05) < 0.15
    assert np.mean(np.array(p_some) < 0.05) > 0.8


def test_slopes_cover_with_and_without_misfit_of_sizes():
    plain = lambda rng: (cells(rng, slope=0.05), cells(rng))  # noqa: E731
    bent = lambda rng: (cells(rng, slope=0.05, misfit=0.02 * rng.normal(size=5)), cells(rng))  # noqa: E731
    assert 0.87 <= coverage(plain, 0.05, x="size")[0] <= 1.0
    assert coverage(bent, 0.05, x="size")[0] > 0.84
    alone = lambda rng: (cells(rng, slope=0.05, misfit=0.02 * rng.normal(size=5)), None)  # noqa: E731
    assert coverage(alone, -0.25, x="size")[0] > 0.84


def test_power_is_the_share_of_intervals_that_decide():
    """A truth of twice the margin is told from the margin as often as the row says."""
    rng, margin, told, said = np.random.default_rng(2), 0.008, 0, []
    for _ in range(60):
        found = contrast(cells(rng, 2 * margin), cells(rng), ["size"])
        told += found.interval()[0] > margin
        said.append(of_student(found.se, found.df, margin, "above"))
    assert np.mean(said) == pytest.approx(told / 60, abs=0.15)
    units = needed(0.01, 20, 30, 0.01, "above")
    assert of_student(0.01 * np.sqrt(30 / units), units, 0.01, "above") == pytest.approx(0.8, abs=0.03)
    assert needed(0.01, 20, 30, 0.0, "above") is None


# --------------------------------------------------------------------------------------------------- shapes, ranks


def stacks(rng, means, sd=0.01, seeds=3):
    return np.asarray(means)[:, None] + sd * rng.normal(size=(len(means), seeds))


def is_u(y):
    return min(side[1] for side in two_line_fall_and_rise(np.arange(len(y), dtype=float), y)) > 0


@pytest.mark.parametrize("shape", range(7))
def test_no_u_is_seen_where_there_is_none(shape):
    means = null_shapes(np.linspace(0, 0.1, 13))[shape]
    assert rate(is_u, means, 0.01, 3) <= 0.08


def test_a_planted_u_is_seen():
    assert rate(is_u, np.abs(np.arange(13) - 5) * 0.02, 0.01, 3) > 0.9


def ask(table, question, **rules):
    data = {"questions": {"q": {"asks": "?", "kind": "other", "per": []} | question}, "rules": rules}
    found = Findings(Tables(table if isinstance(table, dict) else {"runs": table}, Questions.model_validate(data)))
    return found.rows("q")[0], found.questions.rules


def counted(y, **more):
    return pd.DataFrame([{"arm": f"a{i}", "count": i, "seed": s, "loss": v, **more}
                         for i, row in enumerate(y) for s, v in enumerate(row)])  # fmt: skip


def words(question, means, draws=12, sd=0.01):
    """How often each word is said of ``means`` [arms] with noise ``sd`` and three seeds."""
    rng, said = np.random.default_rng(0), []
    for _ in range(draws):
        row, rules = ask(counted(stacks(rng, means, sd)), question)
        said.append(row.read(None, rules)[0])
    return pd.Series(said).value_counts(normalize=True)


def test_rank_is_quiet_among_equals_and_finds_the_best():
    best = {"estimator": "rank", "x": "count", "around": 1.5, "margin": 0.0, "says": "below", "options": {"of": 2}}
    assert words(best, np.zeros(13)).get("yes", 0) <= 0.05
    planted = np.where(np.arange(13) == 2, -0.05, 0.0)
    assert words(best, planted).get("yes", 0) > 0.9
    assert words(best, -planted).get("no", 0) > 0.9


def test_the_lowest_count_is_found_and_not_invented():
    lowest = {"estimator": "argmin", "x": "count", "around": 2, "margin": 1.5, "says": "same"}
    assert words(lowest, np.zeros(13)).get("yes", 0) <= 0.05
    assert words(lowest, np.where(np.arange(13) == 2, -0.05, 0.0)).get("yes", 0) > 0.9


def test_variance_favours_no_factor_by_its_number_of_levels():
    rng, said = np.random.default_rng(0), []
    for _ in range(30):
        table = pd.DataFrame([{"arm": "a", "place": p, "count": c, "seed": s, "loss": rng.normal()}
                              for p in "fmb" for c in (1, 2) for s in range(3)])  # fmt: skip
        row, rules = ask(table, {"estimator": "variance", "margin": 0.1, "options": {"one": "place", "other": "count"}})
        said.append(row.read(None, rules)[0])
    found = pd.Series(said).value_counts(normalize=True)
    assert found.get("yes", 0) <= 0.1
    assert found.get("no", 0) <= 0.1
    planted = table.assign(loss=table["loss"] + 20 * (table["place"] == "b"))
    row, rules = ask(planted, {"estimator": "variance", "margin": 0.1, "options": {"one": "place", "other": "count"}})
    assert row.read(None, rules)[0] == "yes"


def test_rankings_that_agree_and_that_turn():
    rng = np.random.default_rng(0)
    means = np.linspace(0, 0.5, 6)
    for turned, word in ((means, "yes"), (means[::-1], "no")):
        table = pd.concat([counted(stacks(rng, m), tokens=t) for m, t in ((means, 1), (turned, 4))])
        row, rules = ask(table, {"estimator": "agreement", "x": "tokens", "around": 0.5, "margin": 0.0})
        assert row.read(None, rules)[0] == word


def test_crossing_is_found_where_it_is_and_bounded_where_it_is_not():
    rng = np.random.default_rng(0)
    for at, inside in ((1e5, True), (1e8, False)):
        first = cells(rng, slope=-0.1).assign(arm="a")
        second = cells(rng, mean=-0.1 * np.log10(at)).assign(arm="b")
        table = pd.concat([first, second]).rename(columns={"value": "loss"})
        row, _ = ask(table, {"estimator": "crossing", "first": "a", "second": "b", "x": "size", "unit": "parameters"})
        assert row.effect.lo < at < row.effect.hi
        assert np.isfinite(row.effect.hi) == inside


def test_time_to_solve_counts_runs_that_never_get_there():
    times = [100, 200, 300, 400, 500, 600, 700, np.inf, np.inf, np.inf]
    table = pd.DataFrame({"arm": "a", "seed": range(10), "steps": times})
    row, _ = ask(table, {"estimator": "time_to_solve", "value": "steps", "first": "a", "around": 50, "margin": 0.0})
    assert (row.effect.estimate, row.effect.lo) == (550, 200)
    assert row.effect.hi == np.inf
    both = pd.concat([table, table.assign(arm="b", steps=table["steps"] + 1000)])
    row, _ = ask(both, {"estimator": "time_to_solve", "value": "steps", "first": "a", "second": "b", "around": 0.5})
    assert row.effect.estimate == pytest.approx(0.7 * 0.7 + 0.3 * 0.7 + 0.7 * 0.3 * 1 - 0.21 + 0.045 + 0.0, abs=0.2)
    assert 0 <= row.effect.lo <= row.effect.hi <= 1


@pytest.mark.parametrize("good", range(6))
def test_shares_and_bounded_values_stay_in_their_range(good):
    table = pd.DataFrame({"arm": "a", "seed": range(5), "right": [1.0] * good + [0.0] * (5 - good)})
    both = pd.concat([table, table.assign(arm="b", right=1 - table["right"])])
    share = {"estimator": "share", "value": "right", "options": {"at_least": 0.95}, "first": "a"}
    bounded = {"estimator": "difference", "value": "right", "bounds": [0, 1], "better": "higher", "first": "a"}
    for question in (share, bounded):
        one, two = ask(table, question)[0].effect, ask(both, question | {"second": "b"})[0].effect
        assert 0 <= one.lo <= one.estimate <= one.hi <= 1
        assert -1 <= two.lo <= two.estimate <= two.hi <= 1
        assert one.estimate == pytest.approx(good / 5)
        assert one.hi > one.lo


def test_bounded_intervals_cover():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(60):
        table = pd.DataFrame([{"arm": a, "seed": s, "right": rng.binomial(100, p) / 100}
                              for a, p in (("a", 0.9), ("b", 0.7)) for s in range(5)])  # fmt: skip
        question = {"estimator": "difference", "value": "right", "bounds": [0, 1], "first": "a", "second": "b"}
        effect = ask(table, question)[0].effect
        inside += effect.lo <= 0.2 <= effect.hi
    assert inside / 60 > 0.87


def test_ratio_of_rounds_and_growth_of_time():
    rng = np.random.default_rng(0)
    table = pd.DataFrame([
        {"arm": a, "process": "p", "round": r, "length": t, "seconds": k * t**e * np.exp(0.02 * rng.normal())}
        for a, k, e in (("slow", 3e-6, 2.0), ("fast", 1e-6, 2.0)) for t in (128, 256, 512, 1024) for r in range(12)
    ])  # fmt: skip
    ratio = {"estimator": "ratio", "kind": "time", "value": "seconds", "first": "slow", "second": "fast",
             "match": ["length"], "around": 1.0, "margin": 0.1}  # fmt: skip
    row, rules = ask(table, ratio)
    assert row.effect.lo < 3 < row.effect.hi < 3.1
    assert row.read(None, rules)[0] == "yes"
    growth = {"estimator": "exponent", "kind": "time", "value": "seconds", "first": "slow", "x": "length", "match": [],
              "around": 2.0, "margin": 0.2, "says": "same", "options": {"law": "growth"}}  # fmt: skip
    assert ask(table, growth)[0].read(None, rules)[0] == "yes"


def test_text_widens_the_interval_and_then_it_covers():
    """Seeds agree, but the text is a sample: blocks that are hard for one side only are an error of their own."""
    rng, inside, without = np.random.default_rng(0), 0, 0
    for _ in range(30):
        hard = 0.05 * rng.normal(size=20)  # by how much each block is harder for "a"
        runs, blocks = [], []
        for arm in "ab":
            for seed in range(3):
                run, noise = f"{arm}{seed}", 0.002 * rng.normal()
                losses = 2 + noise + (hard + 0.03 if arm == "a" else 0)
                losses = np.broadcast_to(losses, 20)
                runs.append({"run": run, "arm": arm, "seed": seed, "loss": losses.mean()})
                blocks += [{"run": run, "block": b, "loss": v} for b, v in enumerate(losses)]
        tables = {"runs": pd.DataFrame(runs), "blocks": pd.DataFrame(blocks)}
        question = {"estimator": "difference", "first": "a", "second": "b"}
        effect = ask(tables, question)[0].effect
        inside += effect.lo <= 0.03 <= effect.hi
        alone = ask(tables["runs"], question)[0].effect
        without += alone.lo <= 0.03 <= alone.hi
    assert inside / 30 >= 0.85
    assert without / 30 < 0.7


def test_values_from_a_second_table():
    """Ranges, weights, blocks and the first step at a level, from another table by the run."""
    runs = pd.DataFrame([{"run": f"{a}{s}", "arm": a, "seed": s, "length": 64} for a in "ab" for s in range(3)])
    falls = {1: 3.0, 16: 2.0, 32: 1.5}
    bins = [(run.run, lo, block, falls[lo] + 0.01 * block + (0.5 if run.arm == "a" and lo == 32 else 0))
            for run in runs.itertuples() for lo in (1, 16, 32) for block in range(4)]  # fmt: skip
    context = pd.DataFrame(bins, columns=["run", "lo", "block", "loss"]).assign(count=10)
    measure = {
        "table": "context",
        "column": "loss",
        "at": "lo",
        "between": [[0.25, 0.5], [0.5, 1.0]],
        "weight": "count",
    }
    question = {"estimator": "difference", "value": measure | {"keep": "block"}, "first": "b", "second": "a"}
    effect = ask({"runs": runs, "context": context}, question)[0].effect
    assert effect.estimate == pytest.approx(0.5)
    points = [(run.run, step, loss + (run.arm == "a") + 0.01 * run.seed)
              for run in runs.itertuples() for step, loss in ((1, 3.0), (10, 1.0), (100, 0.1))]  # fmt: skip
    curves = pd.DataFrame(points, columns=["run", "step", "loss"])
    reach = {"table": "curves", "column": "step", "take": "reach", "of": "loss", "level": "common", "by": "step"}
    question = {"estimator": "ratio", "value": reach, "first": "a", "second": "b", "around": 1.0}
    effect = ask({"runs": runs, "curves": curves}, question)[0].effect
    assert effect.estimate > 5  # the loss that both reach is the end of "a", and "b" is there near step 10
    last = {"table": "curves", "column": "loss", "take": "last", "by": "step"}
    effect = ask({"runs": runs, "curves": curves}, question | {"estimator": "difference", "value": last})[0].effect
    assert effect.estimate == pytest.approx(1.0)


@pytest.mark.parametrize("spread", [1.0, 0.01])
def test_each_side_of_a_difference_over_blocks_has_a_spread_of_its_own(spread):
    """Where the text adds nothing, the interval is Welch's: seeds that agree lend no certainty to seeds that do not."""
    rng = np.random.default_rng(0)
    values = {"a": 5 + rng.normal(0, 1, 3), "b": 3 + spread * rng.normal(0, 1, 3)}
    runs = pd.DataFrame([{"run": f"{a}{s}", "arm": a, "seed": s} for a in "ab" for s in range(3)])
    bins = [(f"{a}{s}", 1, block, v + block) for a in "ab" for s, v in enumerate(values[a]) for block in range(4)]
    context = pd.DataFrame(bins, columns=["run", "lo", "block", "loss"]).assign(count=10)
    measure = {"table": "context", "column": "loss", "weight": "count", "keep": "block"}
    question = {"estimator": "difference", "value": measure, "first": "a", "second": "b"}
    effect = ask({"runs": runs, "context": context}, question)[0].effect
    welch = stats.ttest_ind(values["a"], values["b"], equal_var=False).confidence_interval()
    assert (effect.lo, effect.hi) == pytest.approx((welch.low, welch.high))


def test_holm_is_the_textbook():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
