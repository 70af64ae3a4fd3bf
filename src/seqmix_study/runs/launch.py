"""Run a list of configurations: on this machine, on a Ray cluster or on Slurm; skip what is done, record what failed.

>>> summary = run(study.plan("scaling", "quick"))  # doctest: +SKIP
>>> summary.check()  # doctest: +SKIP

Several processes, on one machine or on a shared disk, may run the same study at the same time: every run has a lock,
whoever holds it trains the run, the others take the next one and wait for it at the end. Whatever is interrupted
goes on from its last checkpoint when the same call is made again.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from seqmix.config import RunConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results.collect import read_table
from seqmix_study.runs.here import in_team, run_here, terminable
from seqmix_study.runs.local import run_local
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import TASKS, Result, unmeasured

__all__ = ["EngineError", "Summary", "committed", "run", "states", "unique"]

ENGINES = ("local", "ray", "slurm")


class EngineError(RuntimeError):
    """Some runs did not end well, or the engine that was asked for cannot work; the text says which and why."""


@dataclass
class Summary:
    """How many runs ended how, and what a person should know. ``skipped``: finished before this call."""

    finished: int = 0
    diverged: int = 0
    failed: int = 0
    skipped: int = 0
    interrupted: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every run is finished or diverged."""
        return not self.failed and not self.interrupted

    def __str__(self) -> str:
        total = self.finished + self.diverged + self.failed + self.skipped + self.interrupted
        names = ("finished", "diverged", "failed", "interrupted")
        parts = [f"{getattr(self, name)} {name}" for name in names if getattr(self, name)]
        parts += [f"{self.skipped} were done before"] if self.skipped else []
        return f"{total} runs: {', '.join(parts) or 'nothing to do'}"

    __repr__ = __str__

    def check(self) -> None:
        """Raise EngineError naming every run that failed and why; nothing if all is well."""
        if not self.ok:
            lines = [f"  {run_id}: {reason}" for run_id, reason in self.problems.items()]
            raise EngineError("\n".join([str(self), *lines]))

    def add(self, result: Result) -> None:
        name = "failed" if result.status == "corrupt" else result.status
        setattr(self, name, getattr(self, name) + 1)
        if name in ("failed", "interrupted"):
            self.problems[result.run_id] = result.message or "interrupted; start the same command again to go on"
        if result.notes:
            self.notes[result.run_id] = result.notes


def committed(tier: str, paths: Paths) -> set[str]:
    """Return the run ids with a result in the committed tables of a tier: they count as finished.

    Raises CollectError for a damaged table: what it lost would be trained again.
    """
    rows = [row for name in ("runs", "speed") for row in read_table(name, tier, paths)] if tier else []
    return {row["run_id"] for row in rows if row.get("status", "finished") in ("finished", "diverged")}


def states(configs: list[RunConfig | SpeedConfig], paths: Paths) -> dict[str, str]:
    """Return run_id -> new, running, interrupted, finished, diverged, failed or corrupt.

    A run without a record here whose row is in the committed tables is finished; one that lacks a measurement
    that is asked for now is ``interrupted``.
    """
    elsewhere = {tier: committed(tier, paths) for tier in {config.tier for config in configs}}
    found = {}
    for config in unique(configs):
        folder = RunFolder(paths.runs / config.run_id)
        status = folder.status()
        if status in ("new", "interrupted", "failed") and config.run_id in elsewhere[config.tier]:
            status = "finished"
        elif status == "finished" and unmeasured(config, folder):
            status = "interrupted"
        found[config.run_id] = status
    return found


def unique(configs: list[RunConfig | SpeedConfig]) -> list[RunConfig | SpeedConfig]:
    """Return each run once, in the order of first mention; what any mention wants evaluated is evaluated."""
    once: dict[str, RunConfig | SpeedConfig] = {}
    for config in configs:
        known = once.setdefault(config.run_id, config)
        if isinstance(config, RunConfig) and set(config.evaluate) - set(known.evaluate):
            wanted = tuple(dict.fromkeys((*known.evaluate, *config.evaluate)))
            once[config.run_id] = known.model_copy(update={"evaluate": wanted})
    return list(once.values())


def _split(
    configs: list[RunConfig | SpeedConfig], runs: Path, paths: Paths, use_committed: bool
) -> tuple[list[RunConfig | SpeedConfig], Summary]:
    """Return the runs that need work, and a summary that counts the others."""
    summary, todo, elsewhere = Summary(), [], {}
    for config in unique(configs):
        folder = RunFolder(runs / config.run_id)
        status = folder.status_unlocked()
        if use_committed and config.tier not in elsewhere:
            elsewhere[config.tier] = committed(config.tier, paths)
        done = status in ("finished", "diverged") and not (status == "finished" and unmeasured(config, folder))
        if status == "corrupt":
            summary.add(Result(config.run_id, "corrupt", folder.problem()))
        elif done or (status in ("new", "interrupted", "failed") and config.run_id in elsewhere.get(config.tier, ())):
            summary.skipped += 1
        else:
            todo.append(config)
    return todo, summary


