"""The questions of this study on planted tables: what was planted is found, and noise is not."""

import itertools

import numpy as np
import pandas as pd
import pytest

from seqmix_study.findings import study
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.select import Tables

TUNED = {"tier": "laptop", "status": "finished", "role": "evidence", "sweep": "s", "optimum": "interior"}
TUNED |= {"regret": 0.0, "regret_hi": 0.0, "precision": "float32", "device": "cpu", "bigram": 9.0}
SIZES = (7_000, 24_000, 151_000, 780_000)
TOKENS = (1_048_576, 4_194_304, 16_777_216)


def run(study_, arm, seed, loss, **more):
    name = "-".join(map(str, (study_, arm, seed, *more.values())))
    row = {"study": study_, "arm": arm, "family": more.pop("family", arm), "run_id": name, "seed": seed}
    return {**TUNED, **row, "loss": loss, "loss_valid": loss, "source": "python", "seq_len": 256, **more}


def frontier(gap, noise=0.005, seeds=3):
    """Runs of four families; the LSTM's loss lies ``gap(size, tokens)`` above the Transformer's."""
    rng, rows = np.random.default_rng(0), []
    ahead = {"transformer": 0.0, "transformer_conv": -0.1, "deltanet": -0.05, "lstm_1": None}
    for corpus, n, d, (arm, off), seed in itertools.product(
        ("python", "books"), SIZES, TOKENS, ahead.items(), range(seeds)
    ):
        loss = 3 - 0.2 * np.log10(n) - 0.1 * np.log10(d) + (gap(n, d) if off is None else off)
        more = {"params_non_embedding": n, "tokens": d, "source": corpus, "family": "lstm" if arm == "lstm_1" else arm}
        rows.append(run("frontier", arm, seed, loss + rng.normal(0, noise), **more))
    return {"runs": pd.DataFrame(rows)}


def boxes(accuracy, seeds=10):
    """Runs of the task Boxes with the accuracy(arm, keys, swaps) that is asked for."""
    rng, runs, probes = np.random.default_rng(1), [], []
    arms = ("transformer_conv", "lstm_2", "deltanet_neg", "dl_neg", "la_conv")
    for arm, seed in itertools.product(arms, range(seeds)):
        mean = np.mean([accuracy(arm, keys, swaps) for keys in (16, 64) for swaps in (0, 33)])
        one = run("boxes", arm, seed, 2 - mean, source="boxes", tokens=1e6, params_non_embedding=1e5)
        runs.append(one)
        for keys, swaps in itertools.product((2, 16, 64), (0, 7, 33)):
            right = np.clip(accuracy(arm, keys, swaps) + rng.normal(0, 0.02), 0.1, 0.99)
            row = {"study": "boxes", "run_id": one["run_id"], "measure": "boxes", "load": keys, "lo": swaps}
            probes.append(row | {"accuracy": right})
    return {"runs": pd.DataFrame(runs), "probes": pd.DataFrame(probes)}


def ask(tables):
    return Findings(Tables(tables, study.asked()))


def words(found, id):
    """Return condition -> the answer of each row of a question."""
    return {tuple(row.key.values()): row.read(None, found.questions.rules)[0] for row in found.rows(id)}


def test_the_frontier_finds_planted_levels_gaps_and_where_they_cross():
    found = ask(frontier(lambda n, d: 0.1 * np.log10(n / 60_000) + 0.1 * np.log10(d / 4.2e6)))
    levels = {(*row.key.values(),): row.effect.estimate for row in found.rows("frontier_loss")}
    assert len(levels) == 2 * len(SIZES) * len(TOKENS) * 4
    assert levels["books", TOKENS[0], "transformer_conv", SIZES[1]] == pytest.approx(
        2.9 - 0.2 * np.log10(SIZES[1]) - 0.1 * np.log10(TOKENS[0]), abs=0.02
    )
    gaps = words(found, "frontier_gap")
    assert gaps["python", TOKENS[2], SIZES[3]] == "yes"
    assert gaps["python", TOKENS[0], SIZES[0]] == "no"
    assert set(words(found, "frontier_convolution").values()) == {"yes"}
    for trend in ("gap_with_size", "gap_with_tokens"):
        assert [row.effect.estimate for row in found.rows(trend)] == pytest.approx(
            [0.1] * len(found.rows(trend)), abs=0.02
        )
        assert set(words(found, trend).values()) == {"yes"}
    (crossing,) = [row for row in found.rows("overtaking") if tuple(row.key.values()) == ("python", TOKENS[1])]
    assert crossing.effect.lo < 60_000 < crossing.effect.hi
    assert crossing.effect.estimate == pytest.approx(60_000, rel=0.3)
    (after,) = [r for r in found.rows("overtaking_in_tokens") if tuple(r.key.values()) == ("books", SIZES[2])]
    assert after.effect.lo < 4.2e6 / (151 / 60) < after.effect.hi


