"""Several training lengths and windows: planted exponents and gaps come back, noise and single lengths are refused."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import synthetic_tables
from seqmix_study.chapters import lengths, windows
from seqmix_study.chapters.common import Tables
from seqmix_study.chapters.words import context as context_words
from seqmix_study.chapters.words import scaling as words

FLOOR, ALPHA, BETA = 1.3, 0.35, 0.45
SIZES, STEPS = (6_700, 14_000, 24_000, 83_000, 150_000), (48, 112, 256, 512)


def planted(noise: float, steps=STEPS, law: bool = True) -> Tables:
    rng, rows = np.random.default_rng(0), []
    for n, k, seed in itertools.product(SIZES, steps, range(2)):
        tokens = 4096.0 * k
        loss = FLOOR + 12 * n**-ALPHA + 180 * tokens**-BETA if law else 2.0
        loss += rng.normal(0, noise)
        rows.append(synthetic_tables.run_row("scaling", "transformer", seed, loss, n=n, tokens=tokens, steps=k))
    return Tables.of("scaling", "laptop", {"runs": pd.DataFrame(rows)})


def test_planted_exponents_lie_in_their_intervals_and_are_said():
    law = lengths.fits(planted(0.002))["stdlib", "transformer"]
    assert law.status == "ok"
    for name, truth in (("alpha", ALPHA), ("beta", BETA), ("E", FLOOR)):
        low, high = law.intervals[name]
        assert low <= truth <= high
    (said,) = words.surface(planted(0.002))
    assert f"exponent of size {law.estimates['alpha']:.2f}" in said


@pytest.mark.parametrize("tables", [planted(0.05, law=False), planted(0.002, steps=(256, 512))], ids=["noise", "short"])
def test_noise_and_two_lengths_give_no_surface(tables):
    (said,) = words.surface(tables)
    assert "no surface is quoted" in said
    assert "exponent of size" not in said


def test_the_figure_has_a_line_a_size_and_one_length_says_so():
    drawn = lengths.surface(planted(0.002))
    plt.close(drawn.figure)
    assert drawn.data.groupby("parameters")["tokens"].nunique().eq(len(STEPS)).all()
    assert "150k parameters from" in drawn.alt
    alone = lengths.surface(planted(0.002, steps=(256,)))
    plt.close(alone.figure)
    assert "No picture" in alone.alt
    assert "several lengths" in words.surface(planted(0.002, steps=(256,)))[0]


def reading(seeds: int = 3, rise: float = 0.2) -> Tables:
    """Two models trained on two windows; the Transformer loses ``rise`` beyond its own, the LSTM nothing."""
    rng, runs, rows = np.random.default_rng(1), [], []
    for arm, window, seed in itertools.product(("transformer", "lstm_2"), (16, 64), range(seeds)):
        loss = 2.0 + (0.1 if arm == "lstm_2" else 0.0) - 0.1 * (window > 16) + rng.normal(0, 0.002)
        run = synthetic_tables.run_row("context", arm, seed, loss, n=24_000, seq_len=window)
        runs.append(run)
        for measure, length in (("index", window), ("longer", 8 * window)):
            edges = [2**k for k in range(length.bit_length())] + [length + 1]
            for lo, hi in itertools.pairwise(edges):
                beyond = rise * (arm == "transformer" and lo > window)
                row = {"study": "context", "run_id": run["run_id"], "measure": measure, "kind": "all", "bayes": np.nan}
                rows += [row | {"lo": lo, "hi": hi, "block": b, "loss": loss + beyond, "count": 9} for b in range(4)]
    return Tables.of("context", "laptop", {"runs": pd.DataFrame(runs), "context": pd.DataFrame(rows)})


def test_gaps_by_window_and_reading_on_are_found_and_said():
    tables = reading()
    assert windows.gaps(tables).groupby("seq_len")["gap"].mean().to_numpy() == pytest.approx([0.1, 0.1], abs=0.01)
    change = windows.carried_on(tables).groupby("arm")["change"].mean()
    assert change["transformer"] == pytest.approx(0.2, abs=1e-6)
    assert change["lstm_2"] == pytest.approx(0, abs=1e-6)
    said = " ".join(context_words.windows(tables))
    assert "read on to 128 tokens: beyond its window minus its last octave 0.200" in said
    drawn = windows.trained_and_read(tables)
    plt.close(drawn.figure)
    assert "trained at T = 16 from" in drawn.alt


def test_one_window_is_said_and_one_seed_decides_nothing():
    tables = reading()
    alone = Tables.of(
        "context", "laptop", {"runs": tables.runs[tables.runs["seq_len"] == 64], "context": tables.context}
    )
    drawn = windows.trained_and_read(alone)
    plt.close(drawn.figure)
    assert "No picture" in drawn.alt
    said = " ".join(context_words.windows(reading(seeds=1)))
    assert "(lower)" not in said
    assert "(higher)" not in said
