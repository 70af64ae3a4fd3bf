"""Train studies whose later runs depend on earlier ones: plan, run the next few, plan again, until nothing is left."""

import time
from collections.abc import Callable

from seqmix import accounting
from seqmix.config import RunConfig, SpeedConfig
from seqmix.record import RunFolder
from seqmix_study.runs import launch
from seqmix_study.runs.here import in_team
from seqmix_study.runs.known import Known
from seqmix_study.runs.selection import by_value
from seqmix_study.runs.stages import Resolved
from seqmix_study.runs.worker import unmeasured

__all__ = ["train"]

ROUND_FLOPS = 4e12
"""Training FLOPs, a worker, after which a plan is made again: about a minute of one core."""


def train(
    resolve: Callable[[Known], dict[str, Resolved]],
    known: Known,
    jobs: int | None = None,
    engine_name: str = "local",
    budget_minutes: float | None = None,
    **options,
) -> launch.Summary:
    """Do all runs of the studies that ``resolve`` plans from what is known, and return how they ended.

    Studies whose rates are all decided are done in one go, one seed of everything first. Else each round runs the most
    valuable runs that are decided and not done; then the plan is made again, because their
    results may decide rates, precisions and members of families. ``options`` go to ``launch.run``. A run that failed
    is not tried again in this call. Raises what ``launch.run`` raises.
    """
    plans = resolve(known)
    if in_team() or all(plan.complete for plan in plans.values()):
        runs = by_value({name: plan.runs for name, plan in plans.items()})
        return launch.run(runs, jobs, engine_name, budget_minutes=budget_minutes, paths=known.paths, **options)
    total, tried = launch.Summary(), set()
    deadline = time.time() + 60 * budget_minutes if budget_minutes else None
    while True:
        todo = [c for c in _runs(resolve(known)) if c.run_id not in tried and not done(c, known)]
        left = (deadline - time.time()) / 60 if deadline else None
        if not todo or (left is not None and left <= 0):
            total.interrupted += len(todo)
            return total
        batch = _round(todo, jobs or 1)
        tried |= {config.run_id for config in batch}
        summary = launch.run(batch, jobs, engine_name, budget_minutes=left, paths=known.paths, **options)
        for name in ("finished", "diverged", "failed", "interrupted"):
            setattr(total, name, getattr(total, name) + getattr(summary, name))
        total.problems |= summary.problems
        total.notes |= summary.notes
        if summary.interrupted:
            return total


def done(config: RunConfig | SpeedConfig, known: Known) -> bool:
    """Whether a run has ended here or is committed, with every measurement that is asked for."""
    folder = RunFolder(known.paths.runs / config.run_id)
    if isinstance(config, SpeedConfig):
        return folder.status_unlocked() == "finished"
    if known.of(config) is None:
        return False
    ended_here = folder.outcome().get("status") == "finished"
    return not (ended_here and unmeasured(config, folder))


def _runs(plans: dict[str, Resolved]) -> list[RunConfig | SpeedConfig]:
    """Return all runs of several studies in the order in which they are worth doing; timings come last, alone."""
    runs = [config for resolved in plans.values() for config in resolved.runs]
    return sorted(runs, key=lambda config: isinstance(config, SpeedConfig))


def _round(todo: list[RunConfig | SpeedConfig], jobs: int) -> list[RunConfig | SpeedConfig]:
    batch, flops = [], 0.0
    for config in todo:
        batch.append(config)
        if isinstance(config, RunConfig):
            flops += accounting.train_flops_per_token(config.model, config.data.seq_len) * config.tokens
        if flops > ROUND_FLOPS * jobs and len(batch) >= jobs:
            return batch
    return batch