def test_families_that_are_alike_are_not_told_apart():
    found = ask(frontier(lambda n, d: 0.0))
    for id in ("frontier_gap", "gap_with_size", "gap_with_tokens", "overtaking", "overtaking_in_tokens"):
        assert "yes" not in words(found, id).values(), id


def test_only_a_mix_is_decided_with_ten_seeds():
    def planted(arm, keys, swaps):
        recalls = arm in ("transformer_conv", "dl_neg") or (arm == "deltanet_neg" and keys < 64)
        follows = arm in ("lstm_2", "deltanet_neg", "dl_neg") or not swaps
        return 0.97 if recalls and follows else 0.3

    found = ask(boxes(planted))
    level = {tuple(row.key.values()): row.effect.estimate for row in found.rows("boxes_map")}
    assert level["dl_neg", 64, 33] == pytest.approx(0.97, abs=0.03)
    assert level["transformer_conv", 64, 33] == pytest.approx(0.3, abs=0.03)
    assert words(found, "boxes_solved")["dl_neg", 64, 33] == "yes"
    assert words(found, "boxes_solved")["deltanet_neg", 64, 33] == "no"
    for id in ("boxes_only_a_mix", "boxes_mix_against_pure"):
        assert [cell for cell, word in words(found, id).items() if word == "yes"] == [(64, 33)], id
    assert words(found, "boxes_mix_against_attention") == {(): "yes"}
    same = ask(boxes(lambda arm, keys, swaps: 0.6))
    assert "yes" not in {*words(same, "boxes_mix_against_pure").values(), *words(same, "boxes_only_a_mix").values()}


def stacks(study_, offsets, corpora=("python", "almanac-12"), **more):
    """Runs of arms whose losses lie ``offsets`` above 2."""
    rng = np.random.default_rng(2)
    rows = [
        run(study_, arm, seed, 2 + off + rng.normal(0, 0.004), source=corpus, tokens=409_600.0, **more)
        for corpus in corpora
        for arm, off in offsets.items()
        for seed in range(5)
    ]
    return pd.DataFrame(rows).assign(params_non_embedding=50_000, conv="LA", skeleton="block")


def test_mixes_of_lstm_and_attention_are_compared_with_both_and_by_place():
    offsets = {"transformer_conv": 0.0, "lstm_block_conv": 0.1, "la_conv": 0.0, "alll_conv": 0.2, "llla_conv": -0.1}
    runs = stacks("hybrids", offsets, n_layers=4)
    runs["pattern"] = runs["arm"].map(lambda arm: {"alll_conv": "ALLL", "llla_conv": "LLLA"}.get(arm, "LALA"))
    runs["place"] = runs["arm"].map({"alll_conv": "front", "llla_conv": "back"}).fillna("")
    found = ask({"runs": runs})
    for id, gap in (
        ("lstm_mix_against_attention", 0.1),
        ("lstm_mix_against_lstm", 0.2),
        ("front_against_others_lstm", 0.3),
    ):
        assert [row.effect.estimate for row in found.rows(id)] == pytest.approx([gap, gap], abs=0.02), id
        assert set(words(found, id).values()) == {"yes"}, id


