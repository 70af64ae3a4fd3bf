"""Measurements: paired blocks, exact truncation, known sources found where a model plainly uses them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from seqmix import data, evaluate, models
from seqmix import interpret as inside
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig

CPU = torch.device("cpu")


def setting(source="almanac-12", length=32, **model):
    d = DataConfig(source=source, seq_len=length)
    opened = data.open_source(d)
    m = ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=opened.vocab_size, max_length=length, **model)
    c = RunConfig(model=m, data=d, train=TrainConfig(eval_sequences=8))
    return c, opened, models.build(m, seed=0)


def test_index_loss_adds_up_to_the_mean_loss():
    c, source, model = setting()
    rows = evaluate.by_index(model, source, c, CPU)["context"]
    whole = [r for r in rows if r["measure"] == "index" and r["kind"] == "all"]
    windows = source.evaluation(evaluate.CONTEXT_WINDOWS * 8, "test")
    each = evaluate.losses(model, windows.inputs, windows.targets, CPU)
    assert sum(r["count"] for r in whole) == each.size
    assert sum(r["loss"] * r["count"] for r in whole) / each.size == pytest.approx(each.mean())


def test_windows_beyond_agree_with_the_training_window_where_both_see_the_same(monkeypatch):
    monkeypatch.setattr(evaluate, "BEYOND", 128)
    c, source, model = setting()
    rows = evaluate.beyond(model, source, c, CPU)["context"]
    whole = [r for r in rows if r["kind"] == "all"]
    assert {r["measure"] for r in rows} == {"beyond"}
    assert max(r["hi"] for r in whole) == 129
    longer = data.open_source(c.data.model_copy(update={"seq_len": 128}))
    windows = longer.evaluation(c.train.eval_sequences, "test")
    cut = [np.ascontiguousarray(x[:, :32]) for x in (windows.inputs, windows.targets)]
    early = [r for r in whole if r["hi"] <= 33]
    mean = sum(r["loss"] * r["count"] for r in early) / sum(r["count"] for r in early)
    assert mean == pytest.approx(evaluate.losses(model, *cut, CPU)[:, : early[-1]["hi"] - 1].mean(), rel=1e-5)
    shorter = c.model_copy(update={"data": c.data.model_copy(update={"seq_len": 16})})
    again = evaluate.beyond(model, data.open_source(shorter.data), shorter, CPU)["context"]
    assert again == rows, "the same windows, whatever the length of training"


def test_truncation_at_full_length_is_the_plain_loss():
    c, source, model = setting()
    rows = evaluate.by_truncation(model, source, c, CPU)["context"]
    windows = source.evaluation(evaluate.CONTEXT_WINDOWS * 8, "test")
    last = evaluate.losses(model, windows.inputs, windows.targets, CPU)[:, -1].mean()
    full = [r for r in rows if r["lo"] == 32]
    assert sum(r["loss"] * r["count"] for r in full) / sum(r["count"] for r in full) == pytest.approx(last)


def test_a_model_that_ignores_context_is_flat_under_truncation_and_shuffling():
    c, source, _ = setting()

    class Last(nn.Module):
        """Predicts from the present token alone."""

        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(source.vocab_size, source.vocab_size)

        def forward(self, tokens):
            return self.table(tokens)

    torch.manual_seed(0)
    model = Last()
    losses = {}
    for rows in (evaluate.by_truncation(model, source, c, CPU), evaluate.by_shuffling(model, source, c, CPU)):
        for row in rows["context"]:
            losses.setdefault(row["block"], set()).add(round(row["loss"], 5))
    assert all(len(values) == 1 for values in losses.values())


def test_octave_edges_cover_every_index_once():
    for length in (7, 32, 256, 300):
        edges = evaluate.octave_edges(length)
        assert edges[0] == 1
        assert edges[-1] == length + 1
        assert edges == sorted(set(edges))


class Lookup(nn.Module):
    """A hand-made model that answers each key with the value stated last: its truth is known."""

    def __init__(self, source):
        super().__init__()
        self.width = source.vocab_size
        self.embedding = nn.Embedding(self.width, self.width)
        self.embedding.weight.data = torch.eye(self.width)

    def embed(self, tokens):
        return self.embedding(tokens)

    def from_embeddings(self, x):
        before = torch.nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]
        match = (x @ before.mT).tril()  # [n, query, position after an equal key]
        recency = 1.5 ** (torch.arange(x.shape[1]) - x.shape[1])
        return (match * recency) @ x * 3

    def forward(self, tokens):
        return self.from_embeddings(self.embed(tokens))


@pytest.mark.parametrize("about", [{"source": "almanac-12"}, {"source": "mqar", "pairs": 3, "symbols": 24}])
def test_every_gradient_method_finds_the_source_in_a_model_that_uses_it(about):
    source = data.open_source(DataConfig(**about, seq_len=32))
    model = Lookup(source)
    queries = inside.draw_queries(source.evaluation(256), 64, CPU)
    random_like = inside.class_sampler(source.classes, source.vocab_size)
    found = {
        "gradient": inside.hits(inside.gradient_x_input(model, queries), queries),
        "occlusion": inside.hits(inside.occlusion(model, queries, random_like), queries),
    }
    for name, hits in found.items():
        assert hits.float().mean() > 0.8, name
    assert inside.hits(torch.rand(len(queries), 32), queries).float().mean() < 0.3


def test_integrated_gradients_are_complete():
    _, source, model = setting()
    queries = inside.draw_queries(source.evaluation(128), 16, CPU)
    scores = inside.integrated_gradients(model, queries, steps=256)
    embedded = model.embed(queries.inputs)
    baseline = model.embedding.weight.mean(0).expand_as(embedded)
    gap = inside.answer_loss(model, queries, embedded) - inside.answer_loss(model, queries, baseline)
    assert torch.allclose(scores.sum(1), gap, atol=2e-2)


def test_replacement_tokens_stay_in_their_class():
    random_like = inside.class_sampler([0, 10, 30], 40)
    tokens = torch.arange(40).repeat(50, 1)
    drawn = random_like(tokens)
    assert torch.equal(
        torch.bucketize(drawn, torch.tensor([10, 30]), right=True),
        torch.bucketize(tokens, torch.tensor([10, 30]), right=True),
    )
    assert (drawn != tokens).float().mean() > 0.5


def test_inside_table_of_a_real_model():
    c, source, model = setting(length=64)
    rows = inside.inside(model, source, c, CPU)["inside"]
    methods = {row["method"] for row in rows}
    assert methods == {"gradient_x_input", "integrated_gradients", "occlusion", "attention_best_head", "untrained"}
    assert all(math.isfinite(row["value"]) for row in rows)


def test_first_token_gradient_is_measured_on_its_task_only():
    c, source, model = setting()
    windows = source.evaluation(8)
    assert evaluate.first_token_gradient(model, windows, c, CPU) == {}
    c, source, model = setting("first_token", 8)
    norms = evaluate.first_token_gradient(model, source.evaluation(32), c, CPU)
    assert norms["grad_last"] > 0
    assert np.isfinite(norms["grad_first"])


def test_every_earlier_statement_of_the_asked_fact_is_a_source():
    #        key 7 is stated twice (7 3, 7 3), then asked for at position 6; the statement after the question is none
    inputs = torch.tensor([[7, 3, 5, 4, 7, 3, 7, 3, 7]])
    queries = inside.Queries(inputs, torch.tensor([6]), torch.tensor([3]), torch.tensor([5]))
    assert inside.sources(queries)[0].nonzero().flatten().tolist() == [0, 1, 4, 5]
    for at, right in ((0, True), (1, True), (3, False), (5, True)):
        scores = torch.zeros(1, 9).index_fill_(1, torch.tensor([at]), 1.0)
        assert bool(inside.hits(scores, queries)) == right
    beyond = torch.zeros(1, 9).index_fill_(1, torch.tensor([2]), 0.5).index_fill_(1, torch.tensor([7]), 1.0)
    assert not bool(inside.hits(beyond, queries))
