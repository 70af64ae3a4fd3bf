"""Measurements of tasks that ask questions: accuracy by load and steps, and whether a run has solved its task."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from seqmix import data
from seqmix.config import RunConfig
from seqmix.data.base import IGNORE, Batch, Evaluation, Source
from seqmix.data.boxes import MAP_KEYS, MAP_SWAPS, unbound_accuracy, unmoved_accuracy

__all__ = ["accuracy", "boxes", "hits", "logits_of", "solved", "tracking"]

TOKENS_PER_CALL = 32_768

WINDOWS = 512
"""Test sequences of a cell, at most; two for every one of ``test_sequences``."""

POSITIONS = (1, 2, 3, 5, 9, 17, 29, 41, 49, 65, 81, 97, 129, 161, 193, 225, 257)
"""Edges lo <= position < hi of the measure ``tracking``: to 40, the usual length of training, and beyond."""


@torch.no_grad()
def logits_of(model: torch.nn.Module, inputs: np.ndarray, place: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Yield the logits [rows, T, W] of some windows at a time, with the slice of ``inputs [n, T]`` they belong to."""
    rows = max(1, TOKENS_PER_CALL // inputs.shape[1])
    for first in range(0, len(inputs), rows):
        some = slice(first, first + rows)
        yield some, model(torch.from_numpy(inputs[some]).to(place))


def hits(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray, place: torch.device) -> np.ndarray:
    """Return where the likeliest token is the target: [n, T] bool, False where the target is not scored (-100)."""
    said = [logits.argmax(-1).cpu().numpy() for _, logits in logits_of(model, inputs, place)]
    return np.concatenate(said) == targets


def accuracy(model: torch.nn.Module, windows: Batch, place: torch.device) -> float:
    """Return the share of the scored targets that are the model's likeliest token."""
    right = hits(model, windows.inputs, windows.targets, place).sum()
    return float(right / (windows.targets != IGNORE).sum())


def solved(model: torch.nn.Module, source: Source, config: RunConfig, step: int, place: torch.device) -> bool:
    """Return whether ``target_accuracy`` is reached after ``step``; the trainer asks every ``check_every`` steps.

    The sequences are those of no training step, no other check and no evaluation; what they are depends on the data
    seed and the step alone. Raises data.CorpusError for a source without questions.
    """
    model.eval()
    reached = accuracy(model, source.fresh(step, config.train.eval_sequences, config.data_seed), place)
    model.train()
    return reached >= config.train.target_accuracy


def tracking(model: torch.nn.Module, source: Source, config: RunConfig, place: torch.device) -> dict[str, list[dict]]:
    """Accuracy of a product of group elements by position, to six times the longest training sequence and more.

    The longest length at an accuracy of 0.9 is the last position of the bins that reach it without a gap.
    """
    _require(config, "tracking", data.GROUPS)
    longer = data.open_source(config.data.model_copy(update={"seq_len": POSITIONS[-1] - 1}))
    cell = {"task": source.name, "measure": "tracking", "load": 0, "chance": source.chance}
    return {"probes": _rows(cell, POSITIONS, longer.evaluation(_windows(config), "test"), model, place)}


def boxes(model: torch.nn.Module, source: Source, config: RunConfig, place: torch.device) -> dict[str, list[dict]]:
    """Accuracy of the task 'boxes' by keys and swaps so far, with the two lines of who does half of the task."""
    _require(config, "boxes", ("boxes",))
    rows = []
    for keys in MAP_KEYS:
        windows = source.cell(keys, MAP_SWAPS[-1] - 1, _windows(config), "test")
        cell = {"task": source.name, "measure": "boxes", "load": keys, "chance": source.chance}
        cell["unbound"] = unbound_accuracy(keys)
        for row in _rows(cell, MAP_SWAPS, windows, model, place):
            unmoved = np.mean([unmoved_accuracy(swaps) for swaps in range(row["lo"], row["hi"])])
            rows.append(row | {"unmoved": float(unmoved)})
    return {"probes": rows}


def _windows(config: RunConfig) -> int:
    return min(WINDOWS, 2 * config.train.test_sequences)


def _require(config: RunConfig, measure: str, sources: tuple[str, ...]) -> None:
    if config.data.source not in sources:
        raise data.CorpusError(f"measure {measure!r} needs source {' or '.join(sources)}, not {config.data.source!r}")


def _rows(
    cell: dict, edges: tuple[int, ...], windows: Evaluation, model: torch.nn.Module, place: torch.device
) -> list[dict]:
    """Return one row a bin of ``windows.steps``."""
    right = hits(model, windows.inputs, windows.targets, place)
    rows = []
    for lo, hi in pairwise(edges):
        asked = (windows.targets != IGNORE) & (windows.steps >= lo) & (windows.steps < hi)
        rows.append(cell | {"lo": lo, "hi": hi, "accuracy": float(right[asked].mean()), "count": int(asked.sum())})
    return rows
