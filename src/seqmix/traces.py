"""What goes on inside a trained model while it reads one document: attention rows, gates, highlights.

One question about one document of the almanac, the same for every model: the picture. Beside it the measurements, over
many documents: how far the gates open at keys, at values and at the tokens of global sentences (``filler``), and which
methods point at the source of facts that were stated only once. (Where a fact was stated several times every statement
is a source, and no method can be blamed for choosing one.) Gates are an LSTM's input and forget gate, the write
strength beta of DeltaNet, and the decay of Gated DeltaNet.

``seqmix_study.runs.looking`` asks for all this from a process that does not load torch, and publishes it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmix import interpret as inside
from seqmix import models
from seqmix.config import RunConfig
from seqmix.interpret import Queries
from seqmix.models.lstm import LSTMLayer
from seqmix.models.recurrence import Recurrence

__all__ = ["CLASSES", "Gate", "by_class", "gates", "lstm_gates", "question", "trace"]

CLASSES = ("key", "value", "filler")
DOCUMENTS = 128
"""Held-out documents over which gates are averaged."""

QUESTIONS = 64
"""Questions for facts that were stated once, at most one a document."""

CANDIDATES = 512
"""Held-out documents among which questions are looked for (that of the picture in the other split)."""

CELLS = 3
"""Cells of a layer that are shown one by one: those whose gate changes most along the document."""

DIGITS = 3


class Gate(NamedTuple):
    """One kind of gate of one layer: ``open [n, T, units]``, between 0 (shut) and 1 (open; beta up to beta_scale)."""

    layer: int
    name: str
    unit: str
    open: Tensor


def classes_of(tokens: np.ndarray, offsets: dict[str, int]) -> np.ndarray:
    """Return the class of every token, an index into CLASSES (ranges of tokens in the order s r o k v)."""
    return np.where(tokens >= offsets["v"], 1, np.where(tokens >= offsets["k"], 0, 2))


def stated_once(windows: Any) -> np.ndarray:
    """Whether the token at each position stood in its document exactly once before, bool [n, T]."""
    equal = windows.inputs[:, :, None] == windows.inputs[:, None, :]
    return np.tril(equal, -1).sum(2) == 1


def question(source: Any) -> Queries:
    """Return one question [1]: the first test document that asks, in its last eighth, for what was said long before.

    Long before: between an eighth and a half of the window; and said once, so that there is one true source only. The
    rule knows no model: no picture is picked for its looks. Raises ValueError if no document fits.
    """
    windows = source.evaluation(CANDIDATES, split="test")
    length = windows.inputs.shape[1]
    asked = (windows.age >= length // 8) & (windows.age <= length // 2) & stated_once(windows)
    asked[:, : length - length // 8] = False
    rows, columns = np.nonzero(asked)
    if not len(rows):
        raise ValueError(f"no document of {source.name} asks near its end for a fact stated once, long before")
    row, at = rows[0], columns[0]
    parts = (windows.inputs[row], at, windows.targets[row, at], at - windows.age[row, at] + 1)
    return Queries(*(torch.from_numpy(np.asarray(part)[None]) for part in parts))


def questions(source: Any) -> Queries:
    """Return up to QUESTIONS questions in the second halves of documents for facts that were stated once."""
    windows = source.evaluation(CANDIDATES)
    clear = replace(windows, age=np.where(stated_once(windows), windows.age, 0))
    return inside.draw_queries(clear, QUESTIONS, torch.device("cpu"))


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
            found += [Gate(layer, "input", "cell", opened), Gate(layer, "forget", "cell", kept)]
        else:
            _, _, _, beta, log_decay, _, _ = module.project(x)
            found += [Gate(layer, "write", "head", beta)] if module.cell.erase else []
            found += [] if log_decay is None else [Gate(layer, "decay", "head", log_decay.exp())]
    return found


def by_class(found: list[Gate], classes: np.ndarray) -> list[dict]:
    """Return the mean of every gate over units and tokens of a class; ``classes [n, T]``. One dict a gate and class."""
    rows = []
    for gate in found:
        each = gate.open.mean(-1).double().cpu().numpy()
        for code, name in enumerate(CLASSES):
            at = classes == code
            if at.any():
                rows.append({"layer": gate.layer, "gate": gate.name, "class": name,
                             "mean": round(float(each[at].mean()), 5), "tokens": int(at.sum())})  # fmt: skip
    return rows


def _short(values: Tensor) -> list:
    """Return numbers with few digits, zeros as ``0``: these files are read over the network."""
    return [int(x) if x in (0, 1) else x for x in (round(float(v), DIGITS) for v in values.flatten())]


def _gate_rows(found: list[Gate], end: int) -> list[dict]:
    """Return every gate along the document: mean over its units, and the units that change most."""
    rows = []
    for gate in found:
        line = gate.open[0, : end + 1]
        most = line.std(0).argsort(descending=True)[:CELLS]
        units = [{"unit": int(u), "values": _short(line[:, u])} for u in most]
        rows.append({"layer": gate.layer, "gate": gate.name, "of": gate.unit, "count": line.shape[1],
                     "mean": _short(line.mean(1)), "units": units})  # fmt: skip
    return rows


def _attention(maps: list[Tensor], asked: Queries, right: Tensor) -> dict:
    """Return rows of all heads, the map of the head that is ``right [heads]`` most often, and the rollout."""
    end, per_layer, best = int(asked.position), maps[0].shape[1], int(right.argmax())
    rows = inside.head_rows(maps, asked)[0, :, : end + 1]
    rolled, chosen = inside.attention_rollout(maps)[0], torch.cat([weights[0] for weights in maps])[best]
    return {
        "heads": [{"layer": h // per_layer + 1, "head": h % per_layer + 1, "row": _short(row),
                   "right": round(float(right[h]), DIGITS)} for h, row in enumerate(rows)],
        "best": best,
        "map": [_short(chosen[t, : t + 1]) for t in range(end + 1)],
        "rollout": [_short(rolled[t, : t + 1]) for t in range(end + 1)],
    }  # fmt: skip


def _scores(model: torch.nn.Module, asked: Queries, random_like: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Return the scores [n, T] of every method that needs no attention."""
    return {
        "gradient_x_input": inside.gradient_x_input(model, asked),
        "integrated_gradients": inside.integrated_gradients(model, asked).abs(),
        "occlusion": inside.occlusion(model, asked, random_like),
    }


