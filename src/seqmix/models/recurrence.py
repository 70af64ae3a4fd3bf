"""The linear recurrences D, G, K, N, R and V: one module, in which a cell (``mixers/recurrence.py``) sets the switches.

    q, k, v = SiLU(conv(W x)) ,  q <- q / |q| / sqrt(K) ,  k <- k / |k|
    erase:  S_t = (I - β_t k_t k_tᵀ) Diag(α_t) S_{t-1} + β_t k_t v_tᵀ ,   o_t = S_tᵀ q_t    (S [K, V]: the papers' Sᵀ)
    add:    S_t =                    Diag(α_t) S_{t-1} +     k_t v_tᵀ

* no decay: D erases, DeltaNet (Yang et al. 2024, arXiv 2406.06484); N adds, linear attention (2006.16236)
* a decay a head: G erases, Gated DeltaNet (2412.06464); R adds, as RetNet (2307.08621) and Mamba-2 (2405.21060)
* a decay a channel: K erases, as Kimi Delta Attention (2510.26692); V adds, as GLA (2312.06635)

    β = beta_scale · σ(W_β x)  (cells that erase; those that add have no input gate: β = 1)
    ln α = -exp(A_log) · softplus(W_α x + dt_bias) ,  W_α of rank K for a decay a channel
    y = W_o RMSNorm(o) , K = V = D / H  (D, N);   y = W_o (RMSNorm(o) * SiLU(W_g x)) , K = D / 2H  (the others)

The same q, k, v, norm and decay for all, so that two cells differ in what the switches say; ``key_width`` and
``output_gate`` of ``ModelConfig`` make their shapes equal as well. All have near 4 D² parameters in matrices, like
attention. The convolution is a switch; without it the SiLU stays.
"""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers.recurrence import CELLS, Cell
from seqmix.models.conv import ShortConv
from seqmix.models.delta_rule import delta_rule
from seqmix.models.layers import RMSNorm, beside, rotate


class DeltaState(NamedTuple):
    """Memory ``[B, H, K, V]``, the number of tokens seen, and the short convolution's last inputs."""

    memory: Tensor
    position: int
    conv: Tensor | None


class Recurrence(nn.Module):
    """A linear recurrence as a mixer; see the module's docstring. A subclass names its ``cell``."""

    cell: Cell

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, letter = config, self.cell.letter
        self.heads, (self.key_dim, self.value_dim) = config.n_heads, self.cell.dims(config)
        self.rope = letter in config.rope
        self.sizes = [self.heads * self.key_dim] * 2 + [self.heads * self.value_dim]
        self.qkv = nn.Linear(config.d_model, sum(self.sizes), bias=False)
        self.gate_rows = self.cell.gate_rows(config)
        if sum(self.gate_rows):
            self.gates = nn.Linear(config.d_model, sum(self.gate_rows), bias=False)
        self.make_decay(config)
        self.conv = ShortConv(sum(self.sizes), config.conv_width) if letter in config.conv else None
        self.norm = RMSNorm(self.value_dim, config.norm_eps)
        self.out = nn.Linear(self.heads * self.value_dim, config.d_model, bias=False)

    def make_decay(self, config: ModelConfig) -> None:
        """Create the parameters of the decay besides its rows among the gates."""
        channels = self.heads
        if self.cell.decay == "vector":
            channels *= self.key_dim
            self.decay_down = nn.Linear(config.d_model, self.key_dim, bias=False)
            self.decay_up = nn.Linear(self.key_dim, channels, bias=False)
        if self.cell.decay != "none":
            self.A_log = nn.Parameter(torch.empty(self.heads))
            self.dt_bias = nn.Parameter(torch.empty(channels))

    def project(self, x: Tensor, position: int = 0, conv: Tensor | None = None) -> tuple:
        """Return q, k ``[B, T, H, K]``, v ``[B, T, H, V]``, β ``[B, T, H]``, ln α, the gate and the conv state."""
        q, k, v, conv = self.heads_of(x, conv)
        q, k = self.turned(normalise(q, self.key_dim**-0.5), normalise(k), position)
        gates = self.gates(x).split(self.gate_rows, -1) if sum(self.gate_rows) else (None, None, None)
        beta = full(gates[0]).sigmoid() * self.config.beta_scale if self.cell.erase else full(k).new_ones(k.shape[:3])
        return q, k, v, beta, self.log_decay(x, gates[1]), gates[2] if self.gate_rows[2] else None, conv

    def heads_of(self, x: Tensor, conv: Tensor | None, activation=F.silu) -> tuple:
        """Return q, k, v of every head, filtered and activated, not yet scaled or turned; and the conv state."""
        packed = self.qkv(x)
        if self.conv is not None:
            packed, conv = self.conv(packed, conv)
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in activation(packed).split(self.sizes, -1))
        return q, k, v, conv

    def turned(self, q: Tensor, k: Tensor, position: int) -> tuple[Tensor, Tensor]:
        """Rotate queries and keys by their positions, where the configuration asks for it."""
        turn = partial(rotate, base=self.config.rope_base, position=position)
        return (turn(q), turn(k)) if self.rope else (q, k)

    def log_decay(self, x: Tensor, rate: Tensor | None) -> Tensor | None:
        """Return ln α ``[B, T, H]`` or ``[B, T, H, K]`` of ``x [B, T, D]`` and a head's ``rate [B, T, H]``."""
        if self.cell.decay == "none":
            return None
        rate = full(rate if self.cell.decay == "scalar" else self.decay_up(self.decay_down(x)))
        rate = F.softplus(rate + beside(self.dt_bias, rate))
        speed = -beside(self.A_log, rate).exp()
        return speed * rate if self.cell.decay == "scalar" else speed[..., None] * rate.unflatten(-1, (self.heads, -1))

    def forward(self, x: Tensor, state: DeltaState | None = None) -> tuple[Tensor, DeltaState | None]:
        """Mix ``x [B, T, D]``; with a state, continue after it and return the next one."""
        position, conv = (0, None) if state is None else (state.position, state.conv)
        q, k, v, beta, log_decay, gate, conv = self.project(x, position, conv)
        memory = None if state is None else state.memory
        form = "recurrent" if x.shape[1] == 1 else "chunked"
        o, memory = delta_rule(q, k, v, beta, log_decay, memory, form, self.config.chunk_size, self.cell.erase)
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
    """Mixer G: erase, a decay a head."""

    cell = CELLS["G"]


class KimiDelta(Recurrence):
    """Mixer K: erase, a decay a channel."""

    cell = CELLS["K"]


class LinearAttention(Recurrence):
    """Mixer N: add, no decay."""

    cell = CELLS["N"]


class ScalarDecay(Recurrence):
    """Mixer R: add, a decay a head."""

    cell = CELLS["R"]


class GatedLinearAttention(Recurrence):
    """Mixer V: add, a decay a channel."""

    cell = CELLS["V"]


def full(x: Tensor) -> Tensor:
    """Lift half precision to float32: β, decay and norms stay exact under autocast."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def normalise(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return scale · x / sqrt(|x|² + 1e-6) over the last axis (as flash-linear-attention does)."""
    x = full(x)
    return x * (scale * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt())
