"""IsoFLOP tables: the planted compute-optimal exponent comes back from budgets, and wrong surfaces give way to it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from seqmix_study.__main__ import main
from seqmix_study.chapters.fit_page import figure, plot, write_page
from seqmix_study.findings.fits import fit_isoflop, fit_optima, fit_surface, render, report
from seqmix_study.findings.fits.agreement import agree
from seqmix_study.findings.fits.fit import WORDS, verdict_of
from seqmix_study.findings.fits.intervals import budgets as find_budgets
from seqmix_study.findings.fits.optima import optima_line
from seqmix_study.findings.fits.surface import LEAST, MOST, SHORT
from seqmix_study.findings.fits.surface_gates import SURE

SCRIPT = Path(__file__).parents[1] / "tools" / "fit_coverage.py"
SPEC = importlib.util.spec_from_file_location("fit_coverage", SCRIPT)
coverage = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(coverage)
TRUTH = {"E": 1.7, "A": 0.8, "B": 0.6, "alpha": 0.35, "beta": 0.4}
SHARE = 0.4 / 0.75


def budgets(noise=0.003, seed=0, span=6, decades=3.0, sizes=9, truth=TRUTH):
    """C, N, loss of seven budgets around the planted optimum."""
    rng = np.random.default_rng(seed)
    share = truth["beta"] / (truth["alpha"] + truth["beta"])
    ratio = truth["alpha"] * truth["A"] * 1e8 ** truth["alpha"]
    ratio /= truth["beta"] * truth["B"] * 1e10 ** truth["beta"]
    c = np.repeat(10 ** np.linspace(18, 18 + decades, 7), sizes)
    best = ratio ** (1 / (truth["alpha"] + truth["beta"])) * (c / 6) ** share
    n = best * np.tile(np.geomspace(1 / span, span, sizes), 7)
    return c, n, coverage.law(truth, n, c / 6 / n) * np.exp(noise * rng.standard_normal(len(n)))


def test_exponents_come_back_without_noise():
    c, n, loss = budgets(noise=0.0)
    found = fit_isoflop(c, n, loss)
    assert found["verdict"] == "ok"
    assert found["optimal_exponent"]["estimate"] == pytest.approx(SHARE, abs=0.003)
    assert found["data_exponent"]["estimate"] == pytest.approx(1 - SHARE, abs=0.003)
    ahead = found["prediction"]
    assert ahead["interval"][0] <= ahead["N"] <= ahead["interval"][1]
    exact = budgets(noise=0.0, decades=4.0)[1].reshape(7, 9)[-1, 4]
    assert ahead["N"] == pytest.approx(exact, rel=0.05)


def test_the_interval_of_a_budget_holds_its_best_size_and_tokens():
    held, widths = [], []
    for seed in range(20):
        c, n, loss = budgets(noise=0.004, seed=seed)
        size = n.reshape(7, 9)[:, 4]
        for found, best in zip(fit_isoflop(c, n, loss, draws=20)["budgets"], size, strict=True):
            low, high = found["N_interval"] or (0, np.inf)
            assert low <= found["N_opt"] <= high
            data = found["D_interval"] or (0, np.inf)
            assert data[0] <= found["D_opt"] <= data[1]
            held.append([low <= best <= high, data[0] <= found["compute"] / 6 / best <= data[1]])
            widths.append(np.log(high / low))
    assert 0.9 <= np.mean(held) <= 0.995
    assert np.median(widths) < np.log(4)


def test_the_interval_of_a_budget_holds_its_best_size_where_neighbouring_sizes_are_off_alike():
    """A budget's own rows do not show what its neighbours share: without drawn tables 0.89 of the intervals hold it."""
    held = []
    for seed in range(2000, 2016):
        (n, d, loss), truth = coverage.simulate("misfit per band of N 0.02 nats, IsoFLOP", seed)
        law = coverage.draw_law(np.random.default_rng([4, seed]))
        assert law["beta"] == truth["beta"]
        c = np.geomspace(1e18, 1e21, 7)
        best = [coverage.optimum(law, value) for value in c]
        found = fit_isoflop(6 * n * d, n, loss, d)["budgets"]
        spans = [table["N_interval"] or (0, np.inf) for table in found if not table["why"]]
        held += [low <= best[i] <= high for i, (low, high) in enumerate(spans) if len(spans) == 7]
    assert np.mean(held) >= 0.94


