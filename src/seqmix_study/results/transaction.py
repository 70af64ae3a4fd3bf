"""Several files put into place as one, locks, temporary folders: who is killed leaves nothing half done or for good."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from seqmix.files import atomic_write, disk_error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, and say if that takes waiting; the system releases it when its holder dies.

    Raises RecordError where none can be made.
    """
    lock = FileLock(path, is_singleton=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for another process, which writes in {path.parent}", file=sys.stderr, flush=True)
            held = lock.acquire()
    except OSError as error:
        raise disk_error(path, error) from error
    with held:
        yield


@contextmanager
def scratch(place: Path | None = None) -> Iterator[Path]:
    """Make a folder for a while, in ``place`` or where temporary files go; the path leaves room for a socket's name.

    Its maker holds the lock in it: one that nobody holds was left by a process that was killed, and goes.
    """
    usual = tempfile.gettempdir()
    place = place or Path("/tmp" if len(usual) > 60 and os.path.isdir("/tmp") else usual)  # sockets: 107 bytes in all
    for left in place.glob(".sq-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 60:  # else it is just being made, or removed
                with FileLock(left / "lock", timeout=0):
                    shutil.rmtree(left)
    made = tempfile.TemporaryDirectory(prefix=".sq-", dir=place, ignore_cleanup_errors=True)  # another may look into it
    with made as folder, FileLock(Path(folder, "lock")):
        yield Path(folder)


def replace_together(folder: Path, files: dict[str, bytes], mark: str) -> None:
    """Put several files of a folder (by relative name) into place as one: all the new ones, or all the old ones.

    They are written beside, into a folder that appears by one rename: from then on :func:`current` finds the new
    ones. What is killed while it moves them is finished by :func:`finish_replacing`. Raises RecordError.
    """
    with locked(folder / f".{mark}.lock"):
        finish_replacing(folder, mark)
        part = folder / f".{mark}.part"
        try:
            shutil.rmtree(part, ignore_errors=True)
            for name, content in files.items():
                atomic_write(part / name, content)
            os.replace(part, folder / f".{mark}.staged")
        except OSError as error:
            raise disk_error(part, error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        finish_replacing(folder, mark)


def finish_replacing(folder: Path, mark: str) -> None:
    """Move into place what a killed :func:`replace_together` has left; nothing if it left nothing."""
    staged = folder / f".{mark}.staged"
    if not staged.is_dir():
        return
    with locked(folder / f".{mark}.lock"):
        for path in sorted(path for path in staged.rglob("*") if path.is_file()):
            target = folder / path.relative_to(staged)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            except OSError as error:
                raise disk_error(target, error) from error
        shutil.rmtree(staged, ignore_errors=True)


def current(path: Path, mark: str) -> Path:
    """Return where the newest version of a file of :func:`replace_together` lies: in its place, or on its way."""
    staged = path.parent / f".{mark}.staged" / path.name
    return staged if staged.is_file() else path
