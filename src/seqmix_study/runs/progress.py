"""How far a job is, read from its records: a line that changes in a terminal, a line a minute in a log.

A chapter's kernel has neither: where ``SEQMIX_PROGRESS`` names a file, the lines of the log are written there.
"""

import datetime
import math
import os
import sys
import time

from seqmix.files import printable
from seqmix_study.runs import sign
from seqmix_study.runs.forecast import forecast
from seqmix_study.runs.job import Queue
from seqmix_study.runs.stages import flops

LOOK = 1.0
# Seconds between two looks at the records, and between two lines in a log.
LINE = 60.0

# Makes the line of a terminal empty.
CLEAR = "\r\x1b[2K"


class Display:
    """What stands of a job, shown as it changes."""

    def __init__(self, queue: Queue, show: bool = True) -> None:
        self.queue, self.show = queue, show
        self.work: dict[str, float] = {}
        self.ended: set[str] = set()
        self.guessed, self.whole = -1e9, 0.0
        self.looked = self.told = -1e9
        self.began: tuple[float, float] | None = None
        self.log = os.environ.get("SEQMIX_PROGRESS", "")
        self.terminal = show and sys.stderr.isatty()

    def text(self) -> str:
        """Look at the records and return what stands: done of all, running, failed, share, time left, best loss."""
        runs = self.queue.runs()
        for config in runs:
            if config.run_id not in self.work:
                self.work[config.run_id] = flops(config)
            if config.run_id not in self.ended and self.queue.done(config):
                self.ended.add(config.run_id)
        known, waiting = {config.run_id for config in runs}, len(self.queue.waiting())
        done = sum(self.work[run_id] for run_id in known & self.ended)
        total = sum(self.work[run_id] for run_id in known)
        total = max(total, self._forecast(done)) if waiting else total
        running, failed, losses, still = 0, 0, [], ""
        for folder, seen in sign.standing(self.queue.known.paths.runs, self.queue.job.id):
            failed += bool(seen.failed)
            if seen.failed or not seen.tries:
                continue
            running += 1
            done += self.work.get(folder.run_id, 0.0) * seen.step / max(1, seen.steps)
            losses += [seen.loss] if math.isfinite(seen.loss) else []
            if (quiet := sign.quiet(folder)) > 2 * LINE:
                still = f", no sign of life of {folder.run_id} ({seen.worker}) for {quiet / 60:.0f} min"
        said = f"{len(known & self.ended)}/{len(known)} runs, {running} running"
        said += f", {failed} failed" if failed else ""
        said += f", {waiting} cells wait for results" if waiting else ""
        if total:
            said += f", {done / total:.0%}{self._left(done, total, bool(waiting))}"
        return printable(said + (f", loss {min(losses):.3f}" if losses else "") + still)

    def _forecast(self, done: float) -> float:
        """Return the FLOPs of all runs, of those that wait for results as a guess that is made once a minute."""
        if time.monotonic() - self.guessed > LINE:
            stages = [stage for name in self.queue.plans for stage in forecast(name, self.queue)]
            self.guessed, self.whole = time.monotonic(), done + sum(stage.flops for stage in stages)
        return self.whole

    def _left(self, done: float, total: float, more: bool) -> str:
        now = time.monotonic()
        then, before = self.began = self.began or (now, done)
        if now - then < 2 or done <= before:
            return ""
        seconds = (total - done) * (now - then) / (done - before)
        end = time.strftime("%H:%M", time.localtime(time.time() + seconds))
        return f", {'about ' if more else ''}{datetime.timedelta(seconds=int(seconds))} left (until {end})"

    def refresh(self) -> None:
        """Look at the records if that is due, and show what stands."""
        now = time.monotonic()
        line_due = now - self.told > LINE
        if not (self.terminal or line_due) or not (self.show or self.log) or now - self.looked < LOOK:
            return
        self.looked, text = now, self.text()
        if self.terminal:
            print(f"{CLEAR}{text}", end="", file=sys.stderr, flush=True)
        if not line_due:
            return
        self.told = now
        line = f"{time.strftime('%H:%M:%S')} {text}\n"
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(line)
        elif not self.terminal:
            print(line, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the display away."""
        if self.terminal:
            print(CLEAR, end="", file=sys.stderr, flush=True)
