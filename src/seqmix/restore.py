"""Trained weights, read back only if they still give the loss that their record states.

A change of the model's code can keep every tensor's shape and change what it means (which two dimensions a rotary
position turns, say). Such weights load without an error and speak nonsense; here they are refused.
"""

import math
from typing import Any

import torch

from seqmix import checkpoint, evaluate, models
from seqmix.config import RunConfig
from seqmix.record import RunFolder

__all__ = ["TOLERANCE", "StaleWeightsError", "restore"]

TOLERANCE = 0.02
"""Largest relative difference of the held-out loss; rounding in bfloat16 stays far below it."""


class StaleWeightsError(ValueError):
    """The weights were written by another version of the model; the message names the folder."""


def restore(config: RunConfig, folder: RunFolder, source: Any, device: str | torch.device = "cpu") -> torch.nn.Module:
    """Return the trained model of a finished run, for evaluation, after one look at its held-out loss.

    ``source``: the run's opened corpus. Raises StaleWeightsError, or checkpoint.CheckpointError for a damaged file.
    """
    place = torch.device(device)
    model = models.build(config.model, seed=config.seed).to(place)
    model.load_state_dict(checkpoint.load_weights(folder.weights, str(place)))
    metrics = folder.metrics()
    stated = metrics.get("loss_valid", metrics.get("loss", math.nan))
    now = evaluate.held_out(model, source.evaluation(config.train.eval_sequences), place)["loss"]
    if math.isfinite(stated) and not abs(now - stated) <= TOLERANCE * max(abs(stated), 0.1):
        raise StaleWeightsError(
            f"the weights in {folder.path} give a loss of {now:.4f} where their record says {stated:.4f}: they were "
            "written by another version of the model; delete that folder and train the run again"
        )
    return model.eval()
