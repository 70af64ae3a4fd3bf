"""The founding documents' own numbers, recomputed: every printed figure that we check comes out as printed or not."""

import math

import numpy as np
import pytest

from seqmix_study.book.sphinxext.roles import checked
from seqmix_study.chapters import documents as tables
from seqmix_study.findings import documents as flaws


@pytest.mark.parametrize("name", flaws.CHECKS)
def test_every_check_gives_finite_numbers_and_its_arithmetic(name):
    found = flaws.check(name)
    assert found.name == name
    assert found.lines
    assert found.numbers
    assert all(math.isfinite(value) for value in found.numbers.values())
    assert any(char.isdigit() for char in found.arithmetic)
    assert found.title
    assert found.lesson.endswith(".")


def test_the_checks_that_clear_a_document_say_so():
    cleared = {name for name in flaws.CHECKS if not flaws.check(name).holds}
    assert cleared == {"throughput_is_consistent", "attention_formula"}


def test_names_are_sorted_by_document_and_an_unknown_name_raises():
    documents = [flaws.check(name).document for name in flaws.CHECKS]
    assert documents == sorted(documents)
    assert set(documents) == {0, 1, 2, 3, 4}
    with pytest.raises(KeyError, match="no check named"):
        flaws.check("nonsense")


def test_halving_paradox():
    numbers = flaws.check("halving_paradox").numbers
    assert numbers["factor_lstm"] == pytest.approx(7.49, abs=0.005)
    assert numbers["factor_transformer"] == pytest.approx(0.28, abs=0.005)
    assert numbers["ratio"] == pytest.approx(26.80, abs=0.01)
    assert numbers["half_lstm"] == pytest.approx(1.624, abs=0.001)
    assert numbers["half_lstm"] < numbers["floor_lstm"]
    assert numbers["half_transformer"] < numbers["floor_transformer"]
    # halving the reducible part, and nothing else, is what the factor does
    n, alpha = 1000.0, 0.344289
    assert 10 * (n * numbers["factor_lstm"]) ** -alpha == pytest.approx(5 * n**-alpha)


def test_exponents_and_their_difference():
    numbers = flaws.check("exponent_on_bound").numbers
    assert (numbers["lo"], numbers["hi"]) == pytest.approx((-1.216, 1.905), abs=0.001)
    assert (numbers["student_lo"], numbers["student_hi"]) == pytest.approx((-9.77, 10.46), abs=0.01)
    numbers = flaws.check("difference_of_exponents").numbers
    assert numbers["delta"] == pytest.approx(-0.887878, abs=2e-6)
    assert numbers["error"] == pytest.approx(0.824, abs=0.001)
    assert numbers["z"] == pytest.approx(-1.08, abs=0.005)
    assert numbers["lo"] < 0 < numbers["hi"]


def test_the_transformers_own_curve():
    numbers = flaws.check("negative_exponent").numbers
    assert numbers["at_best_size"] == pytest.approx(3.07, abs=0.01)
    assert numbers["at_1e6"] == pytest.approx(3.47, abs=0.01)
    assert numbers["at_1e7"] == pytest.approx(4.89, abs=0.01)


def test_averages_best_losses_and_scores_of_document_0():
    numbers = flaws.check("per_parameter_averages").numbers
    assert numbers["time_ratio"] == pytest.approx(10.65, abs=0.005)
    assert numbers["bytes_ratio"] == pytest.approx(0.13, abs=0.005)
    assert numbers["share_of_smallest"] > 0.75
    numbers = flaws.check("best_losses").numbers
    assert numbers["difference"] == pytest.approx(0.0015, abs=0.0001)
    assert numbers["size_ratio"] == pytest.approx(87, abs=1)
    numbers = flaws.check("loss_per_hour").numbers
    assert numbers["score_if_twice_as_long"] == pytest.approx(numbers["score"] / 2)


def test_legend_and_axes_of_document_1():
    assert flaws.check("smaller_is_larger").numbers["ratio"] == pytest.approx(66.7, abs=0.1)
    assert flaws.check("legend_pairs").numbers["largest_ratio"] == pytest.approx(1.5)
    assert flaws.check("crossing_contradicts").numbers["share_below"] == pytest.approx(0.42, abs=0.01)


def test_mixed_denominators():
    numbers = flaws.check("mixed_denominators").numbers
    by_winner = [numbers[f"{k}_by_winner"] for k in ("transformer", "deltanet", "second")]
    by_loser = [numbers[f"{k}_by_loser"] for k in ("transformer", "deltanet", "second")]
    assert by_winner == pytest.approx([26.9, 8.4, 5.2], abs=0.05)
    assert by_loser == pytest.approx([21.2, 7.8, 4.95], abs=0.05)
    assert math.exp(flaws.PRINTED["HYBRID_PRINTED"]["winner"]) == pytest.approx(flaws.PRINTED["PERPLEXITY"], abs=0.03)


