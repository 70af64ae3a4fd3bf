"""Measures of tasks: someone who knows the rule scores 1 in every cell, a guesser what the table calls chance."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from seqmix import data, evaluate, probes
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.data import boxes
from seqmix_study.results import columns

CPU = torch.device("cpu")


def setting(source: str, seq_len: int = 66):
    d = DataConfig(source=source, seq_len=seq_len)
    opened = data.open_source(d)
    m = ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=opened.vocab_size)
    return RunConfig(model=m, data=d, train=TrainConfig(eval_sequences=8)), opened


class Says(nn.Module):
    """A model that says ``answers(tokens)``, numpy to numpy, [n, T] each."""

    def __init__(self, vocab_size: int, answers):
        super().__init__()
        self.vocab_size, self.answers = vocab_size, answers

    def forward(self, tokens):
        said = torch.from_numpy(self.answers(tokens.numpy()))
        return nn.functional.one_hot(said, self.vocab_size).float()


def follow(tokens: np.ndarray, most: int) -> np.ndarray:
    """Answer Boxes for as many swaps as ``most``, then go on as if nothing moved."""
    said = np.zeros_like(tokens)
    pairs = torch.combinations(torch.arange(5)).tolist()
    for row, sequence in enumerate(tokens):
        put, place, swaps, asking, held = {}, list(range(5)), 0, False, 0
        for position, token in enumerate(sequence.tolist()):
            if token == boxes.ASK:
                asking = True
            elif token >= boxes.KEY:
                held = token
                said[row, position] = boxes.BOX + place[put[token]] if asking else 0
            elif token >= boxes.SWAP:
                swaps += 1
                if swaps <= most:
                    one, other = pairs[token - boxes.SWAP]
                    place = [other if at == one else one if at == other else at for at in place]
            elif token >= boxes.BOX:
                put[held] = token - boxes.BOX
    return said


def test_the_map_of_boxes_shows_where_a_model_stops(monkeypatch):
    monkeypatch.setattr(probes, "WINDOWS", 96)
    monkeypatch.setattr(probes, "MAP_KEYS", (2, 16))
    config, source = setting("boxes")
    rows = evaluate.MEASURES["boxes"](Says(source.vocab_size, lambda x: follow(x, 6)), source, config, CPU)["probes"]
    assert [(row["load"], row["lo"], row["hi"]) for row in rows] == [
        (load, lo, hi) for load in (2, 16) for lo, hi in pairwise(boxes.MAP_SWAPS)
    ]
    for row in rows:
        assert row["count"] == 96 * (row["hi"] - row["lo"])
        assert row["chance"] == 0.2 <= row["unmoved"] <= 1
        if row["hi"] <= 7:
            assert row["accuracy"] == 1
        elif row["lo"] >= 17:
            assert row["accuracy"] == pytest.approx(0.2, abs=0.06)
    still = evaluate.MEASURES["boxes"](Says(source.vocab_size, lambda x: follow(x, 0)), source, config, CPU)["probes"]
    for row in still:
        assert row["accuracy"] == pytest.approx(row["unmoved"], abs=0.12)
    assert set(rows[0]) | {"study", "run_id"} == set(columns.TABLES["probes"])


@pytest.mark.parametrize("name", data.GROUPS)
def test_tracking_is_measured_by_position_beyond_training(name, monkeypatch):
    monkeypatch.setattr(probes, "WINDOWS", 128)
    config, source = setting(name, 40)
    table = source.table

    def product(tokens, until):
        said = tokens.copy()
        for t in range(1, tokens.shape[1]):
            said[:, t] = table[said[:, t - 1], tokens[:, t]] if t < until else 0
        return said

    rows = probes.tracking(Says(source.vocab_size, lambda x: product(x, 48)), source, config, CPU)["probes"]
    assert [row["lo"] for row in rows] + [257] == list(probes.POSITIONS)
    assert {row["accuracy"] for row in rows if row["hi"] <= 49} == {1.0}
    for row in rows[-6:]:
        assert row["accuracy"] == pytest.approx(row["chance"], abs=0.04)
        assert row["count"] == 128 * (row["hi"] - row["lo"])
    assert {row["chance"] for row in rows} == {1 / len(table)}


def test_a_measure_refuses_another_task():
    config, source = setting("parity", 40)
    with pytest.raises(data.CorpusError, match="needs source boxes, not 'parity'"):
        probes.boxes(None, source, config, CPU)
    config, source = setting("boxes")
    with pytest.raises(data.CorpusError, match="parity or sum_mod5"):
        probes.tracking(None, source, config, CPU)


def test_padding_counts_neither_way():
    _, source = setting("s3", 40)
    batch = source.fresh(0, 16, 0)
    asked = batch.targets != data.IGNORE
    right = Says(source.vocab_size, lambda x: np.where(asked, batch.targets, 0))
    assert not asked.all()
    assert probes.accuracy(right, batch, CPU) == 1
    assert (probes.hits(right, batch.inputs, batch.targets, CPU) == asked).all()
