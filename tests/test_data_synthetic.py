"""The synthetic languages: their stated best loss is the true one."""

import itertools
import math

import numpy as np
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix.data import oracle
from seqmix.data.almanac import PRESETS, Almanac, Sentences
from seqmix.data.draw import Alias, entropy
from seqmix.data.markov import MARKOV, MarkovMixture

LANGUAGES = [*PRESETS, *MARKOV]


def source(name: str, seq_len: int = 64, **fields):
    return data.open_source(DataConfig(source=name, seq_len=seq_len, **fields))


def test_presets_have_the_vocabularies_of_the_method():
    sizes = {name: almanac.vocab_size for name, almanac in PRESETS.items()}
    assert sizes["almanac"] == 324
    assert sizes["almanac-context"] == 112
    assert sizes["almanac-12"] == 56
    assert sizes["almanac-gpu"] == 1664
    assert len({almanac.fingerprint for almanac in PRESETS.values()}) == len(PRESETS)


def test_value_entropy_of_the_published_pilot():
    almanac = Almanac(keys=64, values=32, zipf_keys=1.0)
    found = oracle.value_entropy(almanac, 60)[[0, 4, 9, 19, 39, 49]]
    np.testing.assert_allclose(found, [3.466, 2.668, 2.144, 1.634, 1.164, 1.022], atol=5e-4)


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_oracle_reaches_the_stated_entropy_at_every_index(name):
    """Measured -log p against the closed form: z-scores by index."""
    opened = source(name, seq_len=48 if name == "almanac-gpu" else 96)
    n = 2000
    held_out = opened.evaluation(n)
    stated = opened.entropy_by_index()
    error = held_out.bayes.std(0, ddof=1) / math.sqrt(n) + 1e-9
    z = (held_out.bayes.mean(0) - stated) / error  # of Markov, 'stated' is itself an average over 4096 documents
    assert np.abs(z).max() < 5, name
    assert (z**2).mean() < 2.5, name
    total = held_out.bayes.mean(1)
    assert total.mean() == pytest.approx(opened.references["bayes"], abs=5 * total.std() / math.sqrt(n))


@pytest.mark.parametrize("name", LANGUAGES)
def test_counting_never_beats_the_oracle(name):
    lines = source(name).references
    assert lines["bayes"] < lines["bigram"] < lines["unigram"] < lines["uniform"]


def every_document(almanac: Almanac, count: int) -> tuple[Sentences, np.ndarray]:
    """All documents of ``count`` sentences, and how many tokens each has."""
    facts, at = almanac.subjects * almanac.relations, almanac.offsets
    said = [(f, o) for f in range(facts) for o in range(almanac.objects)]
    said += [(facts + k, v) for k in range(almanac.keys) for v in range(almanac.values)]
    choice = np.array(list(itertools.product(range(len(said)), repeat=count)))
    fact, symbol = np.moveaxis(np.array(said)[choice], -1, 0)
    is_global = fact < facts
    s, r = np.divmod(fact, almanac.relations)
    first = np.where(is_global, s + at["s"], fact - facts + at["k"])
    second = np.where(is_global, r + at["r"], symbol + at["v"])
    width = 2 + is_global
    start = np.cumsum(width, axis=1) - width
    return Sentences(fact, first, second, symbol + at["o"], start), width.sum(1)


