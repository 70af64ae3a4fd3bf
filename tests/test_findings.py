"""Twelve hand-made tables whose verdict is known, and what the words mean. No architecture is named here."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from seqmix_study.__main__ import main
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.claims import judge
from seqmix_study.findings.effects import Effect
from seqmix_study.findings.questions import OPPOSITE, Questions
from seqmix_study.findings.select import Tables
from seqmix_study.findings.verdict import COMPLEMENT, VERDICTS, Answer, combine, reads, side_of

TUNED = {"sweep": "s1", "optimum": "interior", "regret": 0.001, "regret_hi": 0.002}
QUESTION = {"asks": "Is red better than blue?", "estimator": "difference", "first": "blue", "second": "red"}
RULES = {"tuning": "required", "corpora": 2}


def rows(arm, corpus="A", loss=2.0, sd=0.01, sizes=(1e4, 1e5, 1e6), seeds=range(3), **more):
    """Runs of one arm: the loss falls with size, and varies over seeds."""
    rng = np.random.default_rng([sum(map(ord, arm + corpus)), 7])
    return pd.DataFrame([
        {"arm": arm, "corpus": corpus, "size": size, "seed": seed, "status": "finished",
         "loss": loss - 0.2 * np.log10(size) + sd * rng.standard_normal(), **TUNED, **more}
        for size in sizes for seed in seeds
    ])  # fmt: skip


def both(gaps, **more):
    """Runs of red and blue in several corpora; blue's loss is higher by the gap."""
    return pd.concat([rows(arm, corpus, 4.0 + (gap if arm == "blue" else 0), **more)
                      for corpus, gap in gaps.items() for arm in ("red", "blue")])  # fmt: skip


def asked(table, claims=({"id": "1", "claim": "Red is better.", "all": [{"question": "q"}]},), rules=None, **question):
    """Judge the claims on a table; return the findings object and verdicts by claim."""
    data = {"questions": {"q": QUESTION | question}, "claims": list(claims), "rules": RULES | (rules or {})}
    found = Findings(Tables({"runs": table}, Questions.model_validate(data)))
    return found, {claim.id: judge(claim, found)[0] for claim in found.questions.claims}


def only(table, **question):
    return asked(table, **question)[1]["1"]


# ------------------------------------------------------------------------------------------------ the twelve tables


def test_yes_in_both_corpora():
    verdict = only(both({"A": 0.1, "B": 0.2}))
    assert verdict.said == "supported"
    assert verdict.conditions("yes") == ["A", "B"]


def test_yes_in_one_and_no_in_the_other_is_mixed():
    verdict = only(both({"A": 0.1, "B": -0.1}))
    assert verdict.said == "mixed"
    assert verdict.text == "yes on A, no on B"


def test_interval_that_straddles_the_margin_is_too_close():
    found, verdicts = asked(both({"A": 0.02, "B": 0.02}, sd=0.004))
    assert verdicts["1"].said == "too close to call"
    assert [row.read(None, found.questions.rules)[0] for row in found.rows("q")] == ["too close", "too close"]


def test_no_power_cannot_be_decided_here():
    found, verdicts = asked(both({"A": 0.05, "B": 0.05}, sd=0.2))
    word, why = found.rows("q")[0].read(None, found.questions.rules)
    assert word == "invalid"
    assert why.startswith("cannot be decided here: power")
    assert "units like these" in why
    assert verdicts["1"].said == "not tested"


def test_missing_control():
    verdict = only(both({"A": 0.1, "B": 0.2}), controls=[{"arm": "grey"}])
    assert verdict.said == "not tested"
    assert "control missing: no finished rows of arm grey" in verdict.text
    there = pd.concat([both({"A": 0.1, "B": 0.2}), rows("grey", "A"), rows("grey", "B")])
    assert only(there, controls=[{"arm": "grey"}]).said == "supported"


