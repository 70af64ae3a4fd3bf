"""The ledger is complete and every verdict follows from its rule: by property, on tables with planted truths."""

import functools
import inspect
import json

import pytest
from click.testing import CliRunner

import claims_tables as made
from seqmix.paths import Paths
from seqmix_study.commands.claims import command
from seqmix_study.findings import documents as flaws
from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_tables import Evidence
from seqmix_study.findings.finding import Decision
from seqmix_study.findings.judge import DECIDERS, judge, summary, verdicts
from seqmix_study.findings.ledger import ARITHMETIC, load

COUNTS = {0: 13, 1: 17, 2: 22, 3: 19, 4: 12}
"""Claims of each founding document: 0.1-0.13, 1.1-1.17, 2.1-2.22, 3.1-3.19, 4.1-4.12."""


def test_every_claim_of_the_five_documents_is_in_the_ledger_once_and_in_order():
    wanted = [f"{document}.{i}" for document, count in COUNTS.items() for i in range(1, count + 1)]
    assert [claim.id for claim in load().claims] == wanted
    assert len(wanted) == 83
    assert set(load().documents) == set(COUNTS)


@pytest.mark.parametrize("claim", load().claims, ids=lambda claim: claim.id)
def test_every_claim_names_deciders_that_exist_and_take_its_parameters(claim):
    for step in claim.decide:
        inspect.signature(DECIDERS[step.by]).bind(None, **step.given)
    for name in (*claim.flaws, claim.ill_posed):
        assert not name or name in flaws.names()
    assert claim.rule.endswith(".")
    assert claim.claim.endswith(".")
    if claim.empirical:
        assert claim.design.study
        assert claim.design.tables


def test_no_decider_lies_idle():
    assert set(DECIDERS) == {step.by for claim in load().claims for step in claim.decide}


@pytest.mark.parametrize("tier", ["laptop", "gpu", "quick"])
def test_without_tables_no_measured_claim_has_a_verdict_and_each_says_why(tmp_path, tier):
    for verdict in verdicts(tmp_path, tier):
        if verdict.claim.ill_posed:
            assert verdict.verdict == d.ILL
        elif not verdict.claim.empirical and verdict.claim.decide[0].by in ARITHMETIC:
            assert verdict.verdict in (d.SUPPORTED, d.REFUTED, d.UNTESTED)
        else:
            assert verdict.verdict == d.UNTESTED
        assert len(verdict.decision.sentence) > 15


@functools.cache
def rich(tier="laptop") -> Evidence:
    """Return tables on which many claims are decided."""
    laws = {arm: made.power(1.2, 18, 0.3) for arm in ("transformer", "lstm_1", "lstm_2", "lstm_4", "deltanet")}
    laws["lstm_2"] = made.power(1.4, 20, 0.3)
    runs = made.ladder(laws) + made.stacks([2 + 0.01 * abs(k - 2) for k in range(13)])
    speed = made.timings({"transformer": lambda m, t: 1e-6 * t, "lstm_2": lambda m, t: 2e-6 * t},
                         ("train", "prefill", "decode"))  # fmt: skip
    curves = [point for row in runs for point in made.curve(row)]
    return made.evidence(runs, tier, speed=speed, curves=curves)


@functools.cache
def judged(tier="laptop"):
    return [judge(claim, rich(tier)) for claim in load().claims]


def test_quick_tables_never_judge_a_measured_claim():
    assert summary(judged())[d.UNTESTED] < summary(judged("quick"))[d.UNTESTED]
    for verdict in judged("quick"):
        if verdict.claim.design.study:
            assert verdict.verdict in (d.UNTESTED, d.ILL)
            assert verdict.instead is None or verdict.instead.verdict == d.UNTESTED


def test_every_verdict_is_legal_and_a_decided_one_names_its_runs_and_scope():
    kinds = set()
    for found in judged():
        claim = found.claim
        kinds.add(found.verdict)
        assert found.verdict in d.VERDICTS
        if claim.empirical and found.verdict in (d.SUPPORTED, d.REFUTED, d.CLOSE):
            assert found.decision.runs
            assert found.decision.scope.startswith("at ")
    assert kinds == set(d.VERDICTS) or kinds == set(d.VERDICTS) - {d.CLOSE}


