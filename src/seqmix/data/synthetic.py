"""Synthetic languages as sources: training documents by (seed, step), evaluation with the exact best prediction.

A window is a document from its first token on: T + 1 tokens, of which tokens 1..T are targets (token 0 is read, not
predicted). With ``train_tokens`` the training stream is a fixed pool of train_tokens // T documents (at least one).
"""

from dataclasses import dataclass

import numpy as np

from seqmix.data import oracle
from seqmix.data.almanac import PRESETS, Almanac
from seqmix.data.base import Batch, Evaluation, Source, generator, in_blocks, shifted
from seqmix.data.ngram import ngram_losses

__all__ = ["AlmanacSource", "SyntheticSource"]

_NGRAM_TOKENS = 1 << 19


@dataclass
class SyntheticSource(Source):
    """Shared by the languages with a known generator: subclasses say how to ``sample`` and to ``read``."""

    _pool: np.ndarray | None = None

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``n`` documents, [n, T + 1] tokens."""
        raise NotImplementedError

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        rng = generator("train", seed, step)
        if not self.train_tokens:
            return Batch(*shifted(self.sample(batch_size, rng)))
        if self._pool is None:
            size = max(1, self.train_tokens // self.seq_len)
            self._pool = self.sample(size, generator("pool")).astype(np.uint16)
        return Batch(*shifted(self._pool[rng.integers(0, len(self._pool), batch_size)]))

    def ngrams(self) -> dict[str, float]:
        """Unigram and bigram lines, counted on half a million tokens (or the pool) and scored on an eighth of that."""
        size = max(64, _NGRAM_TOKENS // self.seq_len)
        if self.train_tokens:
            self.batch(0, 1, 0)
            train = self._pool
        else:
            train = self.sample(size, generator("ngram", 0))
        return ngram_losses(train, self.sample(size // 8, generator("ngram", 1)), self.vocab_size)


@dataclass
class AlmanacSource(SyntheticSource):
    """``references['bayes']`` is the closed-form expected loss over the scored positions."""

    almanac: Almanac = PRESETS["almanac"]

    @property
    def classes(self) -> list[int]:
        """Where the range of each class of tokens begins, ascending."""
        return sorted(self.almanac.offsets.values())

    @classmethod
    def open(cls, name: str, seq_len: int, train_tokens: int = 0) -> "AlmanacSource":
        almanac = PRESETS[name]
        return cls(name, almanac.fingerprint, almanac.vocab_size, seq_len, train_tokens=train_tokens, almanac=almanac)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.almanac.sample(n, self.seq_len + 1, rng)

    def evaluation(self, n: int, split: str = "valid") -> Evaluation:
        return Evaluation(*in_blocks(n, split, self._read))

    def _read(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        length = self.seq_len + 1
        sentences = self.almanac.sentences(n, length, rng)
        reading = oracle.read(self.almanac, sentences, length)
        rest = (reading.nll, reading.kind, reading.age)
        return *shifted(self.almanac.lay_out(sentences, length)), *(array[:, 1:] for array in rest)

    def entropy_by_index(self) -> np.ndarray:
        """Return the closed-form expected loss at each scored position: [T], nats."""
        return oracle.entropy_by_index(self.almanac, self.seq_len + 1)[1:]

    def measure_references(self) -> dict[str, float]:
        return {**self.ngrams(), "bayes": float(self.entropy_by_index().mean())}
