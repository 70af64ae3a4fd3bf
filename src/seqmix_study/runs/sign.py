"""How a run goes, for others: signs of life beside its lock while it is done (who, how far), a result when it ends.

Displays read signs, and so does the worker that takes a run after the death of another.
"""

import json
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqmix.files import RecordError, atomic_write
from seqmix.record import RunFolder

# How often a run is tried in one job when its worker dies under it (killed, out of memory, a crash in a library).
ATTEMPTS = 2

# Seconds between two signs of life.
TELL = 1.0


@dataclass
class Result:
    """How one run went. ``status``: finished, diverged, failed, corrupt, interrupted, busy or skipped."""

    status: str
    message: str = ""
    fatal: bool = False


@dataclass
class Sign:
    """``tries``: how often the job has taken the run; ``died``: how the worker before ended, where that is known.

    ``failed``: why the run (of a finished one: a measurement) is not tried again in this job.
    """

    job: str = ""
    worker: str = ""
    tries: int = 0
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    died: str = ""
    failed: str = ""


def _path(folder: RunFolder) -> Path:
    return folder.lock_path.with_suffix(".json")


def read(folder: RunFolder) -> Sign:
    """Return the sign of a run; an empty one if there is none, or if it is torn."""
    try:
        return Sign(**json.loads(_path(folder).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Sign()


def write(folder: RunFolder, sign: Sign) -> None:
    """Replace the sign of a run. A disk that does not take it costs nothing but the display."""
    with suppress(RecordError):
        atomic_write(_path(folder), json.dumps(asdict(sign)))


def standing(runs: Path, job: str) -> Iterator[tuple[RunFolder, Sign]]:
    """Yield the runs that a job has taken and that have not ended well."""
    for path in sorted((runs / ".locks").glob("*.json")):
        folder = RunFolder(runs / path.stem)
        found = read(folder)
        if found.job == job:
            yield folder, found


def quiet(folder: RunFolder) -> float:
    """Return for how many seconds neither the sign nor any file of a run has changed."""
    newest = 0.0
    for path in (_path(folder), *folder.path.glob("*"), *folder.path.glob("tables/*")):
        with suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return time.time() - newest


class Teller:
    """The ``progress`` of a run: leaves signs of life, and asks the run to stop when the worker is asked."""

    def __init__(self, job: Any, stop: Callable[[], bool], tick: Callable[[], None]) -> None:
        self.job, self.stop, self.tick, self.signs = job, stop, tick, {}
        self.told: dict[str, float] = {}

    def take(self, folder: RunFolder) -> str:
        """Sign that this worker has the run now (its lock is held); return why it should not be tried again, or ""."""
        old = read(folder)
        mine = old if old.job == self.job.id else Sign(self.job.id)
        if mine.tries >= ATTEMPTS:
            return f"its worker died {mine.tries} times" + (f" ({mine.died})" if mine.died else "")
        worker = f"{socket.gethostname()}:{os.getpid()}"
        self.signs[folder.run_id] = Sign(self.job.id, worker, mine.tries + 1, died=mine.died)
        write(folder, self.signs[folder.run_id])
        return ""

    def leave(self, folder: RunFolder, result: Result) -> None:
        """Sign off: a run that ended well needs no sign, one that failed is not tried again in this job."""
        if result.status in ("finished", "diverged", "skipped"):
            with suppress(OSError):
                _path(folder).unlink(missing_ok=True)
            return
        left = self.signs.get(folder.run_id, Sign(self.job.id))
        left.tries, left.failed = 0, result.message if result.status == "failed" else ""
        write(folder, left)

    def __call__(self, row: dict, run_id: str = "") -> bool:
        now = time.monotonic()
        run_id = run_id or next(iter(self.signs), "")
        if now - self.told.get(run_id, 0.0) > TELL and run_id in self.signs:
            self.told[run_id], mine = now, self.signs[run_id]
            mine.step, mine.steps, mine.loss = row["step"], row["steps"], row["loss"]
            write(RunFolder(Path(self.job.folder) / run_id), mine)
        self.tick()
        return self.stop()


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