def test_four_sizes_a_budget_leave_its_optimum_uncertain_and_the_report_says_so():
    c, n, loss = budgets(sizes=4, noise=0.01)
    fit = fit_surface(n, c / 6 / n, loss, flops=c)
    said = render({"all": fit}, report({"all": fit}, {}))
    optima = [found for found in fit.isoflop["budgets"] if not found["why"]]
    assert optima
    assert said.count("FLOPs: N_opt ") == len(optima)
    assert any(found["N_interval"] is None for found in optima) == ("not inside its sizes" in said)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_ok_is_near_the_truth(seed):
    c, n, loss = budgets(noise=0.004, seed=seed)
    found = fit_isoflop(c, n, loss)
    low, high = found["optimal_exponent"]["interval"]
    if found["verdict"] == "ok":
        assert low <= SHARE <= high or abs(found["optimal_exponent"]["estimate"] - SHARE) < 0.03
        assert abs(found["optimal_exponent"]["estimate"] - SHARE) < 0.06


def test_failed_runs_far_from_the_optimum_do_not_decide():
    """Losses of models that hardly trained: the surface says so or gives way, the budgets do not move."""
    c, n, loss = budgets(noise=0.003, span=10)
    d = c / 6 / n
    loss = loss + 4 * np.maximum(0, np.log10(3 * n / d))
    fit = fit_surface(n, d, loss, flops=c)
    assert fit.verdict != "ok"
    assert fit.isoflop["verdict"] == "ok"
    assert fit.isoflop["optimal_exponent"]["estimate"] == pytest.approx(SHARE, abs=0.03)
    assert fit.agreement["believe"] == "isoflop"


def test_an_exact_law_makes_both_agree():
    c, n, loss = budgets()
    fit = fit_surface(n, c / 6 / n, loss, flops=c)
    assert fit.verdict == "ok"
    assert fit.agreement["verdict"] == "agree"
    low, high = fit.derived["optimal_exponent"]["interval"]
    assert low <= SHARE <= high


def test_budgets_answer_where_a_surface_has_no_optimum(monkeypatch):
    monkeypatch.setattr("seqmix_study.findings.fits.surface_gates.RUNAWAY", 0.0)
    c, n, loss = budgets()
    fit = fit_surface(n, c / 6 / n, loss, flops=c)
    assert fit.verdict == "refused"
    assert "no optimum" in fit.reasons[0]
    assert fit.estimates == {}
    assert fit.agreement["believe"] == "isoflop"


def test_budgets_without_a_minimum_are_refused_in_words():
    c, n, loss = budgets(noise=0.001)
    left = np.tile(np.arange(9) < 5, 7)
    found = fit_isoflop(c[left], n[left], loss[left])
    assert found["verdict"] == "refused"
    assert "lowest loss is at the largest size" in " ".join(found["reasons"])
    two = c < 4e18
    assert "too few budgets" in " ".join(fit_isoflop(c[two], n[two], loss[two])["reasons"])
    noise = fit_isoflop(c, n, np.random.default_rng(0).uniform(2, 4, len(n)))
    assert noise["verdict"] == "refused"


