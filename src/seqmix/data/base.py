"""What every source of tokens offers: batches that depend on (seed, step) alone, and fixed evaluation windows.

numpy only. Nothing here draws from a global random state: each draw has its own generator, seeded by integers that
name its purpose, so that building a model, or another process, can never move the data.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["BLOCKS", "IGNORE", "Batch", "CorpusError", "Evaluation", "Source", "Task", "generator"]

IGNORE = -100
"""Target of a position that is not scored (PyTorch's ``ignore_index``)."""

BLOCKS = 16
"""Stretches of test text, or groups of evaluation windows, that losses are reported by: what a bootstrap draws."""

_BLOCK = 64
_PURPOSES = {"train": 1, "valid": 2, "test": 3, "pool": 4, "ngram": 5, "swap": 6, "table": 7, "fresh": 8}


class CorpusError(ValueError):
    """A corpus cannot be used. The message names the file or folder and says what to do about it."""


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """Return the random generator that belongs to a purpose ('train', 'valid', ...) and some integers."""
    return np.random.default_rng((_PURPOSES[purpose], *numbers))


def sha256_of(**parameters) -> str:
    """Return the fingerprint of a generator: the hash of its parameters and its version."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Batch:
    """``inputs`` and ``targets`` [B, T] int64; a target of -100 is not scored."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Evaluation(Batch):
    """Held-out windows, the same for everyone. The optional arrays are [n, T], aligned with ``targets``.

    ``bayes``: exact -log p of the target under the generator, nats (nan where not scored).
    ``kind``: class of the target (``oracle.KINDS``). ``age``: tokens since the last mention of what the target
    states, 0 if it is not mentioned before (or if the class has no mentions). ``block`` [n]: which stretch of the
    held-out text a window is from (windows of one stretch are alike; generated sequences have none). ``steps``: what
    has happened so far to the thing that is asked for: swaps (boxes) or factors (group products); 0 where nothing
    happens to it.
    """

    bayes: np.ndarray | None = None
    kind: np.ndarray | None = None
    age: np.ndarray | None = None
    steps: np.ndarray | None = None
    block: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass
class Source(ABC):
    """A corpus, a synthetic language or a recall task.

    ``bytes_per_token`` converts nats per token to bits per byte (nan where bytes mean nothing); ``chance`` is the
    accuracy of the best guess that remembers nothing (nan for language).
    """

    name: str
    fingerprint: str
    vocab_size: int
    seq_len: int
    bytes_per_token: float = math.nan
    chance: float = math.nan
    train_tokens: int = 0
    _references: dict[str, float] | None = field(default=None, repr=False)

    @property
    def references(self) -> dict[str, float]:
        """Reference lines, nats per scored held-out token: uniform, unigram, bigram; bayes and others where known."""
        if self._references is None:
            self._references = {"uniform": math.log(self.vocab_size), **self.measure_references()}
        return dict(self._references)

    @abstractmethod
    def measure_references(self) -> dict[str, float]:
        """Compute the reference lines beyond 'uniform' (called once)."""

    @abstractmethod
    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Return training batch number ``step``: a function of (seed, step, batch_size) alone."""

    @abstractmethod
    def evaluation(self, n: int, split: str = "valid") -> Evaluation:
        """Return ``n`` fixed windows of 'valid' or 'test'; the first m of n are those of ``evaluation(m)``."""

    def fresh(self, step: int, n: int, seed: int) -> Batch:
        """Return ``n`` sequences like those of training that are seen once only, after ``step``, by a check.

        Raises CorpusError for text and languages, whose tokens have no right answer.
        """
        raise CorpusError(
            f"source {self.name!r} asks no questions, so no accuracy can be reached: leave train.target_accuracy at 0"
        )


@dataclass
class Task(Source):
    """A source of questions with one right answer each: only answers are scored, and their Bayes loss is 0.

    Subclasses say how sequences are drawn; training, checks, 'valid' and 'test' each have a random stream of their own.
    """

    def measure_references(self) -> dict[str, float]:
        """``chance``: the loss of who guesses among the answers; ``bayes``: of who knows the rule."""
        return {"chance": -math.log(self.chance), "bayes": 0.0}

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return ``inputs``, ``targets``, ``age`` and ``steps`` (see ``Evaluation``) of ``n`` sequences: [n, T]."""

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        return Batch(*self.draw(generator("train", seed, step), batch_size)[:2])

    def fresh(self, step: int, n: int, seed: int) -> Batch:
        return Batch(*self.draw(generator("fresh", seed, step), n)[:2])

    def evaluation(self, n: int, split: str = "valid") -> Evaluation:
        return asked(*in_blocks(n, split, self.draw))


def asked(inputs: np.ndarray, targets: np.ndarray, age: np.ndarray, steps: np.ndarray) -> Evaluation:
    """Return the evaluation windows of a task: whoever knows the rule answers every question."""
    scored = targets != IGNORE
    bayes = np.where(scored, 0.0, np.nan)
    return Evaluation(inputs, targets, bayes, scored.astype(np.int64), age, steps)


def check_split(split: str) -> str:
    """Return ``split`` if it names held-out data; raises ValueError otherwise."""
    if split not in ("valid", "test"):
        raise ValueError(f"split {split!r}: evaluation windows come from 'valid' or 'test'")
    return split


def in_blocks(n: int, split: str, draw: Callable[[np.random.Generator, int], tuple]) -> list[np.ndarray]:
    """Draw ``n`` evaluation sequences in whole blocks, so that a shorter evaluation is a prefix of a longer one.

    ``draw(rng, size)`` returns arrays of ``size`` rows; returns the same arrays with ``n`` rows.
    """
    check_split(split)
    parts = [draw(generator(split, block), _BLOCK) for block in range(-(-n // _BLOCK))]
    return [np.ascontiguousarray(np.concatenate(column)[:n]) for column in zip(*parts, strict=True)]


def shifted(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split windows [n, T+1] into inputs [n, T] and next-token targets [n, T], both int64."""
    tokens = tokens.astype(np.int64, copy=False)
    return np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])
