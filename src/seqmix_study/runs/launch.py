"""Run a job: on this machine, on a Ray cluster or on Slurm; skip what is done, say what failed.

>>> summary = train(request({"frontier": {}}, tier="quick"))  # doctest: +SKIP
>>> summary.check()  # doctest: +SKIP

Every engine starts copies of one worker (``worker.py``), which share nothing but the folder of records; several
commands, on one machine or on a shared disk, may do the same job at the same time. How it went is read from the
records. Whatever is interrupted goes on from its last checkpoint when the same call is made again.
"""

import importlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from seqmix.files import printable
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results.rows import Config
from seqmix_study.runs import sign, tune
from seqmix_study.runs.job import EngineError, Job, Queue, unmeasured
from seqmix_study.runs.machine import Layout, layout
from seqmix_study.runs.progress import Display
from seqmix_study.runs.selection import Requests, with_checks
from seqmix_study.runs.worker import answering, in_team, leads, stoppable, work

AGAIN = "start the same command again to go on"

# Workers on a cluster where ``jobs`` does not say how many.
MOST = 64


class Terminated(KeyboardInterrupt):
    """SIGTERM: a scheduler's preemption, ``timeout``, ``kill``."""

    exit_code = 143


def terminable() -> AbstractContextManager[None]:
    """Treat SIGTERM like Ctrl-C (raises Terminated): save, then leave. Only the main thread can."""

    def end(*_: object) -> None:
        raise Terminated

    return answering(end, signal.SIGTERM)


@dataclass
class Summary:
    """How many runs ended how, and what a person should know. ``skipped``: finished before this call.

    ``waiting``: cells whose runs are not decided; ``plans``: what was planned at the end.
    """

    finished: int = 0
    diverged: int = 0
    failed: int = 0
    skipped: int = 0
    interrupted: int = 0
    waiting: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    plans: dict[str, tune.Resolved] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every run is finished or diverged."""
        return not self.failed and not self.interrupted and not self.waiting

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in ("finished", "diverged", "failed", "interrupted")}
        counts["were done before"] = self.skipped
        parts = [f"{count} {how}" for how, count in counts.items() if count]
        more = f"; {self.waiting} cells wait for results before their runs are known" if self.waiting else ""
        return f"{sum(counts.values())} runs: {', '.join(parts) or 'nothing to do'}{more}"

    __repr__ = __str__

    def check(self) -> None:
        """Raise EngineError naming every run that failed and why; nothing if all is well."""
        if not self.ok:
            lines = [f"  {run_id}: {reason}" for run_id, reason in self.problems.items()]
            raise EngineError("\n".join([str(self), *lines]))


def request(
    studies: Requests | None = None,
    tier: str = "",
    runs: Sequence[Config] = (),
    paths: Paths | None = None,
    budget_minutes: float | None = None,
    **more: Any,
) -> Job:
    """Return a job: studies (name -> further arguments of ``study.plan``) or runs. ``more``: further fields of Job."""
    paths = paths or Paths()
    return Job(
        id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        root=str(paths.root),
        folder=str(paths.runs.resolve()),
        tier=tier or next((config.tier for config in runs), ""),
        studies=with_checks(studies or {}, tier, paths),
        runs=tuple(config.model_dump(mode="json") for config in runs),
        deadline=time.time() + 60 * budget_minutes if budget_minutes else 0.0,
        path=tuple(sys.path),
        **more,
    )


def train(job: Job, jobs: int | None = None, engine: str = "local", progress: bool = True) -> Summary:
    """Do what is left of a job and return how its runs ended.

    ``jobs``: workers (None: chosen from cores, GPUs, memory and model size; 0: in this process, to debug). Raises
    KeyboardInterrupt after Ctrl-C (Terminated after SIGTERM), when every worker has saved; EngineError if the engine
    cannot work at all. A run that fails is recorded, not tried again in this call, and stops nothing else, except
    where the next one would meet the same obstacle (a full or read-only disk).
    """
    if in_team() and (engine != "local" or job.ensemble):
        raise EngineError("torchrun trains one run in several processes: use engine 'local', without an ensemble")
    queue = Queue(job)
    if not leads():
        return _follow(queue)
    before, obstacle = {config.run_id for config in queue.runs() if queue.done(config)}, ""
    if queue.waiting() or len(before) < len(queue.runs()):
        display = Display(queue, progress)
        try:
            with terminable():
                obstacle = _serve(job, queue, jobs, engine, display)
        finally:
            job.file.unlink(missing_ok=True)
            display.close()
    return _summary(queue, before, obstacle)


def _serve(job: Job, queue: Queue, jobs: int | None, engine: str, display: Display) -> str:
    """Train with the engine, then measure speed alone on this machine; return an obstacle or ""."""
    obstacle = ""
    for kind in ("train", "speed"):
        part = queue.job = job.model_copy(update={"kind": kind})
        todo = queue.todo()
        if obstacle or not todo or (kind == "speed" and in_team()):
            continue
        if in_team() or (engine == "local" and (jobs == 0 or job.ensemble)):
            obstacle = _here(part, display)
            continue
        part.write()
        place = layout(todo, jobs or None, more=len(queue.waiting()))
        if kind == "train" and engine != "local":
            place = replace(place, jobs=jobs or min(MOST, len(todo) + len(queue.waiting())))
        how = importlib.import_module(f"seqmix_study.runs.{'local' if kind == 'speed' else engine}")
        obstacle = how.serve(part, Layout(1, 1, place.gpus) if kind == "speed" else place, display)
    queue.job = job
    return obstacle


def _here(job: Job, display: Display) -> str:
    """Be the worker (under torchrun: the one that leads)."""
    with stoppable() as asked:
        obstacle = work(job, asked.is_set, display.refresh)
        if in_team():
            from seqmix import distributed

            distributed.join().announce(None)
            distributed.leave()
        if asked.is_set():
            raise Terminated if asked.number == signal.SIGTERM else KeyboardInterrupt
    return obstacle


def _follow(queue: Queue) -> Summary:
    """Take part in every run that the leader announces, until there is none left."""
    from seqmix import distributed, train

    team = distributed.join()
    with stoppable() as asked:
        while (config := team.listen()) is not None:
            folder = distributed.Spectator(queue.known.paths.runs / config.run_id)
            try:
                train.train(config, folder, lambda row: asked.is_set())
            except train.Interrupted:
                continue
    distributed.leave()
    return Summary(skipped=len(queue.runs()))


def _summary(queue: Queue, before: set[str], obstacle: str) -> Summary:
    """Say from the records how the runs ended."""
    timed_out = queue.job.deadline and time.time() > queue.job.deadline
    why = obstacle or f"{'the time budget was used up' if timed_out else 'it was left'}; {AGAIN}"
    summary = Summary(plans=queue.plan(), waiting=len(queue.waiting()))
    for config in queue.runs():
        run_id, folder = config.run_id, RunFolder(queue.known.paths.runs / config.run_id)
        if run_id in before | queue.known.committed and queue.done(config):
            summary.skipped += 1
            continue
        status = folder.status_unlocked()
        if said := folder.notes():
            summary.notes[run_id] = said
        if status in ("failed", "corrupt"):
            status, summary.problems[run_id] = "failed", folder.problem() or printable(folder.outcome()["reason"])
        elif status in ("new", "interrupted") or (status == "finished" and unmeasured(config, folder)):
            failed = printable(seen.failed) if (seen := sign.read(folder)).job == queue.job.id else ""
            status, summary.problems[run_id] = "failed" if failed else "interrupted", failed or why
        setattr(summary, status, getattr(summary, status) + 1)
    return summary
