"""Run a list of runs in this process, one after the other (for a debugger, and as the leader under ``torchrun``)."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from seqmix.config import RunConfig, SpeedConfig
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result, carry_out

__all__ = ["in_team", "leads", "run_here", "stoppable", "terminable"]


def in_team() -> bool:
    """Whether ``torchrun`` started this process together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process speaks: always, except for the followers under ``torchrun``."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _handled(numbers: tuple[int, ...], handler):
    """Handle signals for a while (only the main thread can: elsewhere nothing changes)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def terminable():
    """Treat SIGTERM (a scheduler's preemption, ``timeout``) like Ctrl-C: save, then leave."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    return _handled((signal.SIGTERM,), interrupt)


@contextmanager
def stoppable():
    """Turn the first Ctrl-C or SIGTERM into an event that the trainer sees after its step; a second one raises."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    with _handled((signal.SIGINT, signal.SIGTERM), ask):
        yield asked


def run_here(
    todo: list[RunConfig | SpeedConfig], runs: Path, tasks: str, display: Display, deadline: float
) -> tuple[dict[str, Result], str]:
    """Return how each run went and a fatal message or ""; raises KeyboardInterrupt once a stopped run has saved."""
    results: dict[str, Result] = {}
    with stoppable() as asked:
        for config in todo:
            if time.time() > deadline:
                break
            display.start(config.run_id)

            def report(row: dict, run_id: str = config.run_id) -> bool:
                display.step(run_id, row)
                return asked.is_set() or time.time() > deadline

            while (result := carry_out(config, runs, report, tasks)).status == "busy" and not asked.is_set():
                time.sleep(1)  # another process has it: take over if that dies
            display.end(config.run_id, result.status)
            if asked.is_set():
                raise KeyboardInterrupt
            results[config.run_id] = result
            if result.fatal:
                return results, result.message
    return results, ""
