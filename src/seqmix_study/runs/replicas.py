"""Several models of one shape as one: every parameter has a replica axis R in front, ``[R, ...]``.

Row r is the memory of model r's own parameter: what an optimiser does to a model, it does to its replica.

The skeleton and the mixers are the ordinary ones (``models/``): they see a batch of R x B sequences, replica by
replica. Only the parts that hold parameters are exchanged for twins that use replica r's parameters for its rows.
Names stay.

A mixer's descriptor says whether it can be stacked (``mixers.unshared``): PyTorch's LSTM kernels cannot.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.mixers import unshared
from seqmix.models.conv import ShortConv
from seqmix.models.layers import RMSNorm
from seqmix.models.lm import BlockLM


def rows_of(x: Tensor, count: int) -> Tensor:
    """``[R B, ...] -> [R, B, ...]``."""
    return x.unflatten(0, (count, -1))


def spread(vector: Tensor, dimensions: int) -> Tensor:
    """``[R, n] -> [R, 1, ..., 1, n]`` with ``dimensions`` axes: a replica's vector beside its rows."""
    return vector.view(vector.shape[0], *[1] * (dimensions - 2), vector.shape[1])


class Stack(nn.Module):
    """The same part of all models, whose only parameter ``weight`` is stacked ``[R, ...]``."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.eps = getattr(parts[0], "eps", 0.0)  # a norm's
        self.weight = nn.Parameter(torch.stack([part.weight.detach() for part in parts]))

    @property
    def count(self) -> int:
        return self.weight.shape[0]


class LinearStack(Stack):
    """``x [R B, ..., in] -> [R B, ..., out]``, one batched product."""

    def forward(self, x: Tensor) -> Tensor:
        out = torch.bmm(x.reshape(self.count, -1, x.shape[-1]), self.weight.mT)
        return out.view(*x.shape[:-1], -1)


class EmbeddingStack(Stack):
    """``tokens [R B, T] -> [R B, T, D]`` from one table of R vocabularies."""

    def forward(self, tokens: Tensor) -> Tensor:
        first = torch.arange(self.count, device=tokens.device) * self.weight.shape[1]
        shifted = rows_of(tokens, self.count) + first[:, None, None]
        return F.embedding(shifted.flatten(0, 1), self.weight.flatten(0, 1))


class NormStack(Stack):
    """RMSNorm over the last axis; half precision is computed in float32."""

    def forward(self, x: Tensor) -> Tensor:
        wide = rows_of(x.to(self.weight.dtype), self.count)
        scale = (wide.square().mean(-1, keepdim=True) + self.eps).rsqrt()
        return (wide * scale * spread(self.weight, wide.dim())).flatten(0, 1).to(x.dtype)


class ConvStack(Stack):
    """The short convolution from an empty context."""

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        taps, time = self.weight.shape[-1], x.shape[1]
        padded = rows_of(F.pad(x, (0, 0, taps - 1, 0)), self.count)
        weight = self.weight.to(x.dtype)
        y = padded[:, :, :time] * spread(weight[..., 0], 4)
        for tap in range(1, taps):
            y = torch.addcmul(y, padded[:, :, tap : tap + time], spread(weight[..., tap], 4))
        return y.flatten(0, 1), None


# Parts that hold parameters, and what takes their place.
STACKS = {nn.Linear: LinearStack, nn.Embedding: EmbeddingStack, RMSNorm: NormStack, ShortConv: ConvStack}


class Replicas(BlockLM):
    """``models`` (ordinary, of one configuration) as one: ``tokens [R B, T] -> logits [R B, T, W]``.

    Raises ValueError for what cannot be stacked, with the reason.
    """

    def __init__(self, models: Sequence[BlockLM]) -> None:
        config = models[0].config
        if reason := unshared(config):
            raise ValueError(f"runs of pattern {config.pattern} cannot train as one ensemble: {reason}")
        super().__init__(config)
        exchange(self, models)
        unstacked = [name for name, p in self.named_parameters() if p.shape[1:] != models[0].get_parameter(name).shape]
        if unstacked:
            raise ValueError(
                f'no replica form for {unstacked[0]}: say so in the descriptor of its mixer, ensemble="why not"'
            )
        self.rows = [(stack, [m.get_parameter(name) for m in models]) for name, stack in self.named_parameters()]
        for stack, own in self.rows:
            for parameter, row in zip(own, stack.data, strict=True):
                parameter.data = row

    @property
    def count(self) -> int:
        """R."""
        return self.embedding.count

    def from_embeddings(self, x: Tensor) -> Tensor:
        """Return logits ``[R B, T, W]``; see ``LanguageModel.from_embeddings``."""
        x = self.hidden(x)
        return torch.bmm(x.reshape(self.count, -1, x.shape[-1]), self.head_weight.mT).view(*x.shape[:-1], -1)

    def hand_over_gradients(self) -> None:
        """Make each model's gradients views of the replicas' own, which start anew."""
        for stack, own in self.rows:
            for parameter, gradient in zip(own, stack.grad, strict=True):
                parameter.grad = gradient
            stack.grad = None


def exchange(whole: nn.Module, models: Sequence[nn.Module]) -> None:
    """Put stacks of ``models``' parts in the place of ``whole``'s own, all the way down."""
    for name, part in whole.named_children():
        parts = [getattr(model, name) for model in models]
        if type(part) in STACKS:
            setattr(whole, name, STACKS[type(part)](parts))
        else:
            exchange(part, parts)
    if type(whole).__module__.startswith("torch."):
        return  # PyTorch's own layers know nothing of replicas
    for name, _ in list(whole.named_parameters(recurse=False)):  # a mixer's own vectors, see ``layers.beside``
        setattr(whole, name, nn.Parameter(torch.stack([getattr(model, name).detach() for model in models])))
