"""Copies of the worker on a Slurm cluster through submitit (``pip install submitit==1.5.4``), on a shared disk.

One job array of ``--jobs`` workers. A worker that reaches its time limit or is preempted is queued again by submitit;
what another leaves behind, the others do. ``SEQMIX_SLURM`` sets the options of sbatch, e.g.
``SEQMIX_SLURM="slurm_partition=gpu timeout_min=240 gpus_per_node=1 cpus_per_task=4"``; ``SEQMIX_SUBMITIT=local`` runs
the same code in processes on this machine.
"""

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable

from seqmix_study.runs import worker
from seqmix_study.runs.job import CheckError, EngineError, Job
from seqmix_study.runs.machine import Layout
from seqmix_study.runs.progress import Display

POLL = 1.0

# Seconds between two looks into the queue. A job that is not there twice, and left no result, has been lost.
LOOK = 20.0


class Copy:
    """One worker. Called by submitit on a node; returns an obstacle or ""."""

    def __init__(self, job: str) -> None:
        self.job = job

    def __call__(self) -> str:
        with worker.stoppable() as asked:  # scancel sends SIGTERM: finish the step, save
            return worker.serve(self.job, asked)

    def checkpoint(self) -> object:
        """Queue the worker again (submitit calls this before a time limit): what is finished is skipped."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def options() -> dict[str, int | str]:
    """Return the options that ``SEQMIX_SLURM`` names; raises CheckError for a word that is not name=value."""
    said = os.environ.get("SEQMIX_SLURM", "")
    try:
        found = dict(word.split("=", 1) for word in said.split())
    except ValueError as error:
        raise CheckError(f"SEQMIX_SLURM is {said!r}: not every word of it is name=value") from error
    return {name: int(value) if value.isdigit() else value for name, value in found.items()}


def check() -> str:
    """Return the cluster to submit to; raises CheckError where there is no submitit, no Slurm, or a bad option."""
    if importlib.util.find_spec("submitit") is None:
        raise CheckError("--engine slurm needs submitit: pip install submitit==1.5.4")
    cluster = os.environ.get("SEQMIX_SUBMITIT", "slurm")
    if cluster == "slurm":
        if not shutil.which("sbatch"):
            where = "start it on a login node (SEQMIX_SUBMITIT=local tries the same code without Slurm)"
            raise CheckError(f"--engine slurm: sbatch is not on this machine; {where}")
        asked = subprocess.run(["sinfo"], capture_output=True, text=True, check=False)
        if asked.returncode:
            raise CheckError(f"--engine slurm: no Slurm answers here: {' '.join(asked.stderr.split())[-300:]}")
    options()
    return cluster


def serve(job: Job, place: Layout, display: Display) -> str:
    """Run the workers as one job array and wait; raises CheckError as :func:`check` does, or EngineError."""
    cluster, settings = check(), options()
    import submitit

    executor = submitit.AutoExecutor(folder=f"{job.folder}/.slurm/%j", cluster=cluster)
    usual = {"timeout_min": 240, "cpus_per_task": max(1, place.threads), "name": "seqmix"}
    if cluster == "slurm":
        usual["slurm_array_parallelism"] = place.jobs
    try:
        executor.update_parameters(**usual | settings)
        with executor.batch():
            submitted = [executor.submit(Copy(job.model_dump_json())) for _ in range(place.jobs)]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, ValueError) as error:
        raise EngineError(f"Slurm did not take the jobs: {error}") from error
    try:
        return _wait(submitted, display, _queued if cluster == "slurm" else None)
    finally:
        job.file.unlink(missing_ok=True)  # those that still run see that, save and leave
        for one in submitted:
            if not one.done():
                one.cancel()


def _wait(submitted: list, display: Display, queued: Callable[[list], set[str] | None] | None) -> str:
    """Return what kept workers from doing their part: an obstacle, or how Slurm ended them; "" if nothing did.

    ``queued``: jobs -> the names of those that are in the queue. submitit learns of a job without a result from sacct
    alone, every ten minutes, and never where Slurm keeps no accounts.
    """
    left, said, missing, looked = list(submitted), [], set(), time.monotonic()
    while left:
        display.refresh()
        for one in [one for one in left if one.done()]:
            left.remove(one)
            error = one.exception()
            said += [_ending(one, error)] if error is not None else [one.result()] if one.result() else []
        if left and queued and time.monotonic() - looked > LOOK:
            looked, there = time.monotonic(), queued(left)
            gone = {one.job_id for one in left if there is not None and one.job_id not in there}
            for one in [one for one in left if one.job_id in gone & missing]:
                left.remove(one)
                how = "ended without a result (killed, or its node was)"
                said.append(f"job {one.job_id} {how}; its log is {one.paths.stderr}")
            missing = gone
        time.sleep(POLL if left else 0)
    return "; ".join(dict.fromkeys(said))


def _queued(jobs: list) -> set[str] | None:
    """Return the names of those jobs that Slurm still has, None if it cannot be asked."""
    names = ",".join(one.job_id for one in jobs)
    asked = ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={names}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode and "Invalid job id" not in done.stderr:
        return None
    return set(done.stdout.split())


def _ending(one, error: Exception) -> str:
    state = str(one.state).upper()
    if "CANCEL" in state:
        return f"job {one.job_id} was cancelled (scancel); start the same command again to go on"
    last = (str(error).strip().splitlines() or ["it ended without a result"])[-1][:300]
    return f"job {one.job_id} ended badly ({state.lower()}): {last}; its log is {one.paths.stderr}"
