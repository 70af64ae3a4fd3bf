"""Does the publication reproduce? Train a sample of the published runs again and compare the losses."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from seqmix import study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results import agreement as compare
from seqmix_study.results import collect
from seqmix_study.runs import launch, tune

__all__ = ["Check", "VerifyError", "sample", "verify"]

SAME = 2e-3
"""Largest relative difference of a loss that counts as the same run on another machine: rounding in another order
grows over the steps of a run, but stays far below the spread over seeds."""


class VerifyError(ValueError):
    """There is nothing to verify; the text says why."""


@dataclass(frozen=True)
class Check:
    """One published run trained again. ``verdict``: identical, reproduced, within seeds, differs or failed."""

    run_id: str
    arm: str
    published: float
    again: float
    verdict: str
    reason: str


def sample(tier: str, count: int, seed: int, paths: Paths) -> list[tuple[RunConfig, dict[str, str]]]:
    """Return ``count`` published runs at random, with their rows; those whose configuration the studies still name."""
    rows = {r["run_id"]: r for r in collect.read_table("runs", tier, paths) if r["status"] == "finished"}
    plans = {}
    for name in study.names(paths):
        if tier in study.load(name, paths).tiers:
            plans |= {c.run_id: c for c in tune.plan(name, tier, paths).runs if isinstance(c, RunConfig)}
    both = sorted(set(rows) & set(plans))
    if not both:
        raise VerifyError(
            f"{paths.results / tier / 'runs.csv'} has no run that the studies of this checkout would train: "
            "publish the tier first (seqmix collect), or check out the commit that the table names"
        )
    chosen = random.Random(seed).sample(both, min(count, len(both)))
    return [(plans[run_id], rows[run_id]) for run_id in chosen]


def verify(tier: str, count: int, seed: int = 0, jobs: int | None = None, paths: Paths | None = None) -> list[Check]:
    """Train ``count`` published runs again, in a folder of their own, and judge each loss."""
    paths = paths or Paths()
    chosen = sample(tier, count, seed, paths)
    place = Paths(paths.root, paths.cache / "verify")
    shutil.rmtree(place.runs, ignore_errors=True)  # what is verified is trained now, not found
    configs = [config.model_copy(update={"evaluate": ()}) for config, _ in chosen]
    summary = launch.run(configs, jobs, paths=place, committed=False)
    cells = compare.published_cells(tier, paths)
    return [_judge(config, row, place.runs, summary, cells) for config, row in chosen]


def _judge(config: RunConfig, row: dict[str, str], runs: Path, summary: launch.Summary, cells: dict) -> Check:
    published, folder = float(row["loss"]), RunFolder(runs / config.run_id)
    names = {"run_id": config.run_id, "arm": row["arm"], "published": published}
    if folder.status_unlocked() != "finished":
        why = summary.problems.get(config.run_id, f"it ended as {folder.status_unlocked()}")
        return Check(**names, again=float("nan"), verdict="failed", reason=why)
    here = collect.run_rows(config, folder)["runs"][0]
    again = float(here["loss"])
    rows = cells[tuple(row[name] for name in compare.CELL)]
    _, low, high = compare.interval(compare.seed_losses(rows), compare._typical_spread(cells.values()))
    if here["loss"] == row["loss"]:
        return Check(**names, again=again, verdict="identical", reason="")
    if abs(again - published) <= SAME * published:
        return Check(**names, again=again, verdict="reproduced", reason=compare._reason(here, [row]))
    verdict = "within seeds" if low <= again <= high else "differs"
    return Check(**names, again=again, verdict=verdict, reason=compare._reason(here, [row]))
