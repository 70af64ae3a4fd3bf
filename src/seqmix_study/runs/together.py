"""Runs of one shape as one batched model, in this process: for a GPU that a single small run leaves idle.

Only when asked for (``ensemble=True``, ``seqmix train --ensemble``). What cannot share - another shape, a mixer that
says so, a run that stands at another step - is left to the ordinary workers, which come afterwards.
"""

import importlib
import time
from contextlib import ExitStack
from pathlib import Path

from filelock import Timeout

from seqmix.config import RunConfig, SpeedConfig
from seqmix.mixers import unshared
from seqmix.record import RecordError, RunFolder
from seqmix_study.runs import memory
from seqmix_study.runs.here import stoppable
from seqmix_study.runs.machine import run_memory, visible_gpus
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result, shorten

__all__ = ["describe", "ensembles", "run_together", "shape_of"]

MOST = 64
"""Runs in one ensemble at most."""

SHARE = 0.6
"""Part of the memory that an ensemble may fill by the generous estimate of ``machine.run_memory``."""


def shape_of(config: RunConfig) -> str:
    """Return the hash of all that runs of one ensemble have in common: everything but seeds, learning rate, labels."""
    train = config.train.model_copy(update={"lr": 0.5})
    return config.model_copy(update={"seed": 0, "data_seed": 0, "train": train}).sha256()


def ensembles(configs: list[RunConfig | SpeedConfig], limit: int | None = None) -> list[list[RunConfig]]:
    """Return the groups of two and more runs that can share, in order of first mention.

    ``limit``: bytes of memory to fill (None: of this machine's GPU, or of the machine).
    """
    shapes: dict[str, list[RunConfig]] = {}
    for config in configs:
        if isinstance(config, RunConfig) and not unshared(config.model):
            shapes.setdefault(shape_of(config), []).append(config)
    limit = _memory() if limit is None else limit
    groups = []
    for members in shapes.values():
        room = max(1, min(MOST, int(SHARE * limit / run_memory(members[0]))))
        parts = -(-len(members) // room)
        size = -(-len(members) // parts)
        groups += [members[start : start + size] for start in range(0, len(members), size)]
    return [group for group in groups if len(group) > 1]


def _memory() -> int:
    if not visible_gpus():
        return memory.available()
    import torch

    return torch.cuda.mem_get_info()[0]


def describe(configs: list[RunConfig | SpeedConfig]) -> str:
    """Return lines that say which of the runs share, which do not, and why."""
    groups = ensembles(configs)
    together = sum(len(group) for group in groups)
    sizes = f" of {min(map(len, groups))} to {max(map(len, groups))}" if groups else ""
    why = dict.fromkeys(unshared(c.model) for c in configs if isinstance(c, RunConfig))
    reasons = "".join(f"\none by one: {reason}" for reason in why if reason)
    return (
        f"{together} of {len(configs)} runs train in {len(groups)} ensembles{sizes}; the others (a mixer that cannot "
        f"share, speed, alone in their shape) one by one{reasons}"
    )


def run_together(
    todo: list[RunConfig | SpeedConfig], runs: Path, tasks: str, display: Display, deadline: float
) -> tuple[dict[str, Result], str]:
    """Train the ensembles among ``todo``, one after the other; return how their runs went and a fatal message or "".

    Runs without a result are left to others. Raises KeyboardInterrupt once a stopped ensemble has saved.
    """
    results: dict[str, Result] = {}
    with stoppable() as asked:
        for group in ensembles(todo):
            if time.time() > deadline:
                break

            def report(run_id: str, row: dict) -> bool:
                display.step(run_id, row)
                return asked.is_set() or time.time() > deadline

            for result in _carry_out(group, runs, importlib.import_module(tasks), report, display):
                results[result.run_id] = result
            if asked.is_set():
                raise KeyboardInterrupt
            if fatal := next((r.message for r in results.values() if r.fatal), ""):
                return results, fatal
    return results, ""


def _carry_out(group: list[RunConfig], runs: Path, tasks, report, display: Display) -> list[Result]:
    """Train those of a group that nobody else holds and that stand at the most common step."""
    with ExitStack() as locks:
        free: list[tuple[RunConfig, RunFolder]] = []
        for config in group:
            folder = RunFolder(runs / config.run_id)
            try:
                locks.enter_context(folder.lock().acquire(timeout=0))
            except Timeout:
                continue
            if folder.status_unlocked() in ("new", "interrupted") and not folder.reopened:
                free.append((config, folder))
        steps = [tasks.saved_step(folder) for _, folder in free]
        common = max(set(steps), key=steps.count, default=0)
        members = [pair for pair, step in zip(free, steps, strict=True) if step == common]
        if len(members) < 2:
            return []
        for config, folder in members:
            folder.write_config(config)
            display.start(config.run_id)
        reason, fatal = "", False
        try:
            tasks.train_together([config for config, _ in members], [folder for _, folder in members], report)
        except tasks.interruption():
            reason = ""
        except RecordError as error:
            reason, fatal = str(error), error.fatal
        except Exception as error:
            reason = shorten(error)
        return [_ended(config, folder, reason, fatal, display) for config, folder in members]


def _ended(config: RunConfig, folder: RunFolder, reason: str, fatal: bool, display: Display) -> Result:
    status = folder.status_unlocked()
    if status in ("finished", "diverged"):
        result = Result(config.run_id, status, folder.outcome()["reason"])
    elif reason:
        if not fatal:
            folder.finish("failed", f"in an ensemble: {reason}")
        result = Result(config.run_id, "failed", reason, fatal)
    else:
        result = Result(config.run_id, "interrupted")
    display.end(config.run_id, result.status)
    return result
