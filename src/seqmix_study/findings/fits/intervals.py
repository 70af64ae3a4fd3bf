"""Intervals of a surface fit: what residuals share is estimated, drawn anew on the same design, and refitted.

A run's loss is law + misfit of its size + misfit of its token count (+ of its budget, in an IsoFLOP table) + the rest.
A badly tuned size is off at every number of tokens, so rows are not independent: resampling rows gives intervals of
alpha that cover half of the time. The variances come from the residuals (MINQUE; with repeated levels iterated, which
is REML); sizes that hardly repeat share in bands of ln N with random edges. Every draw refits, so intervals of derived
quantities (the compute-optimal exponent) need no formula. ``coverage.py`` measures how often they hold the truth.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from seqmix_study.findings.fits.huber import SQUARES, Problem

__all__ = ["BUDGET", "Shared", "levels", "structure", "variances"]

#: Values of N (or D, C) within this many e-folds are one level.
SAME = 0.02
#: The same for compute: D is rounded to whole batches.
BUDGET = 0.06
#: Widths of the bands for values that hardly repeat, in parts of their range.
BANDS = (6, 12)
OFFSETS = 4
#: Parameters that see a size only through its own level: amplitude, exponent, floor.
OWN = 3


@dataclass(frozen=True)
class Part:
    """A misfit that rows share: ``labels`` [offsets, n] numbers the groups, a row for each offset of the bands."""

    name: str
    labels: np.ndarray
    repeated: bool  # levels that repeat, in contrast to bands

    @property
    def groups(self) -> int:
        return int(self.labels.max()) + 1

    def columns(self, scale: np.ndarray) -> np.ndarray:
        """U [n, offsets * groups]: a unit variance of the groups gives the rows the covariance U U'."""
        one = np.concatenate([np.eye(self.groups)[row] for row in self.labels], 1)
        return scale[:, None] * one / np.sqrt(len(self.labels))

    def sample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Unit normal misfits [draws, n]; a scale drawn for each stands for the few groups they are known from."""
        free = max((self.groups if self.repeated else self.groups - 1) - OWN, 1)
        values = rng.standard_normal((draws, self.groups)) * np.sqrt(free / rng.chisquare(free, draws))[:, None]
        return np.take_along_axis(values, self.labels[rng.integers(0, len(self.labels), draws)], 1)


def levels(values: np.ndarray, same: float = SAME) -> np.ndarray:
    """Number the values [n] from the smallest, those within ``same`` e-folds of the first of a level as one."""
    logs = np.log(values)
    known, edges = np.unique(logs), []
    at = 0
    while at < len(known):
        edges.append(known[at])
        at = int(np.searchsorted(known, known[at] + same, "right"))
    return np.searchsorted(edges, logs, "right") - 1


def parts(n: np.ndarray, d: np.ndarray) -> list[Part]:
    """Sizes, token counts, and budgets where the table has a few of them."""
    found = [*_parts("sizes", n), *_parts("token counts", d)]
    budget = levels(n * d, BUDGET)
    return [*found, Part("budgets", budget[None], True)] if budget.max() + 1 <= len(n) / 4 else found


def _parts(name: str, values: np.ndarray) -> list[Part]:
    label = levels(values)
    if label.max() + 1 <= min(len(values) / 2.5, 40):
        return [Part(name, label[None], True)]
    place = np.log(values / values.min()) / max(np.log(values.max() / values.min()), 1e-12)
    return [
        Part(name, np.stack([np.floor(place * width + step / OFFSETS).astype(int) for step in range(OFFSETS)]), False)
        for width in BANDS
    ]


def variances(residual: np.ndarray, slope: np.ndarray, columns: list[np.ndarray], rounds: int) -> np.ndarray:
    """Variances of the parts and of the rest, not negative, from residuals [n] of a fit with derivatives [n, p].

    Quadratic forms are set equal to their expectations (MINQUE). The first round weighs rows alike; each further round
    uses the variances just found, which converges to REML where the parts are the right ones.
    """
    n = len(residual)
    total = max(float(residual @ residual), 1e-300)
    inverse = np.eye(n)
    for _ in range(rounds):
        base = inverse @ slope
        project = inverse - base @ np.linalg.pinv(slope.T @ base) @ base.T
        seen = [project @ u for u in columns]
        target = [float(np.square(s.T @ residual).sum()) for s in seen]
        target.append(float(np.square(project @ residual).sum()))
        size = len(columns) + 1
        moments = np.empty((size, size))
        for i, s in enumerate(seen):
            moments[i, :-1] = [np.square(s.T @ u).sum() for u in columns]
            moments[i, -1] = moments[-1, i] = np.square(s).sum()
        moments[-1, -1] = np.square(project).sum()
        unit = np.sqrt(np.diag(moments))
        found = nnls(moments / unit[:, None] / unit, np.array(target) / unit)[0] / unit
        if rounds > 1:
            cover = sum(v * (u @ u.T) for v, u in zip(found, columns, strict=False))
            inverse = np.linalg.inv(cover + (found[-1] + 1e-6 * total / n) * np.eye(n))
    return found


class Shared:
    """The covariance of the residuals of one fit, and draws from it (all in ln L; misfits are alike in nats)."""

    def __init__(
        self, problem: Problem, best: np.ndarray, n: np.ndarray, d: np.ndarray, extra: np.ndarray | None = None
    ) -> None:
        model, slope = problem.model(best[None])
        self.problem, self.best, self.model = problem, best, model[0]
        self.residual, self.slope = problem.log_loss - model[0], slope[0]
        self.scale = np.exp(-self.model)  # one nat of misfit is this much in ln L
        self.parts = parts(n, d)
        if extra is not None:  # whether a law holds along D is not asked of residuals that D may share
            self.parts = [part for part in self.parts if part.name != "token counts"]
            self.slope = np.concatenate([self.slope, extra], 1)
        self.repeated = all(part.repeated for part in self.parts if part.name != "budgets")
        self.columns = [part.columns(self.scale) for part in self.parts]
        found = variances(self.residual, self.slope, self.columns, 6 if self.repeated else 1)
        least = 1e-3 * float(np.mean(self.residual**2)) + 1e-24
        self.variance, self.rest = found[:-1], max(float(found[-1]), least)

    def deviations(self) -> dict[str, float]:
        """Standard deviation of what each part shares, nats, and of the rest."""
        out = {part.name: 0.0 for part in self.parts}
        for part, v in zip(self.parts, self.variance, strict=True):
            out[part.name] += float(v)
        out["rows"] = self.rest / float(np.mean(self.scale)) ** 2
        return {name: float(np.sqrt(v)) for name, v in out.items()}

    def covariance(self) -> np.ndarray:
        cover = self.rest * np.eye(len(self.residual))
        for v, u in zip(self.variance, self.columns, strict=True):
            cover += v * (u @ u.T)
        return cover

    def noise(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """New residuals [draws, n]: shared misfits, and each row's own deviation with a random sign.

        The fit passes through about as many rows as it has parameters; their deviations are lent by other rows.
        """
        shared = np.concatenate([u * np.sqrt(v) for u, v in zip(self.columns, self.variance, strict=True)], 1)
        inner = shared.T @ shared + self.rest * np.eye(shared.shape[1])
        own = np.abs(self.residual - shared @ np.linalg.solve(inner, shared.T @ self.residual))
        k, n = self.slope.shape[1], len(own)
        order = np.argsort(own)
        rows = np.tile(own, (draws, 1))
        rows[:, order[:k]] = rng.choice(own[order[k:]], (draws, k))
        rows *= np.sqrt(self.rest / max(float(np.mean(rows**2)), 1e-300))
        rows *= rng.choice([-1.0, 1.0], (draws, n)) * np.sqrt((n - k) / rng.chisquare(n - k, draws))[:, None]
        for part, v in zip(self.parts, self.variance, strict=True):
            if v > 0:
                rows += np.sqrt(v) * self.scale * part.sample(draws, rng)
        return rows

    def refits(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Parameters [draws, p] of the law fitted to drawn tables."""
        responses = self.model + self.noise(draws, rng)
        return self.problem.minimise(np.tile(self.best, (draws, 1)), None, responses, 40, 1e-5)[0]


