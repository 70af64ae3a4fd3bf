"""Downstream scores of a trained run: questions made from its own held-out text, answered by log probability.

Every score comes with chance, a 95 % interval (Wilson), and the plain sentence "at chance" where the interval holds
chance: models of this study's size are expected there, and a score without that would mislead.

Models of text read as bytes are asked; ``samples_and_traces`` publishes what they score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch.nn import functional as F

from seqmix import data
from seqmix.config import DataConfig

# Four-choice continuation (the true next 24 bytes or those of another place) and the last word of a passage.
TASKS = ("continuation", "last_word")

# Answers of a question; bytes of text before an ending; bytes of the ending.
CHOICES, CONTEXT, ENDING = 4, 160, 24

# Bytes of held-out text that questions are made from.
MOST = 1_000_000


@dataclass(frozen=True)
class Score:
    """The share of a task's questions answered right, its 95 % interval, and what guessing gives."""

    task: str
    value: float
    low: float
    high: float
    chance: float
    count: int

    @property
    def said(self) -> str:
        """Return "at chance" where the 95 % interval holds chance, else on which side of it the score lies."""
        if self.low <= self.chance <= self.high:
            return "at chance"
        return "above chance" if self.value > self.chance else "below chance"


@torch.no_grad()
def log_probability(model: torch.nn.Module, longest: int, context: str, ending: str) -> float:
    """Return log p of the ending's bytes after the context, nats, from the last ``longest`` tokens that there are.

    Token 0 (the document separator) stands before an empty context. What a model cannot see whole, it reads the
    end of: of an ending of more than ``longest`` tokens, only the last ones are scored.
    """
    after = ending.encode()
    tokens = torch.tensor([*(context.encode() or b"\0"), *after][-longest - 1 :])
    scored = min(len(after), len(tokens) - 1)
    logits = model(tokens[None, :-1])[0, -scored:].float()
    return -F.cross_entropy(logits, tokens[-scored:], reduction="sum").item()


@lru_cache(maxsize=2)
def held_out_tasks(config: DataConfig, count: int) -> dict[str, list[dict[str, Any]]]:
    """Return the tasks that every model of a corpus is asked, from text that no run was trained or tuned on.

    That is the test split, else the held-out one.
    """
    streams = data.open_source(config).streams
    tokens = streams["test"] if len(streams.get("test", ())) > 10 * CONTEXT else streams["valid"]
    text = bytes(int(token) for token in tokens[:MOST] if token)
    return make_tasks(text.decode(errors="replace").encode(), count)


def make_tasks(text: bytes, count: int) -> dict[str, list[dict[str, Any]]]:
    """Return both tasks from held-out ``text``: question -> choices and the index of the right one.

    ``continuation``: wrong endings come from other places of the same text, so that only the context tells.
    ``last_word``: the four words are of like length and all occur in the text. Places are drawn with replacement.
    Raises ValueError for a text that is too short.
    """
    rng = np.random.default_rng((8, 0))
    words = [word for word in dict.fromkeys(text.decode(errors="ignore").split()) if word.isalpha() and len(word) > 3]
    room = len(text) - CONTEXT - ENDING
    if room < 10 * CONTEXT or len(words) < 20:
        raise ValueError(f"the held-out text is too short for questions ({len(text)} bytes, {len(words)} words)")
    read = lambda start, length: text[start : start + length].decode(errors="ignore")  # noqa: E731
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in TASKS}
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
    return {name: questions for name, questions in made.items() if questions}


def _question(rng: np.random.Generator, context: str, endings: list[str]) -> dict[str, Any]:
    """Return a question with its endings, the right one first, in random order."""
    order = rng.permutation(len(endings))
    return {"question": context, "choices": [endings[k] for k in order], "answer": int(np.argmin(order))}


def scores(log_p: Callable[[str, str], float], tasks: dict[str, list[dict[str, Any]]]) -> list[Score]:
    """Return the score of each task: the choice with the highest log p a byte is the answer.

    ``log_p``: context, ending -> log probability, nats.
    """
    found = []
    for name, questions in tasks.items():
        right = 0
        for q in questions:
            each = [log_p(q["question"], c) / max(1, len(c.encode())) for c in q["choices"]]
            right += int(np.argmax(each)) == q["answer"]
        interval = stats.binomtest(right, len(questions)).proportion_ci(method="wilson")
        value = right / len(questions)
        found.append(Score(name, value, float(interval.low), float(interval.high), 1 / CHOICES, len(questions)))
    return found