def test_the_oracle_is_the_exact_predictive_by_enumeration():
    """Over all documents of three sentences its probabilities sum to one, and equal the sum over hidden tables."""
    almanac = Almanac(2, 2, 2, keys=2, values=3, p_global=0.4)
    sentences, lengths = every_document(almanac, 3)
    facts = almanac.subjects * almanac.relations
    is_global = sentences.fact < facts
    fact, key = np.where(is_global, sentences.fact, 0), np.where(is_global, 0, sentences.fact - facts)
    right = is_global & (sentences.third - almanac.offsets["o"] == almanac.table.ravel()[fact])
    by_hand = np.zeros(len(fact))
    for table in itertools.product(range(almanac.values), repeat=almanac.keys):
        stated = ~is_global & (sentences.second - almanac.offsets["v"] == np.array(table)[key])
        each = 0.4 * almanac.p_fact.ravel()[fact] * right + 0.6 * almanac.p_key[key] * stated
        by_hand += each.prod(1) / almanac.values**almanac.keys

    said = by_hand > 0  # documents of the language: no other is ever read
    reading = oracle.read(almanac, sentences, 9)
    inside = np.arange(9) < lengths[:, None]
    p = np.exp(-np.where(inside, reading.nll, 0).sum(1))
    assert p[said].sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(p[said], by_hand[said], atol=1e-12)


def test_tokens_kinds_and_ages_against_a_slow_reading():
    opened = source("almanac-context", seq_len=80)
    at = opened.almanac.offsets
    held_out = opened.evaluation(50)
    ends = [at["r"], at["o"], at["k"], at["v"], opened.vocab_size]
    classes = np.array([0, 1, 2, 0, 3])  # s r o k v
    np.testing.assert_array_equal(held_out.kind, classes[np.searchsorted(ends, held_out.targets, side="right")])
    known = 0
    for inputs, targets, ages, losses in zip(
        held_out.inputs, held_out.targets, held_out.age, held_out.bayes, strict=True
    ):
        last, facts = {}, {}
        for t, (here, following) in enumerate(zip(inputs, targets, strict=True)):
            if following < at["v"]:
                assert ages[t] == 0
                continue
            assert ages[t] == (t - last[here] if here in last else 0)
            assert facts.setdefault(here, following) == following  # a document never contradicts itself
            assert losses[t] == pytest.approx(0 if here in last else math.log(16))
            known += here in last
            last[here] = t
    assert known > 500


def test_global_facts_hold_everywhere():
    opened = source("almanac")
    batch = opened.batch(0, 64, 0)
    at, almanac = opened.almanac.offsets, opened.almanac
    row, t = np.nonzero((batch.inputs >= at["r"]) & (batch.inputs < at["o"]))
    row, t = row[t > 0], t[t > 0]
    s, r = batch.inputs[row, t - 1], batch.inputs[row, t] - at["r"]
    np.testing.assert_array_equal(batch.targets[row, t] - at["o"], almanac.table[s, r])


def test_alias_draws_from_its_distribution():
    p = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 3)
    p[1] = [0, 0, 1, 0, 0, 0, 0]
    alias = Alias(p)
    grid = (np.arange(700_000) + 0.5) / 700_000
    for row in range(3):
        share = np.bincount(alias(grid, row), minlength=7) / len(grid)
        np.testing.assert_allclose(share, p[row], atol=1e-5)


def test_markov_oracle_by_enumeration():
    mixture = MarkovMixture(chains=3, states=3)
    np.testing.assert_allclose(mixture.transitions.sum(-1), 1)
    np.testing.assert_allclose(np.einsum("zi,zij->zj", mixture.stationary, mixture.transitions), mixture.stationary)
    documents = np.array(list(itertools.product(range(3), repeat=4)))
    nll, _ = mixture.read(documents)
    by_hand = mixture.stationary[:, documents[:, 0]]
    for t in range(3):
        by_hand = by_hand * mixture.transitions[:, documents[:, t], documents[:, t + 1]]
    np.testing.assert_allclose(np.exp(-nll.sum(1)), by_hand.mean(0), atol=1e-12)
    assert np.exp(-nll.sum(1)).sum() == pytest.approx(1)


def test_markov_levels_off():
    curve = source("markov", seq_len=128).entropy_by_index(1024)
    mixture = MARKOV["markov"]
    rate = (mixture.stationary * entropy(mixture.transitions)).sum(1).mean()  # once the chain is known
    plateau = int(np.argmax(curve - rate < 0.01)) + 1
    assert 8 < plateau < 64
    assert abs(curve[-32:].mean() - rate) < 0.01