def _rollout(maps: list[Tensor], asked: Queries) -> Tensor:
    return inside.attention_rollout(maps)[torch.arange(len(asked)), asked.position]


@torch.no_grad()
def _answers(model: torch.nn.Module, asked: Queries) -> Tensor:
    """Return the model's probabilities of the token after each question, [n, W]."""
    return model(asked.inputs)[torch.arange(len(asked)), asked.position].softmax(-1)


def trace(model: torch.nn.Module, source: Any, config: RunConfig, whole: bool) -> dict:
    """Return what one model (in evaluation mode, on CPU) shows: run_id, arm, seed, and

    ``right``, ``probability``: whether and how surely the question of the picture is answered; ``highlights``: every
    method's scores of the positions before that question, divided by their largest size; ``classes``: see ``by_class``;
    ``once``: for facts stated once, the share of answered questions at whose source a method points. ``whole``: also
    the attention maps and the gates along the document, which are large.
    """
    asked, clear, almanac = question(source), questions(source), source.almanac
    random_like = inside.class_sampler(sorted(almanac.offsets.values()), almanac.vocab_size)
    chances = _answers(model, asked)[0]
    one, many = _scores(model, asked, random_like), _scores(model, clear, random_like)
    many["untrained"] = inside.gradient_x_input(models.build(config.model, seed=config.seed + 1000), clear)
    found = {
        "run_id": config.run_id,
        "arm": config.arm,
        "seed": config.seed,
        "right": bool(chances.argmax() == asked.answer[0]),
        "probability": round(float(chances[asked.answer[0]]), DIGITS),
    }
    if maps := inside.attention_maps(model, asked.inputs):
        others = inside.attention_maps(model, clear.inputs)
        shown = _attention(maps, asked, inside.right_heads(inside.head_rows(others, clear), clear).mean(0))
        one["attention_best_head"] = inside.head_rows(maps, asked)[:, shown["best"]]
        many["attention_best_head"] = inside.best_head(others, clear)
        one["rollout"], many["rollout"] = _rollout(maps, asked), _rollout(others, clear)
        found |= shown if whole else {}
    elsewhere = source.evaluation(DOCUMENTS).inputs
    found["classes"] = by_class(gates(model, torch.from_numpy(elsewhere)), classes_of(elsewhere, almanac.offsets))
    if whole and found["classes"]:
        found["gates"] = _gate_rows(gates(model, asked.inputs), int(asked.position))
    before = {method: score[0, : int(asked.position)] for method, score in one.items()}
    found["highlights"] = {method: _short(row / row.abs().max().clamp_min(1e-12)) for method, row in before.items()}
    answered = _answers(model, clear).argmax(-1) == clear.answer
    found["once"] = {
        "questions": len(clear),
        "answered": int(answered.sum()),
        "chance": round(float((2 / clear.position.double()).mean()), 5),
        "found": {
            method: round(float(inside.hits(score, clear)[answered].double().mean()), 5)
            for method, score in many.items()
            if answered.any()
        },
    }
    return found


def described(asked: Queries, almanac: Any, source: str) -> dict:
    """Return the question as plain data: tokens up to the question with readable names, where it was stated, answer."""
    tokens = asked.inputs[0, : int(asked.position) + 1].numpy()
    starts = sorted(almanac.offsets.items(), key=lambda pair: pair[1])
    name = lambda token: next(f"{letter}{token - low}" for letter, low in reversed(starts) if token >= low)  # noqa: E731
    return {
        "source": source,
        "tokens": [name(int(token)) for token in tokens],
        "classes": [CLASSES[code] for code in classes_of(tokens, almanac.offsets)],
        "position": int(asked.position),
        "stated": int(asked.source),
        "answer": name(int(asked.answer)),
    }
