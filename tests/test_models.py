"""Every registered mixer and the classic LSTM: exact, causal, the same token by token as in parallel."""

import pytest
import torch

from seqmix import models
from seqmix.config import ModelConfig
from seqmix.mixers import MIXERS, mixer
from seqmix.models import reference

SIZE = {"d_model": 16, "n_heads": 2, "vocab_size": 13, "max_length": 48, "chunk_size": 8}

VARIANTS = {
    "plain": {},
    "conv": {"conv": "".join(MIXERS), "conv_width": 3},
    "post": {"norm": "post", "tie_embeddings": False, "learned_positions": True, "rope": ""},
    "rope": {"rope": "".join(m for m in MIXERS if mixer(m).rotates), "beta_scale": 2.0, "forget_init": "chrono"},
    "equal": {"key_width": "full", "output_gate": "off", "window": 5},
}

CASES = {f"{letter}-{name}": {"pattern": letter * 2} | change for letter in MIXERS for name, change in VARIANTS.items()}
CASES |= {mix: {"pattern": mix, "conv": "DG"} for mix in ("LA", "AL", "LLLA", "DAD", "MA", "SK", "".join(MIXERS))}
CASES["classic"] = {"pattern": "LL", "skeleton": "classic"}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def config(request) -> ModelConfig:
    return ModelConfig(**SIZE, **request.param)


def built(config: ModelConfig) -> torch.nn.Module:
    """The model in float64 with every parameter moved off special values (gains of 1, biases of 0)."""
    model = models.build(config, seed=1).double()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    return model


def tokens_of(config: ModelConfig, batch: int, time: int) -> torch.Tensor:
    return torch.randint(config.vocab_size, (batch, time), generator=torch.Generator().manual_seed(3))


def relative(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)).item()


