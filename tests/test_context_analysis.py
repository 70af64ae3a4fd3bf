"""Loss curves on sources whose answer is known: a plateau by the data's fault, no plateau, and noise."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix.data.oracle import KINDS
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.context import draws_of, loss_curve
from seqmix_study.findings.questions import Questions
from seqmix_study.findings.select import Tables

EDGES = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 257]


def rows(losses, mask=None, seed=0, blocks=32, edges=EDGES):
    """Context rows of one run from losses [windows, T], as the evaluation writes them."""
    n, length = losses.shape
    mask = np.ones((n, length)) if mask is None else mask.astype(float)
    index, out = np.arange(1, length + 1), []
    for lo, hi in pairwise(edges):
        weight = mask * ((index >= lo) & (index < hi))
        for block, part in enumerate(np.array_split(np.arange(n), blocks)):
            count = weight[part].sum()
            if count:
                row = {"seed": seed, "measure": "index", "kind": "all", "lo": lo, "hi": hi, "block": block}
                row["loss"] = (losses[part] * weight[part]).sum() / count
                out.append(row | {"count": count})
    return pd.DataFrame(out)


@pytest.fixture(scope="module")
def oracles():
    """Exact Bayes losses of the two synthetic sources: the negative control and the one with facts to look up."""
    out = {}
    for name in ("markov", "almanac"):
        windows = data.open_source(DataConfig(source=name, seq_len=256)).evaluation(2000)
        out[name] = windows
    return out


QUESTION = {"asks": "From where on is it flat?", "kind": "other", "estimator": "plateau", "per": [], "match": [],
            "unit": "tokens", "around": 100, "value": {"table": "context", "column": "loss"}}  # fmt: skip


def flat_from(frame):
    """Return the effect of the question from which index on context rows are flat."""
    context = frame.assign(run="r" + frame["seed"].astype(str))
    runs = context[["run", "seed"]].drop_duplicates().assign(arm="a", loss=1.0, status="finished")
    asked = Questions.model_validate({"questions": {"q": QUESTION}})
    (row,) = Findings(Tables({"runs": runs, "context": context}, asked)).rows("q")
    return row.effect


def test_a_negative_control_is_flat_by_the_datas_fault(oracles):
    found = flat_from(rows(oracles["markov"].bayes))
    assert found.lo <= found.estimate <= found.hi <= 91


def test_facts_are_never_flat(oracles):
    windows = oracles["almanac"]
    value = windows.kind == KINDS.index("value")
    assert flat_from(rows(windows.bayes, mask=value)).hi == np.inf


def simulated(fall, seeds=3, blocks=32, noise=0.02, seed_sd=0.01, rng=0, lo=None):
    """Rows with mean loss 2 + fall(bin) and noise between seeds and blocks."""
    generator = np.random.default_rng(rng)
    lo = np.array(EDGES[:-1]) if lo is None else np.asarray(lo)
    shared = noise * generator.standard_normal((blocks, 1))
    out = []
    for seed in range(seeds):
        offset = seed_sd * generator.standard_normal()
        each = 2 + fall(lo) + shared + offset + 0.002 * generator.standard_normal((blocks, len(lo)))
        hi = np.append(lo[1:], lo[-1] * 2 + 1) if len(lo) > 1 else lo + 1
        out += [
            {"seed": seed, "lo": a, "hi": b, "block": k, "loss": each[k, i], "count": 100}
            for k in range(blocks)
            for i, (a, b) in enumerate(zip(lo, hi, strict=True))
        ]
    return pd.DataFrame(out)


def test_a_plateau_is_found_where_it_was_planted():
    for where in (16, 32, 64):
        assert flat_from(simulated(lambda lo, w=where: 0.3 * (lo < w))).hi == where
    assert flat_from(simulated(lambda lo: -0.1 * np.log(lo))).hi == np.inf


def test_intervals_cover_under_seed_and_block_noise():
    covered = 0
    for i in range(100):
        _, *sums = loss_curve(simulated(lambda lo: 0 * lo, seeds=3, blocks=16, rng=i, lo=[1, 2]))
        low, high = np.percentile(draws_of(*sums, np.eye(2)[:1])[1], [2.5, 97.5])
        covered += low <= 2 <= high
    assert 89 <= covered <= 100


def test_wrong_tables_are_errors():
    good = simulated(lambda lo: 0 * lo)
    with pytest.raises(ValueError, match="duplicate"):
        loss_curve(pd.concat([good, good]))
    with pytest.raises(ValueError, match="different windows"):
        loss_curve(good[~((good["seed"] == 1) & (good["block"] == 3))])
    assert flat_from(good.drop(columns="block")) is None