def structure(
    problem: Problem, best: np.ndarray, n: np.ndarray, d: np.ndarray, rng: np.random.Generator, draws: int = 500
) -> tuple[float, float, float]:
    """Does the law bend along D, or along N and D together, more than misfits of sizes and budgets explain?

    Three columns (ln D squared, cubed, and the product with ln N) are added to the least-squares fit. Returns their
    statistic over its 99 % quantile under draws without them, the p-value, and the share of the residual's variance
    they explain. A law that fails for few tokens is absorbed by beta; what is left shows here.
    """
    x, y = problem.x, problem.y
    squares = Problem(problem.form, x, y, problem.log_loss, SQUARES)
    here = squares.minimise(best[None])[0][0]
    null = Shared(squares, here, n, d, np.stack([y * y, y**3, x * y], 1))
    k = len(best)
    if len(n) <= null.slope.shape[1] + 2:
        return 0.0, 1.0, 0.0
    cover = np.linalg.inv(null.covariance()) if null.repeated else np.eye(len(n))
    gram = np.linalg.pinv(null.slope.T @ cover @ null.slope)
    gain = (gram @ null.slope.T @ cover)[k:]
    weight = np.linalg.pinv(gram[k:, k:])
    fitted = np.concatenate([null.residual[None], null.noise(draws, rng)]) @ gain.T
    value = np.einsum("bi,ij,bj->b", fitted, weight, fitted)
    basis = np.linalg.qr(null.slope)[0]
    before = null.residual - (q := np.linalg.qr(null.slope[:, :k])[0]) @ (q.T @ null.residual)
    left = before - basis @ (basis.T @ before)
    explained = 1 - float(left @ left) / max(float(before @ before), 1e-300)
    p = (1 + int((value[1:] >= value[0]).sum())) / (draws + 1)
    return float(value[0] / max(np.quantile(value[1:], 0.99), 1e-300)), p, explained