@pytest.mark.parametrize(("bend", "verdict"), [(0.006, "interval"), (0.015, "interval"), (0.03, "refused")])
def test_a_bend_costs_the_number_and_is_not_extrapolated(bend, verdict):
    """The exponent then runs along the budgets: its interval holds both ends, where it is not too wide to quote."""
    c, n, loss = budgets(noise=0.0005)
    logs = np.log(c / 1e18)
    found = fit_isoflop(c, n * np.exp(bend * logs**2), loss)
    assert found["verdict"] == verdict
    assert found["bend"] < 0.01
    assert any("bends" in reason for reason in found["reasons"])
    assert "bends" in found["prediction"]["why_not"]
    rise = 2 * bend * logs[-1]
    low, high = found["optimal_exponent"]["interval"]
    assert low < SHARE + 0.2 * rise < SHARE + 0.8 * rise < high
    low, high = found["data_exponent"]["interval"]
    assert low < 1 - SHARE - 0.8 * rise < 1 - SHARE - 0.2 * rise < high


def test_where_the_budgets_bend_no_number_is_quoted():
    c, n, loss = budgets()
    fit = fit_surface(n, c / 6 / n, loss, flops=c, n_boot=50)
    assert fit.agreement["text"].count("quote C^") == 2
    fit.isoflop |= {"verdict": "interval", "bend": 0.005}
    agree(fit, c, n, loss, c / 6 / n)
    assert "quote C^" not in fit.agreement["text"]
    assert fit.agreement["text"].count("quote the interval") == 2
    assert verdict_of(fit.gates) == "interval"


@pytest.mark.parametrize("added", [0.9, 2.0])
@pytest.mark.parametrize("planned", ["given", "6ND"])
def test_budgets_are_found_in_either_count_of_flops(planned, added):
    """What embeddings and attention add hides a design, or half of it, in the other count; the report says which."""
    c, n, loss = budgets()
    d, more = c / 6 / n, 1 + added * (n / n.min()) ** (-1 / 3)
    if planned == "given":
        d = d / more
        loss = coverage.law(TRUTH, n, d) * (loss / coverage.law(TRUTH, n, c / 6 / n))
    flops = 6 * n * d * more
    assert (find_budgets(6 * n * d if planned == "given" else flops, n) < 0).any()
    fit = fit_surface(n, d, loss, flops=flops, n_boot=50)
    assert len(fit.isoflop["budgets"]) == 7
    assert fit.isoflop["counted"] == ("the FLOPs given" if planned == "given" else "6 N D")
    assert f"counted in {fit.isoflop['counted']}" in render({"all": fit}, report({"all": fit}, {}))


def test_ten_times_more_counts_from_the_largest_budget_of_the_table():
    """Two budgets that end before their optimum: what is said is said of ten times theirs, or that it is too far."""
    c, n, loss = budgets(noise=0.001, decades=6.0)
    cut = (c > 10**22.5) & (np.tile(np.arange(9), 7) > 3)
    found = fit_isoflop(c[~cut], n[~cut], loss[~cut])
    assert [bool(budget["why"]) for budget in found["budgets"]] == [False] * 5 + [True] * 2
    ahead = found["prediction"]
    assert ahead["compute"] == pytest.approx(1e25)
    assert ahead["times_largest_optimum"] == pytest.approx(1000)
    assert "too few to go 3.00 beyond" in ahead["why_not"]
    cut &= c > 10**23.5
    found = fit_surface(n[~cut], (c / 6 / n)[~cut], loss[~cut], flops=c[~cut], n_boot=50)
    ahead = found.isoflop["prediction"]
    assert ahead["interval"][0] < ahead["N"] < ahead["interval"][1]
    said = render({"all": found}, report({"all": found}, {}))
    assert "at 1e+25 FLOPs (ten times more; 100 times the largest budget with an optimum): N = " in said


def test_scattered_tables_have_no_budgets():
    rng = np.random.default_rng(1)
    n, d = 10 ** rng.uniform(7, 9, 80), 10 ** rng.uniform(9, 11, 80)
    fit = fit_surface(n, d, coverage.law(TRUTH, n, d) * np.exp(0.003 * rng.standard_normal(80)))
    assert fit.isoflop == {}
    assert fit.agreement == {}


