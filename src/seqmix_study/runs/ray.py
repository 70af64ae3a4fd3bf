"""Runs on a Ray cluster (``pip install ray==2.60.0``): the one that ``RAY_ADDRESS`` names, else one started here.

A node that sees the runs folder of the caller (a shared disk) trains there, under the same locks and with the same
checkpoints as any other process. A node that does not trains in a folder of its own and sends the record back as an
archive. A run whose node or worker is lost is tried again by Ray on another one. Small models ask for a fraction of
a GPU.
"""

import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

from seqmix.config import RunConfig, SpeedConfig, parse_run
from seqmix.files import RecordError, atomic_write
from seqmix_study.runs.machine import layout
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result, carry_out

__all__ = ["run_ray", "work"]

RETRIES = 3
"""How often Ray tries a run again whose worker or node was lost."""

LOOK_EVERY = 1.0
"""Seconds between two looks of a run at the caller's sign of life."""


def work(plain: dict, runs: str, sign: str, tasks: str, path: list[str]) -> tuple[dict, bytes]:
    """Do one run on a node; return its result and, where the disk is not shared, its record as an archive."""
    sys.path[:] = path
    config, shared = parse_run(plain), Path(runs) / ".locks" / sign
    if not shared.exists():
        return _work_apart(config, tasks)
    looked, alive = time.monotonic(), True

    def report(row: dict) -> bool:
        nonlocal looked, alive
        if time.monotonic() - looked > LOOK_EVERY:
            looked, alive = time.monotonic(), shared.exists()
        return not alive  # the caller has gone: save and stop

    while (result := carry_out(config, Path(runs), report, tasks)).status == "busy" and shared.exists():
        time.sleep(LOOK_EVERY)  # held by another process, or by a worker of a lost node that is still dying
    return result.plain(), b""


def _work_apart(config: RunConfig | SpeedConfig, tasks: str) -> tuple[dict, bytes]:
    from seqmix_study.runs.archive import pack

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "runs"
        result = carry_out(config, place, lambda row: False, tasks)
        if result.status not in ("finished", "diverged", "failed") or result.fatal:
            return result.plain(), b""
        archive = Path(folder) / "record.tar.gz"
        pack(archive, place, weights=True)
        return result.plain(), archive.read_bytes()


def _leave_sign(runs: Path) -> Path:
    """Write a file that nodes with a shared disk see, as long as the caller lives."""
    sign = runs / ".locks" / f"ray-{secrets.token_hex(8)}"
    atomic_write(sign, "the process that asked for these runs is alive\n")
    return sign


def _connect(ray) -> bool:
    """Connect to Ray if this process is not; return whether that was done here."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    return True


def run_ray(
    todo: list[RunConfig | SpeedConfig], runs: Path, jobs: int | None, tasks: str, display: Display
) -> dict[str, Result]:
    """Run everything on Ray and wait for it; raises EngineError where Ray is missing or cannot be reached."""
    from seqmix_study.runs.launch import EngineError

    try:
        import ray
    except ImportError:
        raise EngineError("--engine ray needs Ray: pip install ray==2.60.0") from None
    place = layout(todo, jobs)
    runs = runs.resolve()
    try:
        mine = _connect(ray)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise EngineError(f"--engine ray: no Ray cluster at {where}: {error}") from error
    sign = _leave_sign(runs)
    try:
        share = len(place.gpus) / max(1, place.jobs)
        threads = {"OMP_NUM_THREADS": str(place.threads), "MKL_NUM_THREADS": str(place.threads)}
        remote = ray.remote(work).options(
            num_cpus=place.threads, num_gpus=share, max_retries=RETRIES, runtime_env={"env_vars": threads}
        )
        return _serve(ray, remote, todo, runs, sign, tasks, display, jobs or 0)
    finally:
        sign.unlink(missing_ok=True)
        if mine:
            ray.shutdown()


def _serve(ray, remote, todo, runs: Path, sign: Path, tasks: str, display: Display, jobs: int) -> dict[str, Result]:
    """Hand the runs out in plan order (at most ``jobs`` at a time, 0: as many as the cluster takes)."""
    waiting, flying, results = list(todo), {}, {}
    try:
        while waiting or flying:
            while waiting and (not jobs or len(flying) < jobs):
                config = waiting.pop(0)
                plain = config.model_dump(mode="json")
                flying[remote.remote(plain, str(runs), sign.name, tasks, sys.path)] = config.run_id
                display.start(config.run_id)
            done, _ = ray.wait(list(flying), timeout=1.0)
            for reference in done:
                result = _receive(ray, reference, flying.pop(reference), runs)
                results[result.run_id] = result
                display.end(result.run_id, result.status)
                if result.fatal:
                    return results
            display.refresh()
    except KeyboardInterrupt:
        sign.unlink(missing_ok=True)  # on a shared disk the runs see that, save and stop
        ray.wait(list(flying), num_returns=len(flying), timeout=30)
        raise
    return results


def _receive(ray, reference, run_id: str, runs: Path) -> Result:
    from seqmix_study.runs.archive import PackError, unpack

    try:
        plain, archive = ray.get(reference)
    except ray.exceptions.RayError as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
        return Result(run_id, "failed", f"Ray lost it {RETRIES + 1} times: {last}")
    result = Result(**plain)
    if archive:
        path = runs / f".{run_id}.tar.gz"
        try:
            atomic_write(path, archive)
            unpack(path, runs)
        except (PackError, RecordError) as error:
            return Result(run_id, "failed", f"its record came back damaged: {error}")
        finally:
            path.unlink(missing_ok=True)
    if result.status == "busy":
        return Result(run_id, "interrupted", "another process trains it")
    return result
