"""Mixers A and S: causal softmax attention with rotary positions (Vaswani et al. 2017; Su et al. 2021).

    o_t = sum_{s <= t} softmax_s(q_t · k_s / sqrt(K)) v_s ,   y_t = W_o [o_t of all heads]

q, k, v come from one packed product. A sees all of the past: cost per token grows with the context, and the state is
the cache of all k and v. S sees the last w = ``ModelConfig.window`` tokens, the present one included (Beltagy et al.
2020).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.models import causal
from seqmix.models.conv import ShortConv
from seqmix.models.layers import columns, rope_slice, rotate


class KVCache(NamedTuple):
    """Keys and values of the first ``position`` tokens, in buffers ``[B, H, S, K]`` with room for S >= position.

    Steps write into the buffers in place. ``filled`` is shared by all states of one buffer and says how far it is
    written, so that a second continuation of the same state notices, and copies instead of overwriting the first.
    """

    keys: Tensor
    values: Tensor
    position: int
    filled: list[int]
    conv: Tensor | None

    def append(self, k: Tensor, v: Tensor, conv: Tensor | None) -> tuple[Tensor, Tensor, "KVCache"]:
        """Return all keys and values, ``k, v [B, H, T, K]`` behind the present ones, and the cache that holds them."""
        keys, values, start, filled, _ = self
        end = start + k.shape[2]
        if end > keys.shape[2] or filled[0] != start:
            room = (*keys.shape[:2], max(2 * keys.shape[2], end) - start, keys.shape[3])
            keys = torch.cat([keys[:, :, :start], keys.new_empty(room)], 2)
            values = torch.cat([values[:, :, :start], values.new_empty(room)], 2)
            filled = [start]
        keys[:, :, start:end] = k
        values[:, :, start:end] = v
        filled[0] = end
        return keys[:, :, :end], values[:, :, :end], KVCache(keys, values, end, filled, conv)

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The numbers that the state holds, without the unused room."""
        return self.keys[:, :, : self.position], self.values[:, :, : self.position], self.conv


class WindowCache(NamedTuple):
    """Keys and values ``[B, H, at most window, K]`` of the last of ``position`` tokens, and the filter's state."""

    keys: Tensor
    values: Tensor
    position: int
    window: int
    conv: Tensor | None

    def append(self, k: Tensor, v: Tensor, conv: Tensor | None) -> tuple[Tensor, Tensor, "WindowCache"]:
        """Return the keys and values that ``k, v [B, H, T, K]`` meet, themselves included, and the next cache."""
        k, v, w = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2), self.window
        end = self.position + k.shape[2] - self.keys.shape[2]
        return k, v, WindowCache(k[:, :, -w:], v[:, :, -w:], end, w, conv)


