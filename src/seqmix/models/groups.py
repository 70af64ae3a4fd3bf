"""Parameter groups for the optimiser: what scales with width, and what decays."""

from torch import nn

from seqmix.config import ModelConfig
from seqmix.mixers import weight_of


def parameter_groups(model: nn.Module, lr: float, lr_width: int, weight_decay: float) -> list[dict]:
    """Return AdamW's groups, each with ``name``, ``params``, ``lr``, ``initial_lr`` and ``weight_decay``.

    ``hidden``: the matrices of the layers, with learning rate lr * lr_width / D (lr if lr_width is 0; Yang et al. 2022,
    table 8) and weight decay. ``embedding``: embeddings and head, lr, no decay. ``other``: norm gains, biases, decays
    and convolution filters, whose fan-in does not grow with D: lr, no decay.
    """
    members: dict[str, list] = {"hidden": [], "embedding": [], "other": []}
    for name, parameter in model.named_parameters():
        members[group_of(model.config, name, parameter.dim())].append(parameter)
    hidden_lr = lr * lr_width / model.config.d_model if lr_width else lr
    groups = []
    for name, params in members.items():
        rate, decay = (hidden_lr, weight_decay) if name == "hidden" else (lr, 0.0)
        if params:
            groups.append({"name": name, "params": params, "lr": rate, "initial_lr": rate, "weight_decay": decay})
    return groups


def group_of(config: ModelConfig, name: str, dimensions: int) -> str:
    """Return the group of one parameter: what its mixer's descriptor says, or by its number of dimensions."""
    if not name.startswith("layers."):
        return "embedding" if dimensions == 2 else "other"
    weight = weight_of(config, name)
    return (weight and weight.group) or ("hidden" if dimensions == 2 else "other")
