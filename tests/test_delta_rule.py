"""The delta rule: chunked = recurrent = slow twin with all gradients, and accurate where it is hard."""

import pytest
import torch
import torch.nn.functional as F

from seqmix.models import reference
from seqmix.models.chunked import inverse
from seqmix.models.delta_rule import delta_rule

LENGTHS = (1, 2, 63, 64, 65, 200, 1000)


def problem(batch, time, heads, key, value, gated, seed=0):
    """Random inputs in float64: q, k, v, beta, log_decay or None, state."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    q, k = (F.normalize(normal(batch, time, heads, key), dim=-1) for _ in range(2))
    beta = normal(batch, time, heads).sigmoid()
    decay = -F.softplus(normal(batch, time, heads) - 2) if gated else None
    return q, k, normal(batch, time, heads, value), beta, decay, normal(batch, heads, key, value)


def relative(got, wanted):
    return ((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)).item()


def results(rule, inputs):
    """Outputs, last state and the gradients of a fixed scalar in every input."""
    inputs = [None if part is None else part.detach().clone().requires_grad_() for part in inputs]
    out, state = rule(*inputs)
    random = torch.Generator().manual_seed(9)
    weight, end = (torch.randn(x.shape, generator=random, dtype=torch.float64) for x in (out, state))
    given = [part for part in inputs if part is not None]
    return [out, state, *torch.autograd.grad((out * weight).sum() + (state * end).sum(), given)]


def assert_equal(got, wanted, limit=1e-9):
    assert len(got) == len(wanted)
    errors = [relative(a, b) for a, b in zip(got, wanted, strict=True)]
    assert max(errors) < limit, errors


@pytest.mark.parametrize("gated", [False, True], ids=["delta", "gated"])
@pytest.mark.parametrize("time", LENGTHS)
def test_chunked_equals_recurrent_equals_the_twin_with_all_gradients(time, gated):
    heads = [(1, 1), (4, 4), (5, 16), (16, 6)] if time < 1000 else [(8, 12)]
    for key, value in heads:
        inputs = problem(1, time, 1, key, value, gated, seed=time)
        wanted = results(reference.batched_delta_rule, inputs)
        assert_equal(results(lambda *parts: delta_rule(*parts, form="recurrent"), inputs), wanted)
        for size in (8, 32, 48, 64) if time == 1000 else (1, 8, 32, 48, 64):
            got = results(lambda *parts, c=size: delta_rule(*parts, form="chunked", chunk_size=c), inputs)
            assert_equal(got, wanted)


@pytest.mark.parametrize("gated", [False, True], ids=["delta", "gated"])
def test_batch_and_heads_do_not_mix(gated):
    inputs = problem(3, 37, 2, 6, 4, gated)
    wanted = results(reference.batched_delta_rule, inputs)
    for size in (7, 16, 37, 64):
        assert_equal(results(lambda *parts, c=size: delta_rule(*parts, chunk_size=c), inputs), wanted)


@pytest.mark.parametrize("form", ["chunked", "recurrent"])
@pytest.mark.parametrize("gated", [False, True], ids=["delta", "gated"])
@pytest.mark.parametrize("cut", [1, 16, 50, 99])
def test_a_state_handed_over_gives_the_same_result_as_one_long_sequence(cut, gated, form):
    inputs = problem(2, 100, 2, 8, 8, gated)
    *sequence, start = inputs

    def in_two(*parts):
        *parts, state = parts
        out = []
        for piece in (slice(None, cut), slice(cut, None)):
            part, state = delta_rule(*(None if p is None else p[:, piece] for p in parts), state, form, 16)
            out.append(part)
        return torch.cat(out, 1), state

    whole = results(lambda *parts: delta_rule(*parts, form=form, chunk_size=16), inputs)
    assert_equal(results(in_two, (*sequence, start)), whole)


def hard(kind: str, time: int, width: int = 32):
    """Keys that repeat, as in text: nearly or exactly the same direction, beta near 1 (or near 2)."""
    random = torch.Generator().manual_seed(1)
    common = torch.randn(1, 1, 2, width, generator=random)
    spread = {"identical": 0.0, "near": 0.05, "half": 0.5, "negative": 0.1}[kind]
    k = F.normalize(common + spread * torch.randn(1, time, 2, width, generator=random), dim=-1)
    q = F.normalize(torch.randn(1, time, 2, width, generator=random), dim=-1)
    beta = torch.full((1, time, 2), 1.9 if kind == "negative" else 0.99)
    return q, k, torch.randn(1, time, 2, width, generator=random), beta, None, torch.zeros(1, 2, width, width)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", ["identical", "near", "half", "negative"])
def test_float32_stays_accurate_with_keys_that_repeat(kind, size):
    inputs = hard(kind, 4096)
    exact = [None if part is None else part.double() for part in inputs]
    wanted = results(lambda *parts: delta_rule(*parts, chunk_size=16), exact)
    slow, _ = delta_rule(*exact, form="recurrent")
    assert relative(wanted[0], slow) < 1e-9
    got = results(lambda *parts: delta_rule(*parts, chunk_size=size), inputs)
    assert_equal(got, wanted, limit=1e-4)


@pytest.mark.parametrize("decay", [-1e-4, -1.0, -30.0, -1e4])
def test_strong_decay_stays_finite_and_accurate(decay):
    q, k, v, beta, _, state = hard("half", 300)
    log_decay = torch.full_like(beta, -0.01)
    log_decay[:, ::7] = decay
    inputs = (q, k, v, beta, log_decay, state)
    wanted = results(reference.batched_delta_rule, [part.double() for part in inputs])
    for size in (16, 64):
        got = results(lambda *parts, c=size: delta_rule(*parts, chunk_size=c), inputs)
        assert all(torch.isfinite(part).all() for part in got)
        assert_equal(got, wanted, limit=1e-4)


def test_bfloat16_autocast_changes_nothing_inside():
    *parts, _, state = hard("near", 4096)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, last = delta_rule(*parts, None, state)
    assert out.dtype == last.dtype == torch.float32
    assert torch.equal(out, delta_rule(*parts, None, state)[0])
    half = [part.bfloat16() for part in parts]
    rounded = delta_rule(*(part.double() for part in half), None, state.double())[0]
    out, last = delta_rule(*half, None, state)
    assert out.dtype == torch.bfloat16
    assert last.dtype == torch.float32
    assert relative(out.double(), rounded) < 5e-3


@pytest.mark.parametrize("size", [1, 2, 7, 8, 16, 24, 33, 64, 128])
def test_the_inverse_in_blocks_is_the_inverse(size):
    matrix = torch.randn(3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = torch.eye(size, dtype=torch.float64) + matrix.tril(-1) * 0.3
    got = inverse(matrix * 0.3)
    assert relative(got, torch.linalg.inv(unit)) < 1e-11
    assert torch.equal(got.triu(1), torch.zeros_like(got))


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="unknown form 'fused'"):
        delta_rule(*problem(1, 3, 1, 2, 2, False), form="fused")
