"""Does the publication reproduce? Train a sample of the published runs again and compare the losses."""

import datetime
import random
import shutil
import sys

import pandas as pd

from seqmix import study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix_study.results import published as tables
from seqmix_study.results.agreement import compare
from seqmix_study.results.transaction import locked
from seqmix_study.runs import launch
from seqmix_study.runs.selection import resolve


def sample(tier: str, count: int, seed: int, paths: Paths) -> list[RunConfig]:
    """Return ``count`` published runs at random, of those that the studies still name; StudyError without any."""
    published = {row["run_id"] for row in tables.read_table("runs", tier, paths) if row["status"] == "finished"}
    plans = resolve("all", tier, paths).values()
    found = {config.run_id: config for plan in plans for config in plan.runs if config.run_id in published}
    if not found:
        remedy = "publish the tier first (seqmix collect), or check out the commit that the table names"
        text = f"{paths.results / tier / 'runs.csv'} has no run that the studies of this checkout would train"
        raise study.StudyError(f"{text}: {remedy}")
    chosen = random.Random(seed).sample(sorted(found), min(count, len(found)))
    return [found[run_id] for run_id in chosen]


def verify(tier: str, count: int, seed: int, jobs: int | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Train ``count`` published runs again, in a folder of their own.

    Return how each compares with the published ones (see ``agreement.compare``), and run_id -> why for those that did
    not end.
    """
    paths = Paths()
    chosen = sample(tier, count, seed, paths)
    place = Paths(paths.root, paths.cache / "verify")
    configs = [config.model_copy(update={"evaluate": ()}) for config in chosen]
    rows = {row["run_id"]: row for row in tables.read_table("runs", tier, paths)}
    took = datetime.timedelta(seconds=round(sum(float(rows[config.run_id]["seconds"]) for config in chosen)))
    print(f"training {len(chosen)} runs again, which took {took} when they were published", file=sys.stderr, flush=True)
    with locked(paths.cache / "verify.lock"):
        shutil.rmtree(place.runs, ignore_errors=True)  # what is verified is trained now, not found
        summary = launch.train(launch.request(runs=configs, paths=place, committed=False), jobs)
        return compare(tier, place), summary.problems
