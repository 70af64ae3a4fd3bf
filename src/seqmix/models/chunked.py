"""The chunkwise recurrences with their hand-written backward pass: few large products, nothing computed twice.

The equations stand in ``delta_rule.py``. With L = [Q; diag(β) K] stacked to 2C rows, Γ₂ = [lower Γ; strict lower Γ] and
L' = L ⊙ [e^γ; e^γ], one chunk with state S in, S' out, is

    [P; A] = (L Kᵀ) ⊙ Γ₂ ,  X = (I + A)^{-1} ,  Ũ = X (diag(β) V - L'_bottom S)
    O = L'_top S + P Ũ ,  S' = t S + K'ᵀ Ũ ,  K' = e^{γ_C - γ} K ,  t = e^{γ_C}

and its gradients, with Y = Xᵀ (Pᵀ dO + K' dS') and Z = [dO; -Y], are

    dS = t dS' + L'ᵀ Z ,  dL' = Z Sᵀ ,  d(L Kᵀ) = (Z Ũᵀ) ⊙ Γ₂ ,  dK' = Ũ dS'ᵀ ,  d(diag(β) V) = Y

because dA = -Y Ũᵀ: the inverse needs no gradient of its own. Without erasing, L = Q, Ũ = diag(β) V, Y = Pᵀ dO + K' dS'
and Z = dO. With a decay a channel, e^γ, K' and t hold one number a channel, and ``vector_decay.py`` computes [P; A].
Only the recursions of S and dS run chunk by chunk. Arrays are chunk-major, [N, M, C, ...] with
M = B H, so that a chunk of all heads is one contiguous batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqmix.models import vector_decay


def inverse(matrix: Tensor) -> Tensor:
    """Return (I + strict_lower(matrix))^{-1} for a batch ``[M, C, C]``; diagonal and upper part are not read.

    Diagonal blocks of at most 8 (where C is even enough) by triangular solves, then pairs of blocks are merged:
    [[a, 0], [b, d]]^{-1} = [[a^-1, 0], [-d^-1 b a^-1, d^-1]]. As accurate as one large solve, and 1.5 (C = 32) to
    4 (C = 64) times faster on CPU.
    """
    batch, size = matrix.shape[0], matrix.shape[-1]
    block = size
    while block > 8 and block % 2 == 0:
        block //= 2
    eye = torch.eye(block, dtype=matrix.dtype, device=matrix.device)
    corner = diagonal_blocks(matrix, block)
    done = torch.linalg.solve_triangular(corner, eye.expand_as(corner), upper=False, unitriangular=True)
    while block < size:
        first, second = done.view(-1, 2, block, block).unbind(1)
        below = diagonal_blocks(matrix, 2 * block)[:, block:, :block]
        done = matrix.new_zeros(first.shape[0], 2 * block, 2 * block)
        done[:, :block, :block] = first
        done[:, block:, block:] = second
        done[:, block:, :block] = (second @ (below @ first)).neg_()
        block *= 2
    return done.view(batch, size, size)


def diagonal_blocks(matrix: Tensor, block: int) -> Tensor:
    """``[M, C, C]`` -> its diagonal blocks ``[M C / block, block, block]``."""
    count = matrix.shape[-1] // block
    blocks = matrix.view(-1, count, block, count, block).diagonal(dim1=1, dim2=3)
    return blocks.permute(0, 3, 1, 2).reshape(-1, block, block)


def to_chunks(x: Tensor, size: int) -> Tensor:
    """``[B, T, H, ...]`` -> ``[N, B H, C, ...]``, zeros after the end where T is no multiple of C."""
    missing = -x.shape[1] % size
    if missing:
        x = F.pad(x, (0, 0) * (x.dim() - 2) + (0, missing))
    x = x.unflatten(1, (-1, size)).movedim((1, 3), (0, 2))
    return x.reshape(x.shape[0], -1, *x.shape[3:])


def from_chunks(x: Tensor, shape: torch.Size) -> Tensor:
    """``[N, B H, C, ...]`` -> ``shape = [B, T, H, ...]``, without what ``to_chunks`` added."""
    x = x.unflatten(1, (shape[0], shape[2])).movedim((0, 2), (1, 3))
    return x.flatten(1, 2)[:, : shape[1]]


class ChunkedRecurrence(torch.autograd.Function):
    """``(q, k, v, beta, log_decay or None, state, size, erase) -> (out, last state)``; shapes as in ``delta_rule``."""

    @staticmethod
    def forward(ctx, q, k, v, beta, log_decay, state, size, erase):
        shape = v.shape
        q, k, v, beta = (to_chunks(part, size) for part in (q, k, v, beta))
        chunks, heads, _, key = k.shape
        left = torch.cat([q, k * beta[..., None]], 2) if erase else q  # L
        mask = since = onto = None
        factors = []
        left_now, k_onto = left, k
        if log_decay is not None and log_decay.dim() == 4:
            *factors, since, onto = vector_decay.levels(to_chunks(log_decay, size).exp())
        else:
            mask = torch.ones(size, size, dtype=k.dtype, device=k.device).tril()
            mask = torch.cat([mask, mask.tril(-1)]) if erase else mask
            if log_decay is not None:
                since, ratio = decays(to_chunks(log_decay, size))
                mask = mask * (torch.cat([ratio, ratio], 2) if erase else ratio)  # Γ₂
                since, onto = since[..., None], ratio[:, :, -1, :, None]
        if since is not None:
            k_onto, shrink = k * onto, since[:, :, -1, :, None].unbind()
            since = torch.cat([since, since], 2) if erase else since
            left_now = left * since
        else:
            shrink = [None] * chunks
        right = vector_decay.products(left, k, factors) if mask is None else (left @ k.mT).mul_(mask)  # [P; A]
        fresh = v_left = v * beta[..., None]  # Ũ
        solver = None
        if erase:
            solver = inverse(right.flatten(0, 1)[:, size:]).view(chunks, heads, size, size)  # X
            fresh = torch.empty_like(v)
        states = v.new_empty(chunks + 1, heads, key, v.shape[-1])
        states[0] = state.flatten(0, 1)
        ctx.shape, ctx.size, ctx.state_shape, ctx.erase = shape, size, state.shape, erase
        state, onto_rows = states[0], k_onto.mT
        for n, t in enumerate(shrink):
            if erase:
                rest = torch.baddbmm(v_left[n], left_now[n, :, size:], state, alpha=-1, out=v_left[n])
                torch.bmm(solver[n], rest, out=fresh[n])
            state = torch.baddbmm(state if t is None else state * t, onto_rows[n], fresh[n], out=states[n + 1])
        out = left_now[:, :, :size] @ states[:-1]
        add_product(out, right[:, :, :size], fresh)
        kept = (k, v, beta, left, left_now, k_onto, mask, since, onto, right, solver, fresh, states)
        ctx.save_for_backward(*kept, *factors)
        return from_chunks(out, shape), state.view(ctx.state_shape).clone()  # a view would keep all states alive

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out, d_last):
        k, v, beta, left, left_now, k_onto, mask, since, onto, right, solver, fresh, states, *factors = (
            ctx.saved_tensors
        )
        size, chunks, erase = ctx.size, k.shape[0], ctx.erase
        d_out = to_chunks(d_out, size)
        d_right_side = d_fresh = right[:, :, :size].mT @ d_out  # becomes Y
        if erase:
            d_right_side, back_solver, lower = torch.empty_like(v), solver.mT, left_now[:, :, size:].mT
        d_states = torch.empty_like(states)
        d_states[-1] = d_last.flatten(0, 1)
        d_states[:-1] = left_now[:, :, :size].mT @ d_out
        d_state = d_states[-1]
        shrink = [None] * chunks if since is None else since[:, :, size - 1, :, None].unbind()
        for n in reversed(range(chunks)):
            torch.baddbmm(d_fresh[n], k_onto[n], d_state, out=d_fresh[n])
            before = d_states[n]
            before += d_state if shrink[n] is None else d_state * shrink[n]
            if erase:
                torch.bmm(back_solver[n], d_fresh[n], out=d_right_side[n])
                torch.baddbmm(before, lower[n], d_right_side[n], alpha=-1, out=before)
            d_state = before
        back = torch.cat([d_out, -d_right_side], 2) if erase else d_out  # Z
        d_left = back @ states[:-1].mT
        d_k = fresh @ d_states[1:].mT
        d_right = back @ fresh.mT
        d_decay = None
        if since is not None:
            end = since[:, :, size - 1] * (d_states[1:] * states[:-1]).sum(-1)
        if mask is None:
            d_left.mul_(since)
            d_decay = from_on(sum((left * d_left).split(size, 2)), 2) + end[:, :, None]
            d_k.mul_(onto)
            d_decay += up_to(k * d_k, 2)
            vector_decay.add_gradients(d_left, d_k, d_decay, d_right, left, k, factors)
        else:
            if since is not None:
                parts = (d_right * right, (d_left * left_now).sum(-1), (d_k * k_onto).sum(-1), end.sum(-1))
                d_decay = decay_gradient(*parts)
                d_left.mul_(since)
                d_k.mul_(onto)
            d_right.mul_(mask)
            add_product(d_left, d_right, k)
            add_product(d_k, d_right.mT, left)
        d_beta, d_q = (d_right_side * v).sum(-1), d_left
        if erase:
            d_q, d_weighted = d_left.split(size, 2)
            d_k.addcmul_(d_weighted, beta[..., None])
            d_beta += (d_weighted * k).sum(-1)
        d_v = d_right_side * beta[..., None]
        keys = (*ctx.shape[:3], k.shape[-1])
        d_q, d_k = from_chunks(d_q, keys), from_chunks(d_k, keys)
        d_v, d_beta = from_chunks(d_v, ctx.shape), from_chunks(d_beta, ctx.shape)
        if d_decay is not None:
            d_decay = from_chunks(d_decay, keys if mask is None else ctx.shape)
        return d_q, d_k, d_v, d_beta, d_decay, d_states[0].view(ctx.state_shape), None, None


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a @ b, in place, for ``[N, M, ., .]``."""
    total, a, b = (part.flatten(0, 1) for part in (total, a, b))
    torch.baddbmm(total, a, b, out=total)


