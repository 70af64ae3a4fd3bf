"""A trained model approaches the best possible loss of a synthetic language, and never beats it."""

import math

import numpy as np
import pytest

from seqmix.config import ModelConfig
from seqmix.data.almanac import PRESETS, Almanac
from seqmix.data.oracle import KINDS
from seqmix.data.synthetic import AlmanacSource

torch = pytest.importorskip("torch")

SMALL = Almanac(subjects=4, relations=4, objects=4, keys=6, values=4, p_global=0.3, zipf_keys=0.8)
LENGTH = 32


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(PRESETS, "small", SMALL)
    return AlmanacSource.open("small", LENGTH)


def losses(model, held_out) -> np.ndarray:
    with torch.no_grad():
        logits = model(torch.from_numpy(held_out.inputs))
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).double(), torch.from_numpy(held_out.targets).flatten(), reduction="none"
    )
    return each.view(held_out.targets.shape).numpy()


def excess(measured: np.ndarray, held_out) -> tuple[float, float]:
    """Mean over sequences of loss - Bayes on the same tokens, and its standard error, nats per token."""
    each = (measured - held_out.bayes).mean(1)
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each)))


def test_a_model_approaches_the_oracle_and_never_beats_it(small):
    from seqmix import models

    torch.manual_seed(0)
    pattern = ModelConfig(pattern="AA", d_model=32, n_heads=2, vocab_size=SMALL.vocab_size, max_length=LENGTH, conv="A")
    model = models.build(pattern)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95))
    held_out = small.evaluation(600)
    found = []
    for step in range(150):
        batch = small.batch(step, 32, seed=0)
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * min(1.0, (step + 1) / 15, (150 - step) / 60)
        logits = model(torch.from_numpy(batch.inputs))
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=-100
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in (0, 39, 149):
            measured = losses(model, held_out)
            found.append(excess(measured, held_out))
    gaps = [gap for gap, _ in found]
    assert all(gap > -4 * error for gap, error in found), found
    assert gaps[0] > 1.0
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.12, found
    # Nor in any class of tokens, where the oracle's lead could hide in the average.
    for kind, name in enumerate(KINDS):
        chosen = (measured - held_out.bayes)[held_out.kind == kind]
        assert chosen.mean() > -4 * chosen.std() / math.sqrt(len(chosen)), name


def test_any_other_prediction_is_worse_on_average():
    """Mixing the oracle's probabilities with anything costs nats: it is the minimum, not merely a low value."""
    mixture_of = {}
    opened = AlmanacSource.open("almanac-context", 64)
    held_out = opened.evaluation(1500)
    p = np.exp(-held_out.bayes)
    for share in (0.02, 0.1, 0.3):
        other = -np.log((1 - share) * p + share / opened.vocab_size)
        each = (other - held_out.bayes).mean(1)
        mixture_of[share] = each.mean()
        assert each.mean() > 4 * each.std() / math.sqrt(len(each))
    assert mixture_of[0.02] < mixture_of[0.1] < mixture_of[0.3]
