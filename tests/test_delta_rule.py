"""The delta rule: chunked = recurrent = slow twin with all gradients, and accurate where it is hard."""

import pytest
import torch
import torch.nn.functional as F

from seqmix.models import reference
from seqmix.models.chunked import inverse
from seqmix.models.delta_rule import delta_rule

LENGTHS = (1, 2, 31, 64, 65, 200, 1000)
SWITCHES = [(decay, erase) for decay in ("none", "scalar", "vector") for erase in (True, False)]
switches = pytest.mark.parametrize(
    ("decay", "erase"), SWITCHES, ids=[f"{decay}-{'erase' if erase else 'add'}" for decay, erase in SWITCHES]
)


def problem(batch, time, heads, key, value, decay, seed=0):
    """Random inputs in float64: q, k, v, beta up to 2, log_decay or None, state."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    q, k = (F.normalize(normal(batch, time, heads, key), dim=-1) for _ in range(2))
    beta = 2 * normal(batch, time, heads).sigmoid()
    shape = {"none": None, "scalar": beta.shape, "vector": k.shape}[decay]
    log_decay = None if shape is None else -F.softplus(normal(*shape) - 2)
    return q, k, normal(batch, time, heads, value), beta, log_decay, normal(batch, heads, key, value)


def twin(erase):
    """The slow twin with the argument order of ``problem``."""
    return lambda *parts: reference.batched_delta_rule(*parts, erase=erase)


def fast(erase, **options):
    """The recurrence with the argument order of ``problem``."""
    return lambda *parts: delta_rule(*parts, erase=erase, **options)


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


@switches
@pytest.mark.parametrize("time", LENGTHS)
def test_chunked_equals_recurrent_equals_the_twin_with_all_gradients(time, decay, erase):
    heads = [(1, 1), (4, 4), (5, 16), (16, 6)] if time < 200 else [(8, 12)]
    for key, value in heads:
        inputs = problem(1, time, 1, key, value, decay, seed=time)
        wanted = results(twin(erase), inputs)
        assert_equal(results(fast(erase, form="recurrent"), inputs), wanted)
        for size in (32, 48) if time >= 200 else (1, 8, 32, 48, 64):
            assert_equal(results(fast(erase, chunk_size=size), inputs), wanted)


@switches
def test_batch_and_heads_do_not_mix(decay, erase):
    inputs = problem(3, 37, 2, 6, 4, decay)
    wanted = results(twin(erase), inputs)
    assert_equal(results(fast(erase, form="reference"), inputs), wanted, limit=1e-15)
    for size in (7, 16, 37, 64):
        assert_equal(results(fast(erase, chunk_size=size), inputs), wanted)


@switches
@pytest.mark.parametrize("form", ["chunked", "recurrent"])
@pytest.mark.parametrize("cut", [1, 16, 50, 99])
def test_a_state_handed_over_gives_the_same_result_as_one_long_sequence(cut, form, decay, erase):
    inputs = problem(2, 100, 2, 8, 8, decay)
    rule = fast(erase, form=form, chunk_size=16)

    def in_two(*parts):
        *parts, state = parts
        out = []
        for piece in (slice(None, cut), slice(cut, None)):
            part, state = rule(*(None if p is None else p[:, piece] for p in parts), state)
            out.append(part)
        return torch.cat(out, 1), state

    assert_equal(results(in_two, inputs), results(rule, inputs))


@switches
def test_the_past_does_not_see_the_future_to_the_bit(decay, erase):
    q, k, v, beta, log_decay, state = (p if p is None else p.float() for p in problem(1, 80, 1, 16, 8, decay))
    before, _ = delta_rule(q, k, v, beta, log_decay, state, erase=erase)
    for t in (0, 1, 15, 16, 31, 32, 33, 79):
        changed = [None if p is None else p.clone() for p in (q, k, v, beta, log_decay)]
        for part in changed:
            if part is not None:
                part[:, t] *= 0.37
        after, _ = delta_rule(*changed, state, erase=erase)
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.equal(after[:, t], before[:, t])


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


@switches
@pytest.mark.parametrize("kind", ["identical", "near", "negative"])
def test_float32_stays_accurate_with_keys_that_repeat_whatever_the_switches(kind, decay, erase):
    q, k, v, beta, _, state = hard(kind, 400)
    log_decay = problem(1, 400, 2, 32, 32, decay)[4]
    inputs = (q, k, v, beta, None if log_decay is None else log_decay.float(), state)
    exact = [None if part is None else part.double() for part in inputs]
    wanted = results(fast(erase, form="recurrent"), exact)
    assert_equal(results(fast(erase), exact), wanted)
    assert_equal(results(fast(erase), inputs), wanted, limit=1e-4)


@pytest.mark.parametrize("erase", [True, False], ids=["erase", "add"])
@pytest.mark.parametrize("channels", [False, True], ids=["head", "channel"])
@pytest.mark.parametrize("decay", [-1e-4, -1.0, -30.0, -1e4])
def test_strong_decay_stays_finite_and_accurate(decay, channels, erase):
    q, k, v, beta, _, state = hard("half", 150)
    log_decay = torch.full_like(k if channels else beta, -0.01)
    log_decay[:, ::7] = decay
    if channels:
        log_decay[..., ::3] = -50.0 * torch.rand(log_decay[..., ::3].shape, generator=torch.Generator().manual_seed(2))
    inputs = (q, k, v, beta, log_decay, state)
    wanted = results(fast(erase, form="recurrent"), [part.double() for part in inputs])
    for size in (16, 64):
        got = results(fast(erase, chunk_size=size), inputs)
        assert all(torch.isfinite(part).all() for part in got)
        assert_equal(got, wanted, limit=1e-4)


@pytest.mark.parametrize("erase", [True, False], ids=["erase", "add"])
@pytest.mark.parametrize("channels", [False, True], ids=["head", "channel"])
def test_where_all_decays_are_strong_their_small_gradients_are_still_right(channels, erase):
    q, k, v, beta, _, state = problem(1, 70, 2, 8, 6, "none")
    inputs = (q, k, v, beta, torch.full_like(k if channels else beta, -50.0), state)
    wanted = results(twin(erase), inputs)
    assert 0 < wanted[6].abs().max() < 1e-18
    assert_equal(results(fast(erase), inputs), wanted)


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
        delta_rule(*problem(1, 3, 1, 2, 2, "none"), form="fused")


def test_a_decay_of_another_shape_is_refused():
    q, k, v, beta, _, state = problem(1, 3, 1, 2, 5, "none")
    with pytest.raises(ValueError, match=r"log_decay has shape \(1, 3, 1, 5\)"):
        delta_rule(q, k, v, beta, v, state)