def test_best_of_thirteen_by_chance_alone():
    expected = flaws.order_statistics(13)
    assert expected == pytest.approx(-expected[::-1], abs=1e-9)
    draws = np.sort(np.random.default_rng(0).normal(size=(200_000, 13)), axis=1).mean(axis=0)
    assert expected == pytest.approx(draws, abs=0.01)
    numbers = flaws.check("single_run_significance").numbers
    assert numbers["to_second"] == pytest.approx(0.50, abs=0.01)
    assert numbers["to_last"] == pytest.approx(3.34, abs=0.01)
    assert numbers["lead"] == pytest.approx(0.211)


def test_ranks_scores_and_labels_of_document_2():
    assert flaws.check("pure_ranks").numbers["hybrids_not_better"] == 7
    numbers = flaws.check("quality_per_time").numbers
    assert [numbers[f"score_{k}"] for k in (12, 2, 0)] == pytest.approx([5.91, 1.95, 1.82], abs=0.005)
    assert numbers["product_12"] == min(numbers[f"product_{k}"] for k in (12, 2, 0))
    assert flaws.check("mislabelled_row").numbers["implied_layers"] == pytest.approx(10, abs=0.5)
    assert flaws.layers_from_throughput(flaws.PRINTED["THROUGHPUT"][12]) == pytest.approx(12)
    assert flaws.layers_from_throughput(flaws.PRINTED["THROUGHPUT"][0]) == pytest.approx(0)
    assert flaws.check("throughput_is_consistent").numbers["ratio"] == pytest.approx(2.4, abs=0.02)
    assert flaws.check("tokens_per_parameter").numbers["tokens"] == 14_745_600
    assert flaws.check("u_curve").numbers["middle_range"] < 0.1
    assert flaws.check("sweet_spot_contradicts").numbers["rank_of_late"] == 3


def test_parameters_and_shapes_of_documents_3_and_4():
    numbers = flaws.check("shapes_differ").numbers
    assert (numbers["lstm"], numbers["transformer"]) == (49_664, 593_024)
    assert numbers["ratio"] == pytest.approx(12, abs=0.1)
    assert flaws.check("formula_is_another_network").numbers["ratio"] == 4
    numbers = flaws.check("models_unmatched").numbers
    assert (numbers["lstm"], numbers["transformer"]) == (132_096, 1_186_048)
    assert flaws.check("looks_at_everything").numbers["visible_demo"] == 0.55
    numbers = flaws.check("chance_level").numbers
    assert numbers["chance"] == pytest.approx(4.595, abs=0.001)
    assert numbers["transformer"] < numbers["chance"] < numbers["lstm"]


def test_the_tables_of_the_figures_are_the_printed_numbers():
    law = tables.laws().set_index("what")
    floor = min(law.loc[f"{name}'s floor", "law"].min() for name in ("LSTM", "Transformer"))
    assert law.loc["half of each best loss", "half"].max() < floor
    gains = tables.gains()
    nearest = gains.loc[(gains["percent"] - gains["printed"]).abs().groupby(gains["gain"]).idxmin()].set_index("gain")
    assert set(nearest.loc[["over DeltaNet", "over the Transformer"], "base"]) == {"of the winner's loss"}
    assert nearest.loc["over second place", "base"] == "of the loser's loss"
    times = tables.token_times()
    assert times["layers"].iloc[-1] == pytest.approx(10, abs=0.5)
    assert times["time"].iloc[-1] == times["time"].iloc[-2]
    assert (tables.exponents().set_index("exponent")["estimate"].iloc[:2] == [0.344289, -0.543590]).all()


@pytest.mark.parametrize("arms", [2, 13])
def test_the_lead_by_chance_grows_in_proportion_to_the_spread(arms):
    lead = tables.leads(arms, 0.4)
    for _, one in lead.groupby("lead"):
        assert one["estimate"].iloc[0] == 0
        slope = one["estimate"].iloc[1:] / one["spread"].iloc[1:]
        assert np.allclose(slope, slope.iloc[0])
    if arms == 2:  # the expected range of two normal values
        assert lead["estimate"].max() == pytest.approx(0.4 * 2 / math.sqrt(math.pi), rel=1e-3)


def test_a_number_of_a_check_by_name():
    assert checked("halving_paradox:ratio:.1f") == "26.8"
    with pytest.raises(KeyError, match="gives no number 'size'"):
        checked("halving_paradox:size")
    with pytest.raises(KeyError, match="no check named"):
        checked("nonsense:ratio")
