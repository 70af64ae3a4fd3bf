"""The delta rule, recurrent and chunkwise (Yang et al. 2024, arXiv 2406.06484; gated: 2412.06464).

    S_t = α_t (I - β_t k_t k_tᵀ) S_{t-1} + β_t k_t v_tᵀ ,   o_t = S_tᵀ q_t ,   ln α = log_decay (0 if None)

Chunkwise (WY) form; rows Q, K, V of a chunk of C tokens, γ_i = sum_{j <= i} ln α_j, Γ_ij = e^{γ_i - γ_j}, state S:

    A = strict_lower(diag(β) K Kᵀ ⊙ Γ)              X = (I + A)^{-1}
    U = X diag(β) V ,  W = X diag(β e^γ) K          Ũ = U - W S
    O = diag(e^γ) Q S + lower(Q Kᵀ ⊙ Γ) Ũ           S' = e^{γ_C} S + Kᵀ diag(e^{γ_C - γ}) Ũ

Only the recursion of S runs chunk by chunk. X comes from a triangular solve: the log-depth product
(I - A)(I + A²)(I + A⁴)... overflows when keys repeat. Differences γ_i - γ_j are masked before exp, so that strong decay
cannot overflow; nothing is clamped. Everything is computed in float32 (or float64), also under autocast.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqmix.models.chunked import ChunkedDeltaRule


def delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    log_decay: Tensor | None = None,
    initial_state: Tensor | None = None,
    form: str = "chunked",
    chunk_size: int = 32,
) -> tuple[Tensor, Tensor]:
    """Return outputs ``[B, T, H, V]`` and the last state ``[B, H, K, V]``.

    ``q, k [B, T, H, K]``, ``v [B, T, H, V]``, ``beta, log_decay [B, T, H]``, any T >= 1; q is used as it comes
    (scale it before). The outputs have v's dtype, the state is float32 (float64 for float64 inputs).
    """
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    work = torch.float64 if v.dtype == torch.float64 else torch.float32
    with torch.autocast(v.device.type, enabled=False):
        parts = [None if part is None else part.to(work) for part in (q, k, v, beta, log_decay)]
        shape = (q.shape[0], q.shape[2], q.shape[3], v.shape[3])
        state = v.new_zeros(shape, dtype=work) if initial_state is None else initial_state.to(work)
        out, state = FORMS[form](*parts, state, chunk_size)
    return out.to(v.dtype), state


def recurrent(q, k, v, beta, log_decay, state, chunk_size) -> tuple[Tensor, Tensor]:
    """Token by token: the form for decoding, and for reading."""
    out = []
    for t in range(q.shape[1]):
        key = k[:, t, :, None]  # [B, H, 1, K]
        if log_decay is not None:
            state = state * log_decay[:, t, :, None, None].exp()
        delta = beta[:, t, :, None, None] * (v[:, t, :, None] - key @ state)  # [B, H, 1, V]
        state = state + key.mT @ delta
        out.append(q[:, t, :, None] @ state)
    return torch.cat(out, 2).transpose(1, 2), state


def chunked(q, k, v, beta, log_decay, state, chunk_size) -> tuple[Tensor, Tensor]:
    """Chunk by chunk; T is filled up to a multiple of the chunk with β = 0 and k = 0, which leave the state alone."""
    return ChunkedDeltaRule.apply(q, k, v, beta, log_decay, state, min(chunk_size, q.shape[1]))


FORMS = {"chunked": chunked, "recurrent": recurrent}


def kernel_of(name: str) -> Callable:
    """Return the function that computes the delta rule: own form, or flash-linear-attention's (ImportError)."""
    if name == "torch":
        return delta_rule
    from seqmix.models.fla import delta_rule as fla_rule

    return fla_rule
