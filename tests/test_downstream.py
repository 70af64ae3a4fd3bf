"""Downstream scores: exact log probabilities, questions that only the context answers, chance said beside the score."""

import math
import random
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from seqmix import checkpoint, models
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results import published
from seqmix_study.runs import downstream, samples_and_traces
from seqmix_study.runs.downstream import Score, log_probability, make_tasks, scores

WORDS = """amber birch cedar delta ember fjord grove heath ivory jolly koala lemon maple north ocean pearl""".split()  # noqa: SIM905
WORDS += [word[::-1] for word in WORDS]
TEXT = " ".join(random.Random(0).choices(WORDS, k=4000)).encode()
LONGEST = 32


def reader() -> torch.nn.Module:
    return models.build(ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=256, max_length=LONGEST), 0).eval()


def direct(model: torch.nn.Module, tokens: list[int], position: int) -> float:
    """log p of one token from at most ``LONGEST`` tokens before it."""
    before = torch.tensor(tokens[max(0, position - LONGEST) : position])[None]
    return F.log_softmax(model(before)[0, -1], -1)[tokens[position]].item()


def test_log_probability_is_the_sum_over_tokens():
    model = reader()
    context, ending = "the amber ", "birch"
    tokens = [*(context + ending).encode()]
    expected = sum(direct(model, tokens, n) for n in range(len(context), len(tokens)))
    assert log_probability(model, LONGEST, context, ending) == pytest.approx(expected, rel=1e-4)
    assert log_probability(model, LONGEST, "", ending) == log_probability(model, LONGEST, "\0", ending)


@pytest.mark.parametrize("before", [5, 200])
def test_of_a_long_text_the_end_is_read(before):
    model, text = reader(), TEXT[: before + 20].decode()
    expected = sum(math.log(p) for p in chances(model, [*text.encode()][-LONGEST - 1 :])[-20:])
    assert log_probability(model, LONGEST, text[:before], text[before:]) == pytest.approx(expected, rel=1e-4)
    uniform = partial(log_probability, lambda_model(), LONGEST)
    assert uniform(text[:before], text[before:]) == pytest.approx(-20 * math.log(256), rel=1e-5)
    assert uniform("", TEXT[:100].decode()) == pytest.approx(-LONGEST * math.log(256), rel=1e-5)


def chances(model: torch.nn.Module, tokens: list[int]) -> list[float]:
    """The probability of each token but the first."""
    logits = model(torch.tensor(tokens[:-1])[None])[0].softmax(-1)
    return logits[range(len(tokens) - 1), tokens[1:]].tolist()


def lambda_model() -> torch.nn.Module:
    """A model that knows nothing: the same logits for every token."""

    class Nothing(torch.nn.Module):
        def forward(self, tokens):
            return torch.zeros(*tokens.shape, 256)

    return Nothing()


def oracle(context: str, ending: str) -> float:
    """One who has read the text: of its endings, the one that follows the context there is likely."""
    return 0.0 if context + ending in TEXT.decode() else -50.0


def test_only_the_context_answers_the_questions():
    tasks = make_tasks(TEXT, 120)
    assert {name: len(questions) for name, questions in tasks.items()} == {"continuation": 120, "last_word": 120}
    assert make_tasks(TEXT, 120) == tasks
    for questions in tasks.values():
        assert all(len(q["choices"]) == 4 and 0 <= q["answer"] < 4 for q in questions)
        assert len({q["answer"] for q in questions}) == 4
    for score in scores(oracle, tasks):
        assert score.value > 0.95
        assert score.said == "above chance"
    for score in scores(partial(log_probability, lambda_model(), LONGEST), tasks):
        assert score.chance == 0.25
        assert score.said == "at chance", score


def test_too_little_text_is_refused():
    with pytest.raises(ValueError, match="too short"):
        make_tasks(b"a few words", 10)


def test_a_score_whose_interval_lies_beside_chance_says_on_which_side():
    assert Score("t", 0.1, 0.05, 0.15, 0.25, 100).said == "below chance"
    assert Score("t", 0.4, 0.35, 0.45, 0.25, 100).said == "above chance"
    assert Score("t", 0.3, 0.2, 0.4, 0.25, 100).said == "at chance"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A finished run on a folder of text, in a project of its own."""
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    for split in ("train", "valid", "test"):
        (tmp_path / "text" / split).mkdir(parents=True)
        words = random.Random(split).choices(WORDS, k=2000)
        (tmp_path / "text" / split / "one.txt").write_text(" ".join(words))
    data = DataConfig(source="folder", path=str(tmp_path / "text"), seq_len=32)
    model = ModelConfig(pattern="A", d_model=16, n_heads=2, max_length=32)
    config = RunConfig(model=model, data=data, train=TrainConfig(steps=1))
    folder = RunFolder(tmp_path / "runs" / config.run_id)
    folder.write_config(config)
    checkpoint.save_weights(folder.weights, models.build(model, 0).state_dict())
    folder.finish("finished")
    return folder


def test_what_is_published_of_a_model_is_what_it_scores(trained, monkeypatch):
    monkeypatch.setattr(samples_and_traces, "QUESTIONS", 40)
    rows = samples_and_traces.score(trained.config(), Paths())
    assert [row["task"] for row in rows] == ["continuation", "last_word"]
    model = models.build(trained.config().model, 0).eval()
    scored = scores(partial(log_probability, model, 32), downstream.held_out_tasks(trained.config().data, 40))
    for row, score in zip(rows, scored, strict=True):
        assert asdict(score).items() <= row.items()
        assert (row["said"], row["chance"], row["run_id"]) == (score.said, 0.25, trained.run_id)
    monkeypatch.setattr(downstream, "make_tasks", None)  # a second model of the corpus is asked what the first was
    assert samples_and_traces.score(trained.config(), Paths()) == rows


@pytest.mark.parametrize("file", ["samples.json", "scores.json"])
def test_what_published_models_write_and_score_belongs_to_published_runs(file):
    root = Paths(Path(__file__).parents[1])
    named = {each["run_id"] for each in published.beside("laptop", file, root)}
    known = set(pd.read_csv(root.results / "laptop" / "runs.csv", usecols=["run_id"])["run_id"])
    assert named
    assert named <= known
