"""Find the best learning rate of one cell: a bracket that widens until the best trial is interior, then a parabola.

Pure: from the losses known so far to the trials that are still needed, or to the optimum. So a search that was killed
goes on from the records of its trials, and gives what an uninterrupted one gives. Rates stand on a grid of half
octaves: rate(k) = 2^(k/2); distances are in octaves (a factor of two).
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

# Grid step at which a search without any prediction begins: rate 2^-7 = 0.0078.
START = -14

# Ends of the grid: rates from 6.1e-5 to 0.71.
LOWEST, HIGHEST = -28, -1

# Loss over the best one that a diverged trial, or one that is worse still, counts with in a parabola, nats.
DIVERGED = 1.0

CONFIDENCE = 0.9
DRAWS = 4000

# Grid step and seed.
Trial = tuple[int, int]


def rate(step: int) -> float:
    """Return the learning rate of a grid step, six digits."""
    return float(f"{2 ** (step / 2):.6g}")


def step_of(value: float) -> int:
    """Return the grid step nearest to a rate."""
    return min(HIGHEST, max(LOWEST, round(2 * math.log2(value))))


@dataclass(frozen=True)
class Optimum:
    """Where a search ended. ``curvature``: nats per squared octave; ``regret``: of the rate ``used``, nats."""

    used: int
    vertex: float
    where: str
    curvature: float
    regret: float
    regret_hi: float

    @property
    def rate(self) -> float:
        """The rate to train with: a trial's own, nearest to the lowest point."""
        return rate(self.used)


def search(
    known: dict[Trial, float], margin: float, start: int = START, fine: bool = True, span: int = 2, twice: bool = False
) -> list[Trial] | Optimum:
    """Return the trials that must be run next, or the optimum once all that are needed are known.

    ``known``: trial -> loss on the validation split, nats; infinity if it diverged; below nought where a task was
    solved, the sooner the lower (``known.Outcome.score``). ``margin``: the difference, nats, that the study wants to
    see: half-octave trials are added where the parabola is steeper than a quarter of it an octave squared. ``fine``: a
    full search, with half octaves and a second seed around the best; else three points that confirm a prediction
    (widened until the best is interior), with ``twice`` a second seed around it. ``span``: octaves that the first
    trials cover; tasks that are solved at some rates and not at all at others need a wide look before a narrow one.
    """
    start = min(HIGHEST - 1 - span, max(LOWEST + span, start))
    steps = set(range(start - span, start + span + 1, 2))
    while True:
        if missing := [(k, 0) for k in sorted(steps) if (k, 0) not in known]:
            return missing
        best = _best(known, steps)
        edges = (best - 2, min(steps)), (best + 2, max(steps))
        if wider := {k for k, edge in edges if best == edge and LOWEST <= k <= HIGHEST}:
            steps |= wider
            continue
        if not fine:
            found = _optimum(known, steps, best)
            nearest = round(found.vertex)
            if found.regret > margin / 8 and nearest not in steps:
                steps.add(nearest)
                continue
            if not twice:
                return found
        near = [k for k in (best - 1, best + 1) if LOWEST <= k <= HIGHEST and k not in steps]
        if fine and near and _curvature(known, steps, best) > margin / 4:
            steps |= set(near)
            continue
        for again in (False, True):  # the second seed may move the best: then it is asked around that as well
            around = _neighbours(steps, best)
            if missing := [(k, 1) for k in around if (k, 1) not in known]:
                return missing
            same = _best(known, set(around)) == best or len(around) < 3
            if (min(steps) < best < max(steps)) if again else same:
                return _optimum(known, steps, best)
            best = _best(known, steps)


def _loss(known: dict[Trial, float], step: int) -> float:
    losses = [loss for (k, _), loss in known.items() if k == step]
    return sum(losses) / len(losses)


def _best(known: dict[Trial, float], steps: set[int]) -> int:
    return min(sorted(steps), key=lambda k: _loss(known, k))


def _neighbours(steps: set[int], best: int) -> list[int]:
    """Return the best step between the tried ones next to it."""
    ordered = sorted(steps)
    at = ordered.index(best)
    return ordered[max(0, at - 1) : at + 2]


