"""The mixers by the letter that stands for them in a pattern: one line a mixer."""

from seqmix.models.attention import Attention
from seqmix.models.deltanet import DeltaNet, GatedDeltaNet
from seqmix.models.lstm import LSTMMixer

MIXERS = {
    "A": Attention,  # causal softmax attention, RoPE
    "D": DeltaNet,  # delta rule
    "G": GatedDeltaNet,  # delta rule with decay
    "L": LSTMMixer,  # long short-term memory
}
