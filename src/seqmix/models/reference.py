"""Slow twins in float64: every model again, from its named weights, token by token as the papers write it.

For tests, and ``delta_rule(form="reference")``. They share no code with the fast forms: one sequence, one head, one
token at a time. All functions are differentiable in their inputs.
"""

import math

import torch
from torch import Tensor

from seqmix.config import ModelConfig
from seqmix.mixers import mixer as mixer_of
from seqmix.mixers import resolve

Weights = dict[str, Tensor]


def logits(config: ModelConfig, weights: Weights, tokens: Tensor) -> Tensor:
    """Return logits ``[T, W]`` of one sequence ``tokens [T]``; ``weights`` is the model's state dict in float64."""
    w = weights
    x = [w["embedding.weight"][token] for token in tokens]
    if config.learned_positions:
        x = [row + w["positions.weight"][t] for t, row in enumerate(x)]
    for n, letter in enumerate(config.pattern):
        inside = part_of(w, f"layers.{n}.")
        x = lstm(inside, x) if config.skeleton == "classic" else block(config, letter, inside, x)
    head = w["embedding.weight"] if config.tie_embeddings else w["head.weight"]
    return torch.stack([head @ norm(row, w["norm.weight"], config.norm_eps) for row in x])


def part_of(w: Weights, prefix: str) -> Weights:
    """The weights whose name starts with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in w.items() if name.startswith(prefix)}


def block(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """One layer on a list of T vectors ``[D]``."""
    mixer = part_of(w, "mixer.")
    mix = resolve(mixer_of(letter).reference)
    eps = config.norm_eps

    def mlp(row: Tensor) -> Tensor:
        gate, up = (w["mlp.up.weight"] @ row).chunk(2)
        return w["mlp.down.weight"] @ (silu(gate) * up)

    if config.norm == "pre":
        y = mix(config, letter, mixer, [norm(row, w["mixer_norm.weight"], eps) for row in x])
        x = [row + more for row, more in zip(x, y, strict=True)]
        return [row + mlp(norm(row, w["mlp_norm.weight"], eps)) for row in x]
    y = mix(config, letter, mixer, x)
    x = [norm(row + more, w["mixer_norm.weight"], eps) for row, more in zip(x, y, strict=True)]
    return [norm(row + mlp(row), w["mlp_norm.weight"], eps) for row in x]


def attention(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """o_t = sum_{s <= t} softmax_s(q_t k_s / sqrt(K)) v_s, head by head."""
    return softmax_attention(config, letter, "A" in config.rope, len(x), w, x)


def sliding_window(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """The same over t - w < s <= t."""
    return softmax_attention(config, letter, "A" in config.rope or "S" in config.rope, config.window, w, x)


def softmax_attention(config, letter: str, turned: bool, window: int, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """Attention to the last ``window`` tokens, with rotary positions if ``turned``."""
    width, heads = config.head_dim, config.n_heads
    packed = [w["qkv.weight"] @ row for row in x]
    if letter in config.conv:
        packed = conv(w["conv.weight"], packed)
    out = []
    for t in range(len(x)):
        row = []
        for h in range(heads):
            keys, values = [], []
            for s in range(max(0, t - window + 1), t + 1):
                _, k, v = packed[s].view(3, heads, width)[:, h]
                keys.append(rope(k, s, config.rope_base) if turned else k)
                values.append(v)
            q = packed[t].view(3, heads, width)[0, h]
            q = rope(q, t, config.rope_base) if turned else q
            scores = torch.stack([q @ k / math.sqrt(width) for k in keys])
            share = (scores - scores.max()).exp()
            row.append((share / share.sum()) @ torch.stack(values))
        out.append(w["out.weight"] @ torch.cat(row))
    return out


def heads_of(config: ModelConfig, letter: str, w: Weights, x: list[Tensor], activation=None):
    """Yield q, k, v of every head as lists of T vectors, filtered, activated, not yet scaled or rotated."""
    heads, v_dim = config.n_heads, config.head_dim
    k_dim = (len(w["qkv.weight"]) // heads - v_dim) // 2
    packed = [w["qkv.weight"] @ row for row in x]
    if letter in config.conv:
        packed = conv(w["conv.weight"], packed)
    if activation:
        packed = [activation(row) for row in packed]
    for h in range(heads):
        q = [row[h * k_dim : (h + 1) * k_dim] for row in packed]
        k = [row[(heads + h) * k_dim : (heads + h + 1) * k_dim] for row in packed]
        v = [row[2 * heads * k_dim + h * v_dim :][:v_dim] for row in packed]
        yield q, k, v


def recurrence(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """The linear recurrences: their switches are read off the weights that are there."""
    heads, erase = config.n_heads, letter in "DGK"
    scalar, vector = letter in "GR", letter in "KV"
    gates = [w["gates.weight"] @ row for row in x] if "gates.weight" in w else [x[0][:0]] * len(x)
    first_gate = heads * (erase + scalar)
    columns = []
    for h, (q, k, v) in enumerate(heads_of(config, letter, w, x, silu)):
        q, k = ([part / (part @ part + 1e-6).sqrt() for part in parts] for parts in (q, k))
        if letter in config.rope:
            q, k = ([rope(part, t, config.rope_base) for t, part in enumerate(parts)] for parts in (q, k))
        q = [part / math.sqrt(len(part)) for part in q]
        one = torch.ones((), dtype=x[0].dtype)
        beta = [config.beta_scale / (1 + (-row[h]).exp()) if erase else one for row in gates]
        decay = None
        if scalar:
            rate = [row[heads * erase + h] + w["dt_bias"][h] for row in gates]
        if vector:
            own = slice(h * len(k[0]), (h + 1) * len(k[0]))
            low = [w["decay_down.weight"] @ row for row in x]
            rate = [w["decay_up.weight"][own] @ row + w["dt_bias"][own] for row in low]
        if scalar or vector:
            decay = [-w["A_log"][h].exp() * (1 + part.exp()).log() for part in rate]
        o, _ = delta_rule(q, k, v, beta, decay, erase=erase)
        columns.append([norm(row, w["norm.weight"], config.norm_eps) for row in o])
    rows = [torch.cat([column[t] for column in columns]) for t in range(len(x))]
    if len(gates[0]) > first_gate:
        rows = [row * silu(gate[first_gate:]) for row, gate in zip(rows, gates, strict=True)]
    return [w["out.weight"] @ row for row in rows]


def mlstm(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """The mLSTM as it is defined, without a stabiliser: float64 holds the exponential gates of a test."""
    heads, columns = config.n_heads, []
    gates = [w["gates.weight"] @ row for row in x]
    for h, (q, k, v) in enumerate(heads_of(config, letter, w, x)):
        if letter in config.rope:
            q, k = ([rope(part, t, config.rope_base) for t, part in enumerate(parts)] for parts in (q, k))
        memory, total, rows = torch.zeros(len(v[0]), len(k[0]), dtype=x[0].dtype), torch.zeros_like(k[0]), []
        for t, row in enumerate(gates):
            write = (row[h] + w["gate_bias"][h]).exp()
            keep = 1 / (1 + (-row[heads + h] - w["gate_bias"][heads + h]).exp())
            key = k[t] / math.sqrt(len(k[t]))
            memory = keep * memory + write * torch.outer(v[t], key)
            total = keep * total + write * key
            rows.append(norm(memory @ q[t] / (total @ q[t]).abs().clamp(min=1), w["norm.weight"], config.norm_eps))
        columns.append(rows)
    out = []
    for t, row in enumerate(gates):
        mixed = torch.cat([column[t] for column in columns])
        out.append(w["out.weight"] @ (mixed / (1 + (-row[2 * heads :]).exp())))
    return out


def delta_rule(q, k, v, beta, log_decay=None, state=None, erase=True) -> tuple[list[Tensor], Tensor]:
    """One head: lists of T vectors (q, k ``[K]``, v ``[V]``) and scalars; returns T outputs and the last S ``[K, V]``.

    Written in the papers' orientation, S [V, K]: S_t = S_{t-1} Diag(α_t) (I - β_t k_t k_tᵀ) + β_t v_t k_tᵀ and
    o_t = S_t q_t; without the bracket where ``erase`` is false. A log decay is a scalar or a vector ``[K]``.
    """
    eye = torch.eye(len(k[0]), dtype=k[0].dtype)
    memory = v[0].new_zeros(len(v[0]), len(k[0])) if state is None else state.T
    out = []
    for t in range(len(q)):
        kept = memory if log_decay is None else memory * log_decay[t].exp()
        if erase:
            kept = kept @ (eye - beta[t] * torch.outer(k[t], k[t]))
        memory = kept + beta[t] * torch.outer(v[t], k[t])
        out.append(memory @ q[t])
    return out, memory.T


def batched_delta_rule(q, k, v, beta, log_decay=None, state=None, erase=True) -> tuple[Tensor, Tensor]:
    """``delta_rule`` for every sequence and head of ``q, k [B, T, H, K]``, ``v [B, T, H, V]``."""
    outs, memories = [], []
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            decay = None if log_decay is None else log_decay[b, :, h]
            start = None if state is None else state[b, h]
            out, memory = delta_rule(q[b, :, h], k[b, :, h], v[b, :, h], beta[b, :, h], decay, start, erase)
            outs.append(torch.stack(out))
            memories.append(memory)
    out = torch.stack(outs).view(q.shape[0], q.shape[2], q.shape[1], -1).transpose(1, 2)
    return out, torch.stack(memories).view(q.shape[0], q.shape[2], q.shape[3], -1)


def lstm_mixer(config: ModelConfig, letter: str, w: Weights, x: list[Tensor]) -> list[Tensor]:
    """The LSTM in the block skeleton."""
    if "L" in config.conv:
        x = conv(w["conv.weight"], x)
    return [w["out.weight"] @ row for row in lstm(part_of(w, "lstm."), x)]


def lstm(w: Weights, x: list[Tensor]) -> list[Tensor]:
    """One LSTM layer; gates in the order i, f, g, o."""
    width = w["recurrent_weight"].shape[1]
    hidden = cell = x[0].new_zeros(width)
    out = []
    for row in x:
        i, f, g, o = (w["input_weight"] @ row + w["recurrent_weight"] @ hidden + w["bias"]).chunk(4)
        cell = cell / (1 + (-f).exp()) + g.tanh() / (1 + (-i).exp())
        hidden = cell.tanh() / (1 + (-o).exp())
        out.append(hidden)
    return out


def conv(weight: Tensor, x: list[Tensor]) -> list[Tensor]:
    """Causal depthwise convolution; the last tap is the present token's."""
    taps = weight.shape[1]
    return [
        sum(weight[:, j] * x[t - taps + 1 + j] for j in range(taps) if t - taps + 1 + j >= 0) for t in range(len(x))
    ]


def rope(x: Tensor, position: int, base: float) -> Tensor:
    """Rotate one vector ``[K]``: the plane (2j, 2j + 1) turns by position * base^(-2j / K)."""
    out = []
    for j in range(len(x) // 2):
        angle = position * base ** (-2 * j / len(x))
        a, b = x[2 * j], x[2 * j + 1]
        out += [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
    return torch.stack(out)


def norm(x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """RMSNorm of one vector."""
    return x / ((x @ x) / len(x) + eps).sqrt() * gain


def silu(x: Tensor) -> Tensor:
    """x σ(x)."""
    return x / (1 + (-x).exp())
