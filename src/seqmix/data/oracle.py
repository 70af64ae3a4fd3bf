"""The best possible prediction of the almanac at every token, and its entropy in closed form.

The oracle knows the generator (laws and global table) and reads the document so far: objects, and values stated before,
are certain; a value stated for the first time is one of M, all alike. Closed forms say what its loss is on average at
each token index; both are irreducible: no model can do better in expectation.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from seqmix.data.almanac import Almanac, Sentences
from seqmix.data.draw import entropy

__all__ = ["KINDS", "Reading", "entropy_by_index", "read", "value_entropy"]

KINDS = ("start", "relation", "object", "value")


@dataclass(frozen=True)
class Reading:
    """All [n, T]: exact -log p of each token (nats), class, age of the fact.

    ``age`` of a value: tokens since its key's last mention in the document; 0 at the first mention and elsewhere.
    """

    nll: np.ndarray
    kind: np.ndarray
    age: np.ndarray


def read(almanac: Almanac, sentences: Sentences, length: int) -> Reading:
    """Return the oracle's reading of documents laid out to ``length`` tokens."""
    facts = almanac.subjects * almanac.relations
    is_global = sentences.fact < facts
    fact = np.where(is_global, sentences.fact, 0)
    key = np.where(is_global, 0, sentences.fact - facts)
    p_subject = almanac.p_fact.sum(1)
    p_relation = almanac.p_fact / p_subject[:, None]
    subject = fact // almanac.relations
    starts = np.where(is_global, almanac.p_global * p_subject[subject], (1 - almanac.p_global) * almanac.p_key[key])
    age = _ages(sentences, is_global, key, almanac.keys)
    value = np.where(age > 0, 0.0, -np.log(1 / almanac.values))
    nll = (-np.log(starts), np.where(is_global, -np.log(p_relation.ravel()[fact]), value), np.zeros(fact.shape))
    zero = np.zeros(fact.shape, np.int64)
    kind = (zero, np.where(is_global, 1, 3), zero + 2)
    return Reading(*(almanac.scatter(sentences, length, *parts) for parts in (nll, kind, (zero, age, zero))))


def _ages(sentences: Sentences, is_global: np.ndarray, key: np.ndarray, keys: int) -> np.ndarray:
    """Return the tokens since the last mention of each document sentence's key, 0 at the first: [n, J]."""
    age, last = np.zeros(key.shape, np.int64), np.full((len(key), keys), -1)
    for j in range(key.shape[1]):
        row = np.flatnonzero(~is_global[:, j])
        start, before = sentences.start[row, j], last[row, key[row, j]]
        age[row, j] = np.where(before >= 0, start - before, 0)
        last[row, key[row, j]] = start
    return age


def value_entropy(almanac: Almanac, count: int) -> np.ndarray:
    """Return the expected loss of the value in document sentence i = 1..count: ln M sum_k p_k (1 - p_k)^(i-1), nats."""
    p, i = almanac.p_key[:, None], np.arange(count)[None]
    return math.log(almanac.values) * (p * (1 - p) ** i).sum(0)


@lru_cache(maxsize=16)
def entropy_by_index(almanac: Almanac, length: int) -> np.ndarray:
    """Return the expected loss of the oracle at token index 0..length-1 of a document: [length], nats.

    ``begin[t, i]`` is the probability that a sentence begins at token t after i document sentences: a renewal process
    that moves by three tokens with p_global and by two, counting one, otherwise.
    """
    share, p_subject = almanac.p_global, almanac.p_fact.sum(1)
    kinds = entropy(np.array([share, 1 - share]))
    start = kinds + share * entropy(p_subject) + (1 - share) * entropy(almanac.p_key)
    relation = p_subject @ entropy(almanac.p_fact / p_subject[:, None])
    values = value_entropy(almanac, length // 2 + 1)
    begin = np.zeros((length + 3, length // 2 + 2))
    begin[0, 0] = 1.0
    total = np.zeros(length + 3)
    for t in range(length):
        here = begin[t].sum()
        total[t] += here * start
        total[t + 1] += here * share * relation + (1 - share) * (begin[t, : len(values)] @ values)
        begin[t + 3] += share * begin[t]
        begin[t + 2, 1:] += (1 - share) * begin[t, :-1]
    return total[:length]
