"""Runs on a Slurm cluster through submitit (``pip install submitit==1.5.4``): one job array, records on a shared disk.

The runs are dealt to at most ``--jobs`` array tasks in plan order. A task that reaches its time limit or is preempted
is queued again by submitit and goes on from the last checkpoint. ``SEQMIX_SLURM`` sets the options of sbatch, e.g.
``SEQMIX_SLURM="slurm_partition=gpu timeout_min=240 gpus_per_node=1 cpus_per_task=4"``; ``SEQMIX_SUBMITIT=local`` runs
the same code in processes on this machine.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from seqmix.config import RunConfig, SpeedConfig, parse_run
from seqmix_study.runs.here import stoppable
from seqmix_study.runs.machine import layout
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result, carry_out

__all__ = ["Batch", "run_slurm"]

ARRAY = 64
"""Array tasks where ``--jobs`` does not say how many."""

POLL = 1.0


class Batch:
    """The work of one array task: some runs, one after the other. Called by submitit on a node."""

    def __init__(self, configs: list[dict], runs: str, tasks: str, path: list[str]) -> None:
        self.configs, self.runs, self.tasks, self.path = configs, runs, tasks, path

    def __call__(self) -> list[dict]:
        sys.path[:] = self.path
        results = []
        with stoppable() as asked:  # scancel sends SIGTERM: finish the step, save
            for plain in self.configs:
                result = carry_out(parse_run(plain), Path(self.runs), lambda row: asked.is_set(), self.tasks)
                if result.status == "busy":
                    result = Result(result.run_id, "interrupted", "another process trains it")
                results.append(result.plain())
                if asked.is_set() or result.fatal:
                    break
        return results

    def checkpoint(self) -> object:
        """Queue the same work again (submitit calls this before a time limit): what is finished is skipped."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def options() -> dict[str, int | str]:
    """Return the options that ``SEQMIX_SLURM`` names; raises EngineError for a word that is not name=value."""
    from seqmix_study.runs.launch import EngineError

    found: dict[str, int | str] = {}
    for word in os.environ.get("SEQMIX_SLURM", "").split():
        name, sign, value = word.partition("=")
        if not sign:
            raise EngineError(f"SEQMIX_SLURM has {word!r}, which is not name=value")
        found[name] = int(value) if value.isdigit() else value
    return found


def run_slurm(
    todo: list[RunConfig | SpeedConfig], runs: Path, jobs: int | None, tasks: str, display: Display
) -> dict[str, Result]:
    """Run everything as one job array and wait for it; raises EngineError where there is no submitit or no Slurm."""
    from seqmix_study.runs.launch import EngineError

    try:
        import submitit
    except ImportError:
        raise EngineError("--engine slurm needs submitit: pip install submitit==1.5.4") from None
    cluster = os.environ.get("SEQMIX_SUBMITIT", "slurm")
    if cluster == "slurm" and not shutil.which("sbatch"):
        raise EngineError(
            "--engine slurm: sbatch is not on this machine; start it on a login node (SEQMIX_SUBMITIT=local tries the "
            "same code without Slurm)"
        )
    count = max(1, min(len(todo), jobs or ARRAY))
    plain = [config.model_dump(mode="json") for config in todo]
    batches = [Batch(plain[n::count], str(runs.resolve()), tasks, sys.path) for n in range(count)]
    executor = submitit.AutoExecutor(folder=runs / ".slurm" / "%j", cluster=cluster)
    settings = {"timeout_min": 240, "cpus_per_task": max(1, layout(todo).threads), "name": "seqmix"}
    if cluster == "slurm":
        settings["slurm_array_parallelism"] = count
    try:
        executor.update_parameters(**settings | options())
        with executor.batch():
            submitted = [executor.submit(batch) for batch in batches]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, ValueError) as error:
        raise EngineError(f"Slurm did not take the jobs: {error}") from error
    try:
        return _wait(submitted, todo, count, display)
    except KeyboardInterrupt:
        for job in submitted:
            job.cancel()
        raise


def _wait(submitted: list, todo: list[RunConfig | SpeedConfig], count: int, display: Display) -> dict[str, Result]:
    results: dict[str, Result] = {}
    left = dict(enumerate(submitted))
    for config in todo:
        display.start(config.run_id)
    while left:
        for number, job in list(left.items()):
            if not job.done():
                continue
            del left[number]
            mine = [config.run_id for config in todo[number::count]]
            error = job.exception()
            if error is None:
                ended = {plain["run_id"]: Result(**plain) for plain in job.result()}
            else:
                last = (str(error).strip().splitlines() or ["it ended without a result"])[-1][:300]
                why = f"job {job.job_id} ended badly: {last}; its log is {job.paths.stderr}"
                ended = {run_id: Result(run_id, "failed", why) for run_id in mine}
            results |= ended
            for run_id in mine:
                display.end(run_id, ended[run_id].status if run_id in ended else "interrupted")
        time.sleep(POLL if left else 0)
    return results
