"""A tuned study on real tiny models: killed with SIGKILL in the middle of its sweeps, its tables are the same."""

import csv
import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqmix import study
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.results import collect
from seqmix_study.runs import forecast as forecasts
from seqmix_study.runs import launch, tune
from seqmix_study.runs.forecast import assumed_seconds, forecast
from seqmix_study.runs.job import Queue
from seqmix_study.runs.known import Known
from seqmix_study.runs.progress import Display

STUDY = """
title: Tuned
question: Does it end?
tiers:
  laptop:
    groups:
      - name: main
        arms: [transformer, lstm]
        families: {lstm: [lstm_1, lstm_2]}
        sizes: [d16]
        seeds: [0, 1, 2]
        base:
          data: {source: almanac, seq_len: 32}
          train: {steps: 12, batch_size: 2, lr: tuned, eval_sequences: 4, eval_points: 2, test_sequences: 4}
"""
TIMES = {"seconds", "tokens_per_second", "finished_at"}
KILLS = 3


def project(folder: Path) -> Paths:
    (folder / "studies").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / "studies" / "arms.yaml", folder / "studies" / "arms.yaml")
    (folder / "studies" / "tuned.yaml").write_text(STUDY)
    return Paths(folder, folder / "runs")


def start(paths: Paths) -> subprocess.Popen:
    own = {"SEQMIX_ROOT": str(paths.root), "SEQMIX_RUNS": str(paths.runs), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqmix_study", "train", "tuned", "--tier", "laptop", "--jobs", "1", "--quiet"]
    return subprocess.Popen(command, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(paths: Paths) -> int:
    return len(list(paths.runs.glob("*/outcome.json")))


def workers(paths: Paths) -> list[int]:
    """Return the process ids that signs of life name."""
    found = []
    for file in (paths.runs / ".locks").glob("*.json"):
        try:
            found.append(int(json.loads(file.read_text())["worker"].rpartition(":")[2]))
        except (OSError, ValueError, KeyError):
            continue
    return found


def rows(paths: Paths) -> list[dict[str, str]]:
    """Return the rows of the tables that the records give."""
    collect.collect(tune.plan("tuned", "laptop", paths).runs, "laptop", "tuned", paths=paths)
    with open(paths.results / "laptop" / "runs.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name not in TIMES} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_tuned_study_killed_three_times_gives_the_same_tables(tmp_path):
    whole, killed = project(tmp_path / "whole"), project(tmp_path / "killed")
    process = start(whole)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    rng = random.Random(3)
    for kill in range(KILLS):
        process = start(killed)
        until = time.monotonic() + 120
        while ended(killed) < 4 * (kill + 1):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.2))
        for pid in [process.pid, *workers(killed)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate()
    assert ended(killed) < ended(whole), "every kill came too late"
    process = start(killed)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert rows(killed) == rows(whole)
    evidence = [row for row in rows(whole) if row["role"] == "evidence"]
    assert len(evidence) == 2 * 3, "two families, three seeds each"


def test_plan_shows_the_stages_and_status_what_is_known_while_they_run(tmp_path, monkeypatch):
    paths = project(tmp_path)
    monkeypatch.setenv("SEQMIX_ROOT", str(paths.root))
    monkeypatch.setenv("SEQMIX_RUNS", str(paths.runs))
    shown = CliRunner().invoke(main, ["plan", "tuned", "--tier", "laptop", "--no-time", "--json"])
    plan = json.loads(shown.output)
    stages = {stage["name"]: stage for stage in plan["studies"][0]["stages"]}
    assert (stages["sweeps"]["ready"], stages["sweeps"]["done"]) == (9, 0)  # three rates of each of three arms
    assert stages["sweeps"]["waiting"] > 9
    assert stages["evidence"]["waiting"] == 2 * 3  # two families, three seeds each: what the study will publish
    assert plan["waiting"] == 3
    assert plan["flops"] > 0
    summary = launch.train(
        launch.request({"tuned": {}}, "laptop", paths=paths, budget_minutes=20 / 60), 0, progress=False
    )
    assert summary.finished > 0
    told = CliRunner().invoke(main, ["status", "tuned"])
    assert told.exit_code == 0, told.output
    assert "rates, best" in told.output
    assert "interior" in told.output or "at the edge" in told.output


def test_the_forecast_reads_what_the_published_runs_took(tmp_path, monkeypatch):
    """The fastest run of a width counts, and wider models are no slower a FLOP than narrower ones."""
    row = {"status": "finished", "skeleton": "block", "pattern": "AA", "conv": "", "precision": "float32"}
    row |= {"steps": "10", "steps_done": "10", "train_flops": "1e10"}
    took = [("16", "2.0"), ("16", "1.0"), ("32", "8.0"), ("64", "0.25")]
    rows = [row | {"d_model": width, "seconds": seconds} for width, seconds in took]
    rows += [row | {"d_model": "16", "seconds": "0.001", "steps_done": "5"}]  # stopped early
    monkeypatch.setattr(forecasts, "read_table", lambda *_: rows)
    paths = Paths(tmp_path)
    runs = {run.size: run for run in study.plan("frontier", "laptop", overrides={"arms": ["transformer"]})}
    known = {"d16": 1e10, "d32": 1e10, "d64": 4e10, "d128": 4e10 * 2**forecasts.WIDER}
    for size, rate in known.items():
        run = runs[size].model_copy(update={"train": runs[size].train.model_copy(update={"precision": "float32"})})
        assert assumed_seconds(run, paths) == pytest.approx(forecasts.flops(run) / rate)
    half = runs["d32"].model_copy(update={"train": runs["d32"].train.model_copy(update={"precision": "bfloat16"})})
    assert assumed_seconds(half, paths) == pytest.approx(forecasts.flops(half) / (forecasts.RATES["bfloat16"][0] * 32))


CORES = 2


@functools.cache
def hours(name: str, tier: str) -> float:
    """Return what a study costs from nothing, by its FLOPs at the rates of the machine that published."""
    queue = Queue(launch.request({name: {}}, tier, committed=False, paths=Paths(runs="/nowhere")))
    queue.plan()
    return sum(stage.seconds for stage in forecast(name, queue)) / CORES / 3600


def test_from_nothing_the_published_check_of_bfloat16_is_believed_and_no_other():
    paths = Paths(runs="/nowhere")
    queue = Queue(launch.request({"frontier": {}}, "laptop", committed=False, paths=paths))
    queue.plan()
    runs = tune.plan("frontier", "laptop", paths, forecasts.Guess(queue.known), **queue.job.studies["frontier"]).runs
    published = tune.shifts(Known("laptop", paths))
    for config in runs:
        passed = all(published[config.model.skeleton, letter].allowed for letter in config.model.pattern)
        assert config.train.precision == ("bfloat16" if passed else "float32"), config.arm
    assert {"bfloat16", "float32"} <= {config.train.precision for config in runs}


def laptop() -> list[str]:
    return [name for name in study.names() if "laptop" in study.load(name).tiers]


@pytest.mark.parametrize("name", laptop())
def test_a_study_of_the_laptop_tier_takes_at_most_four_hours(name):
    assert hours(name, "laptop") <= 4


def test_the_laptop_tier_takes_at_most_one_night():
    assert sum(hours(name, "laptop") for name in laptop()) <= 16


def test_what_waits_counts_as_work_that_is_left(tmp_path, monkeypatch):
    queue = Queue(launch.request({"tuned": {}}, "laptop", paths=project(tmp_path)))
    monkeypatch.setattr(Queue, "done", lambda queue, run: True)
    said = Display(queue).text()
    assert "wait for results" in said
    assert 10 < int(re.search(r"(\d+)%", said)[1]) < 60, f"trials have ended, all evidence waits: {said}"
