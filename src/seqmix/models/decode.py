"""Decoding on CPU: the same step as ``LanguageModel.step``, in the fewest calls and with matrices laid out for it.

One token is one vector: a step reads every weight once and is done, so it costs what memory costs, plus the calls. CPU
libraries multiply a vector 2 to 3 times faster when the matrix lies column by column (``W.t()`` contiguous) than in
PyTorch's own layout, which is the better one for many tokens at once; and in a small model the calls cost as much as
the products. Hence a copy of the weights, and blocks as plain functions over them.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.models.layers import columns


class Decoder:
    """A read-only companion of ``model`` with ``initial_state``, ``prefill`` and ``step`` of equal meaning and values.

    Holds a second copy of the layers' and the head's weights; changes of the model after building do not reach it.
    Use it under ``torch.no_grad`` or ``torch.inference_mode``.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.initial_state, self.prefill = model.initial_state, model.prefill
        self.head = columns(model.head_weight)
        with torch.no_grad():
            self.steps = [
                block_step(layer) if hasattr(layer, "mixer") else laid_out(layer).step for layer in model.layers
            ]

    @torch.no_grad()
    def step(self, tokens: Tensor, state) -> tuple:
        """Read ``tokens [B]``; return logits ``[B, W]`` and the next state."""
        model, layers = self.model, []
        x = model.embed(tokens[:, None], state.position)[:, 0]
        for step, before in zip(self.steps, state.layers, strict=True):
            x, after = step(x, before)
            layers.append(after)
        return torch.mm(model.norm(x), self.head), type(state)(state.position + 1, tuple(layers))


def for_decoding(model: nn.Module) -> "Decoder | nn.Module":
    """Return what decodes ``model`` fastest: a ``Decoder`` on CPU in full precision, elsewhere the model itself."""
    weight = model.head_weight
    return Decoder(model) if weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64) else model


def laid_out(module: nn.Module) -> nn.Module:
    """Return a copy of ``module`` whose matrices keep their shape and lie column by column."""
    module = copy.deepcopy(module).requires_grad_(False)
    for name, parameter in module.named_parameters():
        if parameter.dim() == 2 and "conv" not in name:
            parameter.data = columns(parameter).t()
    return module


def block_step(block: nn.Module) -> Callable:
    """Return ``(x [B, D], state) -> (x, state)`` for one block: norms and MLP as plain calls, the mixer's own step."""
    mixer = block.mixer.decoder() if getattr(block.mixer, "decoder", None) else mixer_step(laid_out(block.mixer))
    first, second = block.mixer_norm, block.mlp_norm
    up, down = columns(block.mlp.up.weight), columns(block.mlp.down.weight)
    shape, eps = first.weight.shape, first.eps
    gains = first.weight.detach(), second.weight.detach()
    rms_norm, mm, silu = torch.rms_norm, torch.mm, F.silu

    def mlp(x: Tensor) -> Tensor:
        gate, value = mm(x, up).chunk(2, -1)
        return mm(silu(gate).mul_(value), down)

    def pre(x: Tensor, state) -> tuple:
        y, state = mixer(rms_norm(x, shape, gains[0], eps), state)
        x = x + y
        return x.add_(mlp(rms_norm(x, shape, gains[1], eps))), state

    def post(x: Tensor, state) -> tuple:
        y, state = mixer(x, state)
        x = rms_norm(x + y, shape, gains[0], eps)
        return rms_norm(x + mlp(x), shape, gains[1], eps), state

    return pre if block.pre else post


def mixer_step(mixer: nn.Module) -> Callable:
    """Return the mixer's own step, or its form for T = 1."""
    if hasattr(mixer, "step"):
        return mixer.step

    def step(x: Tensor, state) -> tuple:
        y, state = mixer(x[:, None], state)
        return y[:, 0], state

    return step