@pytest.mark.parametrize("rows", [60, 3000, 100_000])
def test_no_budgets_are_made_of_scattered_rows(rows):
    rng = np.random.default_rng(rows)
    n, c = 10 ** rng.uniform(7, 9, rows), 10 ** rng.uniform(18, 22, rows)
    assert (find_budgets(c, n) == -1).all()
    found = fit_isoflop(c, n, coverage.law(TRUTH, n, c / 6 / n))
    assert found["verdict"] == "refused"
    assert "no IsoFLOP design" in found["reasons"][0]


def test_budgets_that_are_not_quite_equal_are_budgets():
    """D in whole batches, other rows between: what is meant is found, and losses are moved to their budget."""
    c, n, loss = budgets(noise=0.0)
    off = c * np.exp(np.random.default_rng(4).uniform(-0.08, 0.08, len(c)))
    assert find_budgets(off, n).tolist() == np.repeat(np.arange(7), 9).tolist()
    extra = np.append(off, [1.7e18, 1.8e18]), np.append(n, [1e8, 1e8])
    assert find_budgets(*extra).tolist() == [*np.repeat(np.arange(7), 9), -1, -1]
    moved = coverage.law(TRUTH, n, off / 6 / n)
    assert fit_isoflop(off, n, moved)["optimal_exponent"]["estimate"] == pytest.approx(SHARE, abs=0.01)
    assert fit_isoflop(c, n, loss)["verdict"] == "ok"


def test_misfits_of_bands_of_sizes_do_not_make_budgets_sure():
    """Neighbouring budgets share the misfit: of the narrow intervals one in five missed the truth."""
    covered, gaps = [], []
    for seed in range(100):
        (n, d, loss), truth = coverage.simulate("misfit per band of N 0.02 nats, IsoFLOP", 2000 + seed)
        found = fit_isoflop(6 * n * d, n, loss, d, draws=300)
        low, high = found["optimal_exponent"]["interval"]
        covered.append(low <= truth["optimal_exponent"] <= high)
        if found["verdict"] == "ok":
            gaps.append(abs(found["optimal_exponent"]["estimate"] - truth["optimal_exponent"]))
    assert np.mean(covered) >= 0.94
    assert np.mean(np.array(gaps) > 0.06) <= 0.1


def test_a_wide_interval_may_be_quoted_and_no_number_in_it():
    """Between the width that a number needs and the one that says nothing the answer is its interval."""
    words = {}
    for seed in range(30):
        c, n, loss = budgets(noise=0.02, seed=seed)
        found = fit_isoflop(c, n, loss)
        half = np.ptp(found["optimal_exponent"]["interval"]) / 2
        words.setdefault(found["verdict"], []).append(half)
        if found["verdict"] == "interval":
            fit = fit_surface(n, c / 6 / n, loss, flops=c, n_boot=50)
            if fit.isoflop["verdict"] != "interval":  # wider still, without the fewest tokens
                assert any("fewest tokens" in flag for flag in fit.isoflop["flags"])
                continue
            said = render({"all": fit}, report({"all": fit}, {}))
            assert "budgets   (quote the interval only)" in said
            assert fit.agreement["believe"] in ("both", "isoflop")
            assert "of the budgets quote the interval" in fit.agreement["text"]
            ahead = next((row for row in said.splitlines() if "ten times more): N" in row), "(quote the interval only)")
            assert ahead.endswith("(quote the interval only)")
    assert max(words["ok"]) <= 0.06 < min(words["interval"])
    assert max(words["interval"]) <= 0.12 < min(words.get("refused", [1.0]))
    wide = fit_optima(c[::9], n[4::9] * np.exp(0.15 * np.cos(np.pi * np.arange(7))))
    assert wide.verdict == "interval"
    assert "quote the interval only" in render({"all": wide}, report({"all": wide}, {}))


