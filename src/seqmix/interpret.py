"""Looking inside: which earlier tokens does a prediction rest on, and is what a method highlights true?

On the almanac the truth is known: a value stated before rests on its earlier statements, and on nothing else. Every
method scores all earlier positions of a query; it is right when its first choice is the key or the value of one of
those statements (``recall_at_1``; ``chance`` is their share of the positions). Faithfulness: the loss rises by
``deletion`` nats when the highlighted tokens are replaced by random ones of the same class, by ``deletion_random`` at
random positions.

Methods: gradient x input, integrated gradients (Sundararajan et al. 2017), occlusion; for attention layers also raw
weights (the best head, chosen on other queries). ``untrained`` repeats gradient x input with freshly drawn weights
(Adebayo et al. 2018): a method that still looks right there explains nothing. The gradient methods are a few sums,
written out here so that a machine that only trains needs nothing else; a test holds them equal to captum's
(Kokhlikyan et al. 2020).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqmix import models
from seqmix.config import RunConfig

QUERIES = 192
PATH_STEPS = 16
"""Points on the straight path of integrated gradients."""


class Queries(NamedTuple):
    """``n`` questions about documents ``inputs [n, T]``: at ``position`` a key stands, ``answer`` is its value.

    ``source``: position of the value in the last statement of that key (its key stands one before).
    """

    inputs: Tensor
    position: Tensor
    answer: Tensor
    source: Tensor

    def __len__(self) -> int:
        return len(self.position)

    @classmethod
    def at(cls, windows: Any, rows: np.ndarray, columns: np.ndarray, place: str | torch.device = "cpu") -> "Queries":
        """Return the questions that stand in ``windows`` at rows and columns [n], each about a value said before."""
        source = columns - windows.age[rows, columns] + 1
        arrays = (windows.inputs[rows], columns, windows.targets[rows, columns], source)
        return cls(*(torch.from_numpy(np.ascontiguousarray(array)).to(place) for array in arrays))


def draw_queries(windows: Any, count: int, place: torch.device) -> Queries:
    """Pick one mentioned value a document, in the second half, so that many earlier positions compete."""
    half = windows.inputs.shape[1] // 2
    rng, rows, columns = np.random.default_rng(11), [], []
    for row in range(len(windows)):
        asked = half + np.flatnonzero(windows.age[row, half:] > 0)
        if len(asked) and len(rows) < count:
            rows.append(row)
            columns.append(rng.choice(asked))
    return Queries.at(windows, np.array(rows), np.array(columns), place)


def answer_loss(model: torch.nn.Module, queries: Queries, embedded: Tensor) -> Tensor:
    """Return the loss of each answer, nats [n], from embedded documents [n, T, D]."""
    logits = model.from_embeddings(embedded)
    rows = torch.arange(len(queries), device=embedded.device)
    return F.cross_entropy(logits[rows, queries.position].float(), queries.answer, reduction="none")


def _gradient(model: torch.nn.Module, queries: Queries, embedded: Tensor) -> Tensor:
    embedded = embedded.detach().requires_grad_()
    (grad,) = torch.autograd.grad(answer_loss(model, queries, embedded).sum(), embedded)
    return grad


def gradient_x_input(model: torch.nn.Module, queries: Queries) -> Tensor:
    """Return |gradient . embedding| of every position, [n, T]."""
    embedded = model.embed(queries.inputs).detach()
    return (_gradient(model, queries, embedded) * embedded).sum(-1).abs()


def integrated_gradients(model: torch.nn.Module, queries: Queries, steps: int = PATH_STEPS) -> Tensor:
    """Return the signed effect on the loss of every position, [n, T], on the path from the mean embedding.

    Completeness: the sum over positions is the loss at the document minus the loss at the baseline (midpoint rule).
    """
    embedded = model.embed(queries.inputs).detach()
    baseline = model.embedding.weight.detach().mean(0).expand_as(embedded)
    total = torch.zeros_like(embedded)
    for k in range(steps):
        total += _gradient(model, queries, baseline + (k + 0.5) / steps * (embedded - baseline))
    return ((embedded - baseline) * total / steps).sum(-1)


@torch.no_grad()
def occlusion(model: torch.nn.Module, queries: Queries, random_like: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the rise of the loss when one position is replaced by a random token of its class, [n, T]."""
    base = answer_loss(model, queries, model.embed(queries.inputs))
    scores = torch.zeros(queries.inputs.shape, device=base.device)
    for t in range(int(queries.position.max()) + 1):
        changed = queries.inputs.clone()
        changed[:, t] = random_like(changed[:, t])
        scores[:, t] = answer_loss(model, queries, model.embed(changed)) - base
    return scores


