"""Recall tasks: nothing to model but what must be remembered; only the answers are scored.

    data:  {source: mqar, pairs: 32, seq_len: 256}         # from seq_len = 4 pairs, where nothing lies between
    train: {steps: 1000, batch_size: 16, target_accuracy: 0.95, check_every: 25}
    data:  {source: first_token, seq_len: 100}
    train: {steps: 3000, batch_size: 32, target_accuracy: 0.95, eval_sequences: 256}
    evaluate: [recall]

Every sequence of mqar asks for all its pairs, so few sequences a step are enough. One of first_token has one question:
its checks need more sequences.
"""

from dataclasses import dataclass

import numpy as np

from seqmix.data.base import IGNORE, CorpusError, Task, sha256_of

__all__ = ["FirstToken", "Mqar"]

VERSION = 1


@dataclass
class FirstToken(Task):
    """Say at the last of T positions which symbol came first (after the memory test of an RNN/Transformer notebook).

    Symbols 1..W-1 are drawn independently; 0 is never used, so chance is ln(W - 1).

        inputs   7 3 9 3 1      targets  -100 -100 -100 -100 7
    """

    @classmethod
    def open(cls, seq_len: int, symbols: int = 0) -> "FirstToken":
        symbols = symbols or 100
        if symbols < 3:
            raise CorpusError(f"first_token: symbols {symbols} leaves nothing to guess; take at least 3")
        fingerprint = sha256_of(version=VERSION, task="first_token", symbols=symbols, seq_len=seq_len)
        return cls("first_token", fingerprint, symbols, seq_len, chance=1 / (symbols - 1))

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        """``age`` of the query: T - 1."""
        inputs = rng.integers(1, self.vocab_size, (n, self.seq_len))
        targets, age = np.full_like(inputs, IGNORE), np.zeros_like(inputs)
        targets[:, -1], age[:, -1] = inputs[:, 0], self.seq_len - 1
        return inputs, targets, age, np.zeros_like(inputs)


@dataclass
class Mqar(Task):
    """Multi-query associative recall (Arora et al., Zoology, arXiv 2312.04927), D key-value pairs, each asked once.

    Keys are 1..W/2-1, values W/2..W-1, all distinct within a sequence. After the pairs, every key comes again after
    a gap drawn from a power law (p(g) ~ g^(a-1), a = 0.01, in steps of two tokens, without replacement), and its value
    is to be predicted there. Other positions hold random *values*: Zoology fills with any symbol, which at a small
    vocabulary makes filler look like new pairs; here the answer is always unique.

        inputs   k1 v1 k2 v2 k2 v9 v4 v7 k1 v3      targets  v2 at the second k2, v1 at the second k1, -100 elsewhere
    """

    pairs: int = 8

    GAP_POWER = 0.01

    @property
    def classes(self) -> list[int]:
        """Where the range of each class of symbols begins: keys, values."""
        return [1, self.vocab_size // 2]

    @classmethod
    def open(cls, seq_len: int, pairs: int = 0, symbols: int = 0) -> "Mqar":
        pairs, symbols = pairs or 8, symbols or 256
        if seq_len < 4 * pairs:
            raise CorpusError(f"mqar: {pairs} pairs and their queries need seq_len >= {4 * pairs}, not {seq_len}")
        if symbols // 2 - 1 < pairs:
            raise CorpusError(f"mqar: {pairs} pairs need symbols >= {2 * pairs + 2}, not {symbols}")
        fingerprint = sha256_of(version=VERSION, task="mqar", symbols=symbols, pairs=pairs, seq_len=seq_len)
        chance = 1 / (symbols - symbols // 2)
        return cls("mqar", fingerprint, symbols, seq_len, chance=chance, pairs=pairs)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        """``age`` of a query: tokens since the key was introduced."""
        half, pairs, head = self.vocab_size // 2, self.pairs, 2 * self.pairs
        keys = 1 + _subset(rng.random((n, half - 1)), pairs)
        values = half + _subset(rng.random((n, self.vocab_size - half)), pairs)
        inputs = rng.integers(half, self.vocab_size, (n, self.seq_len))
        inputs[:, 0:head:2], inputs[:, 1:head:2] = keys, values
        # Without replacement with weights w: the smallest of Exp(1) / w (Efraimidis & Spirakis 2006).
        slots = np.arange(1, (self.seq_len - head) // 2 + 1)
        gaps = _subset(rng.exponential(size=(n, len(slots))) / slots ** (self.GAP_POWER - 1.0), pairs)
        queries = head + 2 * gaps
        rows = np.arange(n)[:, None]
        inputs[rows, queries] = keys
        targets = np.full_like(inputs, IGNORE)
        targets[rows, queries] = values
        age = np.zeros_like(inputs)
        age[rows, queries] = queries - np.arange(0, head, 2)
        return inputs, targets, age, np.zeros_like(inputs)


def _subset(scores: np.ndarray, size: int) -> np.ndarray:
    """Return the columns of the ``size`` smallest scores of each row, in random order of size: [n, size]."""
    return np.argsort(scores, axis=1)[:, :size]