def test_a_group_with_a_name_is_no_group_where_an_arm_is_missing():
    table = pd.concat([both({"A": 0.1, "B": 0.2}), rows("grey", "A"), rows("grey", "B")])
    group = {"where": {"arm": ["red", "grey"]}, "name": "both warm ones"}
    assert only(table, second=group).said == "supported"
    torn = table[(table["arm"] != "grey") | (table["corpus"] == "A")]
    verdict = only(torn, second=group)
    assert verdict.said == "not tested"
    assert verdict.needs == "both warm ones: no finished rows of grey"


@pytest.mark.parametrize(
    ("tuning", "why"),
    [
        ({"sweep": ""}, "no sweep of its own"),
        ({"regret": 0.011}, "regret 0.011 is above half the margin"),
        ({"optimum": "edge"}, "its best learning rate lies at the edge of its grid"),
        ({"optimum": "none"}, "its best learning rate is not known"),
    ],
)
def test_untuned_loser_and_edge_rate(tuning, why):
    table = both({"A": 0.1, "B": 0.2})
    loser = table["arm"] == "blue"
    untuned = table.assign(**{c: table[c].where(~loser, value) for c, value in tuning.items()})
    verdict = only(untuned)
    assert verdict.said == "not tested"
    assert "not tuned: blue" in verdict.text
    assert why in verdict.text
    winner = table.assign(**{c: table[c].where(loser, value) for c, value in tuning.items() if c != "regret"})
    assert only(winner).said == "supported"  # a better rate would only help the winner


def test_one_thread_cannot_judge_parallelism():
    table = both({"A": 0.1}).assign(seconds=lambda t: t["loss"], threads=1, device="cpu", commit="c1")
    how = {"kind": "parallel", "estimator": "ratio", "value": "seconds", "around": 1.0, "margin": 0.01}
    verdict = only(table, **how)
    assert verdict.said == "not tested"
    assert "one thread" in verdict.text
    assert only(table.assign(threads=2), **how).said == "supported"
    assert only(table.assign(device="cuda"), **how).said == "supported"
    assert only(table, **(how | {"kind": "time"})).said == "supported"


def test_opposite_claims_get_opposite_verdicts():
    claims = [
        {"id": "red", "claim": "Red is better.", "all": [{"question": "q"}]},
        {"id": "blue", "claim": "Blue is better.", "opposite_of": "red"},
    ]
    for gap, red, blue in ((0.1, "supported", "refuted"), (-0.1, "refuted", "supported"), (0.0, "refuted", "refuted")):
        _, verdicts = asked(both({"A": gap, "B": gap}, sd=0.002), claims)
        assert (verdicts["red"].said, verdicts["blue"].said) == (red, blue)
    _, verdicts = asked(both({"A": 0.1, "B": -0.1}), claims)
    assert verdicts["red"].text == "yes on A, no on B"
    assert verdicts["blue"].text == "yes on B, no on A"


def test_nothing_to_gain_has_no_vote():
    table = pd.concat([both({"A": 0.1, "B": 0.2, "C": 0.0}), *(
        rows("best", corpus, loss) for corpus, loss in {"A": 3.0, "B": 3.0, "C": 4.0}.items())])  # fmt: skip
    data = {
        "questions": {
            "gain": QUESTION | {"asks": "Is there something to gain?", "second": "best"},
            "q": QUESTION | {"needs": {"gain": "nothing to gain"}},
        },
        "claims": [{"id": "1", "claim": "Red is better.", "all": [{"question": "q"}]}],
        "rules": RULES,
    }
    found = Findings(Tables({"runs": table}, Questions.model_validate(data)))
    verdict, _ = judge(found.questions.claims[0], found)
    assert verdict.said == "supported"
    assert verdict.conditions("invalid") == ["C"]
    assert verdict.answers[2].why.startswith("nothing to gain")


