"""Carry out one run in this process: take its lock, train or re-measure or time it, record how it ended."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import Timeout

from seqmix.config import RunConfig, SpeedConfig
from seqmix.files import RecordError, disk_error
from seqmix.record import RunFolder

__all__ = ["TASKS", "Result", "carry_out", "unmeasured"]

TASKS = "seqmix_study.runs.tasks"


@dataclass
class Result:
    """How one run went. ``status``: finished, diverged, failed, corrupt, interrupted, busy or skipped."""

    run_id: str
    status: str
    message: str = ""
    fatal: bool = False
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict:
        return asdict(self)


def unmeasured(config: RunConfig | SpeedConfig, folder: RunFolder) -> tuple[str, ...]:
    """Return the measurements that ``config`` asks for and the finished record lacks."""
    if isinstance(config, SpeedConfig):
        return ()
    done = folder.metrics().get("evaluated", [])
    return tuple(name for name in config.evaluate if name not in done)


def carry_out(
    config: RunConfig | SpeedConfig, runs: Path, progress: Callable[[dict], bool], tasks: str = TASKS
) -> Result:
    """Do one run under its lock. Never raises for what goes wrong in the run: the result and the record say it."""
    folder = RunFolder(Path(runs) / config.run_id)
    try:
        with folder.lock().acquire(timeout=0):
            before = len(folder.notes())
            result = _locked(config, folder, progress, importlib.import_module(tasks))
            result.notes = folder.notes()[before:]
            return result
    except Timeout:
        return Result(config.run_id, "busy")
    except RecordError as error:
        return Result(config.run_id, "failed", str(error), error.fatal)
    except OSError as error:  # the lock itself, on a read-only or full disk
        refused = disk_error(folder.lock_path, error)
        return Result(config.run_id, "failed", str(refused), refused.fatal)


def _locked(config: RunConfig | SpeedConfig, folder: RunFolder, progress: Callable, tasks) -> Result:
    status = folder.status_unlocked()
    if status == "corrupt":
        return Result(config.run_id, "corrupt", folder.problem())
    if status == "failed":
        folder.reopen()
    missing = unmeasured(config, folder) if status == "finished" else ()
    if status in ("finished", "diverged") and not missing:
        return Result(config.run_id, "skipped")
    try:
        if isinstance(config, SpeedConfig):
            folder.write_config(config)
            tasks.measure(config, folder, progress)
        elif folder.reopened or (missing and folder.weights.is_file()):
            _remeasure(config, folder, progress, tasks, status)
        else:
            if missing:  # the weights were left on another machine: train again, measure everything
                folder.reopen()
            folder.write_config(config)
            tasks.train(config, folder, progress)
    except tasks.interruption() as error:
        return Result(config.run_id, "interrupted", str(error))
    except RecordError:
        raise
    except Exception as error:
        reason = shorten(error)
        folder.finish("failed", reason)
        return Result(config.run_id, "failed", reason)
    if folder.status_unlocked() not in ("finished", "diverged", "failed"):
        folder.finish("finished")
    outcome = folder.outcome()
    return Result(config.run_id, outcome["status"], outcome["reason"])


def _remeasure(config: RunConfig, folder: RunFolder, progress: Callable, tasks, status: str) -> None:
    """Unseal a finished run, measure what was asked before and what is asked now, seal it again."""
    asked = dict.fromkeys((*folder.metrics().get("evaluated", []), *config.evaluate))
    config = folder.config().model_copy(update={"evaluate": tuple(asked)})
    if status == "finished":
        folder.reopen()
    folder.write_config(config)
    tasks.remeasure(config, folder, progress)


def shorten(error: Exception) -> str:
    """Return the error with the innermost places in the code that led to it, in a line a reader can act on."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:600]
    if isinstance(error, ValueError) and type(error) is not ValueError:
        return text  # a deliberate message (a corpus that cannot be read, a setting that cannot work)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " <- ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    if "out of memory" in text.lower():
        text += "; lower train.batch_size or --jobs"
    return f"{text} ({places})"
