"""The rate law of an arm: log2 rate* = c0 + c1 log2 N + c2 log2 D, fitted to sweeps, its error told as regret."""

import math
from dataclasses import dataclass

import numpy as np

from seqmix_study.runs.bracket import Optimum, step_of


@dataclass(frozen=True)
class Swept:
    """One cell with its own sweep: ``parameters`` N (non-embedding), training ``tokens`` D, and the optimum."""

    parameters: int
    tokens: int
    optimum: Optimum


@dataclass(frozen=True)
class RateLaw:
    """``coefficients`` c0, c1, c2, and the sweeps that it is held against (those it was fitted to, and checks)."""

    coefficients: tuple[float, float, float]
    cells: tuple[Swept, ...]

    def step(self, parameters: int, tokens: int) -> int:
        """Return the grid step of the predicted rate."""
        return step_of(2 ** self.octaves(parameters, tokens))

    def octaves(self, parameters: int, tokens: int) -> float:
        """Return log2 of the predicted rate."""
        c0, c1, c2 = self.coefficients
        return c0 + c1 * math.log2(parameters) + c2 * math.log2(tokens)

    def loss(self, cell: Swept) -> float:
        """Return what a cell with its own sweep would lose at the law's rate, rounded to the grid, nats."""
        octaves = (self.step(cell.parameters, cell.tokens) - cell.optimum.vertex) / 2
        return max(0.0, cell.optimum.curvature) * octaves**2

    def error(self, tokens: int) -> tuple[float, float]:
        """Return regret and its upper bound, nats, for a cell that relies on the law at this length of training.

        The worst sweep of at most twice and at least half the tokens decides (of all, where there is none so near).
        """
        near = [cell for cell in self.cells if abs(math.log2(cell.tokens / tokens)) <= 1] or list(self.cells)
        lost = [self.loss(cell) for cell in near]
        return max(lost), max(loss + cell.optimum.regret_hi for cell, loss in zip(near, lost, strict=True))


def fit(cells: list[Swept], checks: list[Swept] = [], refit: float = math.inf) -> RateLaw:  # noqa: B006 never changed
    """Fit the law by least squares; an axis on which all cells agree gets no slope.

    ``checks`` are sweeps at the corners of the grid, which the law was not fitted to; where one of them would lose
    more than ``refit`` nats, the law is fitted to them as well.
    """
    law = RateLaw(_coefficients(cells), (*cells, *checks))
    if any(law.loss(check) > refit for check in checks):
        return RateLaw(_coefficients([*cells, *checks]), law.cells)
    return law


def _coefficients(cells: list[Swept]) -> tuple[float, float, float]:
    n, d = np.log2([cell.parameters for cell in cells]), np.log2([cell.tokens for cell in cells])
    vary = [len(set(axis.tolist())) > 1 for axis in (n, d)]
    columns = [np.ones_like(n)] + [axis for axis, varies in zip((n, d), vary, strict=True) if varies]
    fitted, *_ = np.linalg.lstsq(np.stack(columns, axis=1), [cell.optimum.vertex / 2 for cell in cells], rcond=None)
    values = iter(fitted.tolist())
    return next(values), next(values) if vary[0] else 0.0, next(values) if vary[1] else 0.0