def test_duplicate_seeds_never_count():
    once = both({"A": 0.1, "B": 0.1}, seeds=[0])
    pasted = pd.concat([once, once, once])
    verdict = only(pasted)
    assert verdict.said == "not tested"
    assert "1 distinct seed, 2 are needed" in verdict.text
    honest, many = both({"A": 0.1, "B": 0.1}), pd.concat([both({"A": 0.1, "B": 0.1})] * 5)
    (a, b) = (asked(table)[0].rows("q")[0].effect for table in (honest, many))
    assert (a.lo, a.hi, a.n) == pytest.approx((b.lo, b.hi, b.n))


def test_mixed_commits_in_seconds():
    table = both({"A": 0.1}).assign(seconds=lambda t: t["loss"], threads=1, device="cpu")
    table["commit"] = np.where(table["seed"] == 0, "c1", "c2")
    how = {"kind": "time", "estimator": "ratio", "value": "seconds", "around": 1.0, "margin": 0.01}
    verdict = only(table, **how)
    assert verdict.said == "not tested"
    assert "several versions of the code (c1, c2)" in verdict.text
    assert "different loads" in only(table.assign(commit="c1", load=table["seed"] / 2), **how).text
    assert only(table.assign(commit="c1", load=0.1), **how).said == "supported"


# ------------------------------------------------------------------------------------------------------- other rules


def test_one_corpus_is_not_enough_for_a_claim_about_architectures():
    assert only(both({"A": 0.1})).said == "not tested"
    assert only(both({"A": 0.1}), kind="other").said == "supported"


def test_regret_widens_the_interval_on_the_right_side():
    table = both({"A": 0.1})
    effects = [
        asked(table.assign(regret_hi=table["regret_hi"].where(table["arm"] != arm, 0.03)))[0].rows("q")[0].effect
        for arm in ("nobody", "blue", "red")
    ]
    none, first, second = effects
    assert first.lo == pytest.approx(none.lo - 0.028)
    assert first.hi == none.hi
    assert second.hi == pytest.approx(none.hi + 0.028)
    assert second.lo == none.lo


def test_models_below_the_bigram_model_are_no_evidence():
    table = both({"A": 0.1, "B": 0.1}).assign(bigram=9.0)
    assert only(table).said == "supported"
    assert "not trained" in only(table.assign(bigram=table["loss"].where(table["arm"] == "blue", 9.0))).text


def test_sides_in_different_regimes():
    table = both({"A": 0.1, "B": 0.1}).assign(precision="float32")
    mixed = table.assign(precision=np.where(table["arm"] == "red", "bfloat16", "float32"))
    assert "the sides differ in precision" in only(mixed).text
    assert only(table).said == "supported"


def test_sweeps_are_no_evidence_by_their_role_not_by_their_name():
    good = both({"A": 0.1, "B": 0.1}).assign(role="evidence", group="lr-sweep-by-name-only")
    bad = both({"A": -1.0, "B": -1.0}).assign(role="sweep", group="main", seed=99)
    assert only(pd.concat([good, bad])).said == "supported"


def test_best_of_a_family_is_chosen_on_other_rows_than_it_is_judged_by():
    table = pd.concat([both({"A": 0.1, "B": 0.1}).assign(loss_valid=3.0),
                       *(rows("red2", c, 2.0).assign(loss_valid=9.0) for c in "AB")])  # fmt: skip
    found, verdicts = asked(table, second={"where": {"arm": ["red", "red2"]}, "best_by": "loss_valid"})
    assert verdicts["1"].said == "supported"
    assert found.rows("q")[0].effect.estimate == pytest.approx(0.1, abs=0.02)
    assert found.table()["notes"].iloc[0] == "chosen: red"


def test_sizes_that_differ_by_a_few_percent_are_one_size():
    table = both({"A": 0.1, "B": 0.1})
    near = table.assign(size=table["size"] * np.where(table["arm"] == "red", 1.03, 0.98))
    assert only(near).said == "supported"
    far = table.assign(size=table["size"] * np.where(table["arm"] == "red", 1.3, 1.0))
    assert "share no value of size" in only(far).text


def test_no_power_is_no_excuse_once_decided():
    found, verdicts = asked(both({"A": 3.0, "B": 3.0}, sd=0.2))
    assert verdicts["1"].said == "supported"
    assert found.table()["power"].max() < 0.5


