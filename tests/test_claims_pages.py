"""What the verdicts and spot-the-flaw chapters show: complete, computed, and readable without colour or sight."""

import re

import matplotlib.pyplot as plt
import pytest

import claims_tables as made
from seqmix_study.chapters import documents as flaw_figures
from seqmix_study.chapters import verdicts as verdict_figures
from seqmix_study.chapters.words import flaws as flaw_words
from seqmix_study.chapters.words import verdicts as words
from seqmix_study.findings import documents as flaws
from seqmix_study.findings import finding as d
from seqmix_study.findings.judge import judge, verdicts
from seqmix_study.findings.ledger import load
from seqmix_study.findings.report import MARKS, spoken, table, value


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return verdicts(tmp_path_factory.mktemp("results"), "quick")


@pytest.fixture(scope="module")
def some():
    laws = {"transformer": made.power(1.2, 18, 0.3), "lstm_2": made.power(1.3, 8, 0.2)}
    tables = made.evidence(made.ladder(laws) + made.stacks([2 + 0.02 * abs(k - 2) for k in range(13)]))
    return [judge(claim, tables) for claim in load().claims]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_scorecard_has_every_claim_once_and_signs_for_every_verdict(some):
    pages = "".join(words.scorecard(some, document) for document in range(5))
    entries = "".join(words.details(some, document) for document in range(5))
    for claim in load().claims:
        assert pages.count(f'href="#{words.anchor(claim.id)}"') == 1
        assert entries.count(f'id="{words.anchor(claim.id)}"') == 1
    assert set(MARKS) == set(d.VERDICTS)
    assert len(set(MARKS.values())) == len(MARKS)
    assert "<script" not in pages + entries


def test_an_entry_shows_rule_finding_arithmetic_and_runs(some):
    entries = words.details(some, 0)
    assert load().claim("0.7").rule.split(";")[0][:40] in entries
    assert "the 2-layer LSTM" in entries
    assert "lstm_2 minus" not in entries
    assert "scaling-main-lstm_2" in entries
    assert "2^(1/0.344)" in entries


def test_counts_and_answer_change_with_the_tables(empty, some):
    assert words.answer(empty) != words.answer(some)
    assert "quick" in " ".join(words.counts(empty))
    supported = sum(v.verdict == d.SUPPORTED for v in some)
    assert f"{supported} are supported" in words.answer(some)
    assert words.contradictions(empty) != words.contradictions(some)
    for item in load().contradictions:
        assert item.question in words.contradictions(some)


def test_the_download_holds_every_claim_with_rule_and_runs(some):
    frame = table(some)
    assert list(frame["id"]) == [claim.id for claim in load().claims]
    assert frame["rule"].str.len().min() > 20
    decided = frame[frame["verdict"].isin([d.SUPPORTED, d.REFUTED]) & frame["runs"].gt(0)]
    assert len(decided)
    assert (decided["run_ids"].str.split().str.len() == decided["runs"]).all()


@pytest.mark.parametrize("figure", [verdict_figures.scorecard, verdict_figures.effects])
def test_verdict_figures_describe_themselves(figure, empty, some):
    for found in (empty, some):
        drawn = figure(found)
        assert len(drawn.alt) >= 40
        assert len(drawn.data)
    assert figure(empty).alt != figure(some).alt


@pytest.mark.parametrize("name", flaw_figures.__all__)
def test_flaw_figures_describe_themselves_with_numbers(name):
    drawn = getattr(flaw_figures, name)()
    assert drawn.name == f"fig-flaws-{name}"
    assert len(drawn.alt) >= 40
    assert re.search(r"\d", drawn.alt)
    assert len(drawn.data)


def test_the_thought_experiment_follows_its_parameters():
    assert flaw_figures.chance(5, 0.2).alt != flaw_figures.chance(13, 0.1).alt
    few, many = flaw_words.chance_of_a_lead(13, 0.05), flaw_words.chance_of_a_lead(13, 1.0)
    assert "less than the printed lead" in few[1]
    assert "more than the printed lead" in many[1]


def test_every_check_stands_in_the_chapter_once_with_its_claims():
    cards = "".join(flaw_words.cards(document) for document in range(5))
    assert cards.count("<details>") == len(flaws.names())
    for name in flaws.names():
        assert flaw_words.about(name), f"no claim in the ledger refers to the check {name}"
    assert "No slip" in cards
    assert flaw_words.questions(2).count("\n* ") > 10


def test_names_are_spoken():
    assert spoken("transformer takes longer.") == "The Transformer takes longer."
    assert spoken("Loss of lstm_2 minus lstm_1.") == "Loss of the 2-layer LSTM minus the 1-layer LSTM."
    assert (
        spoken("Part: hybrid_12_conv and hybrid_3.")
        == "Part: Attention only with convolution and 3 attention layers of 12."
    )


def test_values_say_open_ends_and_units():
    inf = float("inf")
    assert value(d.Decision(d.CLOSE, "", 3.0, 1.0, inf, "steps")) == "3.000 (1.000 to no bound) steps"
    assert value(d.Decision(d.UNTESTED, "")) == ""
