"""Products of queries and keys under a decay of its own for every channel, and their gradients.

    P_ij = sum_c q_ic k_jc e^{γ_ic - γ_jc} ,  j <= i          γ: running sum of log decays within the chunk

e^{γ_i} times e^{-γ_j} overflows where a channel forgets fast. Instead the triangle is cut into squares: the later half
of a block of 2b tokens meets the earlier half, both measured from the border between them,

    P_ij = sum_c (q_ic e^{γ_i - γ_border}) (k_jc e^{γ_border - γ_j})

so that every exponent is a sum of log decays, never positive, and what underflows is zero in the result as well. Blocks
double from 2 tokens to the chunk; their factors are products of the previous ones, so each decay sees one exp. Squares
of at least ``PRODUCT`` tokens are matrix products, smaller ones sums.
"""

import torch
from torch import Tensor

PRODUCT = 4


def halves(x: Tensor, b: int) -> tuple[Tensor, Tensor]:
    """``[N, M, C, K]`` -> the earlier and the later halves of its blocks of 2b, ``[N, M, C / 2b, b, K]`` (views)."""
    return x.unflatten(2, (-1, 2, b)).unbind(3)


def levels(factor: Tensor) -> list[Tensor]:
    """Return the factors of all squares of ``factor [N, M, C, K]``, for b = 1, 2, 4, ... below C two tensors each.

    First, for the later halves, the product from the border to the token, itself included; then, for the earlier
    halves, the product behind the token up to the border: both ``[N, M, C / 2b, b, K]``. The last two entries are
    e^{γ_i} and e^{γ_C - γ_i}, ``[N, M, C, K]``.
    """
    since, until, b, found = factor.clone(), torch.ones_like(factor), 1, []
    while b < factor.shape[2]:
        (first, second), early = halves(since, b), halves(until, b)[0]
        found += [second.clone(), early.clone()]
        early *= second[..., -1:, :]
        second *= first[..., -1:, :]
        b *= 2
    return [*found, since, until]


def squares(x: Tensor, b: int, size: int) -> Tensor:
    """``[N, M, rows of C, C]`` -> view of the squares below the border, ``[N, M, C / 2b, rows / C, b, b]``."""
    blocks = x.unflatten(3, (-1, 2 * b)).unflatten(2, (-1, size // (2 * b), 2 * b)).diagonal(dim1=3, dim2=5)
    return blocks[:, :, :, b:, :b].permute(0, 1, 5, 2, 3, 4)


def later(x: Tensor, b: int, size: int) -> Tensor:
    """Rows of all kinds behind the borders: ``[N, M, rows, K] -> view [N, M, C / 2b, rows / C, b, K]``."""
    return x.unflatten(2, (-1, size // (2 * b), 2, b))[:, :, :, :, 1].transpose(2, 3)


def products(left: Tensor, k: Tensor, factors: list[Tensor]) -> Tensor:
    """Return the decayed products ``[N, M, rows, C]`` of ``left [N, M, rows, K]`` with keys ``k [N, M, C, K]``.

    ``left`` holds the queries in its first C rows, whose products include the diagonal; more rows (a multiple of C)
    give products strictly below it. ``factors``: the squares' part of ``levels``.
    """
    size = k.shape[2]
    right = k.new_zeros(*left.shape[:3], size)
    right[:, :, :size].diagonal(dim1=2, dim2=3).copy_((left[:, :, :size] * k).sum(-1))
    for since, until in zip(factors[::2], factors[1::2], strict=True):
        b = since.shape[3]
        rows, keys = later(left, b, size) * since[:, :, :, None], halves(k, b)[0] * until
        if b < PRODUCT:
            block = (rows[..., None, :] * keys[:, :, :, None, None]).sum(-1)
        else:
            block = (rows.flatten(3, 4) @ keys.mT).view(*rows.shape[:-1], b)
        squares(right, b, size).copy_(block)
    return right


def add_gradients(d_left, d_k, d_decay, d_right, left, k, factors) -> None:
    """Add in place the gradients of ``left``, ``k`` and log decays ``[N, M, C, K]`` of ``products`` with ``d_right``.

    A token's decay counts in the pairs that it stands between: in a square, for the later half the rows from it on, for
    the earlier half the keys before it.
    """
    size = k.shape[2]
    diagonal = d_right[:, :, :size].diagonal(dim1=2, dim2=3)[..., None]
    d_k.addcmul_(diagonal, left[:, :, :size])
    d_left[:, :, :size].addcmul_(diagonal, k)
    for since, until in zip(factors[::2], factors[1::2], strict=True):
        b = since.shape[3]
        rows, keys = later(left, b, size) * since[:, :, :, None], halves(k, b)[0] * until
        block = squares(d_right, b, size)
        if b < PRODUCT:
            d_rows = (block[..., None] * keys[:, :, :, None, None]).sum(-2)
            d_keys = (block[..., None] * rows[..., None, :]).sum((3, 4))
        else:
            flat = block.flatten(3, 4)
            d_rows = (flat @ keys).view(rows.shape)
            d_keys = flat.mT @ rows.flatten(3, 4)
        later(d_left, b, size).addcmul_(d_rows, since[:, :, :, None])
        halves(d_k, b)[0].addcmul_(d_keys, until)
        early, late = halves(d_decay, b)
        late += (rows * d_rows).sum(3).flip(3).cumsum(3).flip(3)
        if b > 1:
            early[..., 1:, :] += (keys * d_keys)[..., :-1, :].cumsum(3)