def test_parallel_form_equals_the_slow_twin_with_gradients(config):
    if any(mixer(letter).reference is None for letter in config.pattern):
        pytest.skip("a mixer without a slow twin")
    model, tokens = built(config), tokens_of(config, 2, 19)
    target = torch.randn(2, 19, config.vocab_size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    logits = model(tokens)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad((logits * target).sum(), parameters)
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    twin = torch.stack([reference.logits(config, weights, row) for row in tokens])
    wanted = torch.autograd.grad((twin * target).sum(), [weights[name] for name in names])
    assert relative(logits, twin) < 1e-10
    worst = {name: relative(g, w) for name, g, w in zip(names, gradients, wanted, strict=True)}
    assert max(worst.values()) < 1e-9, worst


def test_changing_a_token_leaves_earlier_logits_unchanged(config):
    model, tokens = built(config), tokens_of(config, 1, 40)
    before = model(tokens)
    for position in (0, 1, 7, 8, 9, 31, 39):
        changed = tokens.clone()
        changed[0, position] = (changed[0, position] + 1) % config.vocab_size
        after = model(changed)
        assert (
            torch.equal(after[:, :position], before[:, :position])
            or (after[:, :position] - before[:, :position]).abs().max() < 1e-12
        )
        assert (after[:, position] - before[:, position]).abs().max() > 1e-9


@torch.no_grad()
def test_step_by_step_equals_the_parallel_form(config):
    model, tokens = built(config), tokens_of(config, 3, 37)
    state, out = model.initial_state(3), []
    for t in range(37):
        logits, state = model.step(tokens[:, t], state)
        out.append(logits)
    assert state.position == 37
    assert relative(torch.stack(out, 1), model(tokens)) < 1e-11


@torch.no_grad()
def test_the_decoder_equals_the_model_step_by_step(config):
    model, tokens = built(config), tokens_of(config, 3, 31)
    decoder = models.for_decoding(model)
    first, state = decoder.prefill(tokens[:, :9], decoder.initial_state(3))
    out = [*first.unbind(1)]
    for t in range(9, 31):
        logits, after = decoder.step(tokens[:, t], state)
        decoder.step((tokens[:, t] + 1) % config.vocab_size, state)  # another continuation must not disturb this one
        out.append(logits)
        state = after
    assert relative(torch.stack(out, 1), model(tokens)) < 1e-11


@torch.no_grad()
@pytest.mark.parametrize("cut", [1, 8, 13])
def test_a_saved_state_continues_the_sequence_more_than_once(config, cut):
    model, tokens = built(config), tokens_of(config, 2, 29)
    whole = model(tokens)
    first, saved = model.prefill(tokens[:, :cut], model.initial_state(2))
    other = (tokens[:, cut:] + 1) % config.vocab_size
    wrong, _ = model.prefill(other, saved)
    model.step(other[:, 0], saved)
    second, _ = model.prefill(tokens[:, cut:], saved)
    assert relative(torch.cat([first, second], 1), whole) < 1e-11
    assert relative(wrong[:, 0], whole[:, cut]) > 1e-6
    one, _ = model.step(tokens[:, cut], saved)
    assert relative(one, whole[:, cut]) < 1e-11


@torch.no_grad()
def test_greedy_generation_takes_the_most_likely_token(config):
    model, tokens = built(config), tokens_of(config, 2, 5)
    text = model.generate(tokens, 12, temperature=0)
    assert text.shape == (2, 17)
    assert torch.equal(text[:, :5], tokens)
    assert torch.equal(model(text)[:, 4:-1].argmax(-1), text[:, 5:])


def test_sampling_repeats_with_the_seed_and_keeps_to_the_likely_tokens():
    model = models.build(ModelConfig(pattern="AD", **SIZE))
    start = torch.zeros(4, 1, dtype=torch.long)
    assert torch.equal(model.generate(start, 20, seed=5), model.generate(start, 20, seed=5))
    assert not torch.equal(model.generate(start, 20, seed=5), model.generate(start, 20, seed=6))
    assert torch.equal(model.generate(start, 20, temperature=1e-6), model.generate(start, 20, temperature=0))
    with pytest.raises(ValueError, match="prompt"):
        model.generate(start[:, :0], 3)
    model(model.generate(start, 5)).sum().backward()  # what was generated may be trained on


@torch.no_grad()
def test_generation_goes_on_past_the_training_length():
    model = models.build(ModelConfig(pattern="".join(MIXERS), **SIZE)).double()
    text = model.generate(torch.zeros(1, 3, dtype=torch.long), 70, temperature=0)
    assert torch.equal(model(text)[:, 2:-1].argmax(-1), text[:, 3:])


def test_learned_positions_end_where_they_end():
    model = models.build(ModelConfig(pattern="A", learned_positions=True, **SIZE))
    with pytest.raises(ValueError, match="48"):
        model(torch.zeros(1, 49, dtype=torch.long))


def test_shared_parts_start_equal_and_seeds_differ():
    a, d, g = (dict(models.build(ModelConfig(pattern=p * 2, **SIZE)).named_parameters()) for p in "ADG")
    mixer = ("layers.0.mixer.qkv.weight", "layers.1.mixer.out.weight")
    for name in ("embedding.weight", "layers.1.mlp.up.weight", *mixer):
        assert torch.equal(a[name], d[name])
    assert torch.equal(a["layers.1.mlp.down.weight"], g["layers.1.mlp.down.weight"])
    assert not torch.equal(a["layers.0.mlp.up.weight"], a["layers.1.mlp.up.weight"])
    other = dict(models.build(ModelConfig(pattern="AA", **SIZE), seed=1).named_parameters())
    assert not torch.equal(a["embedding.weight"], other["embedding.weight"])


def test_building_leaves_the_global_random_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    models.build(ModelConfig(pattern="".join(MIXERS), conv="".join(MIXERS), **SIZE))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("letter", MIXERS)
def test_fan_in_start_gives_logits_of_unit_size_at_any_width(letter):
    for width in (32, 256):
        model = models.build(ModelConfig(pattern=letter * 4, d_model=width, n_heads=4))
        spread = model(torch.randint(256, (2, 64), generator=torch.Generator().manual_seed(0))).std().item()
        assert 0.7 < spread < 1.4


def test_decay_starts_log_spaced_and_the_forget_gate_as_asked():
    config = ModelConfig(pattern="GL", d_model=32, n_heads=4, max_length=1024, forget_bias=2.5)
    weights = dict(models.build(config).named_parameters())
    tau = 1 / torch.nn.functional.softplus(weights["layers.0.mixer.dt_bias"].double())
    assert torch.allclose(tau, torch.tensor([16.0, 64.0, 256.0, 1024.0], dtype=torch.float64), rtol=1e-4)
    bias = weights["layers.1.mixer.lstm.bias"].view(4, -1)
    assert (bias[1] == 2.5).all()
    assert (bias[[0, 2, 3]] == 0).all()
    chrono = ModelConfig(pattern="L", d_model=32, forget_init="chrono", max_length=1000)
    bias = dict(models.build(chrono).named_parameters())["layers.0.mixer.lstm.bias"].view(4, -1)
    assert torch.equal(bias[0], -bias[1])
    assert 0 <= bias[1].min() < bias[1].max() <= torch.tensor(999.0).log()


def test_parameter_groups_scale_with_width_and_decay_matrices_only():
    config = ModelConfig(pattern="".join(MIXERS), d_model=128, n_heads=4, conv="DG", tie_embeddings=False)
    model = models.build(config)
    groups = {group["name"]: group for group in models.parameter_groups(model, 1e-2, 64, 0.1)}
    assert groups["hidden"]["initial_lr"] == pytest.approx(5e-3)
    assert groups["embedding"]["initial_lr"] == groups["other"]["initial_lr"] == 1e-2
    assert [groups[name]["weight_decay"] for name in ("hidden", "embedding", "other")] == [0.1, 0.0, 0.0]
    counted = [p for group in groups.values() for p in group["params"]]
    assert len(counted) == len({id(p) for p in counted}) == len(list(model.parameters()))
    names = {id(p): name for name, p in model.named_parameters()}
    assert all(p.dim() == 2 and "conv" not in names[id(p)] for p in groups["hidden"]["params"])
    assert all("conv" in names[id(p)] or "norm" in names[id(p)] or p.dim() == 1 for p in groups["other"]["params"])
    assert models.parameter_groups(model, 1e-2, 0, 0.1)[0]["initial_lr"] == 1e-2


@pytest.mark.parametrize("letter", MIXERS)
def test_bfloat16_autocast_is_finite_and_near(letter):
    model = models.build(ModelConfig(pattern=letter * 2, d_model=64, n_heads=2, max_length=256))
    tokens = torch.randint(256, (2, 256), generator=torch.Generator().manual_seed(0))
    exact = model(tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(tokens)
        loss = half.float().square().mean()
    loss.backward()
    assert (half.float() - exact).norm() / exact.norm() < 0.03
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