def run(
    configs: list[RunConfig | SpeedConfig],
    jobs: int | None = None,
    engine: str = "local",
    progress: bool = True,
    *,
    budget_minutes: float | None = None,
    paths: Paths | None = None,
    use_committed: bool = True,
    tasks: str = TASKS,
    ensemble: bool = False,
) -> Summary:
    """Do all runs that are not done yet and return how they ended.

    ``jobs``: worker processes (None: chosen from cores, GPUs, memory and model size; 0: in this process, to debug).
    ``budget_minutes``: stop, checkpoints saved, when the time is up. ``use_committed``: a run with a row in the
    committed ``results/<tier>/runs.csv`` counts as done. Raises KeyboardInterrupt after Ctrl-C, when every worker
    has saved; ``ensemble``: first train runs of one shape together, in this process (see ``runs.together``).
    EngineError if the engine cannot work at all. A run that fails is recorded and stops nothing else,
    except where the next one would meet the same obstacle (a full or read-only disk).
    """
    if engine not in ENGINES:
        raise EngineError(f"no engine named {engine!r}; known: {', '.join(ENGINES)}")
    if ensemble and (engine != "local" or in_team()):
        raise EngineError("runs train together in this process only: use engine 'local', without torchrun")
    paths = paths or Paths()
    runs = paths.runs
    todo, summary = _split(configs, runs, paths, use_committed)
    if not todo and not in_team():
        return summary
    deadline = time.time() + 60 * budget_minutes if budget_minutes else float("inf")
    display = Display(todo, progress)
    results, fatal = {}, ""
    try:
        with terminable():
            if ensemble:
                from seqmix_study.runs.together import run_together

                results, fatal = run_together(todo, runs, tasks, display, deadline)
            left = [config for config in todo if config.run_id not in results]
            if not fatal and (left or in_team()):
                more, fatal = _serve(engine, left, runs, jobs, tasks, display, deadline)
                results |= more
    except KeyboardInterrupt:
        display.close("stopped")
        print("Stopped; checkpoints are saved. Start the same command again to go on.", file=sys.stderr)
        raise
    except BaseException:
        display.close("failed")
        raise
    for config in todo:
        why = fatal or "the time budget was used up; start the same command again to go on"
        summary.add(results.get(config.run_id) or Result(config.run_id, "interrupted", why))
    display.close(str(summary))
    return summary


def _serve(
    engine: str,
    todo: list[RunConfig | SpeedConfig],
    runs: Path,
    jobs: int | None,
    tasks: str,
    display: Display,
    deadline: float,
) -> tuple[dict[str, Result], str]:
    """Do the runs one by one, in the way that was asked for; return how they went and a fatal message or ""."""
    if in_team():
        from seqmix_study.runs.team import run_team

        return run_team(todo, runs, tasks, display)
    if engine != "local":
        return _run_elsewhere(engine, todo, runs, jobs, tasks, display, deadline)
    if jobs == 0:
        return run_here(todo, runs, tasks, display, deadline)
    from seqmix_study.runs.machine import layout

    place = layout(todo, jobs)
    return run_local(todo, runs, place.jobs, place.threads, tasks, display, deadline, place.gpus)


def _run_elsewhere(
    engine: str,
    todo: list[RunConfig | SpeedConfig],
    runs: Path,
    jobs: int | None,
    tasks: str,
    display: Display,
    deadline: float,
) -> tuple[dict[str, Result], str]:
    """Train on a cluster; measure speed here afterwards, on the machine whose name the measurement carries."""
    training = [config for config in todo if isinstance(config, RunConfig)]
    timing = [config for config in todo if isinstance(config, SpeedConfig)]
    results: dict[str, Result] = {}
    if training and engine == "ray":
        from seqmix_study.runs.ray import run_ray

        results = run_ray(training, runs, jobs, tasks, display)
    elif training:
        from seqmix_study.runs.slurm import run_slurm

        results = run_slurm(training, runs, jobs, tasks, display)
    fatal = next((result.message for result in results.values() if result.fatal), "")
    if timing and not fatal:
        more, fatal = run_local(timing, runs, 1, 1, tasks, display, deadline, [])
        results |= more
    return results, fatal
