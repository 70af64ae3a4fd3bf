"""Intervals of a surface fit: what residuals share is estimated, drawn anew on the same design, and refitted.

A run's loss is law + misfit of its size + misfit of its token count (+ of its budget, in an IsoFLOP table) + the rest.
A badly tuned size is off at every number of tokens, so rows are not independent: resampling rows gives intervals of
alpha that cover half of the time. The variances come from the residuals (MINQUE; with repeated levels iterated, which
is REML); sizes that hardly repeat share in bands of ln N with random edges. Every draw refits, so intervals of derived
quantities (the compute-optimal exponent) need no formula. ``tools/fit_coverage.py`` counts how often they hold.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from seqmix_study.findings.fits.huber import SQUARES, Problem

#: Values of N (or D, C) within this many e-folds are one level.
SAME = 0.02
#: What a law that fails for few tokens leaves in the residuals.
FEW = ("few tokens", "shortest quarter")
#: Distances in ln C over which budgets are looked for, widest first.
GAPS = (0.8, 0.4, 0.2, 0.1)
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

    def columns(self, scale: np.ndarray) -> np.ndarray:
        """U [n, offsets * groups]: a unit variance of the groups gives the rows the covariance U U'."""
        one = np.concatenate([np.eye(self.labels.max() + 1)[row] for row in self.labels], 1)
        return scale[:, None] * one / np.sqrt(len(self.labels))

    def sample(self, draws: int, rng: np.random.Generator, own: int = OWN) -> np.ndarray:
        """Unit normal misfits [draws, n]; a scale drawn for each stands for the few groups they are known from.

        ``own``: parameters of the fit that take what a group shares for their own.
        """
        groups = int(self.labels.max()) + 1
        free = max((groups if self.repeated else groups - 1) - own, 1)
        values = rng.standard_normal((draws, groups)) * np.sqrt(free / rng.chisquare(free, draws))[:, None]
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


def budgets(c: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Number the budgets that a designer made in FLOPs ``c`` [n], from the smallest; -1 for rows in none.

    A budget has three sizes or more, and lies at least twice its own width (and a tenth) from every other row. Where
    not half of the rows are in budgets there is no such design: neighbours in a scattered table are no budget.
    """
    order = np.argsort(c)
    logs = np.log(c[order])
    first = np.full(len(c), -1)  # the position of a budget's first row names it
    for gap in GAPS:
        start = np.flatnonzero(np.append(True, np.diff(logs) > gap))
        end = np.append(start[1:], len(logs)) - 1
        group = np.repeat(np.arange(len(start)), end - start + 1)
        good = (logs[end] - logs[start] <= gap / 2)[group] & (first < 0)
        first = np.where(good, start[group], first)
    size = levels(n[order])
    for one in np.unique(first[first >= 0]):
        rows = first == one
        if len(np.unique(size[rows])) < 3:
            first[rows] = -1
    if (first >= 0).sum() < len(c) / 2:
        first[:] = -1
    label = np.full(len(c), -1)
    label[order] = np.where(first < 0, -1, np.searchsorted(np.unique(first[first >= 0]), first))
    return label


def parts(n: np.ndarray, d: np.ndarray) -> list[Part]:
    """Sizes, token counts, and budgets where the table has them."""
    found = [*misfits("sizes", n), *misfits("token counts", d)]
    budget = budgets(n * d, n)
    return [*found, Part("budgets", budget[None], True)] if (budget >= 0).all() else found


def misfits(name: str, values: np.ndarray) -> list[Part]:
    """The values' levels where they repeat, else bands of two widths, their edges at four places."""
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
) -> dict[str, dict[str, float]]:
    """Does the law fail for few tokens, or bend, more than misfits of sizes and budgets explain?

    Columns are added to the least-squares fit: "few tokens" (a term in 1 / D), "shortest quarter" (its rows lie off
    alike), and, beyond these two, "bend" (ln D squared, cubed, and the product with ln N). For each the "ratio" of what
    they explain to its 99 % quantile in draws without them (above one: seen), and the share "explained" of the
    variance; of "few tokens" also its "nats" at the fewest tokens, and the "most" that may be. A law that fails for few
    tokens is mostly absorbed by beta: a test of many directions at once does not see the rest, so each is asked alone.
    """
    x, y = problem.x, problem.y
    squares = Problem(problem.form, x, y, problem.log_loss, SQUARES)
    here = squares.minimise(best[None])[0][0]
    model, law = (v[0] for v in squares.model(here[None]))
    few = np.stack([np.exp(-model) * d.min() / d, np.where(d <= np.quantile(d, 0.25), 1.0, 0.0)], 1)
    bend = np.stack([y * y, y**3, x * y], 1)
    asked = {FEW[0]: (law, few[:, :1]), FEW[1]: (law, few[:, 1:]), "bend": (np.concatenate([law, few], 1), bend)}
    if len(n) <= len(best) + 7:
        return {name: {"ratio": 0.0, "explained": 0.0, "nats": 0.0, "most": 0.0} for name in asked}
    null = Shared(squares, here, n, d, np.concatenate([few, bend], 1))
    white = np.linalg.inv(np.linalg.cholesky(null.covariance()))
    start = _start(null, few[:, 0], white)
    white = white if null.repeated else np.eye(len(n))
    seen = np.concatenate([null.residual[None], null.noise(draws, rng)]) @ white.T
    known = np.linalg.qr(white @ law)[0]
    total = max(float(np.square(seen[0] - known @ (known.T @ seen[0])).sum()), 1e-300)
    out = {}
    for name, (base, columns) in asked.items():
        known, columns = np.linalg.qr(white @ base)[0], white @ columns
        basis = np.linalg.qr(columns - known @ (known.T @ columns))[0]
        value = np.square(seen @ basis).sum(1)
        ratio, share = value[0] / max(np.quantile(value[1:], 0.99), 1e-300), value[0] / total
        out[name] = {"ratio": float(ratio), "explained": float(share)}
    out[FEW[0]] |= dict(zip(("nats", "most"), start, strict=True))
    return out


def _start(null: Shared, few: np.ndarray, white: np.ndarray) -> tuple[float, float]:
    """A start that takes its own time, S / D: the nats at the fewest tokens that fit best, and the most that may be.

    ``few`` is one nat of it in ln L; ``white`` makes residuals independent with a variance of one. Starts of many sizes
    are taken off the losses; those whose squares exceed the least by four (two standard errors) are excluded. None is
    below zero.
    """
    squares, law = null.problem, null.slope[:, : len(null.best)]
    along = np.linalg.pinv(white @ np.column_stack([law, few]))[-1]
    sizes = np.linspace(0, max(along @ white @ null.residual, 0) + 4 * np.linalg.norm(along), 41)
    share = np.maximum(1 - sizes[:, None] * few * np.exp(-null.residual), 0.5)
    left = squares.log_loss + np.log(share)
    model, slope = squares.model(squares.minimise(np.tile(null.best, (len(sizes), 1)), None, left, 300, 1e-10)[0])
    known = np.linalg.qr(white @ (slope * share[:, :, None]))[0]
    seen = ((left - model) * share) @ white.T
    seen -= np.einsum("rnk,rmk,rm->rn", known, known, seen, optimize=True)
    value = np.square(seen).sum(1)
    return float(sizes[np.argmin(value)]), float(sizes[value <= value.min() + 4].max())
