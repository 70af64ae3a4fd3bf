"""Who publishes is killed with SIGKILL at random moments, again and again: readers find the old state or the new one.

Training and tuning are killed in test_killed.py and test_stages_run.py.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from filelock import FileLock, Timeout

from fake_records import config, record
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.book import build, executed
from seqmix_study.findings import study
from seqmix_study.results import collect, configurations, published, transaction

ROUNDS = 8


def killed(operation: Callable[[], object], rng: random.Random, longest: float) -> None:
    """Do something in a forked process that is killed after at most ``longest`` seconds."""
    child = os.fork()
    if child == 0:
        try:
            operation()
        finally:
            os._exit(0)
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def lasting(operation: Callable[[], object]) -> float:
    """Return the seconds that an undisturbed call takes."""
    began = time.monotonic()
    operation()
    return time.monotonic() - began


@pytest.mark.parametrize("seed", range(3))
def test_collect(tmp_path, seed):
    here, rng = Paths(tmp_path), random.Random(seed)
    plan = [config(0)]
    record(here.runs, plan[0])
    longest = 1.5 * lasting(lambda: collect.collect(plan, "laptop", "scaling", paths=here))
    last = 1
    for number in range(1, ROUNDS):
        plan.append(config(number))
        record(here.runs, plan[-1])
        killed(lambda: collect.collect(plan, "laptop", "scaling", paths=here), rng, longest)
        found = collect.load("scaling", "laptop", paths=here)
        assert len(found["runs"]) in (last, number + 1)
        last = len(found["runs"])
        assert len(found["curves"]) == 2 * last
        assert set(configurations.read("laptop", here)) == set(found["runs"]["run_id"])
    assert collect.collect(plan, "laptop", "scaling", paths=here)["runs"] == ROUNDS


@pytest.mark.parametrize("seed", range(3))
def test_publish(tmp_path, seed):
    here, rng = Paths(tmp_path), random.Random(seed)

    def publish(version: int) -> None:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{version}", id="a-0")])
        executed.publish(notebook, {"fig-a.csv": f"x\n{version}\n"}, here.executed / "a.ipynb")

    longest, last = 1.5 * lasting(lambda: publish(0)), 0
    for version in range(1, ROUNDS):
        killed(lambda version=version: publish(version), rng, longest)
        found = int(executed.read_executed("a", here).cells[0].source)  # its hashes agree, or this raises
        assert found in (last, version)
        assert (here.executed / "figures" / "fig-a.csv").read_text() == f"x\n{found}\n"
        last = found


@pytest.mark.parametrize("seed", range(3))
def test_build(tmp_path, monkeypatch, seed):
    here, rng = Paths(tmp_path), random.Random(seed)
    version = 0

    def jupyter_book(paths: Paths, output: Path) -> None:
        html = output / "_build" / "html"
        html.mkdir(parents=True)
        for page in range(40):
            (html / f"{page}.html").write_text(f"{version}")

    monkeypatch.setattr(build, "run_jupyter_book", jupyter_book)

    def whole_build() -> None:
        build.put_in_place(here, build.build(here))

    longest, last = 1.5 * lasting(whole_build), 0
    for version in range(1, ROUNDS):
        killed(whole_build, rng, longest)
        pages = list(build.html_folder(here).glob("*.html"))
        versions = {int(page.read_text()) for page in pages}
        assert len(versions) <= 1
        assert versions <= {last, version}
        assert len(pages) == 40 * len(versions)
        last = next(iter(versions), last)
    whole_build()
    assert {page.read_text() for page in build.html_folder(here).glob("*.html")} == {f"{ROUNDS - 1}"}
    assert {path.name for path in here.build.iterdir()} == {"html"}
    shutil.rmtree(here.build)


def test_writers_of_one_tier_lose_nothing_of_each_other(tmp_path):
    """Tables, findings and samples are published by several commands: each changes the one manifest."""
    names = ("samples.json", "traces.json", "more.json")
    children = []
    for name in names:
        children.append(os.fork())
        if children[-1] == 0:
            try:
                for number in range(40):
                    published.write(tmp_path, {name: f"[{number}]\n"})
            finally:
                os._exit(0)
    for child in children:
        os.waitpid(child, 0)
    assert [published.content(tmp_path / name) for name in names] == [b"[39]\n"] * 3


@pytest.mark.parametrize("words", [["collect", "solve", "--tier", "laptop"], ["findings", "--tier", "laptop"]])
def test_findings_are_computed_before_another_publishes_tables(tmp_path, monkeypatch, words):
    here, free = Paths(tmp_path), []
    (tmp_path / "studies").symlink_to(Paths().studies)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.setenv("SEQMIX_RUNS", str(here.runs))

    def compute(*_) -> None:
        try:
            FileLock(here.results / "laptop" / ".collect.lock").acquire(timeout=0).lock.release()
            free.append(True)
        except Timeout:
            free.append(False)

    monkeypatch.setattr(study, "compute", compute)
    monkeypatch.setattr(study.claims, "write", lambda *_: [pd.DataFrame(columns=["id", "row", "verdict"])] * 2)
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, free) == (0, [False]), done.output


def test_a_temporary_folder_of_the_killed_goes_and_one_in_use_stays(tmp_path, monkeypatch):
    child = os.fork()
    if not child:
        with transaction.scratch(tmp_path) as folder:
            (folder / "socket").touch()
            time.sleep(60)
    while not (left := list(tmp_path.glob("*/socket"))):
        time.sleep(0.01)
    with transaction.scratch(tmp_path):
        assert left[0].exists()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 120)  # by then it is no longer just being made
    with transaction.scratch(tmp_path):
        assert left[0].exists(), "it is in use"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with transaction.scratch(tmp_path) as mine:
            assert not left[0].exists()
            assert len(list(tmp_path.iterdir())) == 2
        assert not mine.exists()
    assert not list(tmp_path.iterdir())


def test_temporary_folders_made_at_once_do_not_stop_each_other(tmp_path):
    def many(_):
        for _ in range(300):
            with transaction.scratch(tmp_path):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
