"""Disks that are full or read-only, for real: a file system of 1 MB in memory, also mounted read-only (needs root)."""

import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from fake_records import config, record
from seqmix import checkpoint, models
from seqmix.files import RecordError
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.book import executed, formats
from seqmix_study.classroom import build
from seqmix_study.results import collect
from seqmix_study.runs import archive, page_file
from test_engine import grid, run

PLAN = [config(0), config(1)]
PICTURES = [("--plot", ".svg"), ("--plot", ".png"), ("--plot", ".pdf"), ("--report", ".html")]


@pytest.fixture
def disk(tmp_path):
    """A folder on a file system of its own that holds 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root may mount, and not in every container")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing goes in any more; return the file that holds the space."""
    path = disk / "filler"
    with open(path, "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def freeze(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def tables(here: Paths) -> dict[str, str]:
    return {name: frame.to_csv() for name, frame in collect.load("scaling", "laptop", paths=here).items()}


def test_training_on_a_full_disk_says_so_and_goes_on_when_there_is_room(disk, monkeypatch):
    here = Paths(disk)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    assert run(grid(1), here).finished == 1
    filler = fill(disk)
    summary = run(grid(3), here)
    assert summary.interrupted + summary.failed == 2
    assert all("the disk is full: free some space" in problem for problem in summary.problems.values())
    filler.unlink()
    assert run(grid(3), here).finished == 2


def test_collecting_on_a_full_disk_keeps_the_old_tables(disk):
    here = Paths(disk)
    for c in PLAN:
        record(here.runs, c)
    collect.collect(PLAN, "laptop", "scaling", paths=here)
    before, more = tables(here), [*PLAN, config(2)]
    record(here.runs, more[-1])
    filler = fill(disk)
    with pytest.raises(RecordError, match="the disk is full"):
        collect.collect(more, "laptop", "scaling", paths=here)
    assert tables(here) == before
    filler.unlink()
    assert collect.collect(more, "laptop", "scaling", paths=here)["runs"] == 3


def test_a_chapter_on_a_full_disk_keeps_its_old_version(disk):
    path = disk / "book" / "executed" / "a.ipynb"
    for source in ("1 + 1", "2 + 2"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="a-0")])
        if source == "1 + 1":
            executed.publish(notebook, {"fig-a.csv": "x\n1\n"}, path)
            fill(disk)
            continue
        with pytest.raises(RecordError, match="the disk is full"):
            executed.publish(notebook, {"fig-a.csv": "x\n2\n"}, path)
    assert executed.read_executed("a", Paths(disk)).cells[0].source == "1 + 1"


def test_an_archive_on_a_full_disk_is_not_begun(disk, tmp_path):
    record(tmp_path / "runs", PLAN[0])
    fill(disk)
    with pytest.raises(RecordError, match="the disk is full"):
        archive.pack(disk / "a.tar.xz", tmp_path / "runs")
    assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_read_only_project_can_be_read_and_says_what_it_cannot_do(disk, monkeypatch):
    here = Paths(disk)
    (disk / "studies").symlink_to(Paths(Path(__file__).parents[1]).studies)
    for c in PLAN:
        record(here.runs, c)
    collect.collect(PLAN, "laptop", "scaling", paths=here)
    before = tables(here)
    record(here.runs, config(2))
    freeze(disk)
    monkeypatch.setenv("SEQMIX_ROOT", str(disk))
    monkeypatch.setenv("SEQMIX_RUNS", str(here.runs))
    monkeypatch.setenv("SEQMIX_CACHE", os.environ.get("SEQMIX_CACHE", str(Paths().cache)))
    assert collect.collect(PLAN, "laptop", "scaling", paths=here)["runs"] == 2  # nothing new: nothing is written
    with pytest.raises(RecordError, match="read-only"):
        collect.collect([*PLAN, config(2)], "laptop", "scaling", paths=here)
    assert tables(here) == before
    told = CliRunner().invoke(main, ["status"])
    assert (told.exit_code, "3 finished" in told.output) == (0, True)
    for words, code in ((["train", "solve"], 2), (["book"], 1), (["pack", str(disk / "a.tar.xz")], 1)):
        refused = CliRunner().invoke(main, words)
        assert refused.exit_code == code, refused.output
        assert "cannot be written" in refused.output or "read-only" in refused.output, refused.output
        assert refused.output.count("\n") == 1
        assert isinstance(refused.exception, SystemExit)


