"""Rows of findings in figures and in sentences: read, never estimated again; a sentence that a row denies is named."""

import io
import re

import numpy as np
import pandas as pd
import pytest
import seaborn.objects as so

from seqmix.paths import Paths
from seqmix_study.book.sphinxext.roles import SAYS, checked, holds, value
from seqmix_study.chapters import draw, rows, style
from seqmix_study.findings import study


def points(arms=("transformer", "deltanet"), corpora=("python",), sizes=(1e4, 3e4, 1e5)) -> pd.DataFrame:
    made = [
        {"Architecture": style.look(arm).label, "Corpus": corpus, "size": size, "estimate": 2 + i - 0.1 * k}
        for corpus in corpora for i, arm in enumerate(arms) for k, size in enumerate(sizes)
    ]  # fmt: skip
    frame = pd.DataFrame(made)
    return frame.assign(lo=frame["estimate"] - 0.05, hi=frame["estimate"] + 0.05)


def plot(frame: pd.DataFrame) -> so.Plot:
    return (
        so.Plot(frame, x="size", y="estimate", ymin="lo", ymax="hi", color="Architecture")
        .facet(row="Corpus").add(so.Band()).add(so.Line()).scale(x="log", **draw.scales(frame))
    )  # fmt: skip


def test_tidy_rows_hold_the_numbers_of_the_published_row_and_its_condition():
    published = study.rows(rows.PUBLISHED)
    for row in rows.published("frontier_gap").itertuples():
        there = published.loc[row.row]
        assert (row.estimate, row.lo, row.hi) == (there["estimate"], there["lo"], there["hi"])
        assert row.row == f"frontier_gap/{row.corpus}/{row.tokens:.9g}/{row.size:.9g}"


def test_a_question_that_nobody_asks_is_refused_by_name():
    with pytest.raises(KeyError, match="no question 'gapp'"):
        rows.published("gapp")


def test_own_rows_estimate_what_was_planted():
    made = [
        {"study": "frontier", "run_id": f"{arm}{seed}{size}", "status": "finished", "source": "python", "arm": arm,
         "family": arm, "role": "evidence", "tier": "quick", "seed": seed, "tokens": 1000, "seq_len": 64, "lr": 0.01,
         "params_non_embedding": size, "loss": 2.0 - 0.3 * (arm == "lstm") + 0.01 * seed, "bigram": 3.0,
         "device": "cpu", "precision": "float32", "code_commit": "a", "split": "test", "test_tokens": 10_000}
        for arm in ("lstm", "transformer") for seed in range(4) for size in (1000, 5000)
    ]  # fmt: skip
    found = rows.own("frontier_gap", rows.described({"runs": pd.DataFrame(made)}))
    assert np.allclose(found["estimate"], -0.3)
    assert list(found["size"]) == [1000, 5000]


def test_agreement_says_differs_only_where_intervals_are_apart():
    theirs = pd.DataFrame({"row": list("abc"), "estimate": [1.0] * 3, "lo": [0.9] * 3, "hi": [1.1] * 3})
    yours = pd.DataFrame(
        {"row": list("abc"), "estimate": [1.05, 2.0, 1.0], "lo": [1.0, 1.9, np.nan], "hi": [1.1, 2.1, np.nan]}
    )
    assert list(rows.agreement(theirs, yours)["said"]) == ["agrees", "differs", "no interval of its own"]


def table(**change) -> pd.DataFrame:
    row = {
        "row": "q/python/1",
        "estimate": -0.2,
        "lo": -0.3,
        "hi": -0.1,
        "direction": "below",
        "verdict": "no",
        "why": "",
    }
    return pd.DataFrame([row | change]).set_index("row", drop=False)


def test_a_sentence_holds_until_its_row_flips():
    assert holds(table(), "q/python/1", "below") == ""
    assert holds(table(), "q/*", "not_above") == ""
    assert holds(table(), "q/python/1", "no") == ""
    assert "lies 'above': 0.2" in holds(table(estimate=0.2, lo=0.1, hi=0.3, direction="above"), "q/*", "below")
    assert "is invalid: not tuned" in holds(table(verdict="invalid", why="not tuned"), "q/*", "below")
    assert "no row" in holds(table(), "q/books/*", "below")
    assert "answers 'no'" in holds(table(), "q/*", "yes")
    assert holds(table(), "q/python/1", "==-.2") == holds(table(), "q/python/1", "<0") == ""
    assert "lies 'below'" in holds(table(), "q/python/1", "==0")
    assert "lies 'below'" in holds(table(), "q/python/1", ">-.2")
    assert "is invalid" in holds(table(verdict="invalid", why="not tuned"), "q/*", "<0")


def test_the_form_of_a_statement():
    found = SAYS.match("the LSTM leads <gap/python/* gap/books/1 below>")
    assert (found["words"], found["rows"], found["said"]) == ("the LSTM leads", "gap/python/* gap/books/1", "below")
    assert SAYS.match("not called <gap/python too close>")["said"] == "too close"
    assert SAYS.match("every seed <gap/python >.9>")["said"] == ">.9"


def test_values_of_rows():
    assert value(table(), "q/python/1:estimate:+.2f") == "-0.20"
    assert value(table(), "q/python/1:verdict") == "no"
    assert value(table(), "q/*:lo:.1f") == "-0.3"
    assert value(table(), "q/*:-estimate:.1f") == "0.2"
    with pytest.raises(KeyError, match="no row 'q'"):
        value(table(), "q:lo")


PAGES = [*(Paths().root / "notebooks").glob("*.md"), *(Paths().root / "book").glob("*.md")]
ROLE = re.compile(r"\{(row|says|check)\}`([^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_the_book_states_is_what_the_published_rows_say(page):
    """The strict build says the same, much later."""
    published, text = study.rows(rows.PUBLISHED), re.sub(r"``.*?``", "", page.read_text(encoding="utf-8"))
    for role, content in ROLE.findall(text):
        if role == "says":
            found = SAYS.match(content)
            assert found, content
            assert holds(published, found["rows"], found["said"]) == "", content
        else:
            assert value(published, content) if role == "row" else checked(content), content


def test_a_figure_is_one_column_that_a_phone_can_read():
    style.use()
    frame = points(corpora=("Python source", "long books"))
    figure = draw.finish(plot(frame), frame, panel="Corpus", ends="size", title="One falls below the other")
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    text = picture.getvalue()
    assert figure.get_size_inches()[0] == draw.WIDTH
    assert len({round(axis.get_position().x0, 3) for axis in figure.axes}) == 1
    assert not figure.legends
    for words in ("Transformer", "DeltaNet", "Python source", "long books", "100k"):
        assert f">{words}</text>" in text
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)]
    assert len(sizes) > 10
    assert min(sizes) * 358 / (72 * draw.WIDTH) >= 9


def test_the_description_names_every_line_and_panel():
    said = draw.describe(points(corpora=("a", "b")), "size", panel="Corpus")
    assert said.startswith("a: Transformer from 2 at 10k to 1.8 at 100k; DeltaNet from 3 at")
    assert "b: Transformer" in said


def test_your_line_has_the_colour_of_its_model():
    assert style.look_of("yours: DeltaNet").colour == style.look_of("DeltaNet").colour
    assert style.look_of("yours: DeltaNet").line != style.look_of("DeltaNet").line
    assert style.order_labels(["yours: DeltaNet", "something", "Transformer"])[0] == "Transformer"
