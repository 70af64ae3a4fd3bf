"""One recurrence with switches: decay none, a head or a channel; writing that erases or adds (arXiv numbers below).

    erase   S_t = (I - β_t k_t k_tᵀ) Diag(α_t) S_{t-1} + β_t k_t v_tᵀ     (2406.06484; with decay 2412.06464)
    add     S_t =                    Diag(α_t) S_{t-1} + β_t k_t v_tᵀ     (2006.16236; with decay 2312.06635)
    o_t = S_tᵀ q_t ,   ln α = log_decay (0 if None), a number a head or a vector over the key channels

Chunkwise (WY) form; rows Q, K, V of a chunk of C tokens, γ_i = sum_{j <= i} ln α_j, Γ_ij = e^{γ_i - γ_j}, state S:

    A = strict_lower(diag(β) K Kᵀ ⊙ Γ)              X = (I + A)^{-1}  (I without erasing)
    U = X diag(β) V ,  W = X diag(β e^γ) K          Ũ = U - W S       (U without erasing)
    O = diag(e^γ) Q S + lower(Q Kᵀ ⊙ Γ) Ũ           S' = e^{γ_C} S + Kᵀ diag(e^{γ_C - γ}) Ũ

Only the recursion of S runs chunk by chunk. X comes from a triangular solve: the log-depth product
(I - A)(I + A²)(I + A⁴)... overflows when keys repeat. Differences γ_i - γ_j are masked before exp, so that strong decay
cannot overflow (a decay a channel: ``vector_decay.py``); nothing is clamped. Everything is computed in float32 (or
float64), also under autocast.
"""

import torch
from torch import Tensor

from seqmix.models.chunked import ChunkedRecurrence


def delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    log_decay: Tensor | None = None,
    initial_state: Tensor | None = None,
    form: str = "chunked",
    chunk_size: int = 32,
    erase: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return outputs ``[B, T, H, V]`` and the last state ``[B, H, K, V]``.

    ``q, k [B, T, H, K]``, ``v [B, T, H, V]``, ``beta [B, T, H]`` from 0 to 2 (above 1 the erased direction turns its
    sign), ``log_decay [B, T, H]`` or ``[B, T, H, K]``, at most 0; any T >= 1; q is used as it comes (scale it before).
    ``form``: ``chunked`` (parallel), ``recurrent`` (token by token), ``reference`` (the slow twin, in float64).
    A decay a channel rounds the chunk up to a power of two. The outputs have v's dtype, the state is float32 (float64
    for float64 inputs). Raises ValueError for an unknown form or a log_decay of another shape.
    """
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    if log_decay is not None and log_decay.shape not in (k.shape[:3], k.shape):
        raise ValueError(
            f"log_decay has shape {tuple(log_decay.shape)}; it needs {tuple(k.shape[:3])}, one number a head, or "
            f"{tuple(k.shape)}, one a channel of the keys"
        )
    work = torch.float64 if v.dtype == torch.float64 or form == "reference" else torch.float32
    with torch.autocast(v.device.type, enabled=False):
        parts = [None if part is None else part.to(work) for part in (q, k, v, beta, log_decay)]
        shape = (q.shape[0], q.shape[2], q.shape[3], v.shape[3])
        state = v.new_zeros(shape, dtype=work) if initial_state is None else initial_state.to(work)
        out, state = FORMS[form](*parts, state, chunk_size, erase)
    return out.to(v.dtype), state


def recurrent(q, k, v, beta, log_decay, state, chunk_size, erase) -> tuple[Tensor, Tensor]:
    """Token by token: the form for decoding, and for reading."""
    out = []
    if log_decay is not None and log_decay.dim() == 3:
        log_decay = log_decay[..., None]
    for t in range(q.shape[1]):
        key, value = k[:, t, :, None], v[:, t, :, None]  # [B, H, 1, K], [B, H, 1, V]
        if log_decay is not None:
            state = state * log_decay[:, t, :, :, None].exp()
        change = value - key @ state if erase else value
        state = state + key.mT @ (beta[:, t, :, None, None] * change)
        out.append(q[:, t, :, None] @ state)
    return torch.cat(out, 2).transpose(1, 2), state


def chunked(q, k, v, beta, log_decay, state, chunk_size, erase) -> tuple[Tensor, Tensor]:
    """Chunk by chunk; T is filled up to a multiple of the chunk with β = 0 and k = 0, which leave the state alone."""
    size = min(chunk_size, q.shape[1])
    if log_decay is not None and log_decay.dim() == 4:
        size = 1 << (size - 1).bit_length()
    return ChunkedRecurrence.apply(q, k, v, beta, log_decay, state, size, erase)


def slow(q, k, v, beta, log_decay, state, chunk_size, erase) -> tuple[Tensor, Tensor]:
    """One sequence, one head, one token at a time, by code of its own."""
    from seqmix.models.reference import batched_delta_rule  # which knows every mixer, and they know this file

    return batched_delta_rule(q, k, v, beta, log_decay, state, erase)


FORMS = {"chunked": chunked, "recurrent": recurrent, "reference": slow}
