"""Training from nothing: beside the committed rows and the records that are here, in a folder of its own."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from seqmix.paths import Paths
from seqmix_study.results.transaction import locked
from seqmix_study.runs.job import Job, Queue


def paths(anew: bool = True) -> Paths:
    """Return the project's folders; ``anew``: with the folder of fresh records, beside the usual one."""
    usual = Paths()
    return Paths(usual.root, usual.runs.with_name(f"{usual.runs.name}-fresh")) if anew else usual


def start_anew(job: Job) -> None:
    """Delete the records of a fresh training that is whole, so that the next one is from nothing; else it goes on."""
    with comparing():
        queue = Queue(job)
        runs = queue.runs()
        if not queue.waiting() and all(queue.done(config) for config in runs):
            for config in runs:
                shutil.rmtree(Path(job.folder) / config.run_id, ignore_errors=True)


def comparing() -> AbstractContextManager:
    """Return the lock under which fresh records are compared: until then no other training deletes them."""
    return locked(paths().runs / ".comparing.lock")
