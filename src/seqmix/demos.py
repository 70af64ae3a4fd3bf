"""The two speed demonstrations of the founding documents, as they were, for timing beside a fair repetition.

Document 3: ``nn.LSTM(128, 64)`` against one ``nn.TransformerEncoderLayer(128, 8)`` on [32, 10, 128] (12 times the
parameters, no mask, training mode). Document 4: a one-layer LSTM of width 128 against a two-layer encoder with its
default feed-forward width of 2048 (9 times the parameters), batch 1, no mask, dropout active, one call per length.
The architectures are facts stated by the documents; the code here is this project's own.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["cells"]


def cells(mode: str, lengths: tuple[int, ...]) -> list[tuple[dict[str, Any], Callable[[], Any]]]:
    """Return (columns, call) for every length: the demo's two models, as written and with its parameters matched."""
    return {"document_3": _document_3, "document_4": _document_4}[mode](lengths)


def _document_3(lengths):
    lstm = nn.LSTM(128, 64, batch_first=True)
    encoder = nn.TransformerEncoderLayer(128, 8, batch_first=True)
    return _pair(
        "document_3",
        lengths,
        32,
        {
            "lstm_as_written": (lstm, None),
            "transformer_as_written": (encoder, None),
            "lstm_matched": (_lstm_like(encoder, 128), None),
            "transformer_matched": (
                encoder.__class__(128, 8, batch_first=True, dropout=0.0).eval(),
                "causal",
            ),
        },
    )


def _document_4(lengths):
    written = nn.TransformerEncoder(nn.TransformerEncoderLayer(128, 4, batch_first=True), 2, enable_nested_tensor=False)
    causal = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(128, 4, batch_first=True, dropout=0.0), 2, enable_nested_tensor=False
    ).eval()
    return _pair(
        "document_4",
        lengths,
        1,
        {
            "lstm_as_written": (nn.LSTM(128, 128, batch_first=True), None),
            "transformer_as_written": (written, None),
            "lstm_matched": (_lstm_like(causal, 128), None),
            "transformer_matched": (causal, "causal"),
        },
    )


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _lstm_like(other: nn.Module, width: int) -> nn.Module:
    """Return a one-layer LSTM on inputs of ``width`` with the parameters of ``other``: 4h^2 + 4h(width + 2) = N."""
    a, b = 4.0, 4.0 * (width + 2)
    hidden = round((-b + (b * b + 4 * a * _count(other)) ** 0.5) / (2 * a))
    return nn.LSTM(width, hidden, batch_first=True).eval()


def _pair(mode: str, lengths: tuple[int, ...], batch: int, modules: dict[str, tuple[nn.Module, str | None]]):
    out = []
    for length in lengths:
        inputs = torch.randn(batch, length, 128, generator=torch.Generator().manual_seed(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        for arm, (module, masking) in modules.items():
            columns = {
                "arm": arm,
                "mode": mode,
                "length": length,
                "batch_size": batch,
                "tokens": batch * length,
                "peak_bytes": 0,
                "params_non_embedding": _count(module),
                "state_bytes": 0,
                "threads": torch.get_num_threads(),
                "precision": "float32",
            }
            out.append((columns, _call(module, inputs, mask if masking else None)))
    return out


def _call(module: nn.Module, inputs: torch.Tensor, mask: torch.Tensor | None) -> Callable[[], Any]:
    @torch.no_grad()
    def call():
        # the mask is the second argument of a layer (src_mask) and of a stack (mask) alike
        return module(inputs) if mask is None else module(inputs, mask, is_causal=True)

    return call