def test_family_correction_withdraws_a_single_lucky_row():
    table = pd.concat([rows("red", sd=0.01), *(rows(f"c{i}", loss=2.0 + (0.028 if i == 0 else 0)) for i in range(12))])
    ask = {"first": {"where": {"arm": [f"c{i}" for i in range(12)]}}, "per": ["corpus", "arm"], "margin": 0.01}
    one = asked(table, rules={"corpora": 1}, **ask)[0]
    rules = one.questions.rules
    assert [row.read(None, rules)[0] for row in one.rows("q")].count("yes") == 1
    holm = asked(table, rules={"corpora": 1}, family="holm", **ask)[0].rows("q")
    assert holm[0].p_adjusted > holm[0].p


# ----------------------------------------------------------------------------------------------- words and coherence


@pytest.mark.parametrize("log", [False, True])
def test_readings_are_coherent_for_every_interval(log):
    """Of opposite readings never are both yes; a reading and its complement are never both yes nor both no."""
    question = Questions.model_validate({"questions": {"q": QUESTION | {"around": 1.0 if log else 0.0}}}).questions["q"]
    points = np.exp(np.linspace(-0.1, 0.1, 15)) if log else np.linspace(-0.1, 0.1, 15)
    for lo in points:
        for hi in points[points >= lo]:
            side = side_of(Effect((lo + hi) / 2, lo, hi, 3, "", log=log), question)
            for says, other in OPPOSITE.items():
                assert not reads(side, says) == reads(side, other) == "yes"
                pair = {reads(side, says), reads(side, COMPLEMENT[says])}
                assert pair in ({"yes", "no"}, {"too close"})


def answers(*words, **axes):
    keys = [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]
    return [Answer("r", word, str(key), key) for word, key in zip(words, keys, strict=True)]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (answers("yes", "yes", "too close", corpus=["A", "B", "C"]), "supported"),
        (answers("yes", "too close", corpus=["A", "B"]), "too close to call"),
        (answers("no", "no", "no", "too close", corpus=["A", "B", "C", "D"]), "refuted"),
        (answers("no", "no", "yes", "yes", length=[64, 128, 256, 512]), "depends on length"),
        (answers("no", "yes", "no", "yes", length=[64, 128, 256, 512]), "mixed"),
        (answers("no", "yes", "no", "yes", mode=["train", "decode"] * 2, length=[1, 1, 2, 2]), "depends on mode"),
        (answers("yes", "no", corpus=["A", "B"]), "mixed"),
        (answers("invalid", "invalid", corpus=["A", "B"]), "not tested"),
        (answers("yes", "invalid", corpus=["A", "B"]), "supported"),
    ],
)
def test_conditions_become_one_verdict(found, said):
    assert combine(found).said == said


def test_a_claim_about_every_condition_needs_every_condition():
    found = answers("yes", "invalid", corpus=["A", "B"])
    assert combine(found, complete=True).said == "not tested"
    assert combine(answers("no", "invalid", corpus=["A", "B"]), complete=True).said == "refuted"


def test_ten_of_eleven_is_not_diluted():
    found = answers(*["yes"] * 10, "too close", length=list(range(11)))
    assert combine(found).said == "supported"


def test_claims_without_measurement():
    ways = [{"not_testable": "a statement about fields"}, {"not_tested": "models of a billion parameters"},
            {"ill_posed": "the unit is missing"}]  # fmt: skip
    claims = [{"id": str(i), "claim": "c", **way} for i, way in enumerate(ways)]
    _, verdicts = asked(both({"A": 0.1}), claims)
    assert [verdict.said for verdict in verdicts.values()] == ["not testable", "not tested", "ill-posed"]
    assert all(verdict.word in VERDICTS for verdict in verdicts.values())


# --------------------------------------------------------------------------------------------------- strangers' tables


