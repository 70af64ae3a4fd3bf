"""The Slurm engine, through submitit's local executor: the same records as on one machine."""

import os
import shutil
import signal
import subprocess
import threading

import pytest

from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.runs import slurm
from seqmix_study.runs.job import CheckError
from test_engine import grid, log, paths, run, value, wait_for  # noqa: F401 (paths is a fixture)

submitit = pytest.importorskip("submitit")


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.setenv("SEQMIX_SUBMITIT", "local")
    monkeypatch.delenv("SEQMIX_SLURM", raising=False)


def test_an_array_gives_the_same_records(paths, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FAKE_FAIL", "2")
    monkeypatch.setenv("FAKE_MEET", "2")  # no task of the array trains alone, however late the other starts
    summary = run(grid(5), paths, jobs=2, how="slurm")
    assert (summary.finished, summary.failed) == (4, 1)
    assert "told to fail" in next(iter(summary.problems.values()))
    trained = [(seed, worker) for what, seed, worker in log(paths) if what == "train"]
    assert sorted(seed for seed, _ in trained) == ["0", "1", "2", "3", "4"]
    assert len({worker for _, worker in trained}) == 2
    monkeypatch.setenv("FAKE_MEET", "0")
    here = Paths(paths.root / "here")
    run(grid(5), here)
    done = [c for c in grid(5) if c.seed != 2]
    assert [value(paths, c) for c in done] == [value(here, c) for c in done]


def test_a_job_that_dies_names_its_log_and_the_run_goes_on_later(paths, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FAKE_DIE", "0")
    summary = run(grid(1), paths, jobs=1, how="slurm")
    assert summary.interrupted == 1
    assert "its log is" in next(iter(summary.problems.values()))
    assert RunFolder(paths.runs / grid(1)[0].run_id).status() == "interrupted"
    monkeypatch.setenv("FAKE_DIE", "")
    assert run(grid(1), paths).finished == 1


def cluster_is_up() -> bool:
    """Whether a Slurm answers here that has a node to give."""
    if shutil.which("sinfo") is None:
        return False
    done = subprocess.run(["sinfo", "--noheader", "--states=idle,mixed"], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip())


@pytest.mark.slurm
@pytest.mark.skipif(not cluster_is_up(), reason="no Slurm here: sudo bash tools/slurm.sh starts one")
def test_a_real_array_with_a_worker_killed_does_every_run_once_and_loses_nothing(paths, monkeypatch):  # noqa: F811
    here = Paths(paths.root / "here")
    run(grid(6, steps=40), here)
    (paths.root / "log").unlink()
    monkeypatch.setenv("SEQMIX_SUBMITIT", "slurm")
    monkeypatch.setattr(slurm, "LOOK", 2.0)
    monkeypatch.setenv("FAKE_DELAY", "0.05")
    monkeypatch.setenv("FAKE_MEET", "2")

    def kill_one() -> None:
        wait_for(lambda: len({worker for _, _, worker in log(paths)}) == 2, 300)
        os.kill(int(log(paths)[0][2]), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = run(grid(6, steps=40), paths, jobs=2, how="slurm")
    killer.join()
    assert summary.finished == 6, summary.problems
    assert [value(paths, c) for c in grid(6, 40)] == [value(here, c) for c in grid(6, 40)]
    assert sorted(seed for what, seed, _ in log(paths) if what == "measure") == [str(seed) for seed in range(6)]


def test_a_job_that_slurm_no_longer_has_is_not_waited_for(monkeypatch):
    class Job:
        paths = type("Paths", (), {"stderr": "its.log"})

        def __init__(self, job_id):
            self.job_id = job_id

        def done(self):
            return False

    class Display:
        def refresh(self):
            return None

    looks = iter([None, {"1_1"}, {"1_0", "1_1"}, {"1_1"}, set(), set()])  # cannot say; late; lost; both lost
    monkeypatch.setattr(slurm, "LOOK", 0.0)
    monkeypatch.setattr(slurm, "POLL", 0.0)
    said = slurm._wait([Job("1_0"), Job("1_1")], Display(), lambda jobs: next(looks))
    assert said.count("ended without a result") == 2
    assert "its.log" in said


def test_a_cancelled_job_is_called_cancelled():
    class Cancelled:
        job_id, state = "17", "CANCELLED by 0"

    assert slurm._ending(Cancelled(), RuntimeError("x")).startswith("job 17 was cancelled (scancel)")


def test_without_slurm_or_with_a_bad_option_the_message_helps(paths, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SEQMIX_SLURM", "partition")
    with pytest.raises(CheckError, match="name=value"):
        run(grid(1), paths, how="slurm")
    monkeypatch.setenv("SEQMIX_SUBMITIT", "slurm")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CheckError, match="sbatch is not on this machine"):
        run(grid(1), paths, how="slurm")


def test_a_slurm_that_does_not_answer_is_said_before_anything_starts(tmp_path, monkeypatch):
    for name, line in (("sbatch", "exit 0"), ("sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("SEQMIX_SUBMITIT", "slurm")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(CheckError, match="no Slurm answers here: Unable to contact"):
        slurm.check()
