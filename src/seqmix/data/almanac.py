"""The almanac: a synthetic language of facts whose best possible loss is known exactly at every token.

A document is a stream of sentences. With probability ``p_global`` a *global* sentence (s, r, o): the pair (s, r) is
drawn from a fixed Zipf law, and o = G[s, r] from a table fixed for the corpus. Otherwise a *document* sentence (k, v):
key k from a Zipf law, v = D[k] from a table drawn anew for each document. The five ranges of tokens are disjoint, in
the order s r o k v.

Global facts must be learnt by heart (capacity: scaling); document facts must be remembered (context).
"""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from seqmix.data.base import generator, sha256_of
from seqmix.data.draw import Alias, zipf

__all__ = ["PRESETS", "Almanac", "Sentences"]

VERSION = 1


@dataclass(frozen=True)
class Sentences:
    """Sentences of n documents, [n, J] each: which fact (an index below S R is global), and what was said.

    ``first``, ``second``, ``third``: tokens (third: of global sentences only); ``start``: position of the first token.
    """

    fact: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    start: np.ndarray


@dataclass(frozen=True)
class Almanac:
    """Parameters of the language. ``table_seed`` fixes the global facts: part of the language, not of the sample."""

    subjects: int = 128
    relations: int = 128
    objects: int = 32
    keys: int = 32
    values: int = 4
    p_global: float = 0.4
    zipf_facts: float = 1.0
    zipf_keys: float = 1.2
    table_seed: int = 0

    @property
    def vocab_size(self) -> int:
        return self.subjects + self.relations + self.objects + self.keys + self.values

    @cached_property
    def offsets(self) -> dict[str, int]:
        """First token of each range: s, r, o, k, v."""
        sizes = [self.subjects, self.relations, self.objects, self.keys, self.values]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return dict(zip("srokv", (int(start) for start in starts), strict=True))

    @cached_property
    def fingerprint(self) -> str:
        return sha256_of(almanac=VERSION, noise=0.0, **asdict(self))  # its first form could replace tokens at random

    @cached_property
    def p_fact(self) -> np.ndarray:
        """Probabilities of (s, r) among global sentences, [S, R]: Zipf over a random order of the pairs."""
        size = self.subjects * self.relations
        p = np.empty(size)
        p[generator("table", self.table_seed, 0).permutation(size)] = zipf(size, self.zipf_facts)
        return p.reshape(self.subjects, self.relations)

    @cached_property
    def table(self) -> np.ndarray:
        """The global facts G, [S, R], objects counted from 0."""
        rng = generator("table", self.table_seed, 1)
        return rng.integers(0, self.objects, (self.subjects, self.relations))

    @cached_property
    def p_key(self) -> np.ndarray:
        """Probabilities of the keys among document sentences, [K]."""
        return zipf(self.keys, self.zipf_keys)

    @cached_property
    def _alias(self) -> Alias:
        return Alias(np.concatenate([self.p_global * self.p_fact.ravel(), (1 - self.p_global) * self.p_key]))

    @cached_property
    def _tokens(self) -> np.ndarray:
        """First, second and third token of each fact, [3, S R + K]; of document facts only the first is known."""
        s, r = np.divmod(np.arange(self.subjects * self.relations), self.relations)
        zero = np.zeros(self.keys, np.int64)
        at = self.offsets
        first = np.concatenate([s + at["s"], np.arange(self.keys) + at["k"]])
        second = np.concatenate([r + at["r"], zero])
        third = np.concatenate([self.table.ravel() + at["o"], zero])
        return np.stack([first, second, third]).astype(np.int32)

    def sentences(self, n: int, length: int, rng: np.random.Generator) -> Sentences:
        """Draw the sentences of ``n`` documents, enough for ``length`` tokens each."""
        count = length // 2 + 1
        facts = self.subjects * self.relations
        fact = self._alias(rng.random((n, count)))
        value = rng.integers(0, self.values, (n, self.keys), dtype=np.int32) + np.int32(self.offsets["v"])
        is_global = fact < facts
        first, second, third = (table[fact] for table in self._tokens)
        row, column = np.nonzero(~is_global)
        second[row, column] = value[row, fact[row, column] - facts]
        width = 2 + is_global
        start = np.cumsum(width, axis=1) - width
        return Sentences(fact, first, second, third, start)

    def lay_out(self, sentences: Sentences, length: int) -> np.ndarray:
        """Write sentences as tokens [n, length]."""
        return self.scatter(sentences, length, sentences.first, sentences.second, sentences.third)

    def scatter(self, sentences: Sentences, length: int, first, second, third) -> np.ndarray:
        """Put per-sentence numbers at the first, second and third token of each sentence: [n, length].

        The third is written before the first of the next sentence, which overwrites it after a short sentence.
        """
        n = len(sentences.start)
        width = length + 3  # room for what sticks out at the end
        out = np.empty(n * width, np.result_type(first, second, third))
        place = np.minimum(sentences.start, length) + np.arange(n)[:, None] * width
        out[place + 2] = third
        out[place + 1] = second
        out[place] = first
        return out.reshape(n, width)[:, :length]

    def sample(self, n: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``n`` documents as tokens [n, length] (training; for exact predictions see ``oracle``)."""
        return self.lay_out(self.sentences(n, length, rng), length)


PRESETS = {
    "almanac": Almanac(),
    "almanac-context": Almanac(subjects=32, relations=16, objects=16, p_global=0.25, keys=32, values=16, zipf_keys=1.0),
    "almanac-12": Almanac(subjects=16, relations=8, objects=8, p_global=0.25, keys=16, values=8, zipf_keys=1.0),
    "almanac-gpu": Almanac(subjects=512, relations=512, objects=64, keys=512, values=64, zipf_keys=1.0),
}
"""Settings by name: scaling and context; context curves; 12-layer hybrids; the gpu tier."""
