"""The best possible prediction of the almanac at every token, and its entropy in closed form.

The oracle knows the generator (laws and global table) and reads the document so far. Closed forms say what its loss
is on average at each token index; both are irreducible: no model can do better in expectation.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from seqmix.data.almanac import Almanac, Sentences
from seqmix.data.base import generator
from seqmix.data.draw import entropy

__all__ = ["KINDS", "Reading", "class_entropies", "entropy_by_index", "read", "value_entropy", "value_predictive"]

KINDS = ("start", "relation", "object", "value")


@dataclass(frozen=True)
class Reading:
    """All [n, T]: exact -log p of each token and the entropy of that prediction (nats), class, age of the fact.

    ``age`` of a value: tokens since its key's last mention in the document; 0 at the first mention and elsewhere.
    """

    nll: np.ndarray
    entropy: np.ndarray
    kind: np.ndarray
    age: np.ndarray


def value_predictive(almanac: Almanac, counts: np.ndarray) -> np.ndarray:
    """Return p(value | how often each value was stated for this key so far): [..., M] -> [..., M].

    P(D = v | c) ~ rho^c_v with rho = (1 - e + e/M) / (e/M); p(v) = (1 - e) P(D = v) + e/M (METHOD: exact Bayes).
    """
    noise, values = almanac.noise, almanac.values
    if noise == 0:
        known = counts > 0
        return np.where(known.any(-1, keepdims=True), known.astype(float), 1 / values)
    ratio = math.log((1 - noise + noise / values) / (noise / values))
    weight = np.exp(ratio * (counts - counts.max(-1, keepdims=True)))
    return (1 - noise) * weight / weight.sum(-1, keepdims=True) + noise / values


def read(almanac: Almanac, sentences: Sentences, length: int) -> Reading:
    """Return the oracle's reading of documents laid out to ``length`` tokens."""
    facts = almanac.subjects * almanac.relations
    is_global = sentences.fact < facts
    fact = np.where(is_global, sentences.fact, 0)
    key = np.where(is_global, 0, sentences.fact - facts)
    p_subject = almanac.p_fact.sum(1)
    p_relation = almanac.p_fact / p_subject[:, None]
    noise, objects = almanac.noise, almanac.objects
    subject = fact // almanac.relations
    starts = np.where(is_global, almanac.p_global * p_subject[subject], (1 - almanac.p_global) * almanac.p_key[key])
    classes = class_entropies(almanac)
    value_nll, value_entropy_, age = _read_values(almanac, sentences, is_global, key)
    said = sentences.third - almanac.offsets["o"] == almanac.table.ravel()[fact]

    nll = (
        -np.log(starts),
        np.where(is_global, -np.log(p_relation.ravel()[fact]), value_nll),
        np.where(is_global, _surprise((1 - noise) * said + noise / objects), 0.0),
    )
    spread = (
        np.full(nll[0].shape, classes["start"]),
        np.where(is_global, entropy(p_relation)[subject], value_entropy_),
        np.full(nll[0].shape, classes["object"]),
    )
    zero = np.zeros(is_global.shape, np.int64)
    kind = (zero, np.where(is_global, 1, 3), zero + 2)
    ages = (zero, age, zero)
    return Reading(*(almanac.scatter(sentences, length, *parts) for parts in (nll, spread, kind, ages)))


