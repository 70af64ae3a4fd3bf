"""Mixer L: long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    i, f, g, o = W x_t + U h_{t-1} + b        (rows in PyTorch's order i, f, g, o)
    c_t = σ(f) * c_{t-1} + σ(i) * tanh(g) ,   h_t = σ(o) * tanh(c_t)

One bias: PyTorch's second one is redundant and would double the step of the bias, so it is a fixed zero.
"""

import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers.lstm import lstm_width
from seqmix.models.conv import ShortConv


class LSTMState(NamedTuple):
    """Hidden and cell state ``[B, width]`` (and the short convolution's, if there is one)."""

    hidden: Tensor
    cell: Tensor
    conv: Tensor | None = None


class LSTMLayer(nn.Module):
    """One LSTM layer ``inputs -> width`` on PyTorch's fused sequence kernel (oneDNN, cuDNN)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.input_weight = nn.Parameter(torch.empty(4 * width, inputs))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * width, width))
        self.bias = nn.Parameter(torch.empty(4 * width))
        self.register_buffer("second_bias", torch.zeros(4 * width), persistent=False)

    @property
    def width(self) -> int:
        return self.recurrent_weight.shape[1]

    def forward(self, x: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """Run ``x [B, T, inputs]`` to ``[B, T, width]``, from ``state`` (zeros if none); return the last state."""
        if state is None:
            state = self.initial_state(x.shape[0])
        weights = (self.input_weight, self.recurrent_weight, self.bias, self.second_bias)
        start = (state.hidden[None], state.cell[None])
        with warnings.catch_warnings():  # cuDNN would like one block of memory; it copies, which costs little
            warnings.filterwarnings("ignore", message=".*single contiguous chunk of memory.*")
            out, hidden, cell = torch._VF.lstm(x, start, weights, True, 1, 0.0, self.training, False, True)
        return out, LSTMState(hidden[0], cell[0])

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Run one token, ``x [B, inputs]`` to ``[B, width]``; return the state after it."""
        gates = F.linear(x, self.input_weight, self.bias) + F.linear(state.hidden, self.recurrent_weight)
        i, f, g, o = gates.chunk(4, -1)
        cell = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        return hidden, LSTMState(hidden, cell)

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = self.bias.new_zeros(batch_size, self.width)
        return LSTMState(zeros, zeros.clone())


class LSTMMixer(nn.Module):
    """An LSTM layer D -> width and an output product width -> D, near attention's 4 D² parameters."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = lstm_width(config)
        self.conv = ShortConv(config.d_model, config.conv_width) if "L" in config.conv else None
        self.lstm = LSTMLayer(config.d_model, width)
        self.out = nn.Linear(width, config.d_model, bias=False)

    def forward(self, x: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState | None]:
        """Mix ``x [B, T, D]``; with a state, continue after it and return the next one."""
        conv = None if state is None else state.conv
        if self.conv is not None:
            x, conv = self.conv(x, conv)
        h, last = self.lstm(x, state)
        return self.out(h), None if state is None else last._replace(conv=conv)

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Mix one token a sequence, ``x [B, D]``."""
        conv = state.conv
        if self.conv is not None:
            x, conv = self.conv(x[:, None], conv)
            x = x[:, 0]
        h, last = self.lstm.step(x, state)
        return self.out(h), last._replace(conv=conv)

    def initial_state(self, batch_size: int) -> LSTMState:
        conv = None if self.conv is None else self.conv.initial_state(batch_size)
        return self.lstm.initial_state(batch_size)._replace(conv=conv)
