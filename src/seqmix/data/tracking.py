"""State tracking: the product so far of random elements of a group, asked for at every position.

    data:  {source: s3, seq_len: 40}                       # or parity, sum_mod5, a5
    train: {steps: 3000, batch_size: 32, target_accuracy: 0.95}
    evaluate: [tracking]                                   # accuracy by position, to 256

The elements of each group are permutations p (p[x] is where x goes), numbered in the order of ``elements``. A factor
acts after what is there, *old then factor*: new[x] = factor[old[x]]. So ``table[old, factor]`` is new, token i is
element i, and the target at position t is the product of the factors 1..t.

    s3       the six permutations of 3 in lexicographic order: 012 021 102 120 201 210
    inputs   1 2 2 4        targets  1 3 1 5        (021, then 102, is 120: 0 goes to 0 to 1, 1 to 2 to 2, 2 to 1 to 0)

parity and sum_mod5 commute and could be counted; s3 is solvable and not commutative; a5 is the smallest group that is
not solvable, and as hard to follow as anything in NC^1: unless TC^0 = NC^1, no fixed number of Transformer layers does
so at every length (Liu et al. 2023, arXiv 2210.10749; Merrill, Petty & Sabharwal 2024, arXiv 2404.08819). A
linear recurrence needs eigenvalues below zero even for parity (Grazzi et al. 2025, arXiv 2411.12537).
"""

import itertools
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from seqmix.data.base import IGNORE, Batch, CorpusError, Task, generator, sha256_of

__all__ = ["GROUPS", "SHORTEST", "Product", "elements", "table_of"]

VERSION = 1

GROUPS = ("parity", "sum_mod5", "s3", "a5")

SHORTEST = 3
"""Fewest factors of a training sequence."""


def elements(name: str) -> list[tuple[int, ...]]:
    """Return the permutations of a group, the identity first.

    Rotations x -> x + k for parity (of 2) and sum_mod5 (of 5), all of 3 for s3, the even ones of 5 for a5.
    """
    if name in ("parity", "sum_mod5"):
        size = {"parity": 2, "sum_mod5": 5}[name]
        return [tuple((x + k) % size for x in range(size)) for k in range(size)]
    if name == "s3":
        return list(itertools.permutations(range(3)))
    return [p for p in itertools.permutations(range(5)) if _is_even(p)]


def _is_even(p: tuple[int, ...]) -> bool:
    return sum(p[i] > p[j] for i, j in itertools.combinations(range(len(p)), 2)) % 2 == 0


@cache
def table_of(name: str) -> np.ndarray:
    """Return the multiplication table, ``table[old, factor]``: [G, G] int64."""
    known = elements(name)
    number = {p: i for i, p in enumerate(known)}
    rows = [[number[tuple(factor[x] for x in old)] for factor in known] for old in known]
    return np.array(rows)


@dataclass
class Product(Task):
    """Tokens 0..G-1 are factors, drawn uniformly; G is the padding of sequences shorter than T, which is not scored.

    Training sequences have 3..T factors, every length as often; evaluation windows have T. ``steps`` is the number of
    factors, the position from 1. Chance is 1 / G at all positions but the first, where the product is the factor.
    """

    table: np.ndarray = field(default_factory=lambda: table_of("parity"), repr=False)

    @classmethod
    def open(cls, name: str, seq_len: int) -> "Product":
        if seq_len < SHORTEST:
            raise CorpusError(f"{name}: training sequences have {SHORTEST} factors or more; raise seq_len {seq_len}")
        table = table_of(name)
        size = len(table)
        return cls(name, sha256_of(version=VERSION, task=name), size + 1, seq_len, chance=1 / size, table=table)

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        return self._padded(generator("train", seed, step), batch_size)

    def fresh(self, step: int, n: int, seed: int) -> Batch:
        return self._padded(generator("fresh", seed, step), n)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        factors = rng.integers(0, len(self.table), (n, self.seq_len))
        products = factors.copy()
        for t in range(1, self.seq_len):
            products[:, t] = self.table[products[:, t - 1], factors[:, t]]
        steps = np.broadcast_to(np.arange(1, self.seq_len + 1), factors.shape)
        return factors, products, np.zeros_like(factors), steps

    def _padded(self, rng: np.random.Generator, n: int) -> Batch:
        inputs, targets, _, steps = self.draw(rng, n)
        beyond = steps > rng.integers(SHORTEST, self.seq_len + 1, (n, 1))
        inputs[beyond], targets[beyond] = len(self.table), IGNORE
        return Batch(inputs, targets)
