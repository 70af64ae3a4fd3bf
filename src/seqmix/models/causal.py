"""Causal softmax attention on CPU for sequences of at most ``LONGEST`` tokens, several times faster than PyTorch's own.

    P = softmax(lower(Q Kᵀ / sqrt(K))) ,  O = P V
    dV = Pᵀ dO ,  dS = P ⊙ (dO Vᵀ - rowsum(P ⊙ dO Vᵀ)) ,  dQ = dS K ,  dK = dSᵀ Q

Query rows are taken in blocks and meet only the keys up to their own block, so half of the square is never computed;
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
    """``(qkv [B, T, 3, H, K], cos, sin) -> [B, T, H, K]``; q and k are rotated by the tables unless they are None."""

    @staticmethod
    def forward(ctx, qkv, cos, sin):
        batch, time, _, heads, width = qkv.shape
        half = qkv.dtype
        work = torch.float32 if half in (torch.bfloat16, torch.float16) else half
        q, k = qkv[:, :, :2].permute(2, 0, 3, 1, 4).to(work)
        if cos is not None:
            q, k = turn(q, cos, sin), turn(k, cos, sin)
        q = (q * width**-0.5).reshape(-1, time, width)
        k = k.reshape(-1, time, width)
        v = qkv[:, :, 2].transpose(1, 2).reshape(-1, time, width)
        out = torch.empty_like(v)
        block = min(ROWS, time)
        future = torch.full((block, block), float("-inf"), dtype=work).triu_(1)
        shares = []
        for some, rows in tiles(batch * heads, time):
            start, end = rows.start, rows.stop
            scores = q[some, rows] @ k[some, :end].mT
            scores[:, :, start:] += future[: end - start, : end - start]
            share = scores.softmax(-1).to(half)
            torch.bmm(share, v[some, :end], out=out[some, rows])
            shares.append(share)
        ctx.save_for_backward(q.to(half), k.to(half), v, cos, sin, *shares)
        ctx.heads = heads
        return out.view(batch, heads, time, width).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out):
        q, k, v, cos, sin, *shares = ctx.saved_tensors
        time, width, heads = *q.shape[1:], ctx.heads
        d_out = d_out.transpose(1, 2).reshape(q.shape)
        d_q, d_k, d_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for share, (some, rows) in zip(shares, tiles(len(q), time), strict=True):
            end, row_out = rows.stop, d_out[some, rows]
            d_share = row_out @ v[some, :end].mT
            d_scores = torch._softmax_backward_data(d_share, share, -1, share.dtype)
            torch.bmm(d_scores, k[some, :end], out=d_q[some, rows])
            d_k[some, :end] += d_scores.mT @ q[some, rows]
            d_v[some, :end] += share.mT @ row_out
        d_q *= width**-0.5
        d_q, d_k, d_v = (part.view(-1, heads, time, width) for part in (d_q, d_k, d_v))
        if cos is not None:
            d_q, d_k = (turn(part.to(cos.dtype), cos, -sin) for part in (d_q, d_k))
        d_qkv = v.new_empty(d_v.shape[0], time, 3, heads, width)
        for n, part in enumerate((d_q, d_k, d_v)):
            d_qkv[:, :, n] = part.transpose(1, 2)
        return d_qkv, None, None


def tiles(heads: int, time: int):
    """Yield (group of heads, block of query rows) as slices."""
    for first in range(0, heads, HEADS):
        for row in range(0, time, ROWS):
            yield slice(first, first + HEADS), slice(row, min(row + ROWS, time))


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate ``x [..., T, K]`` by tables ``[T, K / 2]``, first half of K against the second."""
    out = torch.empty_like(x)
    first, second = x.chunk(2, -1)
    a, b = out.chunk(2, -1)
    torch.mul(first, cos, out=a).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=b).addcmul_(first, sin)
    return out
