"""Utilisation: FLOPs and seconds that belong together, arms side by side, ensembles against one at a time."""

import json

import pytest
import torch
from click.testing import CliRunner

from seqmix import accounting
from seqmix.config import ModelConfig, TrainConfig
from seqmix_study.__main__ import main
from seqmix_study.runs import utilisation

CPU = torch.device("cpu")
TINY = {"a": ModelConfig(pattern="A", d_model=16, n_heads=2), "b": ModelConfig(pattern="D", d_model=16, n_heads=2)}


def test_every_arm_has_a_row_whose_numbers_agree(monkeypatch):
    monkeypatch.setattr(utilisation, "ceiling", lambda *_: 1e12)
    train = TrainConfig(batch_size=2)
    rows = utilisation.report(TINY, train, 8, CPU, repeats=3, ceiling_size=64)
    assert [row["arm"] for row in rows] == ["a", "b"]
    for row, model in zip(rows, TINY.values(), strict=True):
        per_token = accounting.train_flops_per_token(model, 8)
        assert row["flops_per_second"] == pytest.approx(per_token * row["tokens_per_second"])
        assert row["mfu"] == pytest.approx(row["flops_per_second"] / 1e12)
        assert (row["kernel"], row["device"], row["peak_bytes"]) == ("torch", "cpu", 0)
    assert utilisation.markdown(rows).count("\n") == 4


def test_the_ceiling_is_that_of_matrix_products():
    assert 1e8 < utilisation.ceiling(CPU, "float32", 256, 3) < 1e14


def test_rounds_take_turns_and_all_calls_are_warm():
    calls = []
    seconds = utilisation.timed([lambda: calls.append(0), lambda: calls.append(1)], CPU, 5)
    assert [len(each) for each in seconds] == [5, 5]
    assert sorted(calls[6:]) == [0] * 5 + [1] * 5
    assert all(sorted(calls[k : k + 2]) == [0, 1] for k in range(6, 16, 2))


def test_an_ensembles_gain_is_a_ratio_of_tokens_a_second():
    row = utilisation.ensemble_gain(TINY["a"], TrainConfig(batch_size=1), 8, 4, CPU, 3)
    assert row["replicas"] == 4
    assert 0 < row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_the_command_prints_rows_and_refuses_what_it_cannot_do():
    small = ("--size", "d16", "--length", "16", "--batch-size", "1", "--repeats", "3", "--ceiling-size", "64")
    words = ("utilisation", *small, "--precision", "float32", "--arms", "transformer,lstm_1")
    done = CliRunner().invoke(main, [*words, "--replicas", "2", "--json"])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert [row["arm"] for row in shown["rows"]] == ["transformer", "lstm_1"]
    assert set(shown["ensembles"]) == {"transformer"}
    assert CliRunner().invoke(main, [*words[:-1], "transfromer"]).exit_code == 2
    if not torch.cuda.is_available():
        refused = CliRunner().invoke(main, [*words, "--accelerate", "cuda_graph"])
        assert (refused.exit_code, "needs a CUDA device" in refused.output) == (1, True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_memory_and_utilisation_are_measured():
    from seqmix import study

    model = study.model_of("transformer", "d768", 256, 1024)
    train = TrainConfig(batch_size=32, precision="bfloat16")
    (row,) = utilisation.report({"transformer": model}, train, 1024, torch.device("cuda"))
    assert row["peak_bytes"] > 16 * row["non_embedding"]
    assert 0.05 < row["mfu"] < 1
    small = study.model_of("transformer", "d128", 256, 512)
    gain = utilisation.ensemble_gain(
        small, TrainConfig(batch_size=8, precision="bfloat16"), 512, 8, torch.device("cuda")
    )
    assert gain["gain"] > 1