def test_verdicts_from_files_are_recomputed_alike_and_change_with_the_tables(tmp_path):
    folder = tmp_path / "laptop"
    folder.mkdir()
    tables = rich().tables
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    some = load().model_copy(update={"claims": load().claims[::3]})  # the others take the same way
    once = json.dumps([v.to_dict() for v in verdicts(tmp_path, "laptop", some)])
    assert once == json.dumps([v.to_dict() for v in verdicts(tmp_path, "laptop", some)])
    assert '"verdict": "refuted"' in once
    runs = tables["runs"].assign(loss=tables["runs"]["loss"].sample(frac=1, random_state=0).to_numpy())
    runs.to_csv(folder / "runs.csv", index=False)
    assert json.dumps([v.to_dict() for v in verdicts(tmp_path, "laptop", some)]) != once


def test_an_ill_posed_verdict_carries_its_arithmetic():
    found = [judge(claim, Evidence("laptop")) for claim in load().claims]
    ill = {v.claim.id for v in found if v.verdict == d.ILL}
    assert {"0.1", "0.4", "0.8", "1.13", "2.10", "2.16", "3.1"} <= ill
    for verdict in found:
        if verdict.verdict == d.ILL:
            assert verdict.arithmetic[0].holds
            assert verdict.arithmetic[0].lines[0] in verdict.decision.sentence
            assert any(char.isdigit() for char in verdict.decision.sentence)


def test_a_directional_verdict_needs_the_interval_beyond_the_margin():
    assert d.directional(0.03, 0.05, 0.02) == d.SUPPORTED
    assert d.directional(0.01, 0.05, 0.02) == d.CLOSE
    assert d.directional(-0.01, 0.01, 0.02) == d.REFUTED
    assert d.directional(-0.5, -0.1, 0.02) == d.REFUTED
    assert d.equality(-0.01, 0.01, 0.02) == d.SUPPORTED
    assert d.equality(0.03, 0.05, 0.02) == d.REFUTED
    assert d.equality(-0.01, 0.05, 0.02) == d.CLOSE


def test_parts_combine_as_the_shared_rules_say():
    yes, no, open_, gap = (Decision(v, v) for v in (d.SUPPORTED, d.REFUTED, d.CLOSE, d.UNTESTED))
    assert d.all_of([yes, yes]).verdict == d.SUPPORTED
    assert d.all_of([yes, no, gap]).verdict == d.REFUTED
    assert d.all_of([yes, gap]).verdict == d.UNTESTED
    assert d.any_of([no, yes, gap]).verdict == d.SUPPORTED
    assert d.any_of([no, no]).verdict == d.REFUTED
    assert d.agree([yes, yes, gap]).verdict == d.SUPPORTED
    assert d.agree([yes, no]).verdict == d.CLOSE
    assert d.agree([gap, gap]).verdict == d.UNTESTED
    assert d.all_of([yes, open_]).verdict == d.CLOSE


def test_the_command_prints_all_claims_as_json_and_refuses_unknown_ids(tmp_path):
    done = CliRunner().invoke(command, ["--json", "--results", str(tmp_path)])
    assert done.exit_code == 0
    plain = json.loads(done.output)
    assert len(plain["claims"]) == 83
    assert sum(plain["counts"].values()) == 83
    for claim in plain["claims"]:
        assert claim["verdict"] in d.VERDICTS
        assert {"estimate", "interval", "runs", "run_ids", "rule", "scope", "seeds", "sentence"} <= set(claim)
    wrong = CliRunner().invoke(command, ["--id", "9.9"])
    assert wrong.exit_code == 2
    assert "9.9" in wrong.output
    one = CliRunner().invoke(command, ["--id", "2.16", "--results", str(tmp_path)])
    assert "2.16" in one.output
    assert "0.1 " not in one.output


@pytest.mark.parametrize(("text", "said"), [("study,arm\na,b\n", "lacks the column"), ("", "runs.csv")])
def test_a_table_that_is_torn_or_lacks_columns_is_an_error_naming_the_file(tmp_path, text, said):
    (tmp_path / "laptop").mkdir()
    (tmp_path / "laptop" / "runs.csv").write_text(text)
    done = CliRunner().invoke(command, ["--results", str(tmp_path)])
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_every_link_to_a_chapter_that_exists_names_a_figure_that_exists():
    notebooks = Paths().notebooks
    found = 0
    for claim in load().claims:
        chapter, _, figure = claim.link.partition("#")
        source = notebooks / f"{chapter}.md"
        if figure and source.is_file():
            assert f"name: {figure}" in source.read_text(encoding="utf-8"), f"claim {claim.id} links to {claim.link}"
            found += 1
    assert found > 40
