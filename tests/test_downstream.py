"""Downstream scores: exact log probabilities, questions that only the context answers, chance said beside the score."""

import json
import math
import random

import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional as F

from seqmix import checkpoint, models
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix_study.__main__ import main
from seqmix_study.runs.downstream import (
    DownstreamError,
    Score,
    Speaker,
    harness_scores,
    local_scores,
    make_tasks,
    wilson,
    write_harness_tasks,
)

WORDS = """amber birch cedar delta ember fjord grove heath ivory jolly koala lemon maple north ocean pearl""".split()  # noqa: SIM905
WORDS += [word[::-1] for word in WORDS]
TEXT = " ".join(random.Random(0).choices(WORDS, k=4000)).encode()
LONGEST = 32


def speaker(seed: int = 0, longest: int = LONGEST) -> Speaker:
    model = models.build(ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=256, max_length=longest), seed)
    return Speaker(model, lambda text: [*text.encode()], lambda ids: bytes(ids).decode(errors="replace"), longest)


def direct(one: Speaker, tokens: list[int], position: int) -> float:
    """log p of one token from at most ``longest`` tokens before it."""
    before = torch.tensor(tokens[max(0, position - one.longest) : position])[None]
    return F.log_softmax(one.model(before)[0, -1], -1)[tokens[position]].item()


def test_log_probability_is_the_sum_over_tokens():
    one = speaker()
    context, continuation = [*b"the amber "], [*b"birch"]
    total, greedy = one.score(context, continuation)
    tokens = context + continuation
    assert total == pytest.approx(sum(direct(one, tokens, n) for n in range(len(context), len(tokens))), rel=1e-4)
    assert not greedy
    assert one.score([], continuation)[0] == pytest.approx(one.score([0], continuation)[0])
    assert one.score(context, []) == (0.0, True)


@pytest.mark.parametrize("before", [0, 5, 200])
def test_long_texts_are_scored_once_a_token_with_half_a_window_before_them(before):
    one = speaker()
    calls = []
    one.model.register_forward_hook(lambda module, given, out: calls.append(given[0].shape[1]))
    tokens = [*TEXT[: before + 100]]
    total, _ = one.score(tokens[:before], tokens[before:])
    assert max(calls) <= LONGEST
    assert len(calls) <= 8  # half a window a call
    uniform = Speaker(lambda_model(), one.encode, one.decode, LONGEST)
    assert uniform.score(tokens[:before], tokens[before:])[0] == pytest.approx(-100 * math.log(256), rel=1e-5)
    assert math.isfinite(total)


def lambda_model() -> torch.nn.Module:
    """A model that knows nothing: the same logits for every token."""

    class Nothing(torch.nn.Module):
        def forward(self, tokens):
            return torch.zeros(*tokens.shape, 256)

    return Nothing()


def oracle(text: str) -> Speaker:
    """A speaker that has read the text: of its endings, the one that follows the context there is likely."""
    one = speaker()
    one.loglikelihood = lambda context, ending: (0.0 if context + ending in text else -50.0, False)
    return one


def test_only_the_context_answers_the_questions():
    tasks = make_tasks(TEXT, 120)
    assert {name: len(questions) for name, questions in tasks.items()} == {"continuation": 120, "last_word": 120}
    assert make_tasks(TEXT, 120) == tasks
    for questions in tasks.values():
        assert all(len(q["choices"]) == 4 and 0 <= q["answer"] < 4 for q in questions)
        assert len({q["answer"] for q in questions}) == 4
    for score in local_scores(oracle(TEXT.decode()), tasks):
        assert score.value > 0.95
        assert "above chance" in score.sentence()
    for score in local_scores(Speaker(lambda_model(), speaker().encode, str, LONGEST), tasks):
        assert score.chance == 0.25
        assert score.at_chance, score.sentence()
        assert "chance 0.250" in score.sentence()


def test_too_little_text_is_refused():
    with pytest.raises(DownstreamError, match="too short"):
        make_tasks(b"a few words", 10)


