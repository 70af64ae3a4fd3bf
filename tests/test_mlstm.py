"""The mLSTM's stabilised recurrence: the definition's own numbers, where gates are strong too."""

import pytest
import torch
import torch.nn.functional as F

from seqmix.models.mlstm import matrix_memory


def problem(time: int, scale: float):
    """Random inputs in float64, shaped B = 1, H = 2, K = 6, V = 5: q, k, v, input gate, log forget gate."""
    random = torch.Generator().manual_seed(time)

    def normal(*shape):
        return torch.randn(1, time, 2, *shape, generator=random, dtype=torch.float64)

    return normal(6), normal(6), normal(5), scale * normal(), F.logsigmoid(scale * normal() + 2)


def plain(q, k, v, i, log_f):
    """The definition, token by token, without a stabiliser."""
    memory, total, out = q.new_zeros(1, 2, 6, 5), q.new_zeros(1, 2, 6), []
    for t in range(q.shape[1]):
        keep, write = log_f[:, t].exp(), i[:, t].exp()
        memory = keep[..., None, None] * memory + write[..., None, None] * k[:, t, :, :, None] * v[:, t, :, None]
        total = keep[..., None] * total + write[..., None] * k[:, t]
        share = (total * q[:, t]).sum(-1, keepdim=True).abs().clamp(min=1)
        out.append((q[:, t, :, None] @ memory)[:, :, 0] / share)
    return torch.stack(out, 1)


def with_gradients(function, inputs):
    inputs = [part.detach().clone().requires_grad_() for part in inputs]
    out = function(*inputs)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(out.dtype)
    return [out, *torch.autograd.grad((out * weight).sum(), inputs)]


def relative(got, wanted):
    return ((got.double() - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize("scale", [1.0, 20.0], ids=["mild", "strong"])
@pytest.mark.parametrize("form", ["chunked", "recurrent"])
@pytest.mark.parametrize("time", [1, 33, 300])
def test_it_equals_the_definition_with_all_gradients(time, form, scale):
    inputs = problem(time, scale)
    wanted = with_gradients(plain, inputs)
    got = with_gradients(lambda *parts: matrix_memory(*parts, form=form)[0], inputs)
    assert max(relative(a, b) for a, b in zip(got, wanted, strict=True)) < 1e-9


@pytest.mark.parametrize("scale", [1.0, 20.0], ids=["mild", "strong"])
def test_single_precision_stays_accurate(scale):
    inputs = [part.float() for part in problem(300, scale)]
    wanted = plain(*(part.double() for part in inputs))
    got, memory, _ = matrix_memory(*inputs)
    assert torch.isfinite(memory).all()
    assert relative(got, wanted) < 1e-4


def test_gates_that_would_overflow_do_not():
    q, k, v, i, log_f = (part.float() for part in problem(70, 1.0))
    out, memory, m = matrix_memory(q, k, v, i + 200, log_f - 50)
    assert torch.isfinite(out).all()
    assert torch.isfinite(memory).all()
    assert (m > 190).all()
    quiet, _, _ = matrix_memory(q, k, v, i - 200, log_f)
    assert quiet.abs().max() < 1e-30


def test_a_state_handed_over_continues_the_sequence():
    inputs = problem(40, 3.0)
    whole, memory, m = matrix_memory(*inputs)
    first, *state = matrix_memory(*(part[:, :17] for part in inputs))
    second, memory_again, m_again = matrix_memory(*(part[:, 17:] for part in inputs), *state, form="recurrent")
    assert relative(torch.cat([first, second], 1), whole) < 1e-12
    assert relative(memory_again, memory) < 1e-12
    assert relative(m_again, m) < 1e-12
