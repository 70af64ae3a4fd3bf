"""Chapters: thin notebooks whose every figure is described, and sentences that never say more than their tables."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jupytext
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from nbformat import NotebookNode

from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.paths import Paths
from seqmix_study.book.prepare import _describe_figure
from seqmix_study.book.sources import declared
from seqmix_study.chapters import archive, chapter
from seqmix_study.chapters.parameters import Parameters
from seqmix_study.chapters.request import RequestError
from seqmix_study.chapters.show import nothing
from seqmix_study.runs import samples_and_traces
from test_figures import tables

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
LONGEST = 120
"""Lines of code of a chapter, all cells together: prose may be as long as it needs to be."""


def code(path: Path) -> list:
    return [cell for cell in jupytext.read(path, fmt="md:myst").cells if cell.cell_type == "code"]


def test_the_scanner_finds_the_chapters():
    assert {"scaling", "context", "recall", "hybrids", "speed"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_is_thin_and_has_one_parameters_cell(path):
    cells = code(path)
    source = "\n".join(cell.source for cell in cells)
    assert len(source.splitlines()) <= LONGEST
    assert not re.search(r"^\s*(def|class|lambda)\b", source, re.MULTILINE)
    found = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(found) == 1
    assert set(declared(found[0].source)) <= set(Parameters.model_fields)
    assert jupytext.read(path, fmt="md:myst").metadata["kernelspec"]["name"] == "python3"


SHOWS = re.compile(r"""\.(?:show|figure)\(\s*(?:"(fig-[\w-]+)")?""")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_a_name_a_caption_and_a_short_cell_behind_it(path):
    names = []
    for cell in code(path):
        if not (shown := SHOWS.findall(cell.source)):
            continue
        figure = cell.metadata["mystnb"]["figure"]
        assert len(shown) == 1
        assert shown[0] in ("", figure["name"])
        assert len(figure["caption"]) > 20
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 12
        names.append(figure["name"])
    assert len(names) == len(set(names))


MEASURED = re.compile(r"\{(?:row|val|check)\}`[^`]+`")
CITED = re.compile(r"\{(?:cite|numref)\}`[^`]+`")
ROLE = re.compile(r"\{[\w-]+\}`([^`<]*)(?:<[^`]*>)?`")
PAGES = [*NOTEBOOKS, *(ROOT / "book" / name for name in ("index.md", "which.md", "wrong.md"))]
ARGUED = [path for path in NOTEBOOKS if not path.stem.startswith("appendix_")]


def prose(path: Path) -> str:
    """Return what a page says in sentences: no code, no directive, no table."""
    cells = [cell.source for cell in jupytext.read(path, fmt="md:myst").cells if cell.cell_type == "markdown"]
    text = re.sub(r"^(`{3,}|:{3,}).*?^\1", "", "\n\n".join(cells), flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("|"))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])[*_\"”)]*\s+", text.strip())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_sentence_has_more_than_two_measured_numbers(path):
    for sentence in sentences(MEASURED.sub("#N#", prose(path))):
        assert sentence.count("#N#") <= 2, sentence


@pytest.mark.parametrize("path", ARGUED, ids=lambda path: path.stem)
def test_a_chapter_answers_in_three_sentences_and_argues_in_so_many_words(path):
    text = ROLE.sub(r"\1", CITED.sub("", MEASURED.sub("", prose(path))))
    answer = re.search(r"^\*\*Answer\.\*\* (.+)$", text, re.MULTILINE)
    assert answer, "a chapter begins with **Question.** and **Answer.**"
    assert len(sentences(answer[1])) <= 3, answer[1]
    assert 900 <= len(re.findall(r"[A-Za-z][\w'’-]*", text)) <= 1800


def with_runs(here: chapter.Chapter, runs: pd.DataFrame) -> chapter.Chapter:
    return replace(here, frames=here.frames | {"runs": runs})


def test_facts_name_runs_corpus_and_machine():
    runs = tables("scaling", "whole").runs.query("source == 'stdlib'")
    (found,) = chapter.facts(with_runs(tables("scaling", "whole"), runs)).to_dict("records")
    assert (found["source"], found["seeds"], found["torch"]) == ("stdlib", "0, 1 and 2", "2.13.0")
    assert found["corpus_sha256"] == "ab" * 6
    assert "standard library" in found["origin"]
    assert found["finished"] == runs["run_id"].nunique()
    assert chapter.facts(tables("speed", "whole"))["timed calls"].sum() == len(tables("speed", "whole").speed)
    assert not len(chapter.facts(chapter.arithmetic()))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [((11_300_000, 1_400_000), ["11.3M", "1.4M"]), ((0, float("nan")), ["without end", ""])],
)
def test_facts_say_how_much_text_was_held_out(sizes, said):
    here = tables("scaling", "whole")
    found = chapter.facts(with_runs(here, here.runs.assign(train_size=sizes[0], test_size=sizes[1])))
    assert [*found[["train", "test"]].iloc[0]] == said


def test_a_page_that_trains_nothing_says_so(monkeypatch):
    monkeypatch.setattr(chapter.collect, "load", lambda name, tier: {"runs": tables("scaling", "empty").runs})
    assert chapter.open("frontier", train=False, steps=3).notes == [chapter.DRAWN]
    with pytest.raises(RequestError, match=r"lstm_9.*known: transformer"):
        chapter.open("frontier", train=False, arms="transformer,lstm_9")


def test_the_caption_of_a_figure_that_is_not_drawn_says_why():
    cell = NotebookNode(metadata=NotebookNode(mystnb=NotebookNode(figure=NotebookNode(caption="Bands and dots."))))
    _describe_figure(cell, {"name": "fig-a", "alt": "Two lines."})
    assert cell.metadata["mystnb"]["figure"]["caption"] == "Bands and dots."
    _describe_figure(cell, {"name": "fig-a", "alt": nothing("no run")[-1]})
    assert cell.metadata["mystnb"]["figure"]["caption"] == "No picture in this execution: no run."
    plt.close("all")


def test_open_passes_the_request_on_and_trains_only_when_asked(monkeypatch, tmp_path):
    asked = {}
    plans = {"frontier": SimpleNamespace(runs=["run"])}
    summary = SimpleNamespace(check=lambda: asked.update(checked=True), notes={}, plans=plans)
    monkeypatch.setattr(chapter.launch, "train", lambda job, jobs: asked.update(job=job, jobs=jobs) or summary)
    monkeypatch.setattr("seqmix_study.chapters.request.checks.before_training", lambda job: None)
    frames = tables("scaling", "poor").frames
    load = lambda name, tier, plan=None, paths=None: asked.update(plan=plan) or frames  # noqa: E731
    monkeypatch.setattr(chapter.collect, "load", load)
    chapter.open("frontier", seeds=2, path=str(tmp_path), arms="transformer, lstm_2", steps=7, jobs=3)
    request = asked["job"].studies["frontier"]
    assert request["overrides"] == {"arms": ["transformer", "lstm_2"], "train.steps": 7}
    assert (request["seeds"], request["path"], asked["jobs"], asked["plan"]) == (2, str(tmp_path), 3, ["run"])
    assert asked["checked"]
    monkeypatch.setattr(chapter.launch, "train", pytest.fail)
    chapter.open("frontier", train=False)
    assert asked["plan"] is None


WRONG = [
    ({"tier": "huge"}, "quick, laptop, gpu"),
    ({"train": "maybe"}, "true or false"),
    ({"seeds": -1}, "0..20"),
    ({"arms": ",,,"}, "no name between the commas"),
    ({"arms": "lstm_99"}, "known: transformer"),
    ({"path": "/nowhere"}, "is no folder"),
    ({"source": "nope"}, "unknown source 'nope'"),
]


@pytest.mark.parametrize(("values", "says"), WRONG)
def test_a_chapter_checks_its_own_request_and_shows_one_sentence(values, says):
    with pytest.raises(RequestError, match=says) as caught:
        chapter.open("frontier", **values)
    (line,) = caught.value._render_traceback_()  # what IPython shows instead of frames
    assert says in line


def test_every_run_is_listed_with_its_configuration_and_every_value_is_escaped():
    here = tables("context", "whole")
    first = here.runs.loc[here.runs["role"] != "sweep", "run_id"].iloc[0]
    runs = here.runs.assign(source=here.runs["source"].where(here.runs["run_id"] != first, "<script>"))
    fields = {"model": {"pattern": "AD"}, "data": {"source": "</pre><script>"}}
    text = archive.listed(replace(with_runs(here, runs), configurations={first: fields}), "context")
    assert text.startswith('<h3 id="runs-context">')
    shown = runs["role"] != "sweep"
    assert all((f'<tr id="context-{run}">' in text) == kept for run, kept in zip(runs["run_id"], shown, strict=True))
    assert text.count("<details>") == 1
    assert "<script>" not in text
    assert 'code/seqmix.data.almanac.html">data.almanac</a>' in text
    assert "No run in these tables" in archive.listed(tables("context", "empty"), "context")
    timed = tables("speed", "whole")
    assert archive.listed(timed, "speed").count("<tr id=") == len(timed.speed.groupby(["run_id", "mode"]))


def test_a_sample_is_escaped():
    row = {"arm": "transformer", "source": "stdlib", "temperature": 0.7, "prompt": "<b>", "written": "x", "truth": "&"}
    text = archive.sample(row, unfolded=True)
    assert '<details open=""><summary>Transformer on stdlib (temperature 0.7)' in text
    assert "<pre>&lt;b&gt;</pre>" in text
    assert "<pre>&amp;</pre>" in text


def test_samples_come_from_the_weights_and_are_the_same_again(tmp_path, monkeypatch):
    from seqmix import checkpoint, models

    for i in range(6):
        folder = tmp_path / "texts" / ("train" if i < 4 else "valid" if i == 4 else "test")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.txt").write_text(f"Text {i}: the quick brown fox jumps over the lazy dog. " * 60)
    monkeypatch.setenv("SEQMIX_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEQMIX_CACHE", str(tmp_path / "cache"))
    source = DataConfig(source="folder", path=str(tmp_path / "texts"), seq_len=64)
    shape = ModelConfig(pattern="A", d_model=16, n_heads=1, max_length=64)
    config = RunConfig(arm="transformer", model=shape, data=source, train=TrainConfig(eval_sequences=4))
    folder = tmp_path / "runs" / config.run_id
    folder.mkdir(parents=True)
    checkpoint.save_weights(folder / "weights.pt", models.build(config.model).state_dict())
    here = Paths(tmp_path)
    first, second = samples_and_traces.sample(config, here), samples_and_traces.sample(config, here)
    assert first == second
    assert {row["arm"] for row in first} == {"transformer"}
    assert all(row["written"] and row["prompt"] in (tmp_path / "texts/valid/4.txt").read_text() for row in first)
