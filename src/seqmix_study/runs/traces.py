"""What goes on inside a trained model: attention while it reads one document, gates over many.

One question about one document of the almanac, the same for every model: the picture. Beside it, over many documents:
how far the gates open at keys, at values and at the tokens of global sentences (``filler``). Gates are an LSTM's input
and forget gate, the write strength beta of DeltaNet, and the decay of Gated DeltaNet.

``seqmix_study.runs.samples_and_traces`` asks for all this and publishes it.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmix.config import RunConfig
from seqmix.interpret import Queries, attention_maps, head_rows
from seqmix.models.lstm import LSTMLayer
from seqmix.models.recurrence import Recurrence

CLASSES = ("key", "value", "filler")
# Held-out documents over which gates are averaged.
DOCUMENTS = 128

# Held-out documents among which questions are looked for (that of the picture in the other split).
CANDIDATES = 512

DIGITS = 3


class Gate(NamedTuple):
    """One kind of gate of one layer: ``open [n, T, units]``, between 0 (shut) and 1 (open; beta up to beta_scale)."""

    layer: int
    name: str
    open: Tensor


def question(source: Any) -> Queries:
    """Return one question [1]: the first test document that asks, in its last eighth, for what was said long before.

    Long before: between an eighth and a half of the window; and said once, so that there is one true source only. The
    rule knows no model: no picture is picked for its looks. Raises ValueError if no document fits.
    """
    windows = source.evaluation(CANDIDATES, split="test")
    length = windows.inputs.shape[1]
    before = np.tril(windows.inputs[:, :, None] == windows.inputs[:, None, :], -1).sum(2)  # how often, in its document
    asked = (windows.age >= length // 8) & (windows.age <= length // 2) & (before == 1)
    asked[:, : length - length // 8] = False
    rows, columns = np.nonzero(asked)
    if not len(rows):
        raise ValueError(f"no document of {source.name} asks near its end for a fact stated once, long before")
    return Queries.at(windows, rows[:1], columns[:1])


def lstm_gates(layer: LSTMLayer, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return input and forget gate ``[n, T, width]`` of a layer that reads ``x [n, T, inputs]`` from its zero state."""
    before = torch.nn.functional.pad(layer(x)[0], (0, 0, 1, 0))[:, :-1]
    drive = x @ layer.input_weight.mT + layer.bias + before @ layer.recurrent_weight.mT
    i, f = drive.chunk(4, -1)[:2]
    return i.sigmoid(), f.sigmoid()


@torch.no_grad()
def gates(model: torch.nn.Module, inputs: Tensor) -> list[Gate]:
    """Return the gates of all recurrent layers while the model reads ``inputs [n, T]`` ([] if there are none)."""
    seen: list[tuple[torch.nn.Module, Tensor]] = []
    parts = [module for module in model.modules() if isinstance(module, LSTMLayer | Recurrence)]
    hooks = [part.register_forward_pre_hook(lambda module, args: seen.append((module, args[0]))) for part in parts]
    model(inputs)
    for hook in hooks:
        hook.remove()
    found = []
    for layer, (module, x) in enumerate(seen, 1):
        if isinstance(module, LSTMLayer):
            opened, kept = lstm_gates(module, x)
            found += [Gate(layer, "input", opened), Gate(layer, "forget", kept)]
        else:
            _, _, _, beta, log_decay, _, _ = module.project(x)
            found += [Gate(layer, "write", beta)] if module.cell.erase else []
            found += [] if log_decay is None else [Gate(layer, "decay", log_decay.exp())]
    return found


def by_class(found: list[Gate], classes: np.ndarray) -> list[dict]:
    """Return the mean of every gate over units and tokens of a class; ``classes [n, T]``. One dict a gate and class."""
    rows = []
    for gate in found:
        each = gate.open.mean(-1).double().cpu().numpy()
        for code, name in enumerate(CLASSES):
            at = classes == code
            if at.any():
                mean = round(float(each[at].mean()), 5)
                rows.append({"layer": gate.layer, "gate": gate.name, "class": name, "mean": mean})
    return rows


def _short(values: Tensor) -> list:
    """Return numbers with few digits, zeros as ``0``: these files are read over the network."""
    return [int(x) if x in (0, 1) else x for x in (round(float(v), DIGITS) for v in values.flatten())]


@torch.no_grad()
def trace(model: torch.nn.Module, source: Any, config: RunConfig, asked: Queries, whole: bool) -> dict:
    """Return what one model (in evaluation mode, on CPU) shows of a question: run_id, arm, seed, and

    ``right``: whether it is answered; ``classes``: see ``by_class``; where there is attention and ``whole``, ``heads``:
    the rows of the asking position, up to it.
    """
    at = int(asked.position)
    right = bool(model(asked.inputs)[0, at].argmax() == int(asked.answer))
    found = {"run_id": config.run_id, "arm": config.arm, "seed": config.seed, "right": right}
    if whole and (maps := attention_maps(model, asked.inputs)):
        rows, heads = head_rows(maps, asked)[0, :, : at + 1], maps[0].shape[1]
        places = [{"layer": h // heads + 1, "head": h % heads + 1} for h in range(len(rows))]
        found["heads"] = [place | {"row": _short(row)} for place, row in zip(places, rows, strict=True)]
    elsewhere, offsets = source.evaluation(DOCUMENTS).inputs, source.almanac.offsets
    classes = np.where(elsewhere >= offsets["v"], 1, np.where(elsewhere >= offsets["k"], 0, 2))  # indices into CLASSES
    return found | {"classes": by_class(gates(model, torch.from_numpy(elsewhere)), classes)}
