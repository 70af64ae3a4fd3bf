"""Copies of the worker as processes of this machine, and a look after them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seqmix_study.runs import sign
from seqmix_study.runs.job import Job
from seqmix_study.runs.machine import Layout
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import OBSTACLE

POLL = 0.2

# Seconds without any change of its run's files after which a worker counts as standing still.
PATIENCE = 900.0

# Seconds that a worker has to finish its step and save when it is asked to leave.
LAST_CHANCE = 120.0


class Worker:
    """One process."""

    def __init__(self, job: Job, number: int, place: Layout) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        threads = {name: str(place.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        gpu = {"CUDA_VISIBLE_DEVICES": place.gpus[number % len(place.gpus)]} if place.gpus else {}
        found = {"PYTHONPATH": os.pathsep.join(filter(None, job.path))}
        command = [sys.executable, "-m", "seqmix_study.runs.worker", str(job.file), str(os.getpid())]
        streams = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": self.log}
        # In a session of its own, Ctrl-C does not reach it: it leaves when the job's file is gone.
        how = {"env": os.environ | threads | gpu | found, "start_new_session": True}
        self.number, self.process = number, subprocess.Popen(command, **streams, **how)

    @property
    def name(self) -> str:
        """The name that it signs with."""
        return f"{socket.gethostname()}:{self.process.pid}"

    def last_words(self) -> str:
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 2000))
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else ""


def serve(job: Job, place: Layout, display: Display) -> str:
    """Keep ``place.jobs`` workers going until none is needed; return an obstacle that all runs meet, or ""."""
    workers = [Worker(job, number, place) for number in range(place.jobs)]
    stillborn, obstacle = 0, ""
    try:
        while workers and not obstacle:
            time.sleep(POLL)
            display.refresh()
            _end_those_that_stand_still(job, workers)
            for worker in list(workers):
                code = worker.process.poll()
                if code is None:
                    continue
                workers.remove(worker)
                if code == OBSTACLE:
                    obstacle = worker.last_words()
                elif code:
                    stillborn += not _mourn(job, worker, code)
                    if stillborn > place.jobs:
                        return f"workers die before they do anything: {worker.last_words()}"
                    workers.append(Worker(job, worker.number, place))
    finally:
        _dismiss(job, workers)
    return obstacle


def _mourn(job: Job, worker: Worker, code: int) -> bool:
    """Write into the signs of a dead worker's runs how it ended; return whether it had any."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    if code == -9:
        how += "; it may have run out of memory: use fewer --jobs or a smaller train.batch_size"
    if said := worker.last_words():
        how += f"; last message: {said}"
    mine = [pair for pair in sign.standing(Path(job.folder), job.id) if pair[1].worker == worker.name]
    for folder, left in mine:
        if not left.died:
            left.died = how
            sign.write(folder, left)
    return bool(mine)


def _end_those_that_stand_still(job: Job, workers: list[Worker]) -> None:
    by_name = {worker.name: worker for worker in workers}
    for folder, seen in sign.standing(Path(job.folder), job.id):
        worker = by_name.get(seen.worker)
        if worker and not seen.failed and sign.quiet(folder) > PATIENCE:
            seen.died = f"nothing of the run changed for {PATIENCE / 60:.0f} minutes"
            sign.write(folder, seen)
            worker.process.kill()


def _dismiss(job: Job, workers: list[Worker]) -> None:
    """Ask those that are left to save and leave; end whoever takes too long, or all when asked again."""
    job.file.unlink(missing_ok=True)
    until = time.monotonic() + LAST_CHANCE
    try:
        for worker in workers:
            worker.process.wait(max(0.1, until - time.monotonic()))
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        pass  # the last checkpoint stays
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()
