"""The two speed demonstrations of the founding documents, as they were, for timing beside a fair repetition.

Document 3: ``nn.LSTM(128, 64)`` against one ``nn.TransformerEncoderLayer(128, 8)`` on [32, 10, 128] (12 times the
parameters, no mask, training mode). Document 4: a one-layer LSTM of width 128 against a two-layer encoder with its
default feed-forward width of 2048 (9 times the parameters), batch 1, no mask, dropout active, one call per length.
The architectures are facts stated by the documents; the code here is this project's own.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

__all__ = ["BATCH", "modules", "reading", "size"]

BATCH = {"document_3": 32, "document_4": 1}
"""Sequences a call, by document."""

WIDTH = 128


def modules(mode: str) -> dict[str, nn.Module]:
    """Return the demo's two models by arm: as written, and matched in parameters, without dropout."""
    hidden, encoder = {
        "document_3": (64, partial(nn.TransformerEncoderLayer, WIDTH, 8, batch_first=True)),
        "document_4": (128, _two_layers),
    }[mode]
    matched = encoder(dropout=0.0).eval()
    return {
        "lstm_as_written": nn.LSTM(WIDTH, hidden, batch_first=True),
        "transformer_as_written": encoder(),
        "lstm_matched": _lstm_like(matched),
        "transformer_matched": matched,
    }


def _two_layers(**options: Any) -> nn.Module:
    layer = nn.TransformerEncoderLayer(WIDTH, 4, batch_first=True, **options)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def _lstm_like(other: nn.Module) -> nn.Module:
    """Return a one-layer LSTM with the parameters of ``other``: 4h^2 + 4h(width + 2) = N."""
    b = 4.0 * (WIDTH + 2)
    hidden = round((-b + (b * b + 16 * size(other)) ** 0.5) / 8)
    return nn.LSTM(WIDTH, hidden, batch_first=True).eval()


def size(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in module.parameters())


def reading(module: nn.Module, batch: int, length: int, causal: bool) -> Callable[[], Any]:
    """Return a call of ``module`` on ``[batch, length, 128]`` random numbers, under a causal mask if asked for."""
    inputs = torch.randn(batch, length, WIDTH, generator=torch.Generator().manual_seed(length))
    mask = nn.Transformer.generate_square_subsequent_mask(length)

    @torch.no_grad()
    def call():
        # the mask is the second argument of a layer (src_mask) and of a stack (mask) alike
        return module(inputs, mask, is_causal=True) if causal else module(inputs)

    return call