def _curvature(known: dict[Trial, float], steps: set[int], best: int) -> float:
    """Return the second coefficient of the parabola through the best trial and its neighbours, nats an octave²."""
    around = _neighbours(steps, best)
    if len(around) < 3:
        return 0.0
    floor = _loss(known, best)
    x = np.array([(k - best) / 2 for k in around])
    y = [min(_loss(known, k) - floor, DIVERGED) for k in around]
    return float(np.polyfit(x, y, 2)[0])


def _optimum(known: dict[Trial, float], steps: set[int], best: int) -> Optimum:
    """Fit a parabola to the trials within an octave of the best one (and to its neighbours, where they are farther)."""
    if not math.isfinite(_loss(known, best)):
        return Optimum(best, float(best), "none", 0.0, math.inf, math.inf)
    floor = _loss(known, best)
    if floor < 0 and len(window := _window(known, steps)) >= 3:
        used = min(window, key=lambda k: abs(k - (window[0] + window[-1]) / 2))
        return Optimum(used, (window[0] + window[-1]) / 2, "interior", 0.0, 0.0, 0.0)
    around = {k for k in steps if abs(k - best) <= 2} | set(_neighbours(steps, best))
    points = [((k - best) / 2, min(loss - floor, DIVERGED)) for (k, _), loss in sorted(known.items()) if k in around]
    x, y = np.array(points).T
    if len(set(x)) < 3:
        return Optimum(best, float(best), "edge", 0.0, math.inf, math.inf)
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    fitted, *_ = np.linalg.lstsq(design, y, rcond=None)
    vertex = float(_vertex(fitted, x))
    used = min(sorted(around), key=lambda k: abs((k - best) / 2 - vertex))
    at = (used - best) / 2
    regret = float(_regret(fitted, at, x))
    high = _regret_bound(design, y, fitted, at, x)
    where = "interior" if min(steps) < best < max(steps) else "edge"
    return Optimum(used, best + 2 * vertex, where, float(fitted[2]), regret, max(regret, high))


def _window(known: dict[Trial, float], steps: set[int]) -> list[int]:
    """Return the longest row of tried rates that solved a task with every seed tried, ascending.

    A task that is solved or not has no bowl, and its fastest rate stands at the cliff where nothing is learnt any more:
    inside a window of three rates or more the one in the middle is used, and no answer is lost by it.
    """
    solved = {k: all(loss < 0 for (step, _), loss in known.items() if step == k) for k in steps}
    rows = [list(row) for inside, row in itertools.groupby(sorted(steps), key=solved.get) if inside]
    return max(rows, key=len, default=[])


def _vertex(fitted: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the lowest points of parabolas ``[..., 3]`` within the trials, octaves from the best one."""
    _, slope, curvature = np.moveaxis(fitted, -1, 0)
    bowl = curvature > 0
    lowest = -slope / (2 * np.where(bowl, curvature, 1.0))
    return np.where(bowl, np.clip(lowest, x.min(), x.max()), 0.0)


def _regret(fitted: np.ndarray, at: float, x: np.ndarray) -> np.ndarray:
    """Return what parabolas ``[..., 3]`` lie higher at ``at`` than at their lowest points, nats."""
    level, slope, curvature = np.moveaxis(fitted, -1, 0)
    value = lambda place: level + place * (slope + place * curvature)  # noqa: E731
    return np.maximum(0.0, value(at) - value(_vertex(fitted, x)))


def _regret_bound(design: np.ndarray, y: np.ndarray, fitted: np.ndarray, at: float, x: np.ndarray) -> float:
    """Return the 90 % quantile of the regret over parabolas that the scatter of the trials allows."""
    free = len(y) - 3
    if free < 1:  # three points: the parabola is exact, and says nothing of its own error
        return max(float(_regret(fitted, at, x)), max(0.0, float(fitted[2])) / 16)
    rng = np.random.default_rng(7)
    spread = np.sum((y - design @ fitted) ** 2) / rng.chisquare(free, DRAWS)
    root = np.linalg.cholesky(np.linalg.inv(design.T @ design))
    drawn = fitted + (np.sqrt(spread)[:, None] * rng.standard_normal((DRAWS, 3))) @ root.T
    return float(np.quantile(_regret(drawn, at, x), CONFIDENCE))
