"""The worker: plan, take the next run that is not done and whose lock is free, do it, plan again.

``python -m seqmix_study.runs.worker JOB.json`` is one worker; every engine starts some (processes here, array tasks of
Slurm, tasks of Ray). They share nothing but the folder of records: whoever holds a run's lock does it. A worker leaves
when nothing is left, when its time is up, or when the file of its job is gone; it finishes the step and saves first.
"""

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from seqmix.files import RecordError, disk_error
from seqmix.record import RunFolder
from seqmix_study.results.rows import Config
from seqmix_study.runs.job import Job, Queue, unmeasured
from seqmix_study.runs.sign import Result, Teller, shorten

# Exit code of a worker that met what the next run would meet too (a full disk); its last line says what.
OBSTACLE = 3

# Seconds between two looks for work where others hold what is left.
POLL = 0.5


def in_team() -> bool:
    """Whether ``torchrun`` started this process together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process speaks: always, except for the followers under ``torchrun``."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def answering(handler: Callable, *signals: int) -> Iterator[None]:
    """Answer these signals with ``handler`` for a while. Only the main thread can; in another nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event that the trainer sees after its step; a second one raises.

    The event's ``number`` is the signal's.
    """
    asked = threading.Event()

    def ask(number: int, _: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.number = number
        asked.set()

    with answering(ask, signal.SIGINT, signal.SIGTERM):
        yield asked


def work(job: Job, asked: Callable[[], bool] = lambda: False, tick: Callable[[], None] = lambda: None) -> str:
    """Do what is left of a job until nothing is or until ``asked``; return an obstacle that all runs would meet, or "".

    ``tick`` is called often, for a display in this process.
    """
    queue, trainer = Queue(job), importlib.import_module(job.trainer)

    def stop() -> bool:
        return asked() or bool(job.deadline and time.time() > job.deadline)

    while not stop():
        tick()
        todo = queue.todo()
        result = _first(todo, job, queue, trainer, stop, tick)
        if result is None:
            if not todo:
                return ""
            time.sleep(POLL)  # others hold what is left: their results may decide more, or they may die
        elif result.fatal or (result.status == "failed" and in_team()):
            return result.message
    return ""


def _first(todo: list[Config], job: Job, queue: Queue, trainer, stop: Callable, tick: Callable) -> Result | None:
    """Do the first run that is free (with others of its shape in an ensemble); return how it went, None if none is."""
    teller, runs = Teller(job, stop, tick), queue.known.paths.runs
    for config in todo:
        if stop():
            return None
        results = []
        if job.ensemble and job.kind == "train":
            from seqmix_study.runs import ensemble  # loads torch, which the other ways of this module need not

            results = ensemble.carry_out(config, todo, runs, teller)
        result = max(results, key=lambda r: r.fatal) if results else carry_out(config, runs, teller, trainer)
        if result.status == "corrupt" or (result.status == "failed" and result.fatal):
            queue.refused.add(config.run_id)
        if result.status not in ("busy", "skipped"):
            return result
    return None


def carry_out(config: Config, runs: Path, progress: Callable[[dict], object], trainer=None) -> Result:
    """Do one run under its lock. Never raises for what goes wrong in the run: the result and the record say it.

    A ``progress`` that is a Teller leaves signs of life, and gives up a run whose workers died too often.
    """
    folder = RunFolder(Path(runs) / config.run_id)
    trainer = trainer or importlib.import_module("seqmix.train")
    teller = progress if isinstance(progress, Teller) else None
    try:
        with folder.lock().acquire(timeout=0):
            result = _ready(config, folder)
            if not result and teller and (why := teller.take(folder)):
                result = _failed(config, folder, why)
            result = result or _locked(config, folder, progress, trainer)
            if teller:
                teller.leave(folder, result)
            return result
    except Timeout:
        return Result("busy")
    except (RecordError, OSError) as error:  # a disk that is full or read-only, for the lock as well
        told = error if isinstance(error, RecordError) else disk_error(Path(error.filename or folder.lock_path), error)
        return Result("failed", str(told), told.fatal)


def _ready(config: Config, folder: RunFolder) -> Result | None:
    """Return the result of a run that needs nothing or that cannot be done, else None."""
    status = folder.status_unlocked()
    if status == "corrupt":
        return Result("corrupt", folder.problem())
    ended = status == "diverged" or (status == "finished" and not unmeasured(config, folder))
    return Result("skipped") if ended else None


def _failed(config: Config, folder: RunFolder, why: str) -> Result:
    """Say so in the record, but of a run that has finished: its training stands, and only a measurement is missing."""
    if folder.outcome().get("status") == "finished":
        why = f"it is trained, but a measurement ({', '.join(unmeasured(config, folder))}) failed: {why}"
    else:
        folder.write_config(config)
        folder.finish("failed", why)
    return Result("failed", why)


def _locked(config: Config, folder: RunFolder, progress: Callable, trainer) -> Result:
    status = folder.status_unlocked()
    trained = status == "finished" and folder.weights.is_file()
    if status == "finished" and not trained:  # on another machine, which kept the weights: all is measured anew
        config = config.model_copy(update={"evaluate": tuple(sorted({*folder.evaluated(), *config.evaluate}))})
    if status in ("finished", "failed") and not trained:
        folder.reopen()
    try:
        if config.kind == "speed":
            folder.write_config(config)
            clock = getattr(trainer, "clock", None) or importlib.import_module("seqmix.timing").measure
            clock(config, folder, progress)
        elif trained:
            trainer.measure(config, folder, progress)
        else:
            folder.write_config(config)
            if in_team():
                importlib.import_module("seqmix.distributed").join().announce(config)
            trainer.train(config, folder, progress)
    except trainer.Interrupted as error:
        return Result("interrupted", str(error))
    except RecordError:
        raise
    except Exception as error:
        return _failed(config, folder, shorten(error))
    outcome = folder.outcome()
    return Result(outcome["status"], outcome["reason"])


def serve(plain: str, asked: threading.Event, parent: int = 0) -> str:
    """Be a worker, here or on another machine, of the job whose JSON is ``plain``; return an obstacle or "".

    It stops when it is ``asked`` by a signal, when the job's file is gone, or when its ``parent`` (a process) is dead.
    """
    job = Job.model_validate_json(plain)
    sys.path[:] = job.path
    if not job.file.exists() and not parent:
        return f"{os.uname().nodename} does not see {job.folder}: workers on a cluster need a shared disk"
    return work(job, lambda: asked.is_set() or not job.file.exists() or parent not in (0, os.getppid()))


def main(file: str, parent: int) -> None:
    """Be one worker of the job that a file describes, as a child of process ``parent``."""
    with stoppable() as asked:
        obstacle = serve(Path(file).read_text("utf-8"), asked, parent)
    if obstacle:
        print(obstacle, file=sys.stderr)
    sys.stderr.flush()
    os._exit(OBSTACLE if obstacle else 0)  # no slow interpreter shutdown: everything is written


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
