"""Descriptors of the softmax attentions; the module is ``models/attention.py``."""

from seqmix.mixers import Mixer, Weight

__all__ = ["ATTENTION"]


def weights(c) -> dict[str, Weight]:
    """q, k and v from one packed product, and the output product: 4 D²."""
    d = c.d_model
    return {"qkv.weight": Weight((3 * d, d)), "out.weight": Weight((d, d), "residual")}


def check(c) -> None:
    """Rotary positions turn pairs of channels."""
    if c.head_dim % 2 and "A" in c.rope:
        raise ValueError(f"rope needs an even head dimension, not {c.head_dim}")


ATTENTION = Mixer(
    label="Attention",
    module="seqmix.models.attention:Attention",
    weights=weights,
    conv_channels=lambda c: 3 * c.d_model,
    flops=lambda c, length, causal: {"attention": 4.0 * c.d_model * ((length + 1) / 2 if causal else length)},
    step_flops=lambda c, length: 4.0 * c.d_model * length,
    state=lambda c, length: 2 * length * c.d_model,
    ensemble="",
    colour="#0060a8",
    marker="o",
    family="attention",
    rotates="A",
    check=check,
    reference="seqmix.models.reference:attention",
)
