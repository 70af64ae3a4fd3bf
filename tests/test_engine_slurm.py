"""The Slurm engine, through submitit's local executor: the same records as on one machine."""

import pytest

from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.runs import launch as engine
from seqmix_study.runs import slurm
from test_engine import grid, log, paths, run, value  # noqa: F401 (paths is a fixture)

submitit = pytest.importorskip("submitit")


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.setenv("SEQMIX_SUBMITIT", "local")
    monkeypatch.delenv("SEQMIX_SLURM", raising=False)


def test_an_array_gives_the_same_records(paths, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FAKE_FAIL", "2")
    monkeypatch.setenv("FAKE_MEET", "2")  # no task of the array trains alone, however late the other starts
    summary = run(grid(5), paths, jobs=2, engine="slurm")
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
    summary = run(grid(1), paths, jobs=1, engine="slurm")
    assert summary.interrupted == 1
    assert "its log is" in next(iter(summary.problems.values()))
    assert RunFolder(paths.runs / grid(1)[0].run_id).status() == "interrupted"
    monkeypatch.setenv("FAKE_DIE", "")
    assert run(grid(1), paths).finished == 1


def test_a_cancelled_job_is_called_cancelled():
    class Cancelled:
        job_id, state = "17", "CANCELLED by 0"

    assert slurm._ending(Cancelled(), RuntimeError("x")).startswith("job 17 was cancelled (scancel)")


def test_without_slurm_or_with_a_bad_option_the_message_helps(paths, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SEQMIX_SLURM", "partition")
    with pytest.raises(engine.EngineError, match="name=value"):
        run(grid(1), paths, engine="slurm")
    monkeypatch.setenv("SEQMIX_SUBMITIT", "slurm")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(engine.EngineError, match="sbatch is not on this machine"):
        run(grid(1), paths, engine="slurm")