@pytest.mark.parametrize(
    ("law", "curves", "believe"), [(None, 0.40, "isoflop"), (0.40, None, "surface"), (0.40, 0.70, "none")]
)
def test_where_methods_disagree_one_is_demoted_and_the_reason_named(law, curves, believe):
    """The curves are run on the losses of the surface: who says what the surface's own losses do not is wrong."""
    c, n, loss = budgets()
    d = c / 6 / n
    fit = fit_surface(n, d, loss, flops=c, n_boot=100)
    assert fit.agreement["believe"] == "both"
    for part, value in ((fit.derived, law), (fit.isoflop, curves)):
        if value:
            part["optimal_exponent"] = {"estimate": value, "interval": (value - 0.01, value + 0.01)}
    agree(fit, c, n, loss, d)
    assert fit.agreement["verdict"] == "disagree"
    assert fit.agreement["believe"] == believe
    assert "from the losses of the surface itself budgets say 0.5" in fit.agreement["text"]
    assert (fit.isoflop["verdict"] == "ok") == (believe == "isoflop")
    assert ("N" in fit.isoflop["prediction"]) == (believe == "isoflop")
    assert any(gate.name == "S6 budgets" and not gate.passed for gate in fit.gates) == (believe != "surface")


@pytest.mark.parametrize(
    ("curve", "half", "verdict"),
    [(0.495, 0.05, "agree"), (0.495, 0.02, "disagree"), (0.52, 0.015, "close"), (0.52, 0.03, "agree")],
)
def test_a_difference_within_the_noise_demotes_nobody(curve, half, verdict):
    """A sure method need not hold the estimate of an unsure one: the other's interval has to reach it.

    Where neither interval holds the other's estimate they do not agree, and one interval holds both answers.
    """
    c, n, loss = budgets()
    fit = fit_surface(n, c / 6 / n, loss, flops=c, n_boot=100)
    fit.derived["optimal_exponent"] = {"estimate": 0.54, "interval": (0.53, 0.55)}
    fit.isoflop["optimal_exponent"] = {"estimate": curve, "interval": (curve - half, curve + half)}
    agree(fit, c, n, loss, c / 6 / n)
    assert fit.agreement["verdict"] == verdict
    assert (" agree;" in fit.agreement["text"]) == (verdict == "agree")
    assert ("the interval that holds both, 0.505 to 0.550" in fit.agreement["text"]) == (verdict == "close")
    assert any(gate.name == "S6 budgets" for gate in fit.gates) == (verdict == "disagree")


@pytest.mark.parametrize("bend", [0.0, 0.011])
def test_where_a_law_bends_its_intervals_hold_what_the_ends_of_the_table_say(bend):
    """The exponent then is another one without the least and without the most compute; noise does not say so."""
    c, n, _ = budgets()
    noise = np.exp(0.004 * np.random.default_rng(3).standard_normal(len(n)))
    loss = coverage.law(TRUTH, n * np.exp(-bend * np.log(c / c.mean()) ** 2), c / 6 / n) * noise
    fit = fit_surface(n, c / 6 / n, loss, starts=20)
    whole = fit.bootstrap["answers"]["with all rows"]["optimal_exponent"]["interval"]
    ends = [fit.refits[name]["optimal_exponent"] for name in (LEAST, MOST)]
    low, high = fit.derived["optimal_exponent"]["interval"]
    assert not whole[0] <= min(ends) <= max(ends) <= whole[1]
    assert (fit.bootstrap["structure"]["bend"]["ratio"] > 1) == (bend > 0)
    assert (low, high) == ((min(whole[0], *ends), max(whole[1], *ends)) if bend else whole)
    assert any("without the least and without the most compute" in flag for flag in fit.flags) == (bend > 0)


def test_budgets_that_are_none_in_6nd_are_asked_for():
    """FLOPs of a table may count more than 6 N D: then only their own column shows the budgets."""
    c, n, _ = budgets()
    rng = np.random.default_rng(4)
    d, loss = c / 6 / n * np.exp(0.8 * rng.standard_normal(len(n))), 2 + rng.random(len(n))
    fit = fit_surface(n, d, loss, n_boot=50)
    assert fit.verdict != "ok"
    assert any("--flops" in note for note in fit.notes)
    assert not any("--flops" in note for note in fit_surface(n, d, loss, flops=c, n_boot=50).notes)