def test_intervals_cover_as_often_as_they_say():
    draw = random.Random(1)
    inside = 0
    for _ in range(400):
        low, high = wilson(sum(draw.random() < 0.25 for _ in range(80)), 80)
        inside += low <= 0.25 <= high
    assert inside / 400 > 0.92
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 50)[0] == 0.0
    assert Score("t", "acc", 0.1, 0.05, 0.15, 0.25, 100).sentence().endswith("below chance")


def test_writing_stops_where_it_is_told():
    one = speaker()
    whole = one.write("amber", [], 40)
    assert len(whole) >= 10
    stop = whole[3:5]
    assert one.write("amber", [stop], 40) == whole[: whole.index(stop)]


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


def test_the_command_scores_a_run_and_says_chance(trained):
    done = CliRunner().invoke(main, ["score", trained.run_id, "--count", "40", "--json"])
    assert done.exit_code == 0, done.output
    scores = json.loads(done.output)["scores"]
    assert [score["task"] for score in scores] == ["continuation", "last_word"]
    assert all(score["chance"] == 0.25 and score["count"] == 40 for score in scores)
    plain = CliRunner().invoke(main, ["score", trained.run_id, "--count", "20", "--tasks", "last_word"])
    assert plain.output.count("\n") == 1
    assert "chance 0.250, 20 questions:" in plain.output


def test_wrong_requests_are_told(trained, tmp_path):
    missing = CliRunner().invoke(main, ["score", "no-such-run"])
    assert missing.exit_code == 2
    assert "no run named" in missing.output
    synthetic = RunConfig(model=ModelConfig(pattern="A"), data=DataConfig(source="mqar", pairs=3, symbols=16))
    folder = RunFolder(tmp_path / "runs" / synthetic.run_id)
    folder.write_config(synthetic)
    refused = CliRunner().invoke(main, ["score", synthetic.run_id])
    assert (refused.exit_code, "no weights" in refused.output) == (1, True)
    checkpoint.save_weights(folder.weights, models.build(synthetic.model, 0).state_dict())
    with pytest.raises(DownstreamError, match="no words"):
        Speaker.of(folder, "cpu")


def test_without_the_harness_its_tasks_are_refused_with_the_remedy(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.delitem(sys.modules, "seqmix_study.runs.harness", raising=False)
    with pytest.raises(DownstreamError, match="seqmix\\[lm-eval\\]"):
        harness_scores(speaker(), ["hellaswag"])


class TestWithHarness:
    """Skipped without ``lm-eval``."""

    @pytest.fixture(autouse=True)
    def _harness(self, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
        pytest.importorskip("lm_eval")

    def test_the_harness_and_the_local_scorer_agree(self, tmp_path):
        tasks = make_tasks(TEXT, 30)
        for one in (speaker(), oracle(TEXT.decode())):
            mine = local_scores(one, tasks)
            theirs = harness_scores(one, write_harness_tasks(tasks, tmp_path), tmp_path)
            assert [score.chance for score in theirs] == [0.25, 0.25]
            assert [score.count for score in theirs] == [30, 30]
            # the harness adds log p of the whole choice, the local scorer divides it by its bytes
            assert [s.value for s in theirs] == pytest.approx([s.value for s in mine], abs=0.2)

    def test_all_three_kinds_of_requests_are_answered(self):
        from lm_eval.api.instance import Instance

        from seqmix_study.runs.harness import HarnessModel

        def ask(kind: str, *arguments):
            return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)

        one = speaker()
        adapter = HarnessModel(one)
        (said,) = adapter.loglikelihood([ask("loglikelihood", "amber ", "birch")])
        assert said == one.loglikelihood("amber ", "birch")
        (whole,) = adapter.loglikelihood_rolling([ask("loglikelihood_rolling", TEXT[:80].decode())])
        assert whole == one.loglikelihood("", TEXT[:80].decode())[0]
        (text,) = adapter.generate_until([ask("generate_until", "amber", {"until": ["\n"], "max_gen_toks": 8})])
        assert text == one.write("amber", ["\n"], 8)

    def test_tasks_that_cannot_be_had_are_refused(self):
        with pytest.raises(DownstreamError, match="no_such_task_here"):
            harness_scores(speaker(), ["no_such_task_here"])
