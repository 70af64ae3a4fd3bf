"""Sampling text: read the prompt in parallel, then one token at a time with the state."""

import torch
from torch import Tensor

from seqmix.models.decode import for_decoding


def generate(model, tokens: Tensor, new_tokens: int, temperature: float = 1.0, seed: int = 0) -> Tensor:
    """Return ``[B, T + new_tokens]``: the prompt ``tokens [B, T]``, T >= 1, and what the model says next.

    ``temperature`` 0 takes the most likely token. The same seed gives the same text on the same machine.
    """
    if tokens.shape[1] < 1 or new_tokens < 0 or temperature < 0:
        raise ValueError("generate needs a prompt of at least one token, new_tokens >= 0 and temperature >= 0")
    if new_tokens == 0:
        return tokens
    with torch.inference_mode():
        decoder = for_decoding(model)
        generator = torch.Generator(tokens.device).manual_seed(seed)
        logits, state = decoder.prefill(tokens, decoder.initial_state(tokens.shape[0]))
        new = [choose(logits[:, -1], temperature, generator)]
        for _ in range(new_tokens - 1):
            logits, state = decoder.step(new[-1], state)
            new.append(choose(logits, temperature, generator))
        new = torch.stack(new, 1)
    return torch.cat([tokens, new], 1)  # outside, so that the text may go into training


def choose(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Pick the next token ``[B]`` from ``logits [B, W]``."""
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1, generator=generator)[:, 0]
