"""The engine does every run once, whatever dies, fails or is in the way, and says what happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqmix.config import ModelConfig, RunConfig, SpeedConfig, TrainConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results import published
from seqmix_study.runs import launch as engine
from seqmix_study.runs import local, sign
from seqmix_study.runs import machine as resources
from seqmix_study.runs.job import Queue, unique
from seqmix_study.runs.known import Known
from seqmix_study.runs.progress import Display

HERE = Path(__file__).parent
FAKE = "engine_fake"


def grid(count: int, steps: int = 20, evaluate: tuple[str, ...] = (), tier: str = "") -> list[RunConfig]:
    train = TrainConfig(steps=steps, checkpoint_every=5)
    model = ModelConfig(pattern="A")
    return [RunConfig(model=model, train=train, seed=s, evaluate=evaluate, tier=tier) for s in range(count)]


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """A project in a temporary folder; workers find the stand-in for training."""
    for name in [name for name in os.environ if name.startswith("FAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.syspath_prepend(str(HERE))
    return Paths(tmp_path)


def run(configs, paths, jobs=0, how="local", **more):
    return engine.train(engine.request(runs=configs, paths=paths, trainer=FAKE, **more), jobs, how, progress=False)


def log(paths) -> list[list[str]]:
    file = paths.root / "log"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def value(paths, config) -> float:
    return RunFolder(paths.runs / config.run_id).metrics()["loss"]


def test_every_run_is_done_once_and_then_skipped(paths):
    summary = run(grid(4), paths, jobs=2)
    assert (summary.finished, summary.ok) == (4, True)
    assert run(grid(4), paths).skipped == 4
    assert sorted(seed for what, seed, _ in log(paths) if what == "train") == ["0", "1", "2", "3"]


def test_two_workers_and_this_process_give_the_same_records(paths, tmp_path):
    configs = grid(3)
    run(configs, paths, jobs=2)
    other = Paths(tmp_path / "other")
    run(configs, other)
    assert [value(paths, c) for c in configs] == [value(other, c) for c in configs]


def test_a_failed_run_is_recorded_stops_nothing_and_is_tried_again(paths, monkeypatch):
    monkeypatch.setenv("FAKE_FAIL", "1")
    summary = run(grid(3), paths, jobs=2)
    assert (summary.finished, summary.failed) == (2, 1)
    (reason,) = summary.problems.values()
    assert "told to fail" in reason
    assert "engine_fake.py" in reason
    assert "Traceback" not in reason
    assert RunFolder(paths.runs / grid(3)[1].run_id).status() == "failed"
    with pytest.raises(engine.EngineError, match="told to fail"):
        summary.check()
    monkeypatch.setenv("FAKE_FAIL", "")
    assert run(grid(3), paths).finished == 1


def test_a_worker_that_dies_once_loses_nothing_and_twice_is_a_failed_run(paths, monkeypatch):
    monkeypatch.setenv("FAKE_DIE", "1")
    summary = run(grid(3), paths, jobs=1)
    assert (summary.finished, summary.failed) == (2, 1)
    assert "signal 9" in next(iter(summary.problems.values()))
    monkeypatch.setenv("FAKE_DIE", "")
    assert run(grid(3), paths).finished == 1
    undisturbed = Paths(paths.root / "undisturbed")
    run(grid(3), undisturbed)
    assert value(paths, grid(3)[1]) == value(undisturbed, grid(3)[1])


def test_a_new_measurement_is_made_from_the_weights(paths):
    run(grid(2), paths)
    summary = run(grid(2, evaluate=("index",)), paths)
    assert summary.finished == 2
    assert [what for what, *_ in log(paths)] == ["train", "measure"] * 2 + ["measure"] * 2
    folder = RunFolder(paths.runs / grid(1)[0].run_id)
    assert folder.status() == "finished"
    assert set(folder.tables()) == {"context-index"}
    run(grid(1, evaluate=("swap",)), paths)
    assert folder.evaluated() == ["index", "swap"]


@pytest.mark.parametrize("trouble", ["FAKE_UNMEASURED", "FAKE_DIE_MEASURING"])
@pytest.mark.parametrize("before", [True, False])
def test_a_measurement_that_fails_harms_no_training(paths, monkeypatch, trouble, before):
    """Of a run that had finished before, or that this very command trains: it stays finished, and is not trained again.

    What lacks is said, and taken up by the next command.
    """
    run(grid(2) if before else grid(1), paths)
    asked, folder = grid(2, evaluate=("index",)), RunFolder(paths.runs / grid(2)[1].run_id)
    sealed = folder.outcome()
    monkeypatch.setenv(trouble, "1")
    summary = run(asked, paths, jobs=1)
    assert (summary.finished, summary.failed, summary.ok) == (1, 1, False)
    (said,) = summary.problems.values()
    assert "it is trained, but a measurement (index) failed" in said
    assert ("told to fail" if trouble == "FAKE_UNMEASURED" else "signal 9") in said
    assert (folder.status(), folder.problem(deep=True)) == ("finished", "")
    assert not before or folder.outcome() == sealed
    assert Known("", paths).of(asked[1]).loss_valid == value(paths, asked[1])
    monkeypatch.delenv(trouble)
    assert run(asked, paths).finished == 1
    assert folder.evaluated() == ["index"]
    assert sorted(seed for what, seed, _ in log(paths) if what == "train") == ["0", "1"]


def test_a_measurement_of_a_published_run_that_fails_is_said(paths, monkeypatch):
    asked = grid(2, evaluate=("index",), tier="laptop")
    run(grid(2, tier="laptop"), paths)
    rows = "run_id,status,loss_valid\n" + "".join(f"{config.run_id},finished,1.0\n" for config in asked)
    published.write(paths.results / "laptop", {"runs.csv": rows})
    monkeypatch.setenv("FAKE_UNMEASURED", "1")
    summary = run(asked, paths)
    assert (summary.failed, summary.skipped) == (1, 1)
    assert "a measurement (index) failed" in summary.problems[asked[1].run_id]
    monkeypatch.delenv("FAKE_UNMEASURED")
    assert run(asked, paths).ok


def test_without_its_weights_a_run_is_trained_again_to_measure_more(paths):
    run(grid(1, evaluate=("swap",)), paths)
    folder = RunFolder(paths.runs / grid(1)[0].run_id)
    folder.weights.unlink()
    assert run(grid(1, evaluate=("index",)), paths).finished == 1
    assert folder.evaluated() == ["index", "swap"]
    assert [what for what, *_ in log(paths)].count("train") == 2


def test_the_same_run_of_two_groups_is_done_once_with_all_measurements(paths):
    plan = grid(1, evaluate=("index",)) + grid(1, evaluate=("swap",))
    (config,) = unique(plan)
    assert config.evaluate == ("index", "swap")
    assert run(plan, paths).finished == 1


def test_a_corrupt_record_is_reported_and_the_others_go_on(paths):
    run(grid(1), paths)
    metrics = paths.runs / grid(1)[0].run_id / "metrics.json"
    metrics.write_text("")
    summary = run(grid(3), paths)
    assert (summary.finished, summary.failed) == (2, 1)
    (problem,) = summary.problems.values()
    assert str(metrics) in problem
    assert metrics.read_text() == ""


def test_a_full_disk_stops_the_rest_and_names_the_file(paths, monkeypatch):
    monkeypatch.setenv("FAKE_FULL", "1")
    for jobs in (0, 1):
        summary = run(grid(4), paths, jobs=jobs)
        assert summary.interrupted >= 3
        assert all("No space left" in problem and "free some space" in problem for problem in summary.problems.values())
    monkeypatch.setenv("FAKE_FULL", "")
    assert run(grid(4), paths).finished + 1 == 4


def test_a_row_in_the_committed_table_counts_as_done(paths):
    configs = grid(3, tier="laptop")
    rows = f"run_id,status\n{configs[0].run_id},finished\n{configs[1].run_id},failed\n"
    published.write(paths.results / "laptop", {"runs.csv": rows})
    summary = run(configs, paths)
    assert (summary.finished, summary.skipped) == (2, 1)
    assert Queue(engine.request(runs=configs, paths=paths)).done(configs[0])
    assert run(configs, paths, committed=False).finished == 1


def test_speed_is_measured_last_and_alone(paths, monkeypatch):
    monkeypatch.setenv("FAKE_DELAY", "0.01")
    speed = SpeedConfig(models={"transformer": ModelConfig(pattern="A")})
    assert run([speed, *grid(3)], paths, jobs=2).finished == 4
    assert log(paths)[-1][0] == "time"


def test_a_time_budget_stops_with_everything_saved(paths, monkeypatch):
    monkeypatch.setenv("FAKE_DELAY", "0.05")
    for jobs, seconds in ((0, 2.0), (1, 0.6)):  # enough for some steps here; a worker may find its time used up
        summary = run(grid(2, steps=400), paths, jobs=jobs, budget_minutes=seconds / 60)
        assert summary.interrupted == 2
        assert (paths.runs / grid(2, steps=400)[0].run_id / "checkpoint.pt").exists()


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_engine import grid, run
from seqmix.paths import Paths
try:
    summary = run(grid(int(sys.argv[3]), steps=int(sys.argv[4])), Paths(sys.argv[2]), jobs=int(sys.argv[5]))
except KeyboardInterrupt as stopped:
    sys.exit(getattr(stopped, "exit_code", 130))
print(summary)
sys.exit(0 if summary.ok else 1)
"""


