"""Small layers that every architecture shares: RMSNorm, rotary positions, SwiGLU."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig


class RMSNorm(nn.Module):
    """y = x / sqrt(mean(x²) + eps) * gain over the last axis (Zhang & Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class SwiGLU(nn.Module):
    """y = W_down (SiLU(W_gate x) * W_up x); gate and up are packed in one product (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 2 * config.mlp_hidden, bias=False)
        self.down = nn.Linear(config.mlp_hidden, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


@functools.lru_cache(maxsize=16)
def rope_table(length: int, head_dim: int, base: float, device: torch.device, dtype: torch.dtype) -> tuple:
    """Return cos, sin ``[length, head_dim / 2]`` of the angles t * base^(-2i / head_dim) (Su et al. 2021)."""
    with torch.inference_mode(False):  # a table first made while generating text must serve training as well
        frequency = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim)
        angle = torch.arange(length, dtype=torch.float64, device=device)[:, None] * frequency
        return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, base: float, position: int = 0) -> Tensor:
    """Rotate ``x [B, T, H, K]`` by its positions, first half against second half of K (Llama's convention)."""
    time, width = x.shape[1], x.shape[-1]
    # Tables come in powers of two, so that decoding does not build a new one every step.
    size = 1 << max(6, (position + time - 1).bit_length())
    dtype = torch.float32 if x.dtype in (torch.bfloat16, torch.float16) else x.dtype
    cos, sin = rope_table(size, width, base, x.device, dtype)
    cos, sin = cos[position : position + time, None], sin[position : position + time, None]
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)