def test_reading_past_the_window_is_told_from_a_text_that_gets_harder():
    rise = {"transformer": 1.5, "sliding_window": 0.0, "transformer_nope": 0.2, "lstm_1": 0.0}
    rng, runs, context = np.random.default_rng(3), [], []
    harder = rng.normal(0.4, 0.3, 6)  # what comes later is harder for everybody, in some stretches more than in others
    for arm, length, seed in itertools.product(rise, (64, 512), range(3)):
        family = "lstm" if arm == "lstm_1" else arm
        one = run("context", arm, seed, 2.0, family=family, source="books", tokens=3e6, params_non_embedding=24_000)
        one |= {"seq_len": length, "run_id": f"{one['run_id']}-{length}"}
        runs.append(one)
        for at, block in itertools.product((0.1, 0.3, 0.6, 0.8, 1.0, 1.5, 3.0, 4.0), range(6)):
            loss = 2.0 + (rise[arm] + harder[block]) * (at >= 1) + 0.3 * (at < 0.5) + rng.normal(0, 0.005)
            loss += 9 * rise[arm] * (at >= 4)  # beyond four times the window nobody reads
            row = {"study": "context", "run_id": one["run_id"], "measure": "beyond", "kind": "all", "block": block}
            context.append(row | {"lo": int(at * length), "hi": int(at * length) + 1, "count": 9, "loss": loss})
    found = ask({"runs": pd.DataFrame(runs), "context": pd.DataFrame(context)})
    for end, arm in (("", "transformer"), ("_sliding", "sliding_window"), ("_nope", "transformer_nope")):
        rows = list(found.rows(f"past_window{end}"))
        assert [row.effect.estimate for row in rows] == pytest.approx([rise[arm]] * 2, abs=0.02), arm
        assert set(words(found, f"past_window{end}").values()) == {"yes" if rise[arm] else "no"}


def test_the_same_first_tokens_of_short_and_of_long_windows_are_compared():
    """A bin of long windows that goes on past the last token of short ones is no part of the comparison."""
    rng, runs, context = np.random.default_rng(4), [], []
    for arm, length, seed in itertools.product(("transformer", "lstm_1"), (16, 512), range(3)):
        family = "lstm" if arm == "lstm_1" else arm
        one = run("context", arm, seed, 2.0, family=family, source="books", tokens=3e6, params_non_embedding=24_000)
        runs.append(one | {"seq_len": length, "run_id": f"{one['run_id']}-{length}"})
        worse = 0.1 * (arm == "transformer" and length == 512)
        for (lo, hi), block in itertools.product(
            ((1, 4), (4, 11), (11, 16), (16, 17 if length == 16 else 23)), range(6)
        ):
            loss = 3.0 - 0.05 * lo + worse - 5.0 * (hi == 23) + rng.normal(0, 0.003)
            row = {"study": "context", "run_id": runs[-1]["run_id"], "measure": "index", "kind": "all", "block": block}
            context.append(row | {"lo": lo, "hi": hi, "count": 9, "loss": loss})
    found = ask({"runs": pd.DataFrame(runs), "context": pd.DataFrame(context)})
    gaps = {row.key["family"]: row.effect.estimate for row in found.rows("trained_long_enough")}
    assert gaps == pytest.approx({"transformer": -0.1, "lstm": 0.0}, abs=0.01)
    said = {row.key["family"]: row.read(None, found.questions.rules)[0] for row in found.rows("trained_long_enough")}
    assert said == {"transformer": "no", "lstm": "yes"}


def test_every_count_is_held_against_attention_with_the_same_convolution():
    rng, rows = np.random.default_rng(3), []
    planted = {"hybrid_0": ("D" * 12, 0.3), "hybrid_2": ("DDDDDADDDDDA", 0.0), "hybrid_12": ("A" * 12, 0.1)}
    planted["hybrid_12_conv"] = ("A" * 12, 0.0)
    for (arm, (pattern, gap)), seed in itertools.product(planted.items(), range(3)):
        loss = 2 + gap + rng.normal(0, 0.003)
        rows.append(run("hybrids", arm, seed, loss, pattern=pattern, tokens=4e5, params_non_embedding=1e5))
    found = ask({"runs": pd.DataFrame(rows)})
    gaps = {row.key["attention"]: row.effect.estimate for row in found.rows("count_against_convolution")}
    assert gaps == pytest.approx({0: 0.3, 2: 0.0, 12: 0.1}, abs=0.02)
    assert words(found, "count_against_convolution")["python", 4e5, 2] == "no"


def test_nine_tenths_right_on_fresh_sequences_are_recall():
    """A run stops at the first look that gives 0.95; on sequences it never saw it answers a little less."""
    rows = []
    for (arm, right), seed in itertools.product({"lstm_1": 0.91, "transformer": 0.89}.items(), range(10)):
        more = {"source": "first_token", "seq_len": 100, "accuracy": right, "steps_done": 700, "tokens": 1e6}
        rows.append(run("solve", arm, seed, 1.0, params_non_embedding=1e4, lr=1e-3, **more))
    found = ask({"runs": pd.DataFrame(rows)})
    for question, share in (("lstm_recalls", 1.0), ("transformer_recalls", 0.0)):
        assert [row.effect.estimate for row in found.rows(question)] == [share], question
    assert next(iter(found.rows("steps"))).effect.estimate == 700
