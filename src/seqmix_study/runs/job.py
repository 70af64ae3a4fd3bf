"""What a command asks to be run, and what of it is left: the folder of records, with its locks, is the queue."""

import socket
import time
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import Field

from seqmix.config import parse_run
from seqmix.files import RecordError, atomic_write
from seqmix.frozen import Frozen
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results.rows import Config
from seqmix_study.runs import sign, tune
from seqmix_study.runs.known import Known

# Part of a worker's time that planning may take: results decide what comes next, but not every second.
PLAN_SHARE = 0.03


class EngineError(RuntimeError):
    """Some runs did not end well, or the engine that was asked for stopped working; the text says which and why."""


class CheckError(ValueError):
    """The request cannot work here; the text says why and what to do."""


class Job(Frozen):
    """One request: studies, or runs by their configurations. Written to a file, it is all that a worker needs."""

    id: str = Field(description="machine, process and number of who launched it")
    root: str = Field(description="the project's folder")
    folder: str = Field(description="the folder of records")
    tier: str = ""
    studies: dict[str, dict[str, Any]] = Field({}, description="study -> what study.plan is asked besides its name")
    runs: tuple[dict[str, Any], ...] = Field((), description="plain configurations, where no study is named")
    committed: bool = Field(True, description="rows of the committed tables count as done")
    ensemble: bool = Field(False, description="train runs of one shape as one batched model")
    kind: Literal["train", "speed"] = Field("train", description="speed: the measurements, which run alone")
    trainer: str = Field("seqmix.train", description="module that trains and measures again; tests have another")
    deadline: float = Field(0.0, description="time.time() at which all save and leave; 0: none")
    path: tuple[str, ...] = Field((), description="where workers look for modules")

    @property
    def file(self) -> Path:
        """Where the job lies while it is wanted: workers that find it gone save and leave."""
        return Path(self.folder) / ".jobs" / f"{self.id}.json"

    @property
    def paths(self) -> Paths:
        return Paths(self.root, self.folder)

    def write(self) -> None:
        """Ask for the job, and no more for those of this machine whose launchers were killed; raises RecordError."""
        for other in self.file.parent.glob(f"{socket.gethostname()}-*.json"):
            if not psutil.pid_exists(int(other.stem.split("-")[-2])):
                other.unlink(missing_ok=True)
        atomic_write(self.file, self.model_dump_json())


class Queue:
    """What a job asks for, as one process sees it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.known = Known(job.tier, job.paths, job.committed)
        self.plans: dict[str, tune.Resolved] = {}
        self.planned_at, self.took = -1e9, 0.0
        self.refused: set[str] = set()

    def plan(self) -> dict[str, tune.Resolved]:
        """Plan again from what is known now."""
        began = time.monotonic()
        if not self.plans and self.job.runs:
            self.plans = {"": tune.Resolved([parse_run(plain) for plain in self.job.runs])}
        elif not self.plans or self.waiting():
            about = self.job.tier, self.known.paths, self.known
            self.plans = {n: tune.plan(n, *about, **request) for n, request in self.job.studies.items()}
        self.planned_at = time.monotonic()
        self.took = self.planned_at - began
        return self.plans

    def runs(self) -> list[Config]:
        """Return what the newest plan has decided, each run once, the most valuable first; plans if that is due."""
        if not self.plans or time.monotonic() - self.planned_at > self.took / PLAN_SHARE:
            self.plan()
        return unique(by_value(self.plans))

    def waiting(self) -> dict[str, str]:
        """Return cell -> what it waits for."""
        return {cell: why for plan in self.plans.values() for cell, why in plan.waiting.items()}

    def todo(self) -> list[Config]:
        """Return the runs of the job's kind that have not ended, were not refused here and did not fail in this job."""
        left = [c for c in self.runs() if self._open(c)]
        if not left and self.waiting():
            self.plan()  # the last results may have decided more
            left = [c for c in self.runs() if self._open(c)]
        return left

    def _open(self, config: Config) -> bool:
        if config.kind != self.job.kind or config.run_id in self.refused or self.done(config):
            return False
        seen = sign.read(RunFolder(self.known.paths.runs / config.run_id))
        return not (seen.failed and seen.job == self.job.id)

    def done(self, config: Config) -> bool:
        """Whether a run has ended here or is committed, with every measurement that is asked for."""
        folder = RunFolder(self.known.paths.runs / config.run_id)
        try:
            if config.kind == "speed":
                return config.run_id in self.known.timed or folder.outcome().get("status") == "finished"
            if self.known.of(config) is None:
                return False
            return folder.outcome().get("status") != "finished" or not unmeasured(config, folder)
        except RecordError:
            self.refused.add(config.run_id)  # a corrupt record: the launcher reports it
            return True


def unmeasured(config: Config, folder: RunFolder) -> tuple[str, ...]:
    """Return the measurements that ``config`` asks for and the finished record lacks."""
    asked = getattr(config, "evaluate", ())
    done = folder.evaluated() if asked else ()
    return tuple(name for name in asked if name not in done)


def unique(configs: list[Config]) -> list[Config]:
    """Return each run once, in the order of first mention; what any mention wants evaluated is evaluated."""
    once: dict[str, Config] = {}
    for config in configs:
        known = once.setdefault(config.run_id, config)
        if config.kind == "train" and set(config.evaluate) - set(known.evaluate):
            wanted = tuple(dict.fromkeys((*known.evaluate, *config.evaluate)))
            once[config.run_id] = known.model_copy(update={"evaluate": wanted})
    return list(once.values())


def by_value(plans: dict[str, tune.Resolved]) -> list[Config]:
    """Return all runs of several plans, the most valuable first; speed measurements come last.

    Where all rates are decided: one seed of every study before the next seed of any. Else each study in its own order.
    """
    runs = [config for plan in plans.values() for config in plan.runs]
    complete = not any(plan.waiting for plan in plans.values())
    return sorted(runs, key=lambda c: (c.kind == "speed", getattr(c, "seed", 0) if complete else 0))