def test_an_exported_model_on_a_full_disk_keeps_its_old_version(disk):
    page_file.write(disk / "a.json", {"old": 1})
    fill(disk)
    with pytest.raises(RecordError, match="the disk is full"):
        page_file.write(disk / "a.json", {"new": "x" * 9000})
    assert '"old": 1' in (disk / "a.json").read_text()


@pytest.mark.parametrize("full", [True, False])
def test_what_a_disk_does_not_take_is_named_with_the_remedy_and_leaves_no_half_file(disk, tmp_path, full):
    table, questions = tmp_path / "t.csv", tmp_path / "q.yaml"
    table.write_text("n,loss\n" + "".join(f"{10**k},{3 + 10 / 10 ** (k / 3)}\n" for k in range(3, 9)))
    questions.write_text("questions: {}\n")
    folder = record(tmp_path / "runs", PLAN[0])
    checkpoint.save_weights(folder.weights, models.build(PLAN[0].model, 0).state_dict())
    folder.finish("finished")
    fill(disk) if full else freeze(disk)
    fit = ["fit", str(table), "--n", "n", "--loss", "loss"]
    writers = [[*fit, option, f"{disk}/out{end}"] for option, end in PICTURES]
    writers += [["findings", str(table), str(questions), "--out", f"{disk}/out"], ["pack", f"{disk}/out.tar.xz"]]
    writers += [["export", PLAN[0].run_id, f"{disk}/out"], ["export", "--page", PLAN[0].run_id, f"{disk}/out.json"]]
    for words in writers:
        told = CliRunner(env={"SEQMIX_RUNS": str(tmp_path / "runs")}).invoke(main, words)
        assert told.exit_code == 1, told.output
        assert ("the disk is full" if full else "the folder is read-only") in told.output
        assert told.output.count("\n") == 1
        assert ".tmp" not in told.output
        assert isinstance(told.exception, SystemExit)
        assert not [path for path in disk.rglob("*") if path.is_file() and path.name != "filler"], words


def test_what_students_get_is_whole_or_named(disk, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(Paths().notebooks / "lessons", project / "notebooks" / "lessons")
    (project / "studies").symlink_to(Paths().studies)
    (project / "classroom").symlink_to(disk)
    filler = fill(disk)
    with pytest.raises(RecordError, match="the disk is full"):
        build.write_student_folder(Paths(project))
    assert [path for path in disk.rglob("*") if path.is_file()] == [filler]
    filler.unlink()
    build.write_student_folder(Paths(project))
    copied = disk / "student" / "studies" / "frontier.yaml"
    assert copied.read_bytes() == (Paths().studies / copied.name).read_bytes()


PRINTER = """#!/bin/sh
for word; do case $word in --print-to-pdf=*) echo new > "${word#*=}";; esac; done
"""


@pytest.mark.parametrize(("script", "says"), [(PRINTER, "the disk is full"), ("#!/bin/sh\n", "could not print")])
def test_a_pdf_that_could_not_be_printed_leaves_the_old_one_and_says_so(disk, tmp_path, monkeypatch, script, says):
    browser = tmp_path / "chromium"
    browser.write_text(script)
    browser.chmod(0o755)
    monkeypatch.setenv("SEQMIX_CHROMIUM", str(browser))
    (disk / "book.pdf").write_text("old")
    fill(disk)
    with pytest.raises(RuntimeError, match=says):
        formats.print_page("file:///page.html", disk / "book.pdf")
    assert (disk / "book.pdf").read_text() == "old"
