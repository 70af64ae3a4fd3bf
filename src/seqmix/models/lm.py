"""The common skeleton: embedding -> L x [norm -> mixer -> norm -> SwiGLU] -> norm -> head; only the mixer differs.

Every mixer is a module ``mixer(x [B, T, D], state=None) -> (y, state)`` with ``initial_state(batch_size)``: without a
state it starts from nothing and returns None; with one it continues after it. A state is a tuple; where it has unused
room, its property ``tensors`` is what it holds. A mixer may add ``step(x [B, D], state)``, a shorter way for one token,
or ``decoder()``, which returns such a function over weights laid out for it (``decode.py``).
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import ModelConfig
from seqmix.mixers import mixer
from seqmix.models.generate import generate
from seqmix.models.layers import RMSNorm, SwiGLU


class State(NamedTuple):
    """What the model remembers: the number of tokens seen and one state a layer."""

    position: int
    layers: tuple

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All numbers held, for counting bytes."""
        held = (part for layer in self.layers for part in getattr(layer, "tensors", layer))
        return tuple(part for part in held if isinstance(part, Tensor))


class LanguageModel(nn.Module):
    """What the block skeleton and the classic LSTM share: embedding, head, states, generation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        if config.learned_positions:
            self.positions = nn.Embedding(config.max_length, config.d_model)
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        if not config.tie_embeddings:
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    @property
    def head_weight(self) -> Tensor:
        """The matrix ``[W, D]`` of the logits: the embedding's own when tied."""
        return self.embedding.weight if self.config.tie_embeddings else self.head.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits ``[B, T, W]`` for ``tokens [B, T]``; position t sees tokens 0..t."""
        return self.from_embeddings(self.embed(tokens))

    def from_embeddings(self, x: Tensor) -> Tensor:
        """Return logits ``[B, T, W]`` for embedded tokens ``[B, T, D]`` (attribution methods start here)."""
        return F.linear(self.hidden(x), self.head_weight)

    def embed(self, tokens: Tensor, position: int = 0) -> Tensor:
        """Return ``[B, T, D]``; ValueError where learned positions end."""
        x = self.embedding(tokens)
        if self.config.learned_positions:
            end = position + tokens.shape[1]
            if end > self.config.max_length:
                raise ValueError(f"learned positions end at {self.config.max_length}, asked for {end}")
            x = x + self.positions.weight[position:end]
        return x

    def hidden(self, x: Tensor) -> Tensor:
        """Return what the head sees, ``[B, T, D]``, for embedded tokens."""
        return self.norm(self.layers_forward(x, None)[0])

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first token."""
        return State(0, tuple(layer.initial_state(batch_size) for layer in self.layers))

    def prefill(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Continue after ``state`` with ``tokens [B, T]`` in parallel; return logits ``[B, T, W]`` and next state."""
        x, layers = self.layers_forward(self.embed(tokens, state.position), state.layers)
        logits = F.linear(self.norm(x), self.head_weight)
        return logits, State(state.position + tokens.shape[1], layers)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token a sequence, ``tokens [B]``; return logits ``[B, W]`` and the next state.

        The given state stays valid: continuing it twice gives two independent sequences. ``models.for_decoding`` gives
        a faster step of the same meaning.
        """
        logits, state = self.prefill(tokens[:, None], state)
        return logits[:, 0], state

    def generate(self, tokens: Tensor, new_tokens: int, temperature: float = 1.0, seed: int = 0) -> Tensor:
        """Return ``tokens [B, T]`` followed by ``new_tokens`` sampled ones; see ``generate.py``."""
        return generate(self, tokens, new_tokens, temperature, seed)

    def layers_forward(self, x: Tensor, states: tuple | None) -> tuple[Tensor, tuple]:
        """Run all layers on ``x [B, T, D]``; return the output and the layers' next states."""
        after = []
        for n, layer in enumerate(self.layers):
            x, state = layer(x, None if states is None else states[n])
            after.append(state)
        return x, tuple(after)


class Block(nn.Module):
    """One layer: mixer and SwiGLU, each with a norm and a residual path."""

    def __init__(self, config: ModelConfig, letter: str) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        self.mixer_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mixer = mixer(letter).build(config)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, state=None) -> tuple:
        if self.pre:
            y, state = self.mixer(self.mixer_norm(x), state)
            x = x + y
            return x + self.mlp(self.mlp_norm(x)), state
        y, state = self.mixer(x, state)
        x = self.mixer_norm(x + y)
        return self.mlp_norm(x + self.mlp(x)), state

    def initial_state(self, batch_size: int):
        return self.mixer.initial_state(batch_size)


class BlockLM(LanguageModel):
    """The skeleton with one mixer letter a layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(Block(config, letter) for letter in config.pattern)