class Attention(nn.Module):
    """Multi-head causal attention; see the module's docstring."""

    letter, turning, window = "A", "A", 0

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.rope = bool(set(self.turning) & set(config.rope))
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model, bias=False)
        self.conv = ShortConv(3 * config.d_model, config.conv_width) if self.letter in config.conv else None
        self.out = nn.Linear(config.d_model, config.d_model, bias=False)

    def project(self, x: Tensor, position: int = 0, conv: Tensor | None = None) -> tuple:
        """Return q, k, v ``[B, H, T, K]`` of ``x [B, T, D]`` and the convolution's next state."""
        c = self.config
        packed = self.qkv(x)
        if self.conv is not None:
            packed, conv = self.conv(packed, conv)
        q, k, v = packed.view(*x.shape[:2], 3, c.n_heads, c.head_dim).unbind(2)
        if self.rope:
            q, k = rotate(q, c.rope_base, position), rotate(k, c.rope_base, position)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), conv

    def forward(self, x: Tensor, state: tuple | None = None) -> tuple[Tensor, tuple | None]:
        """Mix ``x [B, T, D]``; with a state, continue after it and return the next one."""
        time, start = x.shape[1], 0 if state is None else state.position
        if state is None and x.device.type == "cpu" and time <= causal.LONGEST:
            return self.out(self.short(x)), None
        q, k, v, conv = self.project(x, start, None if state is None else state.conv)
        if state is not None:
            k, v, state = state.append(k, v, conv)
        square = start == 0 and time > 1 and not self.window
        mask = self.visible(x, k.shape[2]) if self.window or (start and time > 1) else None
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=square)
        return self.out(o.transpose(1, 2).reshape(x.shape)), state

    def short(self, x: Tensor) -> Tensor:
        """Mix ``x [B, T, D]`` on CPU from an empty context, before the output product."""
        c, time = self.config, x.shape[1]
        packed = self.qkv(x)
        if self.conv is not None:
            packed, _ = self.conv(packed)
        table = rope_slice(packed, c.head_dim, c.rope_base, 0, time) if self.rope else None
        out = causal.CausalAttention.apply(packed.view(*x.shape[:2], 3, c.n_heads, c.head_dim), table, self.window)
        return out.flatten(2)

    def weights(self, x: Tensor) -> Tensor:
        """Return the attention weights ``[B, H, T, T]`` (query, key) for ``x [B, T, D]``, for looking inside."""
        q, k, _, _ = self.project(x)
        scores = (q @ k.mT) * self.config.head_dim**-0.5
        return scores.masked_fill(~self.visible(x, x.shape[1]), float("-inf")).softmax(-1)

    def visible(self, x: Tensor, past: int) -> Tensor:
        """Return which of ``past`` tokens each of ``x [B, T, D]``, the last of them, sees: bool ``[T, past]``."""
        seen = torch.ones(x.shape[1], past, dtype=torch.bool, device=x.device).tril(past - x.shape[1])
        return seen.triu(past - x.shape[1] - self.window + 1) if self.window else seen

    def initial_state(self, batch_size: int) -> KVCache:
        c, weight = self.config, self.qkv.weight
        buffers = [weight.new_empty(batch_size, c.n_heads, c.max_length, c.head_dim) for _ in range(2)]
        return KVCache(*buffers, 0, [0], None if self.conv is None else self.conv.initial_state(batch_size))

    def decoder(self) -> Callable:
        """Return ``(x [B, D], KVCache) -> (y, KVCache)``; the step of ``decode.py``."""
        c, conv = self.config, self.conv
        heads, width = c.n_heads, c.head_dim
        qkv, out = columns(self.qkv.weight), columns(self.out.weight)
        mm, attend = torch.mm, F.scaled_dot_product_attention

        def step(x: Tensor, state) -> tuple:
            batch, position, memory = x.shape[0], state.position, state.conv
            packed = mm(x, qkv)
            if conv is not None:
                packed, memory = conv(packed[:, None], memory)
            packed = packed.view(batch, 3, heads, 1, width)
            qk, v = packed[:, :2], packed[:, 2]
            if self.rope:
                row = rope_slice(x, width, c.rope_base, position, 1)
                pairs = torch.view_as_complex(qk.view(batch, 2, heads, 1, width // 2, 2))
                qk = torch.view_as_real(pairs * row).view(batch, 2, heads, 1, width)
            q, k = qk.unbind(1)
            k, v, state = state.append(k, v, memory)
            return mm(attend(q, k, v).view(batch, -1), out), state

        return step


class SlidingWindow(Attention):
    """Attention to the last w tokens; the state holds their keys and values and no more."""

    letter, turning = "S", "AS"
    decoder = None  # its state is too small to be worth a step of its own

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.window = config.window

    def initial_state(self, batch_size: int) -> WindowCache:
        c = self.config
        empty = self.qkv.weight.new_empty(batch_size, c.n_heads, 0, c.head_dim)
        conv = None if self.conv is None else self.conv.initial_state(batch_size)
        return WindowCache(empty, empty, 0, self.window, conv)