def _read_values(almanac: Almanac, sentences: Sentences, is_global: np.ndarray, key: np.ndarray) -> tuple:
    """Follow every document sentence by sentence: [n, J] nll and entropy of the value, and age in tokens."""
    n, count = key.shape
    nll, spread, age = np.zeros((n, count)), np.zeros((n, count)), np.zeros((n, count), np.int64)
    piece = max(1, (1 << 24) // (almanac.keys * almanac.values))
    for begin in range(0, n, piece):
        rows = slice(begin, begin + piece)
        seen = np.zeros((len(key[rows]), almanac.keys, almanac.values), np.int32)
        last = np.full((len(key[rows]), almanac.keys), -1, np.int64)
        for j in range(count):
            row = np.flatnonzero(~is_global[rows, j])
            at = row + begin
            k, value = key[at, j], sentences.second[at, j] - almanac.offsets["v"]
            p = value_predictive(almanac, seen[row, k])
            nll[at, j], spread[at, j] = _surprise(p[np.arange(len(row)), value]), entropy(p)
            start, before = sentences.start[at, j], last[row, k]
            age[at, j] = np.where(before >= 0, start - before, 0)
            seen[row, k, value] += 1
            last[row, k] = start
    return nll, spread, age


def _surprise(p: np.ndarray) -> np.ndarray:
    """Return -ln p; infinite for what the language rules out (no sample holds such a token)."""
    with np.errstate(divide="ignore"):
        return -np.log(p)


def class_entropies(almanac: Almanac) -> dict[str, float]:
    """Return the entropy, nats, of a sentence start, a relation, an object, and a value known for certain."""
    p_subject = almanac.p_fact.sum(1)
    share = np.array([almanac.p_global, 1 - almanac.p_global])
    start = entropy(share) + share[0] * entropy(p_subject) + share[1] * entropy(almanac.p_key)
    relation = p_subject @ entropy(almanac.p_fact / p_subject[:, None])
    return {
        "start": float(start),
        "relation": float(relation),
        "object": _noisy(almanac.noise, almanac.objects),
        "value": _noisy(almanac.noise, almanac.values),
    }


def _noisy(noise: float, size: int) -> float:
    """Entropy of a known symbol out of ``size`` that is replaced by a uniform one with probability ``noise``."""
    p = np.full(size, noise / size)
    p[0] += 1 - noise
    return float(entropy(p))


@lru_cache(maxsize=16)
def value_entropy(almanac: Almanac, count: int) -> np.ndarray:
    """Return the expected loss of the value in document sentence 1..count: [count], nats.

    Without noise ln M sum_k p_k (1 - p_k)^(i-1); with noise sum_k p_k sum_n Binomial(n; i-1, p_k) h(n), where h(n) is
    the expected predictive entropy after n noisy statements (tabulated by simulation, standard error < 0.005 nat).
    """
    p, i = almanac.p_key[:, None], np.arange(count)[None]
    if almanac.noise == 0:
        return math.log(almanac.values) * (p * (1 - p) ** i).sum(0)
    h = _entropy_after(almanac, count)
    total = np.zeros(count)
    weight = np.zeros((almanac.keys, count))
    weight[:, 0] = 1.0
    for sentence in range(count):  # weight[k, n] = Binomial(n; sentence, p_k), by Pascal's rule
        total[sentence] = almanac.p_key @ (weight @ h)
        step = p * weight
        weight = weight - step
        weight[:, 1:] += step[:, :-1]
    return total


def _entropy_after(almanac: Almanac, count: int, samples: int = 8192) -> np.ndarray:
    """Return h(n) for n = 0..count-1; the true value is 0, by symmetry."""
    rng = generator("table", almanac.table_seed, 2)
    seen = np.zeros((samples, almanac.values), np.int32)
    h = np.empty(count)
    for n in range(count):
        h[n] = entropy(value_predictive(almanac, seen)).mean()
        noisy = rng.random(samples) < almanac.noise
        seen[np.arange(samples), np.where(noisy, rng.integers(0, almanac.values, samples), 0)] += 1
    return h


@lru_cache(maxsize=16)
def entropy_by_index(almanac: Almanac, length: int) -> np.ndarray:
    """Return the expected loss of the oracle at token index 0..length-1 of a document: [length], nats.

    ``begin[t, i]`` is the probability that a sentence begins at token t after i document sentences: a renewal process
    that moves by three tokens with p_global and by two, counting one, otherwise.
    """
    classes, values = class_entropies(almanac), value_entropy(almanac, length // 2 + 1)
    share = almanac.p_global
    begin = np.zeros((length + 3, length // 2 + 2))
    begin[0, 0] = 1.0
    total = np.zeros(length + 3)
    for t in range(length):
        here = begin[t].sum()
        total[t] += here * classes["start"]
        total[t + 1] += here * share * classes["relation"] + (1 - share) * (begin[t, : len(values)] @ values)
        total[t + 2] += here * share * classes["object"]
        begin[t + 3] += share * begin[t]
        begin[t + 2, 1:] += (1 - share) * begin[t, :-1]
    return total[:length]
