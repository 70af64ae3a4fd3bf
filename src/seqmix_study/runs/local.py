"""Run a list of runs with worker processes on this machine.

Runs are handed out in plan order (seed-major: the first seed of everything before the second), so that whatever is
done when the time is up is the most valuable part. Longest first would pack a little better, and would leave a
half-finished study without its small models. Speed measurements come last and alone: nothing may run beside them.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from filelock import Timeout

from seqmix.config import RunConfig, SpeedConfig
from seqmix.files import RecordError
from seqmix.record import RunFolder
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result

__all__ = ["Pool", "run_local"]

ATTEMPTS = 2
"""How often a run is tried when its worker dies under it (killed, out of memory, a crash in a library)."""

POLL = 0.5
"""Seconds between two looks at a run that another process holds."""


class Worker:
    """A child process (see ``seqmix_study.runs.worker_process``) and the run it is busy with."""

    def __init__(self, number: int, setup: dict, environment: dict, inbox: queue.Queue) -> None:
        self.config: RunConfig | SpeedConfig | None = None
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seqmix_study.runs.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | environment,
            start_new_session=True,  # Ctrl-C must not reach it: the parent asks it to stop
        )
        self.tell(setup)
        threading.Thread(target=self._listen, args=(inbox,), daemon=True, name=f"worker-{number}").start()

    def _listen(self, inbox: queue.Queue) -> None:
        for line in self.process.stdout:
            try:
                inbox.put((self, json.loads(line)))
            except ValueError:
                break  # the worker died in the middle of a line
        self.process.wait()
        inbox.put((self, {"ended": self.process.returncode}))

    def tell(self, message: dict) -> None:
        with contextlib.suppress(OSError):  # it died: _listen reports that
            print(json.dumps(message), file=self.process.stdin, flush=True)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def last_words(self) -> str:
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 2000))
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


class Pool:
    """Hands runs to workers until all are done, the deadline passes, or the disk refuses."""

    def __init__(self, runs: Path, jobs: int, threads: int, tasks: str, display: Display, gpus: list[str]) -> None:
        self.runs, self.jobs, self.display, self.gpus = runs, jobs, display, gpus
        self.setup = {"runs": str(runs), "tasks": tasks, "path": sys.path}
        self.threads = threads
        self.inbox: queue.Queue = queue.Queue()
        self.workers: list[Worker] = []
        self.waiting: list[RunConfig | SpeedConfig] = []
        self.results: dict[str, Result] = {}
        self.tries: dict[str, int] = {}
        self.fatal = ""
        self.born = 0

    def run(self, configs: list[RunConfig | SpeedConfig], deadline: float = float("inf")) -> dict[str, Result]:
        """Do all runs and return how each went; raises KeyboardInterrupt after the workers have saved and left."""
        training = [config for config in configs if isinstance(config, RunConfig)]
        timing = [config for config in configs if isinstance(config, SpeedConfig)]
        try:
            self._serve(deque(training), self.jobs, deadline)
            self._dismiss()  # the machine must be quiet for a measurement of speed
            self._serve(deque(timing), 1, deadline)
        except KeyboardInterrupt:
            self.stop()
            raise
        finally:
            self._dismiss()
        return self.results

    def _serve(self, pending: deque, jobs: int, deadline: float) -> None:
        asked = 0.0
        while pending or self.waiting or any(worker.config for worker in self.workers):
            if self.fatal or time.time() > deadline:
                return self.stop()
            if self.waiting and time.monotonic() - asked > POLL:
                asked = time.monotonic()
                pending.extend(self._freed())
            self._assign(pending, jobs)
            try:
                self._take(*self.inbox.get(timeout=POLL), pending)
            except queue.Empty:
                self.display.waiting = len(self.waiting)
                self.display.refresh()

    def _assign(self, pending: deque, jobs: int) -> None:
        idle = [worker for worker in self.workers if worker.config is None]
        while pending:
            if not idle and len(self.workers) >= jobs:
                return
            worker = idle.pop() if idle else self._hire()
            worker.config = pending.popleft()
            worker.tell({"run": worker.config.model_dump(mode="json")})
            self.display.start(worker.config.run_id)

    def _hire(self) -> Worker:
        environment = {}
        if self.threads:
            environment = {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[self.born % len(self.gpus)]
        self.born += 1
        self.workers.append(Worker(self.born, self.setup, environment, self.inbox))
        return self.workers[-1]

    def _take(self, worker: Worker, message: dict, pending: deque | None) -> None:
        """Act on one message; ``pending`` is None while the pool is stopping."""
        config = worker.config
        if "progress" in message and config:
            self.display.step(config.run_id, message["progress"])
        elif "done" in message and config:
            worker.config = None
            result = Result(**message["done"])
            self.display.end(result.run_id, result.status)
            if result.status == "busy" and pending is not None:
                self.waiting.append(config)
            elif result.status != "busy":
                self.results[result.run_id] = result
                self.fatal = self.fatal or (result.message if result.fatal else "")
        elif "ended" in message:
            if worker in self.workers:
                self.workers.remove(worker)
            if config:
                worker.config = None
                self._died(worker, config, message["ended"], pending)

    def _died(self, worker: Worker, config: RunConfig | SpeedConfig, code: int, pending: deque | None) -> None:
        self.display.end(config.run_id, "died")
        if pending is None:
            return
        self.tries[config.run_id] = self.tries.get(config.run_id, 0) + 1
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self.tries[config.run_id] < ATTEMPTS:
            pending.appendleft(config)  # a new worker goes on from the last checkpoint
            return
        hint = "; it may have run out of memory: use fewer --jobs or a smaller train.batch_size" if code == -9 else ""
        reason = f"its worker died {ATTEMPTS} times ({how}{hint})"
        if said := worker.last_words():
            reason += f"; last message: {said}"
        result = Result(config.run_id, "failed", reason)
        folder = RunFolder(self.runs / config.run_id)
        try:
            with folder.lock().acquire(timeout=0):
                folder.write_config(config)
                folder.finish("failed", reason)
        except (Timeout, RecordError) as error:
            result.message += f" ({error})"
        self.results[config.run_id] = result
        self.display.end(config.run_id, "failed")

    def _freed(self) -> list[RunConfig | SpeedConfig]:
        """Return the runs whose other process has finished them, given them up or died: to be looked at again."""
        freed = [c for c in self.waiting if not RunFolder(self.runs / c.run_id).running()]
        self.waiting = [config for config in self.waiting if config not in freed]
        self.display.waiting = len(self.waiting)
        return freed

    def stop(self, patience: float = 120.0) -> None:
        """Ask all workers to finish their step and save; whoever takes longer than ``patience`` seconds is ended."""
        for worker in self.workers:
            worker.tell({"stop": True})
            worker.close()
        until = time.monotonic() + patience
        try:
            while self.workers and time.monotonic() < until:
                try:
                    self._take(*self.inbox.get(timeout=POLL), None)
                except queue.Empty:
                    continue
        except KeyboardInterrupt:
            pass  # asked twice: end them now; the last checkpoint stays
        for worker in self.workers:
            worker.process.kill()
        self.workers = []

    def _dismiss(self) -> None:
        for worker in self.workers:
            worker.close()
        for worker in self.workers:
            try:
                worker.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                worker.process.kill()
        self.workers = []


def run_local(
    configs: list[RunConfig | SpeedConfig],
    runs: Path,
    jobs: int,
    threads: int,
    tasks: str,
    display: Display,
    deadline: float,
    gpus: list[str],
) -> tuple[dict[str, Result], str]:
    """Run everything with ``jobs`` workers of ``threads`` threads; return the results and a fatal message or ""."""
    pool = Pool(runs, jobs, threads, tasks, display, gpus)
    results = pool.run(configs, deadline)
    return results, pool.fatal
