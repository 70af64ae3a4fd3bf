"""Execute one chapter through papermill and publish it, only if every cell succeeded.

Traps of papermill that are closed here: a dead kernel leaves a file that claims success (the exception decides, never
the file); ``cwd`` is process-wide (one chapter a process at a time); the default IPC socket is shared by all kernels of
a folder (own short path); absolute paths, times and random cell ids in the output (stripped, so that the same run gives
the same bytes).
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import nbformat
from jupyter_client import AsyncKernelManager

from seqmix.paths import Paths
from seqmix_study.book.executed import publish
from seqmix_study.book.fingerprint import fingerprint
from seqmix_study.book.prepare import prepare_for_reading
from seqmix_study.book.sources import Notebook
from seqmix_study.results.transaction import scratch

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ChapterFailed(RuntimeError):
    """A cell raised, or the kernel died; the message holds the place and the traceback."""


@contextlib.contextmanager
def _told(name: str, file: Path):
    """Repeat what the training in the kernel writes into ``file``, a line a minute, until the chapter is done."""
    done, seen = threading.Event(), 0

    def look() -> None:
        nonlocal seen
        while not done.wait(1.0):
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            for line in text[seen:].splitlines():
                print(f"{name}: {line}", file=sys.stderr, flush=True)
            seen = len(text)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


class _Quiet(AsyncKernelManager):
    """Starts kernels without an error stream: what they say when they are ended is noise to the caller."""

    def start_kernel(self, **how):
        return super().start_kernel(**how, stderr=subprocess.DEVNULL)


def execute(chapter: Notebook, passed: dict, paths: Paths) -> dict:
    """Execute a chapter and put it into ``book/executed``; return its published record.

    ``passed`` are checked parameter values. Raises ChapterFailed and leaves the published chapter as it was.
    """
    import papermill
    from traitlets.config import Config

    values = chapter.parameters | passed
    started, place = time.monotonic(), paths.executed / f"{chapter.name}.ipynb"
    if place.is_dir():
        raise ChapterFailed(f"{place} is a folder where the executed chapter belongs: remove it")
    before = fingerprint(chapter, values, paths)
    with scratch() as folder, mock.patch.dict(os.environ):
        prepared, done = Path(folder, f"{chapter.name}.ipynb"), Path(folder, "out.ipynb")
        for index, cell in enumerate(chapter.notebook.cells):
            cell["id"] = f"{chapter.name}-{index:03d}"
            cell.metadata["seqmix"] = {"line": chapter.lines[index]}
        nbformat.write(chapter.notebook, prepared)
        config = Config()
        if os.name == "posix":
            config.KernelManager.transport, config.KernelManager.ip = "ipc", str(Path(folder, "k"))
        told = Path(folder, "progress")
        os.environ |= {"SEQMIX_ROOT": str(paths.root), "SEQMIX_PROGRESS": str(told), "PYTHONHASHSEED": "0"}
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        how = {"kernel_name": "python3", "kernel_manager_class": _Quiet, "config": config, "progress_bar": False}
        try:
            with _told(chapter.name, told):
                papermill.execute_notebook(str(prepared), str(done), passed, cwd=str(paths.root), **how)
        except papermill.PapermillExecutionError as error:
            raise ChapterFailed(_explain(chapter, nbformat.read(done, 4), error)) from error
        except Exception as error:  # a dead kernel, a time-out: the file on disk would claim success
            raise ChapterFailed(f"{chapter.name}: {type(error).__name__}: {error}") from error
        notebook = nbformat.read(done, 4)
    figures, described = prepare_for_reading(notebook, chapter, values)
    # The results as they are now, everything else as it was when the execution began.
    now = before | {"results": fingerprint(chapter, values, paths)["results"]}
    record = {"parameters": values, "title": chapter.title, "figures": described, "fingerprint": now}
    notebook.metadata["seqmix"] = record
    publish(notebook, figures, place)
    return record | {"seconds": round(time.monotonic() - started, 1)}


def _explain(chapter: Notebook, notebook, error) -> str:
    """Say which cell failed, where it stands in the source, and show the lines of the cell that led to it."""
    failed = (c for c in notebook.cells for o in c.get("outputs", ()) if o.get("output_type") == "error")
    line = next((f":{cell.metadata['seqmix']['line']}" for cell in failed if "seqmix" in cell.metadata), "")
    where = f"notebooks/{chapter.name}.md{line}"
    frames = [ANSI.sub("", frame) for frame in error.traceback]
    own = [frame.partition("\n")[2] for frame in frames if frame.startswith("Cell In[")]
    return "\n".join([f"{where}: {error.ename}: {error.evalue}", *own])
