"""Mixers D and G: DeltaNet (Yang et al. 2024, arXiv 2406.06484) and Gated DeltaNet (Yang et al. 2024, 2412.06464).

    q, k, v = SiLU(conv(W x)) ,  q <- q / |q| / sqrt(K) ,  k <- k / |k| ,  β = beta_scale · σ(W_β x)
    S_t = α_t (I - β_t k_t k_tᵀ) S_{t-1} + β_t k_t v_tᵀ ,   o_t = S_tᵀ q_t          (S [K, V] is the paper's Sᵀ)
    D:  α = 1, y = W_o RMSNorm(o)          K = V = D / H
    G:  ln α = -exp(A_log) · softplus(W_α x + dt_bias), y = W_o (RMSNorm(o) * SiLU(W_g x))    K = D / 2H, V = D / H

Both have 4 D² parameters in matrices, like attention. The convolution is a switch; without it the SiLU stays.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.models.conv import ShortConv
from seqmix.models.delta_rule import kernel_of
from seqmix.models.layers import RMSNorm, rotate


class DeltaState(NamedTuple):
    """Memory ``[B, H, K, V]``, the number of tokens seen, and the short convolution's last inputs."""

    memory: Tensor
    position: int
    conv: Tensor | None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.memory,) if self.conv is None else (self.memory, self.conv)


class DeltaNet(nn.Module):
    """The delta rule as a mixer; see the module's docstring. ``GatedDeltaNet`` adds decay and an output gate."""

    letter = "D"
    gated = False

    def __init__(self, config: ModelConfig, kernel: str = "torch") -> None:
        super().__init__()
        self.config = config
        self.heads, self.value_dim = config.n_heads, config.head_dim
        self.key_dim = max(1, config.head_dim // 2) if self.gated else config.head_dim
        self.rope = self.letter in config.rope
        if self.rope and self.key_dim % 2:
            raise ValueError(f"rope needs an even key dimension, not {self.key_dim} (mixer {self.letter})")
        self.delta_rule = kernel_of(kernel)
        self.sizes = [self.heads * self.key_dim] * 2 + [self.heads * self.value_dim]
        self.qkv = nn.Linear(config.d_model, sum(self.sizes), bias=False)
        # Rows: β of each head; for G also the decay of each head, and the output gate.
        gates = self.heads if not self.gated else 2 * self.heads + self.heads * self.value_dim
        self.gates = nn.Linear(config.d_model, gates, bias=False)
        if self.gated:
            self.A_log = nn.Parameter(torch.empty(self.heads))
            self.dt_bias = nn.Parameter(torch.empty(self.heads))
        self.conv = ShortConv(sum(self.sizes), config.conv_width) if self.letter in config.conv else None
        self.norm = RMSNorm(self.value_dim, config.norm_eps)
        self.out = nn.Linear(self.heads * self.value_dim, config.d_model, bias=False)

    def project(self, x: Tensor, position: int = 0, conv: Tensor | None = None) -> tuple:
        """Return q, k ``[B, T, H, K]``, v ``[B, T, H, V]``, β, ln α ``[B, T, H]``, the gate and the conv state."""
        packed = self.qkv(x)
        if self.conv is not None:
            packed, conv = self.conv(packed, conv)
        q, k, v = F.silu(packed).split(self.sizes, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in (q, k, v))
        q, k = normalise(q, self.key_dim**-0.5), normalise(k)
        if self.rope:
            base = self.config.rope_base
            q, k = rotate(q, base, position), rotate(k, base, position)
        gates = self.gates(x)
        if not self.gated:
            return q, k, v, full(gates).sigmoid() * self.config.beta_scale, None, None, conv
        beta, decay, gate = gates.split([self.heads, self.heads, sum(self.sizes[2:])], -1)
        return q, k, v, full(beta).sigmoid() * self.config.beta_scale, self.log_decay(full(decay)), gate, conv

    def log_decay(self, rate: Tensor) -> Tensor:
        """Return ln α ``[B, T, H]`` of the rates' inputs ``[B, T, H]`` (G only)."""
        return -self.A_log.exp() * F.softplus(rate + self.dt_bias)

    def forward(self, x: Tensor, state: DeltaState | None = None) -> tuple[Tensor, DeltaState | None]:
        """Mix ``x [B, T, D]``; with a state, continue after it and return the next one."""
        position, conv = (0, None) if state is None else (state.position, state.conv)
        q, k, v, beta, log_decay, gate, conv = self.project(x, position, conv)
        memory = None if state is None else state.memory
        form = "recurrent" if x.shape[1] == 1 else "chunked"
        o, memory = self.delta_rule(q, k, v, beta, log_decay, memory, form, self.config.chunk_size)
        o = self.norm(o.to(x.dtype)).flatten(2)
        if gate is not None:
            o = o * F.silu(gate)
        return self.out(o), None if state is None else DeltaState(memory, position + x.shape[1], conv)

    def initial_state(self, batch_size: int) -> DeltaState:
        weight = self.qkv.weight
        memory = weight.new_zeros(batch_size, self.heads, self.key_dim, self.value_dim)
        return DeltaState(memory, 0, None if self.conv is None else self.conv.initial_state(batch_size))


class GatedDeltaNet(DeltaNet):
    """DeltaNet with a decay per head and token, half the key width, and an output gate."""

    letter = "G"
    gated = True


def full(x: Tensor) -> Tensor:
    """Lift half precision to float32: β, decay and norms stay exact under autocast."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def normalise(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return scale · x / sqrt(|x|² + 1e-6) over the last axis (as flash-linear-attention does)."""
    x = full(x)
    return x * (scale * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt())