def test_a_table_of_optima():
    c = np.geomspace(1e18, 1e21, 7)
    fit = fit_optima(c, 0.1 * c**0.5 * np.exp(0.02 * np.random.default_rng(2).standard_normal(7)))
    assert fit.verdict == "ok"
    assert fit.estimates["a"] == pytest.approx(0.5, abs=0.02)
    assert fit.intervals["a"][0] < 0.5 < fit.intervals["a"][1]
    ahead = fit.derived["prediction"]
    assert ahead["compute"] == pytest.approx(1e22)
    assert ahead["interval"][0] < 0.1 * 1e22**0.5 < ahead["interval"][1]
    assert "at 1e+22 FLOPs (ten times more): N =" in render({"all": fit}, report({"all": fit}, {}))
    near = np.geomspace(1e18, 1.6e19, 5)
    assert "span 1.20 decades" in fit_optima(near, 0.1 * near**0.5).derived["prediction"]["why_not"]
    assert fit_optima(c[:3], c[:3] ** 0.5).verdict == "refused"


@pytest.fixture
def table(tmp_path):
    c, n, loss = budgets()
    path = tmp_path / "iso.csv"
    pd.DataFrame({"flops": c, "params": n, "loss": loss}).to_csv(path, index=False)
    return path


def test_command_writes_json_figure_and_page(table, tmp_path):
    arguments = ["fit", str(table), "--n", "params", "--flops", "flops", "--loss", "loss"]
    figure, page = tmp_path / "out.svg", tmp_path / "out.html"
    result = CliRunner().invoke(main, [*arguments, "--json", "--plot", str(figure), "--report", str(page)])
    assert result.exit_code == 0, result.output
    group = json.loads(result.output)["groups"]["all"]
    for part in (group["derived"], group["isoflop"]):
        assert set(part["optimal_exponent"]) == {"estimate", "interval"}
        assert part["optimal_exponent"]["interval"][0] <= SHARE <= part["optimal_exponent"]["interval"][1]
    assert group["agreement"]["believe"] == "both"
    assert figure.read_text().count("<svg") == 1
    text = page.read_text()
    assert "<svg" in text
    assert "src=" not in text
    assert "http" not in text.split("<svg")[0]
    said = CliRunner().invoke(main, arguments).output
    assert "consistent with" in said
    assert "ten times more" in said
    assert "believe  both" in said
    assert said.count("   surface") == 1
    assert "D_opt ~ C^0.4" in said
    assert "all: ok, budgets ok" in figure.read_text()
    assert 'budgets\n<span class="ok">ok</span>' in text
    for answer in (group["derived"], group["isoflop"]):
        assert f"quote C^{answer['optimal_exponent']['estimate']:.3f} (" in group["agreement"]["text"]
    assert "budgets  ok: consistent with" in said
    assert "95 %" not in next(row for row in said.splitlines() if "lowest rows" in row)


def test_the_help_names_every_verdict():
    assert all(f'"{word}"' in CliRunner().invoke(main, ["fit", "--help"]).output for word in WORDS)


@pytest.mark.parametrize("form", ["c5", "c6"])
def test_forms(table, form):
    arguments = ["fit", str(table), "--n", "params", "--flops", "flops", "--loss", "loss", "--form", form, "--json"]
    group = json.loads(CliRunner().invoke(main, arguments).output)["groups"]["all"]
    assert group["form"] == form.upper()
    assert ("gamma" in group["estimates"]) == (form == "c6")