@torch.no_grad()
def attention_maps(model: torch.nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return the weights [n, H, T, T] of every attention layer (an empty list if there is none)."""
    maps: list[Tensor] = []
    handles = [
        layer.mixer.register_forward_pre_hook(lambda module, args: maps.append(module.weights(args[0])))
        for layer in model.layers
        if hasattr(getattr(layer, "mixer", None), "weights")
    ]
    model(inputs)
    for handle in handles:
        handle.remove()
    return maps


def head_rows(maps: list[Tensor], queries: Queries) -> Tensor:
    """Return the attention row of every query in every head, [n, heads of all layers, T]."""
    rows = torch.arange(len(queries), device=queries.position.device)
    return torch.cat([weights[rows, :, queries.position] for weights in maps], 1)


def best_head(maps: list[Tensor], queries: Queries) -> Tensor:
    """Return the row [n, T] of the head that is right most often on the *other* half of the queries."""
    heads = head_rows(maps, queries)
    rows = torch.arange(len(queries), device=heads.device)
    right = torch.stack([hits(heads[:, h], queries) for h in range(heads.shape[1])], 1).float()  # [n, heads]
    halves = rows % 2 == 0
    best = torch.where(halves, right[~halves].mean(0).argmax(), right[halves].mean(0).argmax())
    return heads[rows, best]


def sources(queries: Queries) -> Tensor:
    """Return where the key and the value of every earlier statement of the asked fact stand, bool [n, T].

    A fact does not change within a document, so that each of its statements is a true source of the answer.
    """
    before = torch.arange(queries.inputs.shape[1], device=queries.inputs.device) < queries.position[:, None]
    keys = (queries.inputs == queries.inputs.gather(1, queries.position[:, None])) & before
    return keys | (F.pad(keys, (1, 0))[:, :-1] & before)


def hits(scores: Tensor, queries: Queries) -> Tensor:
    """Whether the highest score before the query lies on one of its ``sources``, bool [n]."""
    first = _before(scores, queries).argmax(1, keepdim=True)
    return sources(queries).gather(1, first)[:, 0]


def _top_two(scores: Tensor, queries: Queries) -> Tensor:
    return _before(scores, queries).topk(2, 1).indices


def _before(scores: Tensor, queries: Queries) -> Tensor:
    """Return scores [n, T] with those from the query on at minus infinity: they cannot be chosen."""
    positions = torch.arange(scores.shape[1], device=scores.device)
    return scores.masked_fill(positions >= queries.position[:, None], -torch.inf)


@torch.no_grad()
def _deletion(model, queries: Queries, chosen: Tensor, random_like: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the rise of each loss when the positions ``chosen [n, 2]`` hold random tokens of their class, [n]."""
    base = answer_loss(model, queries, model.embed(queries.inputs))
    changed = queries.inputs.clone().scatter_(1, chosen, random_like(queries.inputs.gather(1, chosen)))
    return answer_loss(model, queries, model.embed(changed)) - base


def class_sampler(offsets: list[int], vocab_size: int, seed: int = 5) -> Callable[[Tensor], Tensor]:
    """Return a function that replaces tokens by random ones of the same range (``offsets``: starts of the ranges)."""
    generator = torch.Generator().manual_seed(seed)
    bounds = torch.tensor([*offsets, vocab_size])

    def random_like(tokens: Tensor) -> Tensor:
        cls = torch.bucketize(tokens.cpu().contiguous(), bounds, right=True) - 1
        low, size = bounds[cls], bounds[cls + 1] - bounds[cls]
        return (low + (torch.rand(tokens.shape, generator=generator) * size).long()).to(tokens.device)

    return random_like


def inside(model: torch.nn.Module, source: Any, config: RunConfig, place: torch.device) -> dict[str, list[dict]]:
    """Score every method on the same queries; one row a method, score and set of queries (all, or answered rightly)."""
    queries = draw_queries(source.evaluation(4 * QUERIES), QUERIES, place)
    random_like = class_sampler(source.classes, source.vocab_size)
    scores = {
        "gradient_x_input": gradient_x_input(model, queries),
        "integrated_gradients": integrated_gradients(model, queries).abs(),
        "occlusion": occlusion(model, queries, random_like),
    }
    if maps := attention_maps(model, queries.inputs):
        scores["attention_best_head"] = best_head(maps, queries)
    fresh = models.build(config.model, seed=config.seed + 1000).to(place)
    scores["untrained"] = gradient_x_input(fresh, queries)
    with torch.no_grad():
        logits = model(queries.inputs)[torch.arange(len(queries), device=place), queries.position]
    right = logits.argmax(-1) == queries.answer
    generator, table = torch.Generator().manual_seed(13), []
    for method, score in scores.items():
        anywhere = _top_two(torch.rand(score.shape, generator=generator).to(place), queries)
        values = {
            "recall_at_1": hits(score, queries),
            "deletion": _deletion(model, queries, _top_two(score, queries), random_like),
            "deletion_random": _deletion(model, queries, anywhere, random_like),
            "chance": sources(queries).double().sum(1) / queries.position,
        }
        for name, asked in (("all", torch.ones_like(right)), ("right", right)):
            if asked.any():
                table += [_row(method, f"{key}_{name}", value[asked].double()) for key, value in values.items()]
    return {"inside": table}


def _row(method: str, score: str, values: Tensor) -> dict:
    se = float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0
    return {"method": method, "score": score, "value": float(values.mean()), "se": se, "queries": len(values)}
