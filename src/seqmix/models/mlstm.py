"""Mixer M: the LSTM with a matrix as its memory (Beck et al. 2024, arXiv 2405.04517; block as in 2503.13427).

    q, k, v = conv(W x) ,  k <- k / sqrt(K) ,  i = exp(ĩ) , f = σ(f̃) ,  ĩ, f̃ = W_i x + b_i, W_f x + b_f  (one a head)
    C_t = f_t C_{t-1} + i_t k_t v_tᵀ ,  n_t = f_t n_{t-1} + i_t k_t ,  h_t = C_tᵀ q_t / max(|n_tᵀ q_t|, 1)
    y = W_o (RMSNorm(h) * σ(W_g x))                K = D / 2H, V = D / H: near 4 D² parameters in matrices

The exponential input gate would overflow. With any m_t the memory e^{-m_t} [C_t, n_t] obeys the recurrence of
``delta_rule.py`` that adds, with ln α_t = ln f_t + m_{t-1} - m_t and β_t = e^{ĩ_t - m_t}, and h is the same with the 1
replaced by e^{-m_t}. The stabiliser m_t = max(ln f_t + m_{t-1}, ĩ_t, 0), m_0 = 0, keeps all exponents at most 0. As h
does not depend on m, no gradient goes through it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers.recurrence import CELLS
from seqmix.models.delta_rule import delta_rule
from seqmix.models.layers import beside
from seqmix.models.recurrence import Recurrence, full


class MLSTMState(NamedTuple):
    """Memory ``[B, H, K, V + 1]`` (the normaliser is the last column), stabiliser ``[B, H]``, tokens seen, filter."""

    memory: Tensor
    stabiliser: Tensor
    position: int
    conv: Tensor | None


class MLSTM(Recurrence):
    """Matrix-memory LSTM; see the module's docstring."""

    cell = CELLS["M"]

    def make_decay(self, config: ModelConfig) -> None:
        """Create the bias of input and forget gates."""
        self.gate_bias = nn.Parameter(torch.empty(2 * self.heads))

    def project(self, x: Tensor, position: int = 0, conv: Tensor | None = None) -> tuple:
        """Return q, k ``[B, T, H, K]``, v ``[B, T, H, V]``, ĩ, ln f ``[B, T, H]``, the gate and the conv state."""
        q, k, v, conv = self.heads_of(x, conv, nn.Identity())
        q, k = self.turned(q, k, position)
        gates, gate = self.gates(x).split([2 * self.heads, self.gate_rows[2]], -1)
        gates = full(gates)
        i, f = (gates + beside(self.gate_bias, gates)).chunk(2, -1)
        return q, k * self.key_dim**-0.5, v, i, F.logsigmoid(f), gate, conv

    def forward(self, x: Tensor, state: MLSTMState | None = None) -> tuple[Tensor, MLSTMState | None]:
        """Mix ``x [B, T, D]``; with a state, continue after it and return the next one."""
        memory, start, position, conv = (None, None, 0, None) if state is None else state
        q, k, v, i, log_f, gate, conv = self.project(x, position, conv)
        form = "recurrent" if x.shape[1] == 1 else "chunked"
        h, memory, m = matrix_memory(q, k, v, i, log_f, memory, start, form, self.config.chunk_size)
        y = self.out(self.norm(h.to(x.dtype)).flatten(2) * gate.sigmoid())
        return y, None if state is None else MLSTMState(memory, m, position + x.shape[1], conv)

    def initial_state(self, batch_size: int) -> MLSTMState:
        zeros = self.qkv.weight.new_zeros
        memory, conv = zeros(batch_size, self.heads, self.key_dim, self.value_dim + 1), self.conv
        conv = None if conv is None else conv.initial_state(batch_size)
        return MLSTMState(memory, zeros(batch_size, self.heads), 0, conv)


def matrix_memory(
    q, k, v, i, log_f, memory=None, stabiliser=None, form="chunked", chunk_size=32
) -> tuple[Tensor, Tensor, Tensor]:
    """Return h ``[B, T, H, V]``, the last memory ``[B, H, K, V + 1]`` and its stabiliser ``[B, H]``.

    ``q, k [B, T, H, K]`` (scaled as they shall be used), ``v [B, T, H, V]``, ĩ and ln f ``[B, T, H]``; memory and
    stabiliser are those of an earlier call, both or neither. ``form``, ``chunk_size``: see ``delta_rule``.
    """
    start = i.new_zeros(i.shape[0], i.shape[2]) if stabiliser is None else stabiliser
    m, log_decay = stabilise(i, log_f, start)
    value = F.pad(full(v), (0, 1), value=1.0)
    o, memory = delta_rule(q, k, value, (i - m).exp(), log_decay, memory, form, chunk_size, erase=False)
    return o[..., :-1] / torch.maximum(o[..., -1:].abs(), (-m).exp()[..., None]), memory, m[:, -1]


def stabilise(i: Tensor, log_f: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return m_t and ln f_t + m_{t-1} - m_t ``[B, T, H]`` of ĩ, ln f ``[B, T, H]`` and m_0 ``[B, H]``.

    m comes without gradient; sums run in float64, where differences of long sums are exact enough.
    """
    with torch.no_grad():
        total, start = log_f.double().cumsum(1), start.double()[:, None]
        m = total + torch.maximum((i.double().clamp(min=0) - total).cummax(1).values, start)
        change = log_f.double() + torch.cat([start, m[:, :-1]], 1) - m
    return m.to(i.dtype), log_f - log_f.detach() + change.to(i.dtype)
