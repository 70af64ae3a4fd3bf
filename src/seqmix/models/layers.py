"""Small layers that every architecture shares: RMSNorm, rotary positions, SwiGLU."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from seqmix.config import ModelConfig


class RMSNorm(nn.Module):
    """y = x / sqrt(mean(x²) + eps) * gain over the last axis (Zhang & Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return Normalise.apply(x, self.weight, self.eps)
        return F.rms_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, self.eps).to(x.dtype)


class Normalise(torch.autograd.Function):
    """RMSNorm with a backward pass in few passes over memory; half precision is computed in float32.

    With x̂ = x r, r = (mean x² + eps)^-1/2: dx = r (g dy - x̂ mean(g dy x̂)), dg = sum(dy x̂).
    """

    @staticmethod
    def forward(ctx, x, gain, eps):
        wide = x.to(gain.dtype)
        r = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, gain, r)
        return (wide * r).mul_(gain).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        x, gain, r = ctx.saved_tensors
        x, d_y = x.to(gain.dtype) * r, d_y.to(gain.dtype)
        product = (d_y * x).flatten(0, -2)
        d_gain = product.sum(0)
        mean = (product @ gain).div_(x.shape[-1]).view(r.shape)
        d_x = (d_y * gain).addcmul_(x, mean, value=-1).mul_(r)
        return d_x.to(ctx.saved_tensors[0].dtype), d_gain, None


class SwiGLU(nn.Module):
    """y = W_down (SiLU(W_gate x) * W_up x); gate and up are packed in one product (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 2 * config.mlp_hidden, bias=False)
        self.down = nn.Linear(config.mlp_hidden, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        packed = self.up(x)
        if torch.is_grad_enabled():
            return self.down(GatedSiLU.apply(packed))
        gate, up = packed.chunk(2, -1)
        return self.down(F.silu(gate) * up)


class GatedSiLU(torch.autograd.Function):
    """``[gate, up] [..., 2F] -> SiLU(gate) * up``; the gradient is written into one packed array, without a copy."""

    @staticmethod
    def forward(ctx, packed):
        gate, up = packed.chunk(2, -1)
        active = F.silu(gate)
        ctx.save_for_backward(packed, active)
        return active * up

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        packed, active = ctx.saved_tensors
        gate, up = packed.chunk(2, -1)
        d_packed = torch.empty_like(packed)
        d_gate, d_up = d_packed.chunk(2, -1)
        torch.mul(d_y, active, out=d_up)
        torch.ops.aten.silu_backward.grad_input(d_y * up, gate, grad_input=d_gate)
        return d_packed


@functools.lru_cache(maxsize=16)
def rope_table(length: int, head_dim: int, base: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return e^{i t base^(-2j / K)} ``[length, K / 2]``, complex of the real type ``dtype`` (Su et al. 2021)."""
    with torch.inference_mode(False):  # a table first made while generating text must serve training as well
        frequency = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim)
        angle = torch.arange(length, dtype=torch.float64, device=device)[:, None] * frequency
        return torch.complex(angle.cos().to(dtype), angle.sin().to(dtype))


def rope_slice(x: Tensor, head_dim: int, base: float, position: int, time: int) -> Tensor:
    """Return the table ``[time, head_dim / 2]`` from ``position`` on, for x's device, complex64 for half precision."""
    # Tables come in powers of two, so that decoding does not build a new one every step.
    size = 1 << max(6, (position + time - 1).bit_length())
    dtype = torch.float32 if x.dtype in (torch.bfloat16, torch.float16) else x.dtype
    return rope_table(size, head_dim, base, x.device, dtype)[position : position + time]


def rotate(x: Tensor, base: float, position: int = 0) -> Tensor:
    """Rotate ``x [B, T, H, K]`` by its positions: neighbours (2j, 2j + 1) are one complex number.

    Llama's published weights pair j with j + K/2 instead: the same function of permuted rows (see ``runs/export.py``).
    """
    table = rope_slice(x, x.shape[-1], base, position, x.shape[1])[:, None]
    pairs = torch.view_as_complex(x.to(table.real.dtype).unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * table).flatten(-2).to(x.dtype)


def columns(weight: Tensor) -> Tensor:
    """Return ``weight [out, in]`` as a contiguous ``[in, out]``."""
    return weight.detach().t().contiguous()


def beside(vector: Tensor, x: Tensor) -> Tensor:
    """Return ``vector [n]`` for use beside ``x [B, ..., n]``.

    In an ensemble the vector is ``[R, n]`` and x's rows stand replica by replica: it is repeated for them. A mixer that
    reads its own vectors through this function can share an ensemble (``replicas.py``).
    """
    if vector.dim() == 1:
        return vector
    rows = vector.repeat_interleave(x.shape[0] // vector.shape[0], 0)
    return rows.view(len(rows), *[1] * (x.dim() - 2), -1)
