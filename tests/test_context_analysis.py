"""Context estimators on sources whose answer is known: a plateau by the data's fault, no plateau, and flat losses."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix_study.findings.context import (
    Curve,
    difference,
    effective_context,
    late_slope,
    plateau,
    summary,
    utilisation,
)

EDGES = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 257]


def rows(losses, bayes=None, mask=None, seed=0, blocks=32, edges=EDGES):
    """Context rows of one run from losses [windows, T], as the evaluation writes them."""
    n, length = losses.shape
    mask = np.ones((n, length)) if mask is None else mask.astype(float)
    bayes = np.full((n, length), np.nan) if bayes is None else bayes
    index, out = np.arange(1, length + 1), []
    for lo, hi in pairwise(edges):
        weight = mask * ((index >= lo) & (index < hi))
        for block, part in enumerate(np.array_split(np.arange(n), blocks)):
            count = weight[part].sum()
            if count:
                row = {"seed": seed, "measure": "index", "kind": "all", "lo": lo, "hi": hi, "block": block}
                row["loss"] = (losses[part] * weight[part]).sum() / count
                row["bayes"] = (bayes[part] * weight[part]).sum() / count
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


def test_negative_control_plateaus_by_the_datas_fault(oracles):
    losses = oracles["markov"].bayes
    curve = Curve.from_rows(rows(losses, losses))
    flat = plateau(curve)
    assert flat["index"] is not None
    assert flat["index"] <= 91
    assert flat["estimate"] <= flat["index"]
    slope = late_slope(curve)
    assert abs(slope["slope"]) < 0.01
    assert not slope["improves"]
    used = utilisation(curve)
    assert used["utilisation"] is None
    assert "nothing was left to learn" in used["text"]


def test_facts_never_plateau_and_the_oracle_uses_all_of_its_context(oracles):
    windows = oracles["almanac"]
    value = windows.kind == list(windows.kinds).index("value")
    curve = Curve.from_rows(rows(windows.bayes, windows.bayes, value))
    assert plateau(curve)["index"] is None
    slope = late_slope(curve)
    assert slope["slope"] == pytest.approx(-0.139, abs=0.02)
    assert slope["high"] - slope["low"] < 0.03
    assert slope["improves"]
    used = utilisation(curve)
    assert used["utilisation"] == pytest.approx(1)
    assert used["low"] == pytest.approx(1)


def test_a_model_that_forgets_has_low_utilisation(oracles):
    windows = oracles["almanac"]
    value = windows.kind == list(windows.kinds).index("value")
    rng = np.random.default_rng(0)
    frames = []
    for seed in range(3):
        stuck = np.where(np.arange(256) >= 64, 0.9, 1.2) + 0.2 * rng.standard_normal(windows.bayes.shape)
        frames.append(rows(stuck + 0.01 * rng.standard_normal(), windows.bayes, value, seed))
    curve = Curve.from_rows(pd.concat(frames))
    used = utilisation(curve)
    assert abs(used["utilisation"]) < 0.2
    assert used["high"] < 0.5
    assert plateau(curve)["index"] == 64
    table = summary(curve)
    assert (table["excess_low"] <= table["excess"]).all()
    assert table["bayes"].iloc[-1] < table["bayes"].iloc[0]


def test_flat_losses_are_rarely_called_improving():
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(60):
        each = rng.standard_normal((320, len(EDGES) - 1)) * 1.4 / np.sqrt(np.diff(EDGES))
        frame = pd.DataFrame(
            [
                {"seed": 0, "lo": lo, "hi": hi, "block": b, "loss": 3 + part[i], "count": 10 * (hi - lo)}
                for b, part in enumerate(each.reshape(32, 10, -1).mean(1))
                for i, (lo, hi) in enumerate(pairwise(EDGES))
            ]
        )
        called += late_slope(Curve.from_rows(frame))["high"] < 0
    assert called <= 6  # 2.5 % expected


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


def test_plateau_is_found_where_it_was_planted():
    for where in (16, 32, 64):
        curve = Curve.from_rows(simulated(lambda lo, w=where: 0.3 * (lo < w)))
        assert plateau(curve)["index"] == where
    assert plateau(Curve.from_rows(simulated(lambda lo: -0.1 * np.log(lo))))["index"] is None


def test_effective_context_of_a_truncation_curve():
    visible = 2 ** np.arange(9)
    curve = Curve.from_rows(simulated(lambda c: 0.5 * (c < 32) + 0.01 * (c < 128), lo=visible))
    assert effective_context(curve)["length"] == 32
    assert effective_context(curve, relative=0.01)["length"] == 128
    assert effective_context(curve)["gain"] == pytest.approx(0.51, abs=0.02)
    falling = Curve.from_rows(simulated(lambda c: -0.2 * np.log2(c), lo=visible))
    assert effective_context(falling)["length"] == 256


def test_intervals_cover_under_seed_and_block_noise():
    covered = 0
    for i in range(100):
        curve = Curve.from_rows(simulated(lambda lo: 0 * lo, seeds=3, blocks=16, rng=i, lo=[1, 2]))
        table = summary(curve)
        covered += table["loss_low"].iloc[0] <= 2 <= table["loss_high"].iloc[0]
    assert 89 <= covered <= 100


def test_arms_are_paired_by_seed_and_block():
    a = Curve.from_rows(simulated(lambda lo: 0 * lo, rng=1))
    b = Curve.from_rows(simulated(lambda lo: 0 * lo + 0.1, rng=1))
    apart = difference(a, b)
    assert apart.estimate == pytest.approx(-0.1)
    assert apart.conclusion == "supported"
    assert apart.high - apart.low < 0.01  # shared blocks and seeds cancel
    assert difference(a, a, bins=a.lo > 64).conclusion == "equivalent"
    with pytest.raises(ValueError, match="different bins"):
        difference(a, Curve.from_rows(simulated(lambda lo: 0 * lo, lo=[1, 2])))


def test_wrong_tables_are_errors():
    good = simulated(lambda lo: 0 * lo)
    with pytest.raises(ValueError, match="lack the column block"):
        Curve.from_rows(good.drop(columns="block"))
    with pytest.raises(ValueError, match="mix several values of arm"):
        Curve.from_rows(good.assign(arm=np.where(good["seed"] == 0, "a", "b")))
    with pytest.raises(ValueError, match="twice"):
        Curve.from_rows(pd.concat([good, good]))
    with pytest.raises(ValueError, match="different windows"):
        Curve.from_rows(good[~((good["seed"] == 1) & (good["block"] == 3))])