def test_command_on_a_strangers_table(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame([
        {"fertiliser": f, "field": field, "plot": plot,
         "harvest": 5 + (0.8 if f == "compost" else 0) + 0.2 * rng.normal()}
        for f in ("compost", "lime") for field in ("clay", "sand") for plot in range(6)])  # fmt: skip
    table.to_csv(tmp_path / "runs.csv", index=False)
    example = (Path(__file__).parents[1] / "book" / "findings.md").read_text(encoding="utf-8")
    text = example.split("```yaml\n")[1].split("```")[0]  # the example of the page, as it stands there
    (tmp_path / "questions.yaml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["findings", str(tmp_path / "runs.csv"), str(tmp_path / "questions.yaml")])
    assert result.exit_code == 0, result.output
    verdicts = pd.read_csv(tmp_path / "verdicts.csv").set_index("id")["verdict"]
    assert verdicts.to_dict() == {"almanac-1908": "supported", "merchant": "refuted"}
    rows_ = json.loads((tmp_path / "findings.json").read_text())
    assert [row["row"] for row in rows_] == ["compost_gain/clay", "compost_gain/sand"]
    assert rows_[0]["condition"] == "the clay field"
    assert rows_[0]["arm"] == "compost"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": "magic"}, "no estimator 'magic'; known: agreement, argmin"),
        ({"margen": 1}, "questions.q.margen"),
        ({"needs": {"q": "itself"}}, "needs itself"),
    ],
)
def test_a_wrong_questions_file_says_what_is_wrong(tmp_path, change, message):
    both({"A": 0.1}).to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "q.yaml").write_text(yaml.safe_dump({"questions": {"q": QUESTION | change}}))
    result = CliRunner().invoke(main, ["findings", str(tmp_path / "runs.csv"), str(tmp_path / "q.yaml")])
    assert result.exit_code == 2
    assert message in result.output


def test_a_torn_table_is_named(tmp_path):
    (tmp_path / "runs.csv").write_text('arm,loss\n"a,1\n')
    (tmp_path / "q.yaml").write_text(yaml.safe_dump({"questions": {"q": QUESTION}}))
    result = CliRunner().invoke(main, ["findings", str(tmp_path / "runs.csv"), str(tmp_path / "q.yaml")])
    assert result.exit_code == 2
    assert "runs.csv" in result.output


def test_unknown_column_is_a_reason_not_a_crash():
    assert "no column 'weight'" in only(both({"A": 0.1, "B": 0.1}), value="weight").text


def test_a_claim_reads_the_same_row_as_a_sentence():
    found, _ = asked(both({"A": 0.1, "B": 0.2}))
    rows_ = {row.name: row for row in found.rows("q")}
    verdict, _ = judge(found.questions.claims[0], found)
    assert {a.row for a in verdict.answers} == set(rows_) == {"q/A", "q/B"}
    with pytest.raises(ValueError, match="claim 2 asks unknown questions: nothing"):
        asked(both({"A": 0.1}), [{"id": "2", "claim": "x", "all": [{"question": "nothing"}]}])


def test_sides_of_different_precision_are_compared_where_a_check_allows_it():
    """Without a checked shift the row is invalid; with one its interval is wider by what the check lets pass."""
    from seqmix_study.findings.linear import contrast

    rng = np.random.default_rng(0)
    sides = [
        pd.DataFrame({"value": level + rng.normal(0, 0.01, 6), "seed": range(6), "size": 1, "precision": precision})
        for level, precision in ((2.0, "float32"), (1.9, "bfloat16"))
    ]
    plain = contrast(*sides, ["size"])
    checked = contrast(*(s.assign(shift=0.005 * (s["precision"] == "bfloat16")) for s in sides), ["size"])
    assert checked.estimate == plain.estimate
    assert checked.regret == pytest.approx((plain.regret[0] + 0.005, plain.regret[1] + 0.005))
    same = [s.assign(precision="bfloat16", shift=0.005) for s in sides]
    assert contrast(*same, ["size"]).regret == plain.regret, "the same precision on both sides shifts nothing"
