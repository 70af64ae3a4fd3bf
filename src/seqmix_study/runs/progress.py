"""One progress display for all runs: a line in a terminal, one updated output in a notebook, rare lines in a log."""

import math
import sys
import time
from collections import deque

from seqmix.config import RunConfig, SpeedConfig

__all__ = ["Display"]

WINDOW = 20.0
"""Seconds over which the speed is averaged."""


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    shell = shell.get_ipython() if shell else None
    return bool(shell) and type(shell).__name__ == "ZMQInteractiveShell"


class Display:
    """Counts of runs and tokens, shown as they change. All methods are cheap and never raise."""

    def __init__(self, configs: list[RunConfig | SpeedConfig], show: bool = True) -> None:
        self.work = {c.run_id: c.tokens if isinstance(c, RunConfig) else 0 for c in configs}
        self.done = dict.fromkeys(self.work, 0)
        self.losses: dict[str, float] = {}
        self.ended, self.failed, self.waiting = 0, 0, 0
        self.running: set[str] = set()
        self.trail: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.fresh, self.began, self.shown = 0, time.monotonic(), 0.0
        self.handle = self.bar = None
        if show and configs:
            self._open()

    def _open(self) -> None:
        if _in_notebook():
            from IPython.display import display

            self.handle = display({"text/plain": "starting"}, raw=True, display_id=True)
            self.every = 1.0
            return
        from tqdm import tqdm

        self.every = 0.2 if sys.stderr.isatty() else 30.0
        layout = "{desc} |{bar}| {percentage:3.0f}%{postfix}"
        # all drawing happens in refresh: tqdm only knows how wide the terminal is and how to overwrite a line
        total = max(1, sum(self.work.values()))
        self.bar = tqdm(total=total, bar_format=layout, dynamic_ncols=True, leave=False, mininterval=0, delay=1e-9)

    def start(self, run_id: str) -> None:
        self.running.add(run_id)
        self.refresh()

    def step(self, run_id: str, row: dict) -> None:
        """Take in a progress message: step, tokens of one step, loss."""
        at = row.get("step", 0) * row.get("tokens", 0)
        before = self.done.get(run_id, 0)
        if before or row.get("step", 0) <= 1:  # the first message of a resumed run is not speed
            self.fresh += max(0, at - before)
        self.done[run_id] = max(at, 1)
        loss = row.get("loss")
        if isinstance(loss, int | float) and math.isfinite(loss):
            self.losses[run_id] = loss
        self.refresh()

    def end(self, run_id: str, status: str) -> None:
        """Take in that a run has left its worker."""
        self.running.discard(run_id)
        if status in ("busy", "interrupted", "died"):
            self.done[run_id] = 0
        else:
            self.ended += status in ("finished", "diverged", "skipped")
            self.failed += status in ("failed", "corrupt")
            self.done[run_id] = self.work.get(run_id, 0)
        self.refresh()

    def speed(self) -> float:
        """Return tokens a second over the last ``WINDOW`` seconds."""
        now = time.monotonic()
        if now - self.trail[-1][0] > 0.5:
            self.trail.append((now, self.fresh))
        while len(self.trail) > 2 and now - self.trail[1][0] > WINDOW:
            self.trail.popleft()
        then, count = self.trail[0]
        return (self.fresh - count) / max(1e-6, now - then)

    def text(self) -> tuple[str, str]:
        """Return what stands left and right of the bar."""
        left = f"{self.ended}/{len(self.work)} runs, {len(self.running)} running"
        left += f", {self.failed} failed" if self.failed else ""
        left += f", {self.waiting} with another process" if self.waiting else ""
        rate = self.speed()
        parts = [f"{rate:,.0f} tokens/s"]
        remaining = sum(self.work.values()) - sum(self.done.values())
        if rate > 0 and remaining > 0:
            seconds = int(remaining / rate)
            parts.append(f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left")
        if self.losses:
            parts.append(f"best loss {min(self.losses.values()):.3f}")
        return left, ", ".join(parts)

    def refresh(self) -> None:
        if self.bar is None and self.handle is None:
            return
        now = time.monotonic()
        if now - self.shown < self.every:
            return
        self.shown = now
        left, right = self.text()
        if self.handle is not None:
            self.handle.update({"text/plain": f"{left}; {right}"}, raw=True)
            return
        self.bar.n = min(sum(self.done.values()), self.bar.total)
        self.bar.set_description_str(left, refresh=False)
        self.bar.set_postfix_str(right, refresh=False)
        self.bar.refresh()

    def close(self, last: str = "") -> None:
        """Remove the display; a notebook keeps ``last`` in its place."""
        if self.handle is not None:
            self.handle.update({"text/plain": last}, raw=True)
        if self.bar is not None:
            self.bar.close()
        self.bar = self.handle = None
