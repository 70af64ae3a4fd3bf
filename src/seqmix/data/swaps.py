"""Counterfactual documents of the almanac: one earlier fact is changed, everything else stays.

For a query (the second or later mention of a key) every earlier statement of that key gets another value. A model that
uses the fact moves its prediction at the query from the old value to the new one: a causal measure of recall, by
distance, the same for every architecture.
"""

from dataclasses import dataclass

import numpy as np

from seqmix.data.base import check_split, generator
from seqmix.data.synthetic import AlmanacSource

__all__ = ["Swaps", "swaps"]


@dataclass(frozen=True)
class Swaps:
    """``n`` pairs of documents, [n, T] int64, and one query each ([n] int64).

    The logits at ``position`` (where the key stands) predict the value: ``old`` in ``inputs``, ``new`` in ``swapped``.
    ``age``: tokens since the last earlier mention.
    """

    inputs: np.ndarray
    swapped: np.ndarray
    position: np.ndarray
    old: np.ndarray
    new: np.ndarray
    age: np.ndarray


def swaps(source: AlmanacSource, n: int, split: str = "valid") -> Swaps:
    """Return ``n`` swaps, the same for everyone; queries are drawn so that octaves of age are about equally frequent.

    Raises ValueError if documents are too short to mention a key twice.
    """
    almanac, length = source.almanac, source.seq_len
    key_range = almanac.offsets["k"], almanac.offsets["k"] + almanac.keys
    rng = generator("swap", *check_split(split).encode())
    found: list[tuple] = []
    tried = 0
    while len(found) < n:
        if tried > 100 * n + 1000:
            raise ValueError(f"documents of {length} tokens hardly ever mention a key twice; raise seq_len")
        tried += 64
        tokens = almanac.sample(64, length + 1, rng)
        for document in tokens:
            if (query := _choose(document, key_range, rng)) is not None and len(found) < n:
                found.append(_swap(document, query, almanac, rng))
    columns = [np.stack(column) for column in zip(*found, strict=True)]
    return Swaps(*(column.astype(np.int64) for column in columns))


def _choose(document: np.ndarray, key_range: tuple[int, int], rng: np.random.Generator) -> int | None:
    """Return the position of a key that was mentioned before, or None; log2 of the age is drawn first."""
    at = np.flatnonzero((document[:-1] >= key_range[0]) & (document[:-1] < key_range[1]))
    order = np.argsort(document[at], kind="stable")
    same = document[at[order]][1:] == document[at[order]][:-1]
    queries, ages = at[order][1:][same], np.diff(at[order])[same]
    if not len(queries):
        return None
    octave = np.log2(ages).astype(int)
    candidates = queries[octave == rng.choice(np.unique(octave))]
    return int(rng.choice(candidates))


def _swap(document: np.ndarray, query: int, almanac, rng: np.random.Generator) -> tuple:
    first = almanac.offsets["v"]
    earlier = np.flatnonzero(document[:query] == document[query])
    old = document[earlier[0] + 1]
    new = first + (old - first + rng.integers(1, almanac.values)) % almanac.values
    swapped = document.copy()
    swapped[earlier + 1] = new
    return document[:-1], swapped[:-1], query, old, new, query - earlier[-1]
