"""Causal softmax attention on CPU, of all the past or of a window, several times faster than PyTorch's own.

For sequences of at most ``LONGEST`` tokens:

    P = softmax(lower(Q Kᵀ / sqrt(K))) ,  O = P V
    dV = Pᵀ dO ,  dS = P ⊙ (dO Vᵀ - rowsum(P ⊙ dO Vᵀ)) ,  dQ = dS K ,  dK = dSᵀ Q

Query rows are taken in blocks and meet only the keys from the window's to their own, so that the rest of the square is
never computed;
heads are taken in groups, so that a block stays in the cache. P is kept for the backward pass (half of B H T² numbers):
that is what limits the length. Under autocast the scores and the softmax are float32 and the other products bfloat16:
nearer to the exact result than the fused kernel, whose q and k are rounded first. On other devices and for longer
sequences ``attention.py`` calls ``F.scaled_dot_product_attention``.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LONGEST = 1024
ROWS = 64
HEADS = 32


class CausalAttention(torch.autograd.Function):
    """``(qkv [B, T, 3, H, K], table or None, window) -> [B, T, H, K]``.

    q and k are turned by the ``layers.rope_table``; ``window`` tokens are seen, the present one included (0: all).
    """

    @staticmethod
    def forward(ctx, qkv, table, window=0):
        batch, time, _, heads, width = qkv.shape
        half = qkv.dtype
        work = torch.float32 if half in (torch.bfloat16, torch.float16) else half
        qk = qkv.new_empty(2, batch, heads, time, width, dtype=work)
        qk.copy_(qkv[:, :, :2].permute(2, 0, 3, 1, 4))
        turn(qk, table)
        qk[0] *= width**-0.5
        qk = qk.view(2, -1, time, width)
        (q, k), v = qk, qkv[:, :, 2].transpose(1, 2).reshape(-1, time, width)
        out = torch.empty_like(v)
        block = min(ROWS, time)
        future = torch.full((block, block), float("-inf"), dtype=work).triu_(1)
        shares = []
        for some, rows, keys in tiles(batch * heads, time, window):
            scores = torch.bmm(q[some, rows], k[some, keys].mT)
            own = rows.stop - rows.start
            scores[:, :, -own:] += future[:own, :own]
            if window:
                hide(scores, rows.start - keys.start - window + 1)
            share = scores.softmax(-1).to(half)
            out[some, rows] = torch.bmm(share, v[some, keys])  # not out=: into a slice bmm goes matrix by matrix
            shares.append(share)
        ctx.save_for_backward(qk.to(half), v, table, *shares)
        ctx.heads, ctx.window = heads, window
        return out.view(batch, heads, time, width).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out):
        (q, k), v, table, *shares = ctx.saved_tensors
        time, width, heads = *q.shape[1:], ctx.heads
        d_out = d_out.transpose(1, 2).reshape(q.shape)
        d_qk, d_v = q.new_zeros(2, *q.shape), torch.zeros_like(v)
        d_q, d_k = d_qk
        for share, (some, rows, keys) in zip(shares, tiles(len(q), time, ctx.window), strict=True):
            row_out = d_out[some, rows]
            d_share = torch.bmm(row_out, v[some, keys].mT)
            d_scores = torch._softmax_backward_data(d_share, share, -1, share.dtype)
            d_q[some, rows] = torch.bmm(d_scores, k[some, keys])
            d_k[some, keys] += torch.bmm(d_scores.mT, q[some, rows])
            d_v[some, keys] += torch.bmm(share.mT, row_out)
        d_q *= width**-0.5
        d_qk = d_qk.view(2, -1, heads, time, width)
        if table is not None:
            d_qk = turn(d_qk.to(table.real.dtype), table.conj())
        d_qkv = v.new_empty(d_qk.shape[1], time, 3, heads, width)
        d_qkv[:, :, :2] = d_qk.permute(1, 3, 0, 2, 4)
        d_qkv[:, :, 2] = d_v.view(d_qk.shape[1:]).transpose(1, 2)
        return d_qkv, None, None


def tiles(heads: int, time: int, window: int):
    """Yield (group of heads, block of query rows, their keys) as slices."""
    for first in range(0, heads, HEADS):
        for row in range(0, time, ROWS):
            end = min(row + ROWS, time)
            yield slice(first, first + HEADS), slice(row, end), slice(max(0, row - window + 1) if window else 0, end)


def hide(scores: Tensor, first: int) -> None:
    """Mask in place the keys that have left the window: row i of ``scores [M, rows, keys]`` sees from first + i."""
    gone = torch.ones(scores.shape[1:], dtype=torch.bool).tril_(first - 1)
    scores.masked_fill_(gone, float("-inf"))


def turn(x: Tensor, table: Tensor | None) -> Tensor:
    """Rotate ``x [..., T, K]`` in place by ``table [T, K / 2]``."""
    if table is not None:
        torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(table)
    return x
