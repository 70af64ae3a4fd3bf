"""Descriptors of the linear recurrences: one module (``models/recurrence.py``), one cell a letter."""

from dataclasses import dataclass

from seqmix.mixers import Mixer, Weight

__all__ = ["CELLS", "DELTANET", "GATED_DELTANET", "Cell"]


@dataclass(frozen=True)
class Cell:
    """What makes a letter of the one recurrence; see ``models/delta_rule.py`` for the equations.

    ``decay``: of the memory, none, one number a head (scalar) or one a key channel (vector). ``erase``: what the key
    holds is replaced, else the new value is added to it. ``gated``: half the key width, and an output gate.
    """

    letter: str
    decay: str
    erase: bool
    gated: bool

    def dims(self, c) -> tuple[int, int]:
        """Key and value dimension K, V of one head."""
        return (max(1, c.head_dim // 2) if self.gated else c.head_dim), c.head_dim

    def gate_rows(self, c) -> list[int]:
        """Rows of the gates' product: β of each head, the decay of each head, the output gate."""
        rows = [c.n_heads * self.erase, c.n_heads * (self.decay == "scalar")]
        return [*rows, c.n_heads * c.head_dim * self.gated]

    def weights(self, c) -> dict[str, Weight]:
        """All parameters; near 4 D² in matrices."""
        d, h, (k, v) = c.d_model, c.n_heads, self.dims(c)
        found = {"qkv.weight": Weight((h * (2 * k + v), d))}
        if rows := sum(self.gate_rows(c)):
            found["gates.weight"] = Weight((rows, d))
        if self.decay == "scalar":
            found |= {"A_log": Weight((h,), "zeros"), "dt_bias": Weight((h,), "decay_bias")}
        return found | {"norm.weight": Weight((v,), "ones"), "out.weight": Weight((d, h * v), "residual")}

    def conv_channels(self, c) -> int:
        """q, k and v are filtered."""
        k, v = self.dims(c)
        return c.n_heads * (2 * k + v)

    def flops(self, c, length: int, causal: bool = True) -> dict[str, float]:
        """The chunked form (``models/chunked.py``), without its element-wise part."""
        k, v = self.dims(c)
        chunk = min(c.chunk_size, length)
        heads = -(-length // chunk) * chunk / length * c.n_heads
        # [Q; βK] Kᵀ: 4C·K; X (..), P Ũ: 2C·V each; βK S, Q S, Kᵀ Ũ: 2K·V each.
        return {"delta": heads * (4.0 * chunk * (k + v) + 6.0 * k * v), "solve": heads * inverse_flops(chunk)}

    def step_flops(self, c, length: int) -> float:
        """k S, k δᵀ and q S."""
        k, v = self.dims(c)
        return 6.0 * c.n_heads * k * v

    def state(self, c, length: int) -> int:
        """The memory."""
        k, v = self.dims(c)
        return c.n_heads * k * v

    def check(self, c) -> None:
        """Rotary positions turn pairs of channels."""
        if self.letter in c.rope and self.dims(c)[0] % 2:
            raise ValueError(f"rope needs an even key dimension, not {self.dims(c)[0]} (mixer {self.letter})")


def inverse_flops(chunk: int) -> float:
    """FLOPs per token and head of a chunk's triangular inverse: diagonal blocks of at most 8, then merged pairwise."""
    block = chunk
    while block > 8 and block % 2 == 0:
        block //= 2
    flops = float(block * block)
    while block < chunk:
        flops += 2.0 * block * block
        block *= 2
    return flops


def described(cell: Cell, name: str, **look) -> Mixer:
    """Return the descriptor of one cell, whose module is the class ``name``."""
    parts = ("weights", "conv_channels", "flops", "step_flops", "state", "check")
    return Mixer(
        module=f"seqmix.models.recurrence:{name}",
        rotates=cell.letter,
        ensemble="",
        reference="seqmix.models.reference:recurrence",
        **{part: getattr(cell, part) for part in parts},
        **look,
    )


CELLS = {
    "D": Cell("D", decay="none", erase=True, gated=False),
    "G": Cell("G", decay="scalar", erase=True, gated=True),
}

DELTANET = described(CELLS["D"], "DeltaNet", label="DeltaNet", colour="#00795b", marker="^", family="deltanet")
GATED_DELTANET = described(
    CELLS["G"], "GatedDeltaNet", label="Gated DeltaNet", colour="#8a6a00", marker="D", family="gated"
)
