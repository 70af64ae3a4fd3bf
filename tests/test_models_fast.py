"""The fast paths equal the plain ones: blocked attention, hand-written gradients, the training step."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqmix import models
from seqmix.config import ModelConfig, TrainConfig
from seqmix.models import causal
from seqmix.models.conv import CausalFilter
from seqmix.models.layers import GatedSiLU, Normalise
from seqmix.step import TrainStep


def gradients(model: nn.Module, tokens: torch.Tensor) -> list[torch.Tensor]:
    logits = model(tokens)
    weight = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=logits.dtype)
    return [logits.detach(), *torch.autograd.grad((logits * weight).sum(), list(model.parameters()))]


@pytest.mark.parametrize("time", [1, 2, 63, 64, 65, 150, 256])
@pytest.mark.parametrize("window", [0, 1, 5, 64, 100])
@pytest.mark.parametrize("rope", ["A", ""], ids=["rope", "plain"])
def test_blocked_attention_equals_pytorchs_with_gradients(time, rope, window, monkeypatch):
    pattern = "SS" if window else "AA"
    config = ModelConfig(pattern=pattern, d_model=24, n_heads=4, vocab_size=11, rope=rope, window=window or 1)
    model = models.build(config).double()
    tokens = torch.randint(11, (11, time), generator=torch.Generator().manual_seed(0))  # 44 heads: two groups
    blocked = gradients(model, tokens)
    monkeypatch.setattr(causal, "LONGEST", 0)
    for a, b in zip(blocked, gradients(model, tokens), strict=True):
        assert (a - b).abs().max() <= 1e-11 * b.abs().max().clamp(min=1e-6)


def test_sequences_longer_than_the_blocked_form_takes_use_pytorchs(monkeypatch):
    model = models.build(ModelConfig(pattern="A", d_model=16, n_heads=2, max_length=64))
    monkeypatch.setattr(causal, "LONGEST", 32)
    monkeypatch.setattr(causal.CausalAttention, "apply", lambda *_: pytest.fail("called"))
    model(torch.zeros(1, 33, dtype=torch.long))


def test_blocked_attention_under_autocast_is_as_near_as_the_fused_kernel():
    random = torch.Generator().manual_seed(0)
    qkv = torch.randn(2, 200, 3, 4, 32, generator=random) * 1.5
    weight = torch.randn(2, 200, 4, 32, generator=random)

    def error(function, dtype):
        x = qkv.to(dtype).requires_grad_()
        out = function(x)
        (gradient,) = torch.autograd.grad(out, x, weight.to(dtype))
        return out.double(), gradient.double()

    def fused(x):
        q, k, v = (part.transpose(1, 2) for part in x.unbind(2))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)

    exact = error(fused, torch.float64)
    for got, library, wanted in zip(
        error(lambda x: causal.CausalAttention.apply(x, None), torch.bfloat16),
        error(fused, torch.bfloat16),
        exact,
        strict=True,
    ):
        assert (got - wanted).norm() <= 1.1 * (library - wanted).norm()


def test_hand_written_gradients_pass_gradcheck():
    random = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64).requires_grad_()

    assert torch.autograd.gradcheck(lambda x, g: Normalise.apply(x, g, 1e-3), (normal(2, 3, 5), normal(5)))
    assert torch.autograd.gradcheck(GatedSiLU.apply, (normal(2, 3, 8),))
    assert torch.autograd.gradcheck(CausalFilter.apply, (normal(2, 9, 4), normal(4, 3)))
    qkv = normal(2, 5, 3, 2, 4)
    assert torch.autograd.gradcheck(lambda x: causal.CausalAttention.apply(x, None), (qkv,))


def batch(time: int = 24):
    tokens = torch.randint(31, (4, time + 1), generator=torch.Generator().manual_seed(5))
    targets = tokens[:, 1:].clone()
    targets[:, ::3] = -100
    return tokens[:, :-1], targets


@pytest.mark.parametrize("clip", [0.05, 100.0])
@pytest.mark.parametrize("pattern", ["AD", "GL"])
def test_training_step_equals_plain_adamw(pattern, clip):
    config = ModelConfig(pattern=pattern, d_model=16, n_heads=2, vocab_size=31, max_length=24)
    train = TrainConfig(lr=1e-2, clip=clip, lr_width=8)
    fast, slow = models.build(config), models.build(config)
    step = TrainStep(fast, train, "cpu")
    groups = models.parameter_groups(slow, train.lr, train.lr_width, train.weight_decay)
    plain = torch.optim.AdamW(groups, betas=(train.beta1, train.beta2), foreach=False)
    inputs, targets = batch()
    for scale in (0.1, 1.0, 0.5):
        loss_sum, norm = step(inputs, targets, scale)
        for group in plain.param_groups:
            group["lr"] = group["initial_lr"] * scale
        loss = F.cross_entropy(slow(inputs).transpose(1, 2), targets, ignore_index=-100)
        loss.backward()
        wanted = nn.utils.clip_grad_norm_(slow.parameters(), clip)
        plain.step()
        plain.zero_grad()
        assert loss_sum / (targets != -100).sum() == pytest.approx(loss.item(), rel=1e-5)
        assert norm == pytest.approx(wanted.item(), rel=1e-4)
    for a, b in zip(fast.parameters(), slow.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_training_step_resumes_from_the_optimisers_state():
    config = ModelConfig(pattern="AG", d_model=16, n_heads=2, vocab_size=31, max_length=24)
    whole = TrainStep(models.build(config), TrainConfig(), "cpu")
    losses = [whole(*batch(), 1.0)[0].item() for _ in range(6)]
    first = TrainStep(models.build(config), TrainConfig(), "cpu")
    for _ in range(3):
        first(*batch(), 1.0)
    second = TrainStep(models.build(config, seed=9), TrainConfig(), "cpu")
    second.model.load_state_dict(first.model.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert [second(*batch(), 1.0)[0].item() for _ in range(3)] == losses[3:]


def test_a_batch_without_a_scored_token_changes_nothing_but_decay():
    config = ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=31, max_length=24)
    step = TrainStep(models.build(config), TrainConfig(weight_decay=0), "cpu")
    before = [p.clone() for p in step.model.parameters()]
    inputs, targets = batch()
    loss, norm = step(inputs, torch.full_like(targets, -100), 1.0)
    assert loss == norm == 0
    assert all(torch.equal(a, b) for a, b in zip(before, step.model.parameters(), strict=True))


@torch.no_grad()
def test_attention_weights_are_those_the_mixer_uses():
    model = models.build(ModelConfig(pattern="A", d_model=16, n_heads=2, vocab_size=31, max_length=24)).double()
    mixer, x = model.layers[0].mixer, torch.randn(3, 20, 16, dtype=torch.float64)
    weights = mixer.weights(x)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 2, 20, dtype=torch.float64))
    assert (weights.triu(1) == 0).all()
    _, _, v, _ = mixer.project(x)
    out = mixer.out((weights @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(out, mixer(x)[0], atol=1e-12)
