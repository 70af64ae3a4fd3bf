"""How weights start, the same for all architectures where they share parts.

Every parameter draws from its own stream, seeded by (seed, name): two architectures with the same seed start with equal
embeddings, equal MLPs, equal q, k, v, whatever else they hold. A mixer's descriptor names the rule of each parameter.

* matrices: normal, std 1 / sqrt(fan in); those that write into the residual stream (``out``, ``down``) also / sqrt(2 L)
  in the pre-norm block; embeddings 1 / sqrt(D); recurrent LSTM matrices orthogonal, gate by gate
* norm gains 1; LSTM bias 0 except the forget gate (``forget_bias``, or chrono: log U(1, max_length - 1), and its
  negative for the input gate, Tallec & Ollivier 2018)
* recurrences with a decay: A_log = 0 and softplus(dt_bias) = 1 / τ with τ log-spaced over heads (a decay a channel:
  over the channels of each head) from 16 to max(256, max_length) tokens; a random decay would be a lottery with few
  heads; the mLSTM's forget gates start with the same horizons
* ``init = "normal_0.02"``: all matrices and embeddings normal with std 0.02, the habit that this default replaces
"""

import hashlib
import math

import torch
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers import MixerError, Weight, weight_of


def stream(seed: int, name: str) -> torch.Generator:
    """Return the random stream of one parameter."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialise(model: nn.Module, config: ModelConfig, seed: int) -> None:
    """Fill every parameter of ``model`` in place; MixerError for one that no rule covers."""
    for name, parameter in model.named_parameters():
        weight = weight_of(config, name) or Weight(tuple(parameter.shape), rule_of(name))
        if tuple(parameter.shape) != weight.shape:
            raise MixerError(f"{name}: the descriptor says {weight.shape}, the module holds {tuple(parameter.shape)}")
        parameter.copy_(start(weight, config, stream(seed, name)))


def rule_of(name: str) -> str:
    """Return how a parameter of the skeleton starts."""
    if name.endswith("norm.weight"):
        return "ones"
    return "residual" if name.endswith("mlp.down.weight") else "fan_in"


def start(weight: Weight, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return the initial value of one parameter."""
    if callable(weight.start):
        return weight.start(weight.shape, config, random)
    if weight.start in VECTORS:
        return VECTORS[weight.start](weight.shape, config, random)
    if weight.start not in MATRICES:
        raise MixerError(f"no rule of initialisation named {weight.start!r}; known: {', '.join(VECTORS | MATRICES)}")
    if config.init == "normal_0.02":
        return torch.randn(weight.shape, generator=random) * 0.02
    return MATRICES[weight.start](weight.shape, config, random)


def fan_in(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return normal numbers of standard deviation 1 / sqrt(fan in)."""
    return torch.randn(shape, generator=random) * shape[1] ** -0.5


def residual(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return ``fan_in``, in the pre-norm block divided by sqrt(2 L): L layers write twice into the residual stream."""
    layers = 2 * config.n_layers if config.norm == "pre" else 1
    return torch.randn(shape, generator=random) * (layers * shape[1]) ** -0.5


def gate_by_gate(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return square orthogonal matrices below one another."""
    return torch.cat([orthogonal(shape[1], random) for _ in range(shape[0] // shape[1])])


def orthogonal(width: int, random: torch.Generator) -> Tensor:
    """Return a random orthogonal matrix, uniform over the group (QR with the signs of R)."""
    q, r = torch.linalg.qr(torch.randn(width, width, generator=random))
    return q * r.diagonal().sign()


def forget_bias(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return an LSTM's bias ``[4 width]`` in the order i, f, g, o."""
    bias = torch.zeros(4, shape[0] // 4)
    if config.forget_init == "chrono":
        longest = max(config.max_length - 1, 1)
        bias[1] = (1 + (longest - 1) * torch.rand(bias.shape[1], generator=random)).log()
        bias[0] = -bias[1]
    else:
        bias[1] = config.forget_bias
    return bias.flatten()


def decay_bias(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return dt_bias ``[H]`` with softplus(dt_bias) = 1 / τ, τ log-spaced."""
    longest = max(256, config.max_length)
    tau = torch.logspace(math.log10(16), math.log10(longest), shape[0], dtype=torch.float64)
    return torch.expm1(1 / tau).log().float()


def channel_decay_bias(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return dt_bias ``[H K]``: every head holds channels of all horizons, as ``decay_bias`` spaces them."""
    return decay_bias((shape[0] // config.n_heads,), config, random).repeat(config.n_heads)


def gate_bias(shape: tuple, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return the mLSTM's bias ``[2 H]``: input gates 0, forget gates σ(bias) = e^{-1 / τ} with the same horizons τ."""
    forget = -decay_bias((shape[0] // 2,), config, random)
    return torch.cat([torch.zeros_like(forget), forget])


VECTORS = {
    "ones": lambda shape, config, random: torch.ones(shape),
    "zeros": lambda shape, config, random: torch.zeros(shape),
    "forget_bias": forget_bias,
    "decay_bias": decay_bias,
    "channel_decay_bias": channel_decay_bias,
    "gate_bias": gate_bias,
}
"""Rules that hold whatever ``ModelConfig.init`` says."""

MATRICES = {"fan_in": fan_in, "residual": residual, "orthogonal": gate_by_gate}
"""Rules that ``init = "normal_0.02"`` replaces."""
