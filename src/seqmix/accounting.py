"""Parameters, FLOPs and state bytes as closed forms of the configuration (no torch).

Tests hold them equal to the built model. A multiply-add counts as 2 FLOPs; training costs three times the forward pass.
Norms, activations, biases and softmax are left out, as is usual: a few percent at small width.
"""

import math

from seqmix.config import ModelConfig

__all__ = [
    "decode_flops",
    "forward_flops",
    "lstm_width",
    "match",
    "parameters",
    "state_bytes",
    "train_flops_per_token",
]


def lstm_width(config: ModelConfig) -> int:
    """Hidden width r of the L mixer: as set, or the one whose 4 D r + 4 r² + 4 r + D r is nearest to 4 D²."""
    if config.lstm_width:
        return config.lstm_width
    d = config.d_model
    b = 5 * d + 4
    return max(1, round((math.sqrt(b * b + 64 * d * d) - b) / 8))


def delta_dims(config: ModelConfig, letter: str) -> tuple[int, int]:
    """Key and value dimension K, V of one head of D or G."""
    return (max(1, config.head_dim // 2) if letter == "G" else config.head_dim), config.head_dim


def conv_channels(config: ModelConfig, letter: str) -> int:
    """Channels of the short convolution of one mixer; 0 where the switch is off."""
    if letter not in config.conv or config.skeleton == "classic":
        return 0
    if letter == "L":
        return config.d_model
    if letter == "A":
        return 3 * config.d_model
    k, v = delta_dims(config, letter)
    return config.n_heads * (2 * k + v)


def mixer_matrices(config: ModelConfig, letter: str) -> int:
    """Parameters of one mixer that are used once per token in a matrix product."""
    d, h = config.d_model, config.n_heads
    if letter == "A":
        return 4 * d * d
    if letter == "L":
        r = lstm_width(config)
        return 4 * r * (d + r) + r * d
    k, v = delta_dims(config, letter)
    gates = h if letter == "D" else 2 * h + h * v
    return d * (h * (2 * k + v) + gates) + h * v * d


def mixer_parameters(config: ModelConfig, letter: str) -> int:
    """All parameters of one mixer."""
    vectors = {
        "A": 0,
        "D": config.head_dim,
        "G": config.head_dim + 2 * config.n_heads,
        "L": 4 * lstm_width(config),
    }[letter]
    return mixer_matrices(config, letter) + vectors + conv_channels(config, letter) * config.conv_width


def parameters(config: ModelConfig) -> dict[str, int]:
    """Return counts: ``total = embedding + non_embedding``, and the parts.

    ``embedding = token_embedding + position_embedding + head`` (head: 0 when tied), all that Kaplan et al. leave out;
    ``non_embedding = mixers + mlps + norms``.
    """
    c, d = config, config.d_model
    parts = {
        "token_embedding": c.vocab_size * d,
        "position_embedding": c.max_length * d if c.learned_positions else 0,
        "head": 0 if c.tie_embeddings else c.vocab_size * d,
    }
    if c.skeleton == "classic":
        own = {"mixers": c.n_layers * (8 * d * d + 4 * d), "mlps": 0, "norms": d}
    else:
        own = {
            "mixers": sum(mixer_parameters(c, letter) for letter in c.pattern),
            "mlps": c.n_layers * 3 * d * c.mlp_hidden,
            "norms": (2 * c.n_layers + 1) * d,
        }
    embedding, non_embedding = sum(parts.values()), sum(own.values())
    return {"total": embedding + non_embedding, "embedding": embedding, "non_embedding": non_embedding} | parts | own


def mixing_flops(config: ModelConfig, letter: str, length: int, causal: bool = True) -> dict[str, float]:
    """Forward FLOPs per token of what a mixer does besides its matrices, training form, mean over ``length``.

    ``causal=False`` counts the whole T x T square of attention, as kernels and counters that do not skip it do.
    """
    c, d, h = config, config.d_model, config.n_heads
    flops = {"conv": 2.0 * conv_channels(c, letter) * c.conv_width, "attention": 0.0, "delta": 0.0, "solve": 0.0}
    if letter == "A":
        flops["attention"] = 4.0 * d * ((length + 1) / 2 if causal else length)
    elif letter in "DG":
        k, v = delta_dims(c, letter)
        chunk = min(c.chunk_size, length)
        padded = -(-length // chunk) * chunk / length
        # [Q; βK] Kᵀ: 4C·K; X (..), P Ũ: 2C·V each; βK S, Q S, Kᵀ Ũ: 2K·V each (see models/chunked.py).
        flops["delta"] = padded * h * (4.0 * chunk * (k + v) + 6.0 * k * v)
        flops["solve"] = padded * h * inverse_flops(chunk)
    return flops


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


def forward_flops(config: ModelConfig, length: int, causal: bool = True) -> dict[str, float]:
    """Return forward FLOPs per token of a sequence of ``length`` tokens by part, and their ``total``."""
    c, d = config, config.d_model
    flops = {"logits": 2.0 * d * c.vocab_size, "mlps": 0.0, "mixers": 0.0}
    if c.skeleton == "classic":
        flops["mixers"] = 16.0 * d * d * c.n_layers
    else:
        flops["mlps"] = 6.0 * d * c.mlp_hidden * c.n_layers
        flops |= {"conv": 0.0, "attention": 0.0, "delta": 0.0, "solve": 0.0}
        for letter in c.pattern:
            flops["mixers"] += 2.0 * mixer_matrices(c, letter)
            for part, value in mixing_flops(c, letter, length, causal).items():
                flops[part] += value
    return flops | {"total": sum(flops.values())}


def train_flops_per_token(config: ModelConfig, length: int) -> float:
    """Return training FLOPs per token at sequence length T: three times the causal forward pass, logits included."""
    return 3 * forward_flops(config, length)["total"]


def decode_flops(config: ModelConfig, length: int) -> float:
    """Return FLOPs to read one more token when the context, that token included, is ``length`` tokens."""
    c, d = config, config.d_model
    total = 2.0 * d * c.vocab_size
    if c.skeleton == "classic":
        return total + 16.0 * d * d * c.n_layers
    for letter in c.pattern:
        total += 2.0 * mixer_matrices(c, letter) + 6.0 * d * c.mlp_hidden
        total += 2.0 * conv_channels(c, letter) * c.conv_width
        if letter == "A":
            total += 4.0 * d * length
        elif letter in "DG":
            k, v = delta_dims(c, letter)
            total += 6.0 * c.n_heads * k * v
    return total


def state_bytes(config: ModelConfig, length: int, batch_size: int = 1, bytes_per_number: int = 4) -> int:
    """Return the bytes of the decoding state after ``length`` tokens (float32 unless told otherwise)."""
    c, numbers = config, 0
    for letter in c.pattern:
        numbers += conv_channels(c, letter) * (c.conv_width - 1)
        if c.skeleton == "classic":
            numbers += 2 * c.d_model
        elif letter == "A":
            numbers += 2 * length * c.d_model
        elif letter == "L":
            numbers += 2 * lstm_width(c)
        else:
            k, v = delta_dims(c, letter)
            numbers += c.n_heads * k * v
    return numbers * batch_size * bytes_per_number


def match(config: ModelConfig, non_embedding: int, tolerance: float = 0.03) -> ModelConfig:
    """Return ``config`` with ``mlp_width`` (block) or ``d_model`` (classic) solved for ``non_embedding`` parameters.

    Raises ValueError if no width comes within ``tolerance`` (relative).
    """
    c = config
    if c.skeleton == "classic":
        # L (8 D² + 4 D) + D = N
        a, b = 8 * c.n_layers, 4 * c.n_layers + 1
        width = max(1, round((math.sqrt(b * b + 4 * a * non_embedding) - b) / (2 * a)))
        field = "d_model"
    else:
        rest = parameters(c)["non_embedding"] - parameters(c)["mlps"]
        width = max(1, round((non_embedding - rest) / (3 * c.n_layers * c.d_model)))
        field = "mlp_width"
    solved = ModelConfig.model_validate(c.model_dump() | {field: width})
    got = parameters(solved)["non_embedding"]
    if abs(got - non_embedding) > tolerance * non_embedding:
        raise ValueError(
            f"cannot match {non_embedding} non-embedding parameters: the nearest {field}, {width}, gives {got}"
            f" ({got / non_embedding - 1:+.1%}, allowed ±{tolerance:.0%})"
        )
    return solved
