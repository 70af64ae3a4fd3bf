"""This study's questions and claims: whole, coherent with one another, and read by the verdicts chapter."""

import json
import re

import pandas as pd
import pytest

from seqmix.paths import Paths
from seqmix_study.chapters import verdicts as page
from seqmix_study.chapters.common import interval
from seqmix_study.findings import documents, study
from seqmix_study.findings import verdict as v
from seqmix_study.findings.answer import COLUMNS
from seqmix_study.findings.claims import rule_of
from seqmix_study.findings.effects import ESTIMATORS
from seqmix_study.findings.questions import Questions
from seqmix_study.results import published

PER_DOCUMENT = {0: 13, 1: 17, 2: 22, 3: 19, 4: 12, 5: 10}
"""Claims that each founding document makes, and (5) those of recent papers."""


@pytest.fixture(scope="module")
def found():
    return page.judged("laptop")


@pytest.fixture(scope="module")
def rows():
    return study.rows("laptop")


def test_every_claim_of_every_document_is_there_once():
    claims = study.asked().claims
    assert {d: sum(c.document == d for c in claims) for d in PER_DOCUMENT} == PER_DOCUMENT
    assert [c.id for c in claims] == [f"{d}.{i + 1}" for d, count in PER_DOCUMENT.items() for i in range(count)]
    assert all(c.id.partition(".")[0] == str(c.document) for c in claims)


def test_names_of_checks_and_estimators_exist():
    asked = study.asked()
    for claim in asked.claims:
        for name in filter(None, (claim.ill_posed, claim.by_arithmetic, *claim.flaws)):
            assert name in documents.CHECKS
    assert {q.estimator for q in asked.questions.values()} <= set(ESTIMATORS)
    used = {part.question for claim in asked.claims for part in claim.parts}
    assert used <= set(asked.questions)


def test_claims_of_papers_cite_them_and_say_what_could_be_tested():
    """The founding documents have a page of their own; a paper's claim names its paper and the models behind it."""
    years = dict(re.findall(r"@\w+\{(\w+),.*?\byear=\{(\d+)\}", (Paths().book / "references.bib").read_text()))
    page = (Paths().book / "recent-papers.md").read_text()
    for claim in study.asked().claims:
        assert bool(claim.cites) == (claim.document == 5), claim.id
        for key in claim.cites:
            assert years[key] in ("2025", "2026")
            assert key.endswith(years[key])
            assert key in page
            assert "Ours:" in claim.scope
    cited = [key for claim in study.asked().claims for key in claim.cites]
    (order,) = re.findall(r"in the order of the claims: (.*)", (Paths().notebooks / "verdicts.md").read_text())
    assert re.findall(r"`(\w+)`", order) == cited


def test_a_rule_is_made_from_its_questions():
    asked = study.asked()
    assert rule_of(asked.claim("1.7"), asked).endswith("Read as: above 0.02 nats a decade of parameters.")
    assert rule_of(asked.claim("0.11"), asked).endswith("Read as: below -0.02 nats a decade of parameters.")
    assert "Read as: below 0.9091 times." in rule_of(asked.claim("4.1"), asked)
    assert all(rule_of(claim, asked) for claim in asked.claims if claim.parts)


def test_committed_rows_are_those_of_the_tables(found, rows):
    """Nobody edits findings.csv: it says what the tables say now."""
    fresh = study.compute("laptop", Paths().results).table().set_index("row")
    assert list(rows.columns) == list(COLUMNS)
    assert list(fresh.index) == list(rows.index)
    assert rows.index.is_unique
    assert (fresh["verdict"] == rows["verdict"]).all()
    pd.testing.assert_series_equal(fresh["estimate"], rows["estimate"], rtol=1e-4, check_names=False)


def test_a_verdict_says_what_its_rows_say(found, rows):
    """Every row that a verdict names exists; nothing decided rests on an invalid row."""
    for _, claim in found.iterrows():
        named = [part.partition(": ") for part in claim["rows"].split("; ") if part]
        assert {row for row, _, _ in named} <= set(rows.index)
        words_ = {word for _, _, word in named}
        if claim["verdict"] == v.SUPPORTED and named:
            assert "yes" in words_
        if claim["verdict"] == v.UNTESTED:
            assert claim["text"]


@pytest.mark.parametrize(("one", "other"), [("0.2", "1.1"), ("0.11", "1.7"), ("0.3", "1.4"), ("4.1", "3.6")])
def test_opposite_and_overlapping_claims_are_coherent(found, one, other):
    assert not found.loc[one, "verdict"] == found.loc[other, "verdict"] == v.SUPPORTED
    if v.SUPPORTED in (found.loc[one, "verdict"], found.loc[other, "verdict"]):
        assert v.REFUTED in (found.loc[one, "verdict"], found.loc[other, "verdict"])


