"""Unigram and bigram lines: what counting alone reaches on held-out tokens."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

__all__ = ["ngram_losses"]

STRENGTH = 1.0
"""Pseudo-tokens of the unigram distribution added to every bigram context (add-k smoothing towards the unigram)."""

_PIECE = 1 << 22


def ngram_losses(train: np.ndarray, valid: np.ndarray, vocab_size: int) -> dict[str, float]:
    """Return held-out nats per token of a unigram (add one) and a bigram model counted on ``train``.

    p(b) = (c_b + 1) / (n + W);  p(b | a) = (c_ab + k p(b)) / (c_a + k) with k = STRENGTH.
    ``train`` and ``valid`` are one stream [n], or windows [n, T+1] whose rows do not follow each other.
    """
    pairs = sparse.csr_array((vocab_size, vocab_size), dtype=np.int64)
    for before, after in _pieces(train):
        pairs += sparse.coo_array((np.ones(len(after), np.int64), (before, after)), pairs.shape).tocsr()
    counts, contexts = pairs.sum(0), pairs.sum(1)
    unigram = (counts + 1) / (counts.sum() + vocab_size)
    losses, total = np.zeros(2), 0
    for before, after in _pieces(valid):
        bigram = (pairs[before, after] + STRENGTH * unigram[after]) / (contexts[before] + STRENGTH)
        losses -= np.log(unigram[after]).sum(), np.log(bigram).sum()
        total += len(after)
    return {"unigram": float(losses[0] / total), "bigram": float(losses[1] / total)}


def _pieces(tokens: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield neighbours (a, b) as flat int64 arrays of bounded size."""
    if tokens.ndim == 2:
        yield tokens[:, :-1].ravel().astype(np.int64), tokens[:, 1:].ravel().astype(np.int64)
        return
    for start in range(0, len(tokens) - 1, _PIECE):
        piece = tokens[start : start + _PIECE + 1].astype(np.int64)
        yield piece[:-1], piece[1:]
