"""The linear recurrences D and G: one module, in which a cell (``mixers/recurrence.py``) sets the switches.

    q, k, v = SiLU(conv(W x)) ,  q <- q / |q| / sqrt(K) ,  k <- k / |k|
    S_t = (I - β_t k_t k_tᵀ) Diag(α_t) S_{t-1} + β_t k_t v_tᵀ ,   o_t = S_tᵀ q_t          (S [K, V] is the papers' Sᵀ)

* D, DeltaNet (Yang et al. 2024, arXiv 2406.06484): α = 1
* G, Gated DeltaNet (Yang et al. 2024, 2412.06464): one α a head

    β = beta_scale · σ(W_β x) ,   ln α = -exp(A_log) · softplus(W_α x + dt_bias)
    y = W_o RMSNorm(o) , K = V = D / H;   with an output gate y = W_o (RMSNorm(o) * SiLU(W_g x)) , K = D / 2H

All have near 4 D² parameters in matrices, like attention. The convolution is a switch; without it the SiLU stays.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers.recurrence import CELLS, Cell
from seqmix.models.conv import ShortConv
from seqmix.models.delta_rule import kernel_of
from seqmix.models.layers import RMSNorm, beside, rotate


class DeltaState(NamedTuple):
    """Memory ``[B, H, K, V]``, the number of tokens seen, and the short convolution's last inputs."""

    memory: Tensor
    position: int
    conv: Tensor | None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.memory,) if self.conv is None else (self.memory, self.conv)


class Recurrence(nn.Module):
    """A linear recurrence as a mixer; see the module's docstring. A subclass names its ``cell``."""

    cell: Cell

    def __init__(self, config: ModelConfig, kernel: str = "torch") -> None:
        super().__init__()
        self.config, letter = config, self.cell.letter
        self.heads, (self.key_dim, self.value_dim) = config.n_heads, self.cell.dims(config)
        self.rope = letter in config.rope
        self.delta_rule = kernel_of(kernel)
        self.sizes = [self.heads * self.key_dim] * 2 + [self.heads * self.value_dim]
        self.qkv = nn.Linear(config.d_model, sum(self.sizes), bias=False)
        self.gate_rows = self.cell.gate_rows(config)
        if sum(self.gate_rows):
            self.gates = nn.Linear(config.d_model, sum(self.gate_rows), bias=False)
        if self.cell.decay == "scalar":
            self.A_log = nn.Parameter(torch.empty(self.heads))
            self.dt_bias = nn.Parameter(torch.empty(self.heads))
        self.conv = ShortConv(sum(self.sizes), config.conv_width) if letter in config.conv else None
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
        beta, decay, gate = self.gates(x).split(self.gate_rows, -1)
        beta = full(beta).sigmoid() * self.config.beta_scale
        decay = self.log_decay(full(decay)) if self.cell.decay == "scalar" else None
        return q, k, v, beta, decay, gate if self.cell.gated else None, conv

    def log_decay(self, rate: Tensor) -> Tensor:
        """Return ln α ``[B, T, H]`` of the rates' inputs ``[B, T, H]``."""
        return -beside(self.A_log, rate).exp() * F.softplus(rate + beside(self.dt_bias, rate))

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


class DeltaNet(Recurrence):
    """Mixer D: erase, no decay."""

    cell = CELLS["D"]


class GatedDeltaNet(Recurrence):
    """Mixer G: erase, a decay per head and token, half the key width, and an output gate."""

    cell = CELLS["G"]


def full(x: Tensor) -> Tensor:
    """Lift half precision to float32: β, decay and norms stay exact under autocast."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def normalise(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return scale · x / sqrt(|x|² + 1e-6) over the last axis (as flash-linear-attention does)."""
    x = full(x)
    return x * (scale * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt())