def start(paths, count: int, steps: int, jobs: int = 1) -> subprocess.Popen:
    words = [sys.executable, "-c", SCRIPT, str(HERE), str(paths.root), str(count), str(steps), str(jobs)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jobs", [0, 2])
def test_an_interrupt_saves_and_leaves_without_a_traceback(paths, monkeypatch, number, code, jobs):
    monkeypatch.setenv("FAKE_DELAY", "0.01")
    monkeypatch.setenv("FAKE_MEET", str(jobs))
    process = start(paths, 2, 500, jobs=jobs)
    wait_for(lambda: len(log(paths)) == max(1, jobs) and list(paths.runs.glob("*/checkpoint.pt")))
    os.killpg(process.pid, number)  # what a terminal does: the whole group of the command gets the signal
    out, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in err + out
    saved = json.loads((paths.runs / grid(2, 500)[0].run_id / "checkpoint.pt").read_text())
    assert 0 < saved["step"] < 500
    monkeypatch.setenv("FAKE_DELAY", "0")
    monkeypatch.setenv("FAKE_MEET", "0")
    assert run(grid(2, steps=500), paths).finished == 2


def test_three_processes_share_a_study(paths, monkeypatch):
    monkeypatch.setenv("FAKE_MEET", "3")
    processes = [start(paths, 9, 20) for _ in range(3)]
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    trained = [seed for what, seed, _ in log(paths) if what == "train"]
    assert sorted(trained) == [str(seed) for seed in range(9)]
    assert len({worker for what, _, worker in log(paths) if what == "train"}) == 3


def test_one_of_three_processes_killed_the_others_finish_its_runs(paths, monkeypatch):
    monkeypatch.setenv("FAKE_DELAY", "0.03")
    monkeypatch.setenv("FAKE_MEET", "3")
    processes = [start(paths, 6, 30) for _ in range(3)]
    wait_for(lambda: len(log(paths)) >= 3)
    os.kill(processes[0].pid, signal.SIGKILL)
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [-9, 0, 0], ends
    undisturbed = Paths(paths.root / "undisturbed")
    monkeypatch.setenv("FAKE_DELAY", "0")
    monkeypatch.setenv("FAKE_MEET", "0")
    run(grid(6, steps=30), undisturbed)
    assert [value(paths, c) for c in grid(6, 30)] == [value(undisturbed, c) for c in grid(6, 30)]


def test_small_models_get_many_workers_and_big_ones_many_threads(monkeypatch):
    monkeypatch.setattr(resources, "cores", lambda: 8)
    monkeypatch.setattr(resources, "visible_gpus", list)
    small = resources.layout(grid(16))
    assert (small.jobs, small.threads) == (8, 1)
    big = [c.model_copy(update={"model": ModelConfig(pattern="A" * 4, d_model=512)}) for c in grid(16)]
    assert resources.layout(big).threads == 4
    assert resources.layout(big).jobs <= 2
    assert resources.layout(grid(16), jobs=3).jobs == 3
    assert resources.layout(grid(2)).jobs == 2


def test_small_runs_share_a_gpu(monkeypatch):
    monkeypatch.setattr(resources, "cores", lambda: 16)
    monkeypatch.setattr(resources, "visible_gpus", lambda: ["0", "1"])
    place = resources.layout(grid(16))
    assert (place.jobs, place.gpus) == (8, ["0", "1"])


def test_the_display_reads_the_records(paths, capsys):
    configs = grid(4)
    run(configs[:1], paths)
    job = engine.request(runs=configs, paths=paths)
    display = Display(Queue(job))
    half = sign.Sign(job.id, "here:1", 1, step=10, steps=20, loss=2.5)
    sign.write(RunFolder(paths.runs / configs[1].run_id), half)
    assert display.text() == "1/4 runs, 1 running, 38%, loss 2.500"
    display.began = (time.monotonic() - 60, 0.0)
    assert "left (until" in display.text()
    display.refresh()
    assert "1/4 runs" in capsys.readouterr().err


def test_a_worker_that_stands_still_is_replaced(paths, monkeypatch):
    monkeypatch.setenv("FAKE_HANG", "1")
    monkeypatch.setattr(local, "PATIENCE", 3.0)
    summary = run(grid(2), paths, jobs=1)
    assert (summary.finished, summary.failed) == (1, 1)
    assert "nothing of the run changed" in next(iter(summary.problems.values()))
    monkeypatch.setenv("FAKE_HANG", "")
    assert run(grid(2), paths).finished == 1


def test_workers_leave_when_the_command_is_killed(paths, monkeypatch):
    monkeypatch.setenv("FAKE_DELAY", "0.02")
    monkeypatch.setenv("FAKE_MEET", "2")
    process = start(paths, 2, 400, jobs=2)
    wait_for(lambda: len(log(paths)) == 2)
    process.kill()
    process.communicate()
    folders = [RunFolder(paths.runs / c.run_id) for c in grid(2, 400)]
    wait_for(lambda: not any(folder.running() for folder in folders))
    assert all((folder.path / "checkpoint.pt").exists() for folder in folders)
    assert [folder.status() for folder in folders] == ["interrupted"] * 2
    mine = engine.request(runs=grid(1), paths=paths)  # of a launcher that lives
    mine.write()
    monkeypatch.setenv("FAKE_DELAY", "0")
    monkeypatch.setenv("FAKE_MEET", "0")
    assert run(grid(2, 400), paths, jobs=1).finished == 2
    assert list((paths.runs / ".jobs").iterdir()) == [mine.file]  # what the killed one had asked for is forgotten
