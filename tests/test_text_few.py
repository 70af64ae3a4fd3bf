"""Context and looking inside: what a few seeds, ties, no hits and missing measures leave to say."""

from dataclasses import replace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import synthetic_tables
from seqmix_study.chapters import context as figures
from seqmix_study.chapters import say as common
from seqmix_study.chapters import windows
from seqmix_study.chapters.common import Tables, over_runs_and_blocks
from seqmix_study.chapters.words import context, inside
from test_figures import tables
from test_lengths import reading


def few(study: str, seeds: int) -> Tables:
    more = {"length": 128, "blocks": 6} if study == "context" else {}
    return Tables.of(study, "laptop", synthetic_tables.tables(study, seeds=seeds, **more))


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_optimal_predictor_counts_seeds_and_not_models(seeds):
    drawn = figures.by_index(few("context", seeds))
    plt.close(drawn.figure)
    rows = drawn.data[drawn.data["arm"] == "Bayes"]
    assert len(rows)
    assert set(rows["n"]) == {seeds}
    assert (rows["hi"] - rows["lo"]).max() < 1e-9  # the same in every block of these tables


def test_an_interval_counts_seeds_where_sizes_are_pooled():
    rows = [{"run_id": f"{size}-{seed}", "seed": seed, "arm": "a", "block": block, "loss": 1.0, "count": 1}
            for size in (1, 2) for seed in range(2) for block in range(3)]  # fmt: skip
    assert over_runs_and_blocks(pd.DataFrame(rows), ["arm"], "loss")["n"].tolist() == [2]


def test_one_seed_certifies_nothing_and_three_do():
    one, three = few("context", 1), tables("context", "whole")
    parts = (context.late, context.plateau, context.effective_length, context.utilisation, context.shuffling)
    for part in parts:
        assert all("decided" in line for line in part(one))
    assert figures.plateaus(one)["index"].isna().all()
    assert figures.plateaus(one)["estimate"].notna().any()
    assert "with 95 % confidence" in " ".join(context.plateau(three))
    assert "of the window the loss still falls for" in " ".join(context.late(three))
    drawn = figures.late_slopes(one)
    plt.close(drawn.figure)
    assert "No model has the three seeds" in drawn.alt


def test_gaps_of_one_seed_are_not_decided():
    assert "(above)" in context.windows(reading())[0]
    assert "1 seed: not decided" in context.windows(reading(seeds=1))[0]
    assert "text longer than 512 tokens" in context.limits(reading())[0]  # read on far beyond T = 64


def test_two_sizes_of_one_corpus_are_not_pooled_over_windows():
    small = reading()
    runs = small.runs.assign(run_id=small.runs["run_id"] + "-large", params_non_embedding=99_000.0, loss=1.0)
    both = replace(small, runs=pd.concat([small.runs, runs], ignore_index=True))
    drawn = windows.by_training_length(both)
    plt.close(drawn.figure)
    assert set(drawn.data["n"]) == {3}
    assert drawn.data["mean"].max() == pytest.approx(1.0)


def scored(share: dict[str, float]) -> Tables:
    """One Transformer whose methods find these shares."""
    whole = tables("inside", "whole")
    run = whole.runs[whole.runs["arm"] == "transformer"].iloc[:1]
    rows = whole.inside[(whole.inside["run_id"] == run["run_id"].iloc[0]) & whole.inside["method"].isin(share)]
    found = rows["score"].str.startswith("recall_at_1")
    return replace(whole, runs=run, inside=rows.assign(value=rows["value"].where(~found, rows["method"].map(share))))


def test_ties_are_named_and_zero_is_no_success():
    line = next(line for line in inside.conclusions(scored({"occlusion": 0.5, "rollout": 0.5})) if "chance" in line)
    assert "attention rollout and occlusion point first at a true source most often, in 0.50" in line
    assert line.endswith("1 seed: not decided).")
    lines = inside.conclusions(scored({"occlusion": 0.0, "rollout": 0.0, "untrained": 0.0}))
    assert "no method points first at a true source in any" in " ".join(lines)
    assert "most often" not in " ".join(lines)


def test_models_without_a_right_answer_are_counted():
    whole = tables("inside", "whole")
    gone = whole.inside["run_id"].isin(whole.runs["run_id"].iloc[:1]) & whole.inside["score"].str.endswith("_right")
    text = " ".join(inside.limits(replace(whole, inside=whole.inside[~gone])))
    assert "answered rightly: 0 to 150." in text
    assert "1 model answered no query rightly" in text
    assert "true sources" not in " ".join(inside.limits(replace(whole, inside=whole.inside.iloc[:0])))


def test_no_number_is_minus_zero():
    assert common.interval(-0.0004, -0.0001, 0.0004) == "0.000 (0.000 to 0.000)"
    assert common.interval(-0.2, np.nan, np.nan, 1) == "-0.2"
