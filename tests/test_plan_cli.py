"""The commands around a study: plan, train, status, collect; exit codes and messages."""

import json
import shutil
import time
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock, Timeout

from fake_records import config, record
from seqmix import study
from seqmix.config import ModelConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix.step import TrainStep
from seqmix_study.__main__ import main
from seqmix_study.commands._common import tell_fresh
from seqmix_study.runs import checks, forecast, machine

STUDY = """
title: Tiny
question: Does it work?
tiers:
  quick:
    groups:
      - name: main
        arms: [transformer, lstm_2]
        sizes: [d16]
        seeds: [0, 1]
        base:
          data: {source: almanac, seq_len: 32}
          train: {steps: 3, batch_size: 2, eval_sequences: 4, eval_points: 2}
      - name: more
        arms: [deltanet]
        sizes: [d16]
        base:
          data: {source: almanac, seq_len: 32}
          train: {steps: 3, batch_size: 2, eval_sequences: 4, eval_points: 2}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one tiny study."""
    (tmp_path / "studies").mkdir()
    arms = Path(__file__).parent.parent / "studies" / "arms.yaml"
    shutil.copy(arms, tmp_path / "studies" / "arms.yaml")
    (tmp_path / "studies" / "tiny.yaml").write_text(STUDY)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    return Paths(tmp_path)


def call(*words: str):
    return CliRunner().invoke(main, list(words))


def plan(*words: str) -> dict:
    shown = call("plan", "tiny", "--json", *words)
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.output)


def test_from_plan_to_tables(project):
    before = plan()
    assert (before["runs"], before["to_do"]) == (5, 5)
    assert before["seconds"] > 0
    (row,) = before["studies"]
    (stage,) = row["stages"]
    assert (stage["name"], stage["ready"]) == ("evidence", 5)
    assert 0 < before["flops"] < 1e9

    trained = call("train", "tiny", "--jobs", "0", "--only", "main", "--quiet")
    assert trained.exit_code == 0, trained.output
    assert call("collect", "tiny").exit_code == 0
    assert "4 finished" in trained.output
    after = plan()
    assert plan("--fresh", "--no-time")["to_do"] == 5
    assert (after["to_do"], after["studies"][0]["stages"][0]["done"]) == (1, 4)

    listed = json.loads(call("status", "--json").output)
    assert [row["status"] for row in listed] == ["finished"] * 4
    assert {row["arm"] for row in listed} == {"transformer", "lstm_2"}
    assert len((project.results / "quick" / "runs.csv").read_text().splitlines()) == 5
    text = call("plan", "tiny").output
    assert "1 of 5 runs to do" in text
    assert "estimated time" in text


def test_a_published_run_trained_again_is_the_same(project):
    assert call("train", "tiny", "--jobs", "0", "--only", "more", "--quiet").exit_code == 0
    assert call("collect", "tiny").exit_code == 0
    again = call("verify", "--tier", "quick", "--sample", "1", "--json")
    assert again.exit_code == 0, again.output
    assert [point["verdict"] for point in json.loads(again.stdout)["points"]] == ["same"]
    told = call("verify", "--tier", "quick")
    assert "1 runs against the published quick tier: 1 same" in told.output
    assert "runs again, which took 0:00:" in told.stderr


def test_status_names_a_corrupt_record_and_fails(project):
    folder = record(project.runs, config(0))
    (folder.path / "metrics.json").write_text("")
    shown = call("status")
    assert shown.exit_code == 1
    assert str(folder.path / "metrics.json") in shown.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan", "scalling"), "known: tiny"),
        (("plan", "tiny", "--tier", "huge"), "it has: quick"),
        (("train", "tiny", "--only", "nothing"), "it has: main, more"),
        (("collect", "scalling"), "known: tiny"),
    ],
)
def test_a_wrong_request_is_said_at_once(project, words, message):
    shown = call(*words)
    assert shown.exit_code == 2
    assert message in shown.output + (shown.stderr or "")