def test_a_surface_of_budgets_is_held_to_the_same_width():
    """Misfits of sizes leave the exponent within 0.06 to 0.12: the interval may be quoted, and no number in it."""
    words = set()
    for seed in range(5):
        c, n, loss = budgets(noise=0.018, seed=seed)
        fit = fit_surface(n, c / 6 / n, loss, starts=20)
        half = np.ptp(fit.derived["optimal_exponent"]["interval"]) / 2
        assert fit.verdict != "ok" or half <= 0.06
        words.add(fit.verdict)
        if fit.verdict == "interval":
            said = render({"all": fit}, report({"all": fit}, {}))
            assert "(quote the interval only)" in next(row for row in said.splitlines() if "N_opt ~" in row)
            assert "no number in it" in fit.agreement["text"]
    assert {"ok", "interval"} <= words


def test_tables_of_optima_are_compared():
    rng = np.random.default_rng(0)
    c = np.geomspace(1e18, 1e21, 8)
    fits = {str(a): fit_optima(c, 0.1 * c**a * np.exp(0.03 * rng.standard_normal(8))) for a in (0.5, 0.6)}
    pair = report(fits, {})["comparisons"][0]["exponents"]
    assert pair["conclusion"] == "different"
    assert pair["interval"][0] < -0.1 < pair["interval"][1]
    assert "difference of a" in render(fits, report(fits, {}))


def test_refused_fits_print_no_unmarked_estimate(tmp_path):
    c, n, _ = budgets()
    path = tmp_path / "noise.csv"
    loss = np.random.default_rng(3).uniform(2, 4, len(n))
    pd.DataFrame({"c": c, "n": n, "loss": loss}).to_csv(path, index=False)
    said = CliRunner().invoke(main, ["fit", str(path), "--n", "n", "--flops", "c", "--loss", "loss"]).output
    assert "refused" in said
    for line in said.splitlines():
        if line.strip().startswith(("E ", "A ", "B ", "alpha", "beta", "N_opt")):
            assert "not to be quoted" in line


def test_figures_of_every_kind_of_fit(tmp_path):
    c, n, loss = budgets()
    fits = {"optima": fit_optima(c[::9], n[4::9]), "refused": fit_surface(n[:6], n[:6], loss[:6])}
    plot(fits, tmp_path / "a.png")
    write_page(fits, report(fits, {}), tmp_path / "a.html", "a <b> table")
    assert "a &lt;b&gt; table" in (tmp_path / "a.html").read_text()


def test_a_table_of_budgets_is_drawn_along_its_budgets():
    c, n, loss = budgets(noise=0.0)
    fit = fit_surface(n, c / 6 / n, loss, flops=c, n_boot=50)
    lines = {line.get_label(): line.get_xydata() for line in figure({"all": fit}).axes[0].lines}
    optima = lines.pop("optimum of a budget")
    assert len(optima) == 7
    curves = [xy for xy in lines.values() if len(xy) == 60]
    assert len(curves) == 7
    for (x, y), curve in zip(optima, curves, strict=True):  # the law's lowest loss is where the budget has its own
        assert curve[np.argmin(curve[:, 1])] == pytest.approx((x, y), rel=0.05)


def test_where_only_budgets_are_believed_their_optima_are_drawn(tmp_path):
    c, n, loss = budgets(noise=0.003, span=10)
    d = c / 6 / n
    fit = fit_surface(n, d, loss + 4 * np.maximum(0, np.log10(3 * n / d)), flops=c, n_boot=50)
    assert fit.agreement["believe"] == "isoflop"
    _, axis, *_ = figure({"all": fit}).axes
    points, law = (line.get_xydata() for line in axis.lines[:2])
    assert points == pytest.approx(np.array([[row["compute"], row["N_opt"]] for row in fit.isoflop["budgets"]]))
    slope = np.polyfit(*np.log(law).T, 1)[0]
    assert slope == pytest.approx(fit.isoflop["optimal_exponent"]["estimate"])
    assert axis.get_xlabel() == "training FLOPs"
    plot({"all": fit}, tmp_path / "a.svg")


