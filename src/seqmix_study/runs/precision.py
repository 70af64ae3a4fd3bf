"""May a kind of model be trained in bfloat16? Decided from pairs of runs that differ in precision only.

The study 'precision' trains one pure arm of every mixer in both precisions, seed by seed. bfloat16 is allowed where the
mean shift of the loss is inside the margin with 90 % confidence and the runs were faster; a stack of several mixers
needs all of them allowed. Seeds are added ``LOOK`` pairs at a time, and no more once a kind of model is allowed; a kind
that is not allowed after all seeds of the study stays in float32: not shown is not allowed.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

from seqmix import study
from seqmix.config import ModelConfig, RunConfig
from seqmix.paths import Paths

# Largest shift of a mean loss, nats, that the published tables tolerate.
MARGIN = 0.005

# The study that checks.
STUDY = "precision"

# Pairs after which the interval is looked at.
LOOK = 16


@dataclass(frozen=True)
class Shift:
    """Loss in bfloat16 minus loss in float32 over ``n`` pairs, nats (``lo`` to ``hi``: 90 %), and the gain in time."""

    mean: float
    lo: float
    hi: float
    n: int
    speedup: float

    @property
    def allowed(self) -> bool:
        """Whether bfloat16 may be used: nothing lost beyond the margin, and time gained."""
        return self.lo >= -MARGIN and self.hi <= MARGIN and self.speedup > 1


def allowed(model: ModelConfig, checks: dict) -> str | None:
    """Return the precision for a model, None while a check that it needs is not finished.

    ``checks``: from ``tune.shifts``. Kinds are skeleton and letter; an unchecked mixer stays in float32.
    """
    needed = [checks.get((model.skeleton, letter), "unchecked") for letter in set(model.pattern)]
    if any(check == "unchecked" for check in needed):
        return "float32"
    if any(check is None for check in needed):
        return None
    return "bfloat16" if all(check.allowed for check in needed) else "float32"


@lru_cache
def pairs(paths: Paths) -> dict[tuple[str, str], list[RunConfig]]:
    """Return (skeleton, letter) -> the runs that check this kind of model; {} without the study."""
    found: dict[tuple[str, str], list[RunConfig]] = {}
    if STUDY not in study.names(paths) or "laptop" not in study.load(STUDY, paths).tiers:
        return found
    for config in study.plan(STUDY, "laptop", paths=paths):
        found.setdefault((config.model.skeleton, config.model.pattern[0]), []).append(config)
    return found


def wanted(runs: list[RunConfig], known) -> list[RunConfig]:
    """Return the runs of one kind of model that its next look needs (and those of the looks before it)."""
    pairs, _ = last_look(runs, known)
    return [run for run in runs if run.seed < pairs]


def last_look(runs: list[RunConfig], known) -> tuple[int, Shift | None]:
    """Return the pairs of the look that decides, or whose runs are missing, and its shift (None: missing)."""
    seeds = max((run.seed for run in runs), default=0) + 1
    for n in (*range(LOOK, seeds, LOOK), seeds):
        found = _after(runs, n, known)
        if found is None or found.allowed:
            break
    return n, found


def _after(runs: list[RunConfig], n: int, known) -> Shift | None:
    """Return the shift over the first ``n`` seeds; None while one of their runs is missing."""
    ended = {(run.train.precision, run.seed): known.of(run) for run in runs if run.seed < n}
    pairs = [(ended.get(("float32", seed)), ended.get(("bfloat16", seed))) for seed in range(n)]
    if any(one is None or other is None for one, other in pairs):
        return None
    differences = np.array([other.loss_valid - one.loss_valid for one, other in pairs])
    half = stdtrit(n - 1, 0.95) * differences.std(ddof=1) / n**0.5
    gain = float(np.median([one.seconds / other.seconds for one, other in pairs]))
    mean = float(differences.mean())
    return Shift(mean, mean - half, mean + half, n, gain)