def test_a_run_that_cannot_fit_is_refused_with_what_to_lower(project, monkeypatch):
    study = STUDY.replace("batch_size: 2", "batch_size: 100000000")
    (project.studies / "tiny.yaml").write_text(study)
    for command in ("plan", "train"):
        shown = call(command, "tiny")
        assert shown.exit_code == 2
        assert "lower train.batch_size (now 100000000)" in shown.output + (shown.stderr or "")


def test_too_little_disk_is_refused(project, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(1, 1, 0))
    (reason,) = checks.refusals([config(0)], project.runs)
    assert "free some space" in reason


def test_a_machine_twice_as_slow_takes_twice_as_long(project, monkeypatch):
    monkeypatch.setattr(forecast, "_step_seconds", lambda c, place: 2 * forecast.assumed_seconds(c) / c.train.steps)
    assert forecast.slowdown([config(0), config(1)], machine.Layout(1, 1, [])) == pytest.approx(2)
    assert forecast.slowdown([], machine.Layout(1, 1, [])) == 1
    assert plan()["seconds"] == pytest.approx(2 * plan("--no-time")["seconds"], abs=0.2)


def test_waiting_for_a_busy_machine_does_not_make_a_step_longer(monkeypatch):
    def waits(self, *words):
        time.sleep(0.2)
        return step(self, *words)

    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", waits)
    assert 0 < forecast._step_seconds(config(0), machine.Layout(1, 1, [])) < 0.1


def test_decoding_is_timed_by_the_text_it_reads_first():
    models = {"transformer": ModelConfig(pattern="AA", d_model=64, max_length=2048)}
    short, long = (SpeedConfig(models=models, mode="decode", lengths=(length,)) for length in (64, 2048))
    assert 0 < forecast.assumed_seconds(short) < forecast.assumed_seconds(long) / 10


def test_training_from_a_terminal_says_which_run_failed(project):
    call("train", "tiny", "--jobs", "0", "--only", "more", "--quiet")
    (name,) = [row["run_id"] for row in json.loads(call("status", "--json").output)]
    (project.runs / name / "progress.jsonl").write_text("")
    shown = call("train", "tiny", "--jobs", "0", "--only", "more", "--quiet")
    assert shown.exit_code == 1
    assert "progress.jsonl" in shown.output + (shown.stderr or "")


def test_a_fresh_training_lies_beside_is_compared_and_the_next_one_is_from_nothing(project):
    assert call("train", "tiny", "--jobs", "0", "--only", "main").exit_code == 0
    assert call("collect", "tiny").exit_code == 0
    before = {path: path.read_bytes() for path in (project.results / "quick").iterdir()}
    for _ in range(2):
        done = call("train", "tiny", "--jobs", "0", "--only", "main", "--fresh")
        assert done.exit_code == 0, done.output
        assert "4 runs: 4 finished" in done.output
        assert "4 same" in done.output
        assert f"records: {project.root / 'runs-fresh'}" in done.output
    assert {path: path.read_bytes() for path in before} == before


def test_fresh_records_are_not_deleted_while_they_are_compared(project, monkeypatch):
    free = []

    def tell(*_):
        other = FileLock(project.root / "runs-fresh" / ".comparing.lock", is_singleton=False)
        with suppress(Timeout), other.acquire(timeout=0):
            free.append(True)

    monkeypatch.setattr("seqmix_study.commands.train.tell_fresh", tell)
    assert call("train", "tiny", "--jobs", "0", "--only", "more", "--fresh").exit_code == 0
    assert free == []


def test_fresh_findings_are_those_of_the_newest_fresh_training(project):
    fresh = project.root / "runs-fresh"
    for loss in (2.5, 2.6):  # trained again with other code
        for c in study.plan("tiny", "quick", paths=project):
            shutil.rmtree(fresh / c.run_id, ignore_errors=True)
            record(fresh, c, loss)
        with redirect_stdout(StringIO()) as said:
            tell_fresh("quick", Paths(project.root, fresh), ["tiny"])
        assert "findings answered by both" in said.getvalue(), said.getvalue()
