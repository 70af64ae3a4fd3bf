"""How weights start, the same for all architectures where they share parts.

Every parameter draws from its own stream, seeded by (seed, name): two architectures with the same seed start with equal
embeddings, equal MLPs, equal q, k, v, whatever else they hold.

* matrices: normal, std 1 / sqrt(fan in); those that write into the residual stream (``out``, ``down``) also / sqrt(2 L)
  in the pre-norm block; embeddings 1 / sqrt(D); recurrent LSTM matrices orthogonal, gate by gate
* norm gains 1; LSTM bias 0 except the forget gate (``forget_bias``, or chrono: log U(1, max_length - 1), and its
  negative for the input gate, Tallec & Ollivier 2018)
* Gated DeltaNet: A_log = 0 and softplus(dt_bias) = 1 / τ with τ log-spaced over heads from 16 to max(256, max_length)
  tokens; a random decay would be a lottery with few heads
* ``init = "normal_0.02"``: all matrices and embeddings normal with std 0.02, the habit that this default replaces
"""

import hashlib
import math

import torch
from torch import Tensor, nn

from seqmix.config import ModelConfig


def stream(seed: int, name: str) -> torch.Generator:
    """Return the random stream of one parameter."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialise(model: nn.Module, config: ModelConfig, seed: int) -> None:
    """Fill every parameter of ``model`` in place; KeyError for one that no rule covers."""
    for name, parameter in model.named_parameters():
        parameter.copy_(start(name, parameter, config, stream(seed, name)))


def start(name: str, parameter: Tensor, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return the initial value of one parameter, by the last parts of its name."""
    kind = name.removesuffix(".weight").rsplit(".", 1)[-1]
    if kind in ("norm", "mixer_norm", "mlp_norm"):
        return torch.ones_like(parameter)
    if kind == "A_log":
        return torch.zeros_like(parameter)
    if kind == "dt_bias":
        return decay_bias(len(parameter), config)
    if kind == "bias":
        return lstm_bias(len(parameter) // 4, config, random)
    if config.init == "normal_0.02":
        return torch.randn(parameter.shape, generator=random) * 0.02
    if kind == "recurrent_weight":
        return torch.cat([orthogonal(parameter.shape[1], random) for _ in range(4)])
    return torch.randn(parameter.shape, generator=random) * standard_deviation(kind, parameter, config)


def standard_deviation(kind: str, parameter: Tensor, config: ModelConfig) -> float:
    """Fan-in rule; ``kind`` is the last part of the parameter's name."""
    fan_in = parameter.shape[1]
    if kind in ("out", "down") and config.norm == "pre":
        return (2 * config.n_layers * fan_in) ** -0.5
    if kind in (
        "embedding",
        "positions",
        "head",
        "qkv",
        "gates",
        "up",
        "out",
        "down",
        "input_weight",
        "conv",
    ):
        return fan_in**-0.5
    raise KeyError(f"no initialisation rule for parameters named {kind!r}")


def orthogonal(width: int, random: torch.Generator) -> Tensor:
    """Return a random orthogonal matrix, uniform over the group (QR with the signs of R)."""
    q, r = torch.linalg.qr(torch.randn(width, width, generator=random))
    return q * r.diagonal().sign()


def lstm_bias(width: int, config: ModelConfig, random: torch.Generator) -> Tensor:
    """Return the bias ``[4 width]`` in the order i, f, g, o."""
    bias = torch.zeros(4, width)
    if config.forget_init == "chrono":
        longest = max(config.max_length - 1, 1)
        bias[1] = (1 + (longest - 1) * torch.rand(width, generator=random)).log()
        bias[0] = -bias[1]
    else:
        bias[1] = config.forget_bias
    return bias.flatten()


def decay_bias(heads: int, config: ModelConfig) -> Tensor:
    """Return dt_bias ``[H]`` with softplus(dt_bias) = 1 / τ, τ log-spaced."""
    longest = max(256, config.max_length)
    tau = torch.logspace(math.log10(16), math.log10(longest), heads, dtype=torch.float64)
    return torch.expm1(1 / tau).log().float()
