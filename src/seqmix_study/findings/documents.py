"""The founding documents under the microscope: their own numbers recomputed, no training needed.

``documents_numbers.yaml`` holds the numbers that the documents print, ``documents.yaml`` the checks: expressions in
these numbers, and the arithmetic in words. Each returns a ``Flaw``: whether the slip is really there (``holds``,
computed), the numbers, and the lines. A check that finds nothing wrong says so (``holds=False``): a fair microscope
also clears.

    from seqmix_study.findings import documents as flaws
    flaws.check("halving_paradox").lines
"""

import math
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import yaml
from scipy import special, stats


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(resources.files("seqmix_study.findings").joinpath(name).read_text(encoding="utf-8"))


PRINTED, CHECKS = _read("documents_numbers.yaml"), _read("documents.yaml")


@dataclass(frozen=True)
class Flaw:
    """The outcome of one check. ``numbers`` are plain floats by name; ``lines`` is the arithmetic, a step a line."""

    name: str
    document: int
    title: str
    holds: bool
    numbers: dict[str, float]
    lines: tuple[str, ...]
    lesson: str

    @property
    def arithmetic(self) -> str:
        """The steps in one sentence."""
        return "; ".join(self.lines)


def check(name: str) -> Flaw:
    """Run one check; raises KeyError naming the known ones."""
    if name not in CHECKS:
        raise KeyError(f"no check named {name!r}; known: {', '.join(CHECKS)}")
    entry = CHECKS[name]
    known = {**vars(math), **globals(), **PRINTED}
    for key, expression in {**entry.get("with", {}), **entry["numbers"]}.items():
        known[key] = eval(expression, known)  # expressions of our own file
    numbers = {key: float(known[key]) for key in entry["numbers"]}
    lines = tuple(line.format_map(known) for line in entry["lines"])
    return Flaw(name, entry["document"], entry["title"], bool(eval(entry["holds"], known)), numbers, lines,
                entry["lesson"])  # fmt: skip


def gain(winner: float, loser: float, base: str) -> float:
    """Return the gain in percent with the ``winner`` or the ``loser`` as the base."""
    return 100 * (loser - winner) / {"winner": winner, "loser": loser}[base]


def base_of(said: float, winner: float, loser: float) -> str:
    """Return the base, winner or loser, whose gain comes nearest to what is said."""
    return min(("winner", "loser"), key=lambda base: abs(gain(winner, loser, base) - said))


def order_statistics(count: int) -> np.ndarray:
    """Return the expected order statistics of ``count`` standard normal values, smallest first."""
    return stats.order_statistic(stats.Normal(), r=np.arange(1, count + 1), n=count).mean()


def layers_from_throughput(tokens_per_second: float) -> float:
    """Return the attention layers (of 12) that a throughput belongs to: time a token is linear in the count."""
    none, all_ = 1 / PRINTED["THROUGHPUT"][0], 1 / PRINTED["THROUGHPUT"][12]
    return 12 * (none - 1 / tokens_per_second) / (none - all_)


def recurrent_parameters(width_in: int, hidden: int, maps: int) -> int:
    """Return the parameters of a PyTorch recurrent layer: ``maps`` (input, hidden, two biases); 1 Elman, 4 LSTM."""
    return maps * (hidden * (width_in + hidden) + 2 * hidden)


def encoder_parameters(width: int, mlp: int) -> int:
    """Return the parameters of nn.TransformerEncoderLayer: attention, MLP and two norms, with biases."""
    return 4 * (width * width + width) + (2 * width * mlp + mlp + width) + 4 * width


def softmax_of_random_scores(widths: tuple[int, ...]) -> tuple[dict[int, float], float]:
    """Return the spread of random products over the root of each width, and how far attention is from its formula."""
    rng, spread, error = np.random.default_rng(0), {}, 0.0
    for width in widths:
        query, key, value = (rng.normal(size=(256, width)) for _ in range(3))
        scores = query @ key.T / math.sqrt(width)
        spread[width] = float(scores.std())
        weights = special.softmax(scores, axis=1)
        by_hand = np.array([sum(w * v for w, v in zip(row, value, strict=True)) for row in weights[:4]])
        error = max(error, float(np.abs(weights.sum(1) - 1).max()), float(np.abs(weights[:4] @ value - by_hand).max()))
    return spread, error
