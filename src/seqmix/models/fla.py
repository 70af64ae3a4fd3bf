"""The delta rule on flash-linear-attention's Triton kernels (CUDA only); chosen by ``TrainConfig.kernel = "fla"``."""

import torch
from torch import Tensor

try:
    from fla.ops.delta_rule import chunk_delta_rule, fused_recurrent_delta_rule
    from fla.ops.gated_delta_rule import chunk_gated_delta_rule, fused_recurrent_gated_delta_rule
except ImportError as error:
    raise ImportError(
        "kernel 'fla' needs the package flash-linear-attention and a CUDA device; use kernel 'torch' otherwise"
    ) from error


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
    """Same contract as ``seqmix.models.delta_rule.delta_rule``; the kernels choose their own chunk length.

    q, k, v are handed over in bfloat16 (the kernels refuse float32 in the chunked form), the state is float32.
    """
    if not q.is_cuda:
        raise ValueError("kernel 'fla' runs on CUDA devices only")
    if not erase or (log_decay is not None and log_decay.dim() == 4):
        raise ValueError("kernel 'fla' has no form for this recurrence; use kernel 'torch'")
    half = [part.to(torch.bfloat16) for part in (q, k, v)]
    options = {"beta": beta, "scale": 1.0, "initial_state": initial_state, "output_final_state": True}
    if log_decay is None:
        run = chunk_delta_rule if form == "chunked" else fused_recurrent_delta_rule
        out, state = run(*half, **{**options, "beta": beta.to(torch.bfloat16)})
    else:
        run = chunk_gated_delta_rule if form == "chunked" else fused_recurrent_gated_delta_rule
        out, state = run(*half, g=log_decay, **options)
    return out.to(v.dtype), state
