"""Copies of the worker on a Ray cluster (``pip install ray==2.60.0``): that of ``RAY_ADDRESS``, else one started here.

All nodes must see the folder of records (a shared disk). A worker whose node or process is lost is started again, and
its run goes on from its last checkpoint. Small models ask for a fraction of a GPU.
"""

import importlib.util
import os
import threading

from seqmix_study.runs import worker
from seqmix_study.runs.job import CheckError, EngineError, Job
from seqmix_study.runs.machine import Layout
from seqmix_study.runs.progress import Display

# How often workers that were lost are started again, each.
RETRIES = 3


def copy(plain: str) -> str:
    """Be a worker on a node; return an obstacle or ""."""
    return worker.serve(plain, threading.Event())


def check() -> None:
    """Raise CheckError where Ray is missing."""
    if importlib.util.find_spec("ray") is None:
        raise CheckError("--engine ray needs Ray: pip install ray==2.60.0")


def serve(job: Job, place: Layout, display: Display) -> str:
    """Keep the workers going on Ray; raises CheckError where Ray is missing, EngineError where it cannot be reached."""
    check()
    import ray

    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")
    mine = not ray.is_initialized()
    try:
        if mine:
            ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise EngineError(f"--engine ray: no Ray cluster at {where}: {error}") from error
    threads = {"OMP_NUM_THREADS": str(place.threads), "MKL_NUM_THREADS": str(place.threads)}
    share = {"num_cpus": place.threads, "num_gpus": place.share, "runtime_env": {"env_vars": threads}}
    remote = ray.remote(copy).options(max_retries=0, **share)
    flying = [remote.remote(job.model_dump_json()) for _ in range(place.jobs)]
    lost, said = [], []
    try:
        while flying:
            done, flying = ray.wait(flying, timeout=1.0)
            display.refresh()
            for reference in done:
                try:
                    said += filter(None, [ray.get(reference)])
                except ray.exceptions.RayError as error:
                    lost.append((str(error).strip().splitlines() or [type(error).__name__])[-1][:300])
                    if len(lost) <= RETRIES * place.jobs:
                        flying.append(remote.remote(job.model_dump_json()))
    finally:
        job.file.unlink(missing_ok=True)  # the workers see that, save and leave
        ray.wait(flying, num_returns=len(flying), timeout=60) if flying else None
        if mine:
            ray.shutdown()
    if len(lost) > RETRIES * place.jobs:
        said.append(f"Ray lost {len(lost)} workers or nodes, the last one: {lost[-1]}")
    return "; ".join(dict.fromkeys(said))
