"""Downstream scores of a trained run: an adapter to the LM Evaluation Harness, and local tasks from held-out text.

The harness (``pip install 'seqmix[lm-eval]'``) is optional: the tasks made here are scored without it. Every score
comes with chance, a 95 % interval (Wilson), and the plain sentence "at chance" where the interval holds chance: models
of this study's size are expected there, and a score without that would mislead.

Text is scored in the run's own tokens. A run on text of another tokenizer or a synthetic source has no words and is
refused.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from seqmix import checkpoint, data, models
from seqmix.config import RunConfig
from seqmix.record import RunFolder

__all__ = [
    "LOCAL_TASKS",
    "DownstreamError",
    "Score",
    "Speaker",
    "harness_scores",
    "held_out_text",
    "local_scores",
    "make_tasks",
    "wilson",
    "write_harness_tasks",
]

LOCAL_TASKS = ("continuation", "last_word")
"""Four-choice continuation (the true next 24 bytes or those of another place) and the last word of a passage."""

CHOICES, CONTEXT, ENDING = 4, 160, 24
"""Answers of a question; bytes of text before an ending; bytes of the ending."""


class DownstreamError(ValueError):
    """A run cannot be scored; the text says why and what to do."""


@dataclass(frozen=True)
class Score:
    """One task's score with what guessing gives."""

    task: str
    metric: str
    value: float
    low: float
    high: float
    chance: float
    count: int

    @property
    def at_chance(self) -> bool:
        """Whether the 95 % interval holds chance."""
        return self.low <= self.chance <= self.high

    def sentence(self) -> str:
        """Return the score as a reader should see it."""
        said = f"{self.task}: {self.metric} {self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        said += f", chance {self.chance:.3f}"
        verdict = "at chance" if self.at_chance else "above chance" if self.value > self.chance else "below chance"
        return f"{said}, {self.count} questions: {verdict}"

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"at_chance": self.at_chance}