def test_claims_that_say_the_same_get_the_same_verdict(found):
    for one, other in (("4.2", "4.8"),):
        assert found.loc[one, "verdict"] == found.loc[other, "verdict"]


def test_what_cannot_be_measured_is_said_so(found):
    assert set(found[found["verdict"] == v.UNTESTABLE]["id"]) == {"3.17", "4.12"}
    assert (found[found["id"].isin(["1.6", "1.11", "2.20", "2.22"])]["verdict"] == v.UNTESTED).all()
    assert found[found["verdict"] == v.UNTESTED]["text"].str.len().min() > 10


def test_one_thread_decides_nothing_about_parallelism(found):
    if set(study.rows("laptop")["threads"].dropna()) <= {"1", ""}:
        assert (found.loc[["0.5", "0.9", "0.12", "2.9", "3.5"], "verdict"] == v.UNTESTED).all()


def test_the_quick_tier_is_never_evidence(tmp_path, monkeypatch):
    for name in ("runs", "speed"):
        table = published.frame(Paths().results / "laptop" / f"{name}.csv").assign(tier="quick")
        published.write(tmp_path / "results" / "quick", {f"{name}.csv": table.to_csv(index=False)})
    verdicts = study.verdicts("quick", Paths(tmp_path))
    arithmetic = [c.id for c in study.asked().claims if c.by_arithmetic or c.ill_posed or c.not_testable]
    assert (verdicts[~verdicts["id"].isin(arithmetic)]["verdict"] == v.UNTESTED).all()


def test_a_tier_without_tables_is_no_error(tmp_path):
    verdicts = study.verdicts("laptop", Paths(tmp_path))
    assert verdicts.loc["4.1", "text"] == "there is no table 'speed'"


@pytest.mark.parametrize("document", PER_DOCUMENT)
def test_an_entry_shows_each_row_with_its_mark_its_number_and_the_rule(found, rows, document, monkeypatch):
    shown = []
    monkeypatch.setattr(page, "put", shown.append)
    page.entries(found, document)
    (text,) = shown
    assert text.count('<details class="claim">') == PER_DOCUMENT[document] == text.count("<details") - 1
    total = re.findall(r"\d+", text.partition("one by one:")[2].partition("</summary>")[0])
    assert sum(map(int, total)) == PER_DOCUMENT[document]
    for _, claim in found[found["document"] == document].iterrows():
        part = text[text.index(f'id="claim-{claim["id"].replace(".", "-")}"') :].split("</details>")[0]
        for name, word in (item.rsplit(": ", 1) for item in claim["rows"].split("; ") if item):
            if word != "invalid":
                row = rows.loc[name]
                where = row["condition"] if isinstance(row["condition"], str) else "the whole table"
                cells = [f'title="{word}">{page.ANSWERS[word]}', f">{where}", f">{interval(row)}"]
                assert "</td><td".join(cells) in part
    assert "nan" not in text.replace("finance", "")


def test_contradictions_name_every_claim_with_its_verdict(found, monkeypatch):
    shown = []
    monkeypatch.setattr(page, "put", shown.append)
    page.contradictions(found)
    for item in study.asked().contradictions:
        for claim in item.claims:
            assert (
                f"{found.loc[claim, 'mark']} {found.loc[claim, 'verdict']}</span>" in shown[0].split(f">{claim}</a>")[1]
            )


def test_what_fills_a_template_is_escaped():
    claim = {"asked": {"id": "1", "claim": "<script>alert(1)</script>"}, "found": {"verdict": "mixed"}}
    assert "<script>" not in page.template("verdicts.html").render(claims=[claim], marks={})


def test_every_row_that_decides_nothing_has_a_reason(rows):
    assert (rows.loc[rows["verdict"] == "invalid", "why"].str.len() > 0).all()


def test_the_key_of_a_row_is_what_claims_select_by(found, rows):
    assert all(isinstance(json.loads(key), dict) for key in rows["key"])


def test_every_claim_leads_to_a_chapter_and_to_a_figure_in_it():
    for claim in study.asked().claims:
        chapter, _, figure = claim.link.partition("#")
        assert not claim.link or f"name: {figure}" in (Paths().notebooks / f"{chapter}.md").read_text(), claim.id


def test_every_question_of_the_study_is_valid_alone():
    """A stranger may take any one of them: it needs no other key of the file than those it names."""
    asked = study.asked()
    for name, question in asked.questions.items():
        needed = {n: asked.questions[n] for n in question.needs}
        while more := {n: asked.questions[n] for q in needed.values() for n in q.needs if n not in needed}:
            needed |= more
        assert Questions(questions={name: question} | needed)