def decays(log_decay: Tensor) -> tuple[Tensor, Tensor]:
    """Return e^γ ``[N, M, C]`` and Γ = lower(e^{γ_i - γ_j}) ``[N, M, C, C]`` of ``log_decay [N, M, C]``.

    Differences are taken in float64, where one very strong decay leaves the ratios after it exact, and masked before
    exp: above the diagonal they are positive and would overflow. The last row of Γ is e^{γ_C - γ}.
    """
    gamma = log_decay.double().cumsum(-1)
    future = torch.ones(gamma.shape[-1], gamma.shape[-1], dtype=torch.bool, device=gamma.device).triu(1)
    difference = (gamma[..., :, None] - gamma[..., None, :]).to(log_decay.dtype)
    return gamma.to(log_decay.dtype).exp(), difference.masked_fill_(future, float("-inf")).exp_()


def decay_gradient(right: Tensor, left: Tensor, onto: Tensor, end: Tensor) -> Tensor:
    """Return the gradient of log_decay ``[N, M, C]``; each argument is (gradient · value) of a factor that holds γ.

    ``right [N, M, 2C or C, C]`` holds γ_i - γ_j, ``left [N, M, 2C or C]`` γ_i, ``onto [N, M, C]`` γ_C - γ_i, ``end
    [N, M]`` γ_C. A token's decay counts in every pair that it stands between. Only these are summed, in every term: the
    shorter way, row sums less column sums, lets large terms cancel, and loses the small gradients of strong decays.
    """
    size = onto.shape[-1]
    pairs = sum(right.split(size, -2))
    from_here = torch.ones(size, size, dtype=right.dtype, device=right.device).triu()
    between = (from_here @ pairs).tril(-1).sum(-1)
    return between + from_on(sum(left.split(size, -1)), -1) + up_to(onto, -1) + end[..., None]


def from_on(x: Tensor, axis: int) -> Tensor:
    """Return the sums of ``x`` over all places from each on."""
    return x.flip(axis).cumsum(axis).flip(axis)


def up_to(x: Tensor, axis: int) -> Tensor:
    """Return the sums of ``x`` over all places before each."""
    before = x.cumsum(axis).roll(1, axis)
    before.select(axis, 0).zero_()
    return before