def wilson(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion; (0, 1) for no question."""
    if count == 0:
        return 0.0, 1.0
    p, spread = right / count, z * z / count
    middle, half = p + spread / 2, z * math.sqrt(p * (1 - p) / count + spread / (4 * count))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


class Speaker:
    """A trained model that reads and writes text: byte or BPE tokens, windows of its own training length."""

    def __init__(self, model: torch.nn.Module, encode, decode, longest: int, device: str = "cpu") -> None:
        self.model, self.encode, self.decode = model.eval(), encode, decode
        self.longest, self.device = longest, torch.device(device)

    @classmethod
    def of(cls, folder: RunFolder, device: str = "auto") -> "Speaker":
        """Load a finished run; DownstreamError if it has no weights or no text."""
        config = folder.config()
        if not isinstance(config, RunConfig) or not folder.weights.is_file():
            raise DownstreamError(f"{folder.run_id} has no weights here: train it, or unpack it with its weights")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        encode, decode = text_codec(config)
        model = models.build(config.model, config.seed, config.train.kernel).to(device)
        model.load_state_dict(checkpoint.load_weights(folder.weights, device))
        return cls(model, encode, decode, config.data.seq_len, device)

    @torch.no_grad()
    def score(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        """Return (log p of the continuation after the context, nats; whether greedy decoding would write it).

        Token 0 (the document separator) stands before an empty context. Only the last ``longest`` tokens are seen;
        a longer continuation is scored in windows, each with half a window of what stands before it.
        """
        tokens = (context or [0]) + continuation
        first = len(tokens) - len(continuation)
        total, greedy = 0.0, True
        while first < len(tokens):
            last = min(len(tokens), max(first + max(1, self.longest // 2), self.longest + 1))
            start = max(0, last - 1 - self.longest)
            window = torch.tensor(tokens[start : last - 1], device=self.device)[None]
            logits = self.model(window)[0, first - 1 - start :].float()
            goal = torch.tensor(tokens[first:last], device=self.device)
            total -= F.cross_entropy(logits, goal, reduction="sum").item()
            greedy = greedy and bool((logits.argmax(-1) == goal).all())
            first = last
        return total, greedy

    def loglikelihood(self, context: str, continuation: str) -> tuple[float, bool]:
        """Return (log p, greedy) of text after text."""
        return self.score(self.encode(context), self.encode(continuation))

    def write(self, context: str, until: list[str], most: int = 64) -> str:
        """Return what greedy decoding writes after ``context``, cut before the first of ``until``; ``most`` tokens."""
        tokens, written = self.encode(context) or [0], []
        for _ in range(most):
            window = torch.tensor((tokens + written)[-self.longest :], device=self.device)[None]
            with torch.no_grad():
                written.append(int(self.model(window)[0, -1].argmax()))
            text = self.decode(written)
            stops = [text.index(stop) for stop in until if stop and stop in text]
            if stops:
                return text[: min(stops)]
        return self.decode(written)


def text_codec(config: RunConfig):
    """Return (text -> token ids, token ids -> text) of a run's corpus; DownstreamError if it is no text."""
    source = data.open_source(config.data)
    if not math.isfinite(source.bytes_per_token):
        raise DownstreamError(f"source {config.data.source!r} has no words: score a run on real text")
    if config.data.tokenizer == "bytes":
        return lambda text: [*text.encode()], lambda ids: bytes(i for i in ids if i).decode(errors="replace")
    from tokenizers import Tokenizer

    coder = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    return lambda text: coder.encode(text).ids, lambda ids: coder.decode([i for i in ids if i])


def held_out_text(config: RunConfig, most: int = 1_000_000) -> bytes:
    """Return text that the run was neither trained nor tuned on (the test split, else the held-out one)."""
    streams, (_, decode) = data.open_source(config.data).streams, text_codec(config)
    tokens = streams["test"] if len(streams.get("test", ())) > 10 * CONTEXT else streams["valid"]
    return decode([int(token) for token in tokens[:most]]).encode()


def make_tasks(text: bytes, count: int = 200, seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Return both local tasks from held-out ``text``: question -> choices and the index of the right one.

    ``continuation``: wrong endings come from other places of the same text, so that only the context tells.
    ``last_word``: the four words are of like length and all occur in the text. Places are drawn with replacement.
    """
    rng = np.random.default_rng((8, seed))
    words = [word for word in dict.fromkeys(text.decode(errors="ignore").split()) if word.isalpha() and len(word) > 3]
    room = len(text) - CONTEXT - ENDING
    if room < 10 * CONTEXT or len(words) < 20:
        raise DownstreamError(f"the held-out text is too short for questions ({len(text)} bytes, {len(words)} words)")
    read = lambda start, length: text[start : start + length].decode(errors="ignore")  # noqa: E731
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in LOCAL_TASKS}
    for _ in range(count):
        start = int(rng.integers(room))
        endings = [read(start + CONTEXT, ENDING)]
        endings += [read(int(place) + CONTEXT, ENDING) for place in rng.integers(room, size=CHOICES - 1)]
        made["continuation"].append(_question(rng, read(start, CONTEXT), endings))
    for _ in range(100 * count):
        if len(made["last_word"]) == count:
            break
        passage = read(int(rng.integers(room)), CONTEXT + ENDING)
        context, _, word = passage[: passage.rfind(" ")].rpartition(" ")
        others = [other for other in words if other != word and abs(len(other) - len(word)) <= 1]
        if word in words and len(others) >= CHOICES - 1 and len(context) > CONTEXT // 2:
            chosen = rng.choice(len(others), CHOICES - 1, replace=False)
            endings = [" " + word, *(" " + others[k] for k in chosen)]
            made["last_word"].append(_question(rng, context, endings))
    return made


def _question(rng: np.random.Generator, context: str, endings: list[str]) -> dict[str, Any]:
    """Return a question with its endings, the right one first, in random order."""
    order = rng.permutation(len(endings))
    return {"question": context, "choices": [endings[k] for k in order], "answer": int(np.argmin(order))}


def local_scores(speaker: Speaker, tasks: dict[str, list[dict[str, Any]]]) -> list[Score]:
    """Return the accuracy of each task: the choice with the highest log p a byte is the answer."""
    scores = []
    for name, questions in tasks.items():
        right = 0
        for q in questions:
            each = [speaker.loglikelihood(q["question"], c)[0] / max(1, len(c.encode())) for c in q["choices"]]
            right += int(np.argmax(each)) == q["answer"]
        chance = float(np.mean([1 / len(q["choices"]) for q in questions])) if questions else math.nan
        scores.append(_proportion(name, "acc", right, len(questions), chance))
    return scores


def _proportion(task: str, metric: str, right: float, count: int, chance: float) -> Score:
    low, high = wilson(round(right), count)
    return Score(task, metric, right / count if count else math.nan, low, high, chance, count)


def harness_scores(
    speaker: Speaker, tasks: list[str], folder: Path | None = None, limit: int | None = None
) -> list[Score]:
    """Score tasks of the LM Evaluation Harness; ``folder`` holds task files of one's own (see ``write_harness_tasks``).

    Raises DownstreamError if the harness is not installed or a task cannot be had (most need a network once).
    """
    from seqmix_study.runs.harness import evaluate

    return [_proportion(*row) for row in evaluate(speaker, tasks, folder, limit)]


def write_harness_tasks(tasks: dict[str, list[dict[str, Any]]], folder: Path) -> list[str]:
    """Write local tasks as files that the harness reads (named ``seqmix_<task>``); return their names."""
    names = []
    for task, questions in tasks.items():
        name = f"seqmix_{task}"
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(question) + "\n" for question in questions), encoding="utf-8")
        (folder / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: json\n"
            f"dataset_kwargs: {{data_files: {{test: {json.dumps(str(file.resolve()))}}}}}\n"
            "test_split: test\noutput_type: multiple_choice\n"
            'doc_to_text: "{{question}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: answer\ntarget_delimiter: ""\n'
            "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\nmetadata: {version: 1.0}\n"
        )
        names.append(name)
    return names