@pytest.mark.parametrize("seed", [5007, 5026])
def test_a_failure_beyond_doubt_is_refused_though_the_answers_overlap(seed):
    """The interval of all rows of these tables reaches those of the other answers, and not the truth."""
    (n, d, loss), truth = coverage.simulate("law fails for few tokens, grid", seed)
    fit = fit_surface(n, d, loss, rng=seed, starts=20)
    low, high = fit.bootstrap["answers"]["with all rows"]["beta"]["interval"]
    assert not low <= truth["beta"] <= high
    assert fit.bootstrap["structure"]["few tokens"]["ratio"] > SURE
    assert fit.verdict == "refused"
    assert "does not hold" in fit.reasons[0]


@pytest.mark.parametrize("seed", range(3))
def test_budgets_are_refused_where_the_losses_fail_for_few_tokens(seed):
    """The best rows of the smallest budgets have few tokens: their optima are not the law's."""
    (n, d, loss), _ = coverage.simulate("exact law, IsoFLOP", seed)
    sound = fit_surface(n, d, loss)
    assert sound.isoflop["verdict"] == "ok"
    start = fit_surface(n, d, loss + 0.4 * d.min() / d)
    assert start.isoflop["verdict"] == "refused"
    assert "few tokens" in start.isoflop["reasons"][0]
    assert start.agreement["believe"] != "isoflop"


@pytest.mark.parametrize("seed", [11, 12])
def test_intervals_of_budgets_hold_the_answer_without_the_fewest_tokens(seed):
    """A start that is gone after a few doublings tilts the smallest budgets, and leaves little in the residuals."""
    (n, d, loss), truth = coverage.simulate("exact law, IsoFLOP", seed)
    fit = fit_surface(n, d, loss + 0.1 * np.exp((1 - d / d.min()) / 4), n_boot=100)
    assert SHORT in fit.bootstrap["answers"]
    found = fit.isoflop
    assert found["verdict"] == "refused" or any("without the fewest tokens" in flag for flag in found["flags"])
    low, high = found["optimal_exponent"]["interval"]
    assert low < truth["optimal_exponent"] < high
    low, high = found["data_exponent"]["interval"]
    assert low < 1 - truth["optimal_exponent"] < high


def test_without_the_fewest_tokens_the_interval_and_what_is_ahead_widen():
    c, n, loss = budgets()
    plain, few = fit_isoflop(c, n, loss), fit_isoflop(c, n, loss, few=(-0.03, 0.01))
    (low, high), (wide_low, wide_high) = (one["optimal_exponent"]["interval"] for one in (plain, few))
    assert wide_high == high
    assert wide_low < plain["optimal_exponent"]["estimate"] - 0.04 < low
    (low, high), (wide_low, wide_high) = (one["prediction"]["interval"] for one in (plain, few))
    assert wide_high == pytest.approx(high)
    assert wide_low < 0.9 * low
    assert few["optimal_exponent"]["estimate"] == plain["optimal_exponent"]["estimate"]


def test_a_bend_of_the_line_through_the_optima_counts():
    """The surface of all budgets may see less of it: the smaller of both p-values is given."""
    c, n, loss = budgets(noise=0.0005)
    found = fit_isoflop(c, n * np.exp(0.003 * np.log(c / 1e18) ** 2), loss)
    logs = np.log([[row["compute"], row["N_opt"]] for row in found["budgets"]])
    assert found["bend"] <= optima_line(*logs.T, 0.95)["bend"] < 0.01


def test_quick_coverage():
    """A few tables of three scenarios; ``tools/fit_coverage.py`` counts a hundred of each."""
    exact = coverage.cover("exact law, grid", 6)
    assert min(exact["alpha"], exact["beta"], exact["optimal_exponent"]) >= 0.7
    for scenario in ("law fails for few tokens, grid", "the same, noise 0.01"):
        assert coverage.cover(scenario, 4)["refused_or_covered"] >= 0.75
