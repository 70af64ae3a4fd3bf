"""A worker process: ``python -m seqmix_study.runs.worker_process``. Reads runs from standard input, one JSON line each.

A worker is a plain child process and not a ``multiprocessing`` one, so that it does not import the caller's
``__main__`` (a script without a guard, a notebook). Its environment sets the number of threads before torch is
loaded. When its standard input closes, because the parent ended or died, it finishes the step, saves a checkpoint
and leaves.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

__all__ = ["main"]

REPORT_EVERY = 0.2
"""Seconds between two progress messages."""


class Reporter:
    """The ``progress`` function of a run: passes steps on at most every ``REPORT_EVERY`` seconds, asks it to stop."""

    def __init__(self, send, stop: threading.Event) -> None:
        self.send, self.stop, self.last = send, stop, 0.0

    def __call__(self, row: dict) -> bool:
        now = time.monotonic()
        if now - self.last >= REPORT_EVERY or row.get("step") == row.get("steps"):
            self.last = now
            self.send({"progress": {key: row[key] for key in ("step", "steps", "tokens", "loss") if key in row}})
        return self.stop.is_set()


def main() -> None:
    """Serve runs until the standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group: the parent decides
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, not into the protocol
    stop, inbox, mutex = threading.Event(), queue.Queue(), threading.Lock()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def listen() -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "stop" in message:
                stop.set()
            inbox.put(message)
        stop.set()
        inbox.put(None)

    def send(message: dict) -> None:
        try:
            with mutex:
                print(json.dumps(message), file=out, flush=True)
        except OSError:
            stop.set()  # the parent is gone

    setup = json.loads(sys.stdin.readline())
    sys.path[:] = setup["path"]
    threading.Thread(target=listen, daemon=True).start()
    from seqmix.config import parse_run
    from seqmix_study.runs.worker import carry_out

    report = Reporter(send, stop)
    while (message := inbox.get()) is not None and not stop.is_set():
        if "run" in message:
            result = carry_out(parse_run(message["run"]), Path(setup["runs"]), report, setup["tasks"])
            send({"done": result.plain()})
    out.close()
    os._exit(0)  # no slow interpreter shutdown: everything is written


if __name__ == "__main__":
    main()
