"""What is known of runs: from their records on this machine, else from the committed tables."""

import math
from dataclasses import dataclass

from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix.record import RecordError, RunFolder
from seqmix_study.results.published import read_table


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``loss_valid``: nats, infinity if it diverged; ``solved_at``: step, 0 if its task was not."""

    loss_valid: float
    seconds: float
    solved_at: int

    def score(self, steps: int) -> float:
        """Return what rates and members of families are chosen by, less is better, of a run of ``steps`` at most.

        The loss on the validation split; of a task that was solved, how early, which is better than any loss.
        """
        return self.solved_at / steps - 1 if self.solved_at else self.loss_valid


class Known:
    """Run -> how it ended, or None while that is not known. Records are read once: an ended run does not change."""

    def __init__(self, tier: str, paths: Paths | None = None, committed: bool = True) -> None:
        """``committed``: rows of the committed tables of ``tier`` count. Raises CollectError for a torn table."""
        self.paths = paths or Paths()
        runs, timings = (read_table(n, tier, self.paths) if tier and committed else [] for n in ("runs", "speed"))
        ended = [row for row in runs if row["status"] in ("finished", "diverged")]
        self._found = {row["run_id"]: outcome(row, row["status"], row["run_id"]) for row in ended}
        self.timed = {row["run_id"] for row in timings}
        self.committed = set(self._found) | self.timed

    def of(self, config: RunConfig) -> Outcome | None:
        """Return how a run ended, None if it has not."""
        run_id = config.run_id
        if run_id not in self._found:
            folder = RunFolder(self.paths.runs / run_id)
            status = folder.status_unlocked()
            if status not in ("finished", "diverged"):  # a corrupt record says nothing: its worker names it
                return None
            self._found[run_id] = outcome(folder.metrics(), status, folder.path)
        return self._found[run_id]


def outcome(row: dict, status: str, origin: object) -> Outcome:
    """Return how a run ended from its metrics or its row; RecordError naming ``origin`` for numbers that are none."""
    try:
        loss = row["loss_valid"] if status == "finished" else ""
        found = loss, row.get("seconds", ""), row.get("reached_target_at_step", "")
        valid, seconds, solved = (math.nan if value in ("", None) else float(value) for value in found)
        lost = status != "finished" or math.isnan(valid)
        return Outcome(math.inf if lost else valid, seconds, 0 if math.isnan(solved) else int(solved))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"{origin} does not state its numbers: {error}; delete it to train the run again") from error
