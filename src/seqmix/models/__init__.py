"""The model families: one skeleton, one mixer a file, all built from a ``ModelConfig``.

Reading order: ``lm.py`` (skeleton), ``seqmix/mixers`` (what is registered), then the mixers ``attention.py``,
``recurrence.py`` with ``delta_rule.py`` (the equations), ``lstm.py``; ``initialise.py`` says how weights start.
``reference.py`` holds the slow float64 twins.

>>> model = build(ModelConfig(pattern="DDAD", d_model=64, n_heads=4))
>>> logits = model(tokens)                            # [B, T] -> [B, T, W]
>>> state = model.initial_state(batch_size=1)
>>> logits, state = model.step(tokens[:, 0], state)   # [B] -> [B, W]
"""

import torch
from torch import nn

from seqmix.config import ModelConfig
from seqmix.models.classic import ClassicLSTM
from seqmix.models.decode import for_decoding
from seqmix.models.groups import parameter_groups
from seqmix.models.initialise import initialise
from seqmix.models.lm import BlockLM

__all__ = ["build", "for_decoding", "parameter_groups"]


def build(config: ModelConfig, seed: int = 0) -> nn.Module:
    """Build the language model of ``config`` with weights that depend on ``seed`` and each parameter's name alone."""
    with torch.random.fork_rng(devices=[]):  # PyTorch's modules draw weights of their own, to be replaced below
        model = (BlockLM if config.skeleton == "block" else ClassicLSTM)(config)
    initialise(model, config, seed)
    return model
