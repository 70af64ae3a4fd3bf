"""Every kind of file, damaged in every way, before everybody who reads it: a named refusal, or the right answer."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fake_records import config, record, speed_record
from seqmix import files
from seqmix.files import RecordError
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.__main__ import main
from seqmix_study.book.fingerprint import results_digest
from seqmix_study.book.sphinxext.val import lookup
from seqmix_study.findings.questions import Questions
from seqmix_study.findings.select import Tables
from seqmix_study.results import agreement, collect, configurations, published
from seqmix_study.results.published import CollectError
from seqmix_study.runs import launch, looking, samples
from seqmix_study.runs.known import Known

PLAN = [config(0), config(1)]
BESIDE = {
    "samples.json": "[]\n",
    "traces.json": '{"runs":[]}\n',
    "findings.csv": "id\na\n",
    "verdicts.csv": "id\n0.1\n",
}
FILES = ("runs.csv", "curves.csv", "context.csv", "speed.csv", configurations.NAME, *BESIDE, published.MANIFEST)

ASKED = Questions(questions={}, tables={name: f"{name}.csv" for name in ("runs", "curves", "context", "speed")})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A project with records and everything that a tier publishes."""
    here = Paths(tmp_path_factory.mktemp("project"))
    for c in PLAN:
        record(here.runs, c)
    collect.collect([*PLAN, speed_record(here.runs)], "laptop", "scaling", paths=here)
    published.write(here.results / "laptop", BESIDE)
    return here


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole.root, tmp_path / "copy")
    return Paths(tmp_path / "copy")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "flipped": flip,
    "emptied": lambda path: path.write_bytes(b""),
    "lost": Path.unlink,
    "longer": lambda path: path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(True)[-1]),
    "foreign": lambda path: path.write_text('{"files": {}}' if path.suffix == ".json" else "study,arm\na,b\n"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a folder": replace_by_folder,
}

READERS = {
    "load": lambda here: {
        name: frame.to_csv() for name, frame in collect.load("scaling", "laptop", paths=here).items()
    },
    "collect": lambda here: collect.collect(PLAN, "laptop", "scaling", paths=here),
    "committed": lambda here: launch.committed("laptop", here),
    "known": lambda here: Known("laptop", here)._found,
    "compare": lambda here: [str(point) for point in agreement.compare("laptop", here)],
    "configurations": lambda here: configurations.read("laptop", here),
    "samples": lambda here: samples.published("laptop", here),
    "traces": lambda here: looking.published("laptop", here),
    "fingerprint": lambda here: results_digest(here, ("all", "inside", "scaling")),
    "findings": lambda here: {
        name: frame.to_csv() for name, frame in Tables.read(here.results / "laptop", ASKED).frames.items()
    },
    "a number in a page": lambda here: lookup(here.results, "laptop/runs:seed=1:loss:.3f")[0],
}


@pytest.fixture(scope="module")
def right(whole):
    return {name: read(whole) for name, read in READERS.items()}


def outcome(read, here: Paths) -> tuple:
    """Return (answer, "") or (None, why it was refused)."""
    try:
        return read(here), ""
    except (CollectError, RecordError) as error:
        return None, str(error)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_table_is_refused_by_name_or_not_needed(copy, right, name, damage):
    path = copy.results / "laptop" / name
    DAMAGE[damage](path)
    refused = 0
    for reader, read in READERS.items():
        found, error = outcome(read, copy)
        assert error or found == right[reader], f"{reader} reads {name}, {damage}, and says something else"
        if error:
            assert str(path.parent) in error, reader
            assert name in error or published.MANIFEST in error, reader
            refused += 1
    assert refused or name in ("findings.csv", "verdicts.csv"), f"nobody noticed {name}, {damage}"
    with pytest.raises((CollectError, RecordError)):
        published.content(path if name != published.MANIFEST else path.with_name("runs.csv"))


def test_a_table_that_nobody_published_is_refused(copy):
    (copy.results / "laptop" / "recall.csv").write_text("study\nscaling\n")
    with pytest.raises(CollectError, match=r"recall\.csv is foreign"):
        collect.load("scaling", "laptop", paths=copy)


@pytest.mark.parametrize("command", [["compare"], ["findings"], ["plan", "scaling", "--tier", "laptop"]])
def test_commands_refuse_in_one_sentence(copy, monkeypatch, command):
    monkeypatch.setenv("SEQMIX_ROOT", str(copy.root))
    shutil.copytree(Paths(Path(__file__).parents[1]).studies, copy.studies)
    flip(copy.results / "laptop" / "runs.csv")
    done = CliRunner().invoke(main, command)
    assert done.exit_code in (1, 2), done.output
    assert done.output.count("\n") == 1
    assert "runs.csv is damaged" in done.output
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize("stopped_after", range(12))
def test_a_collect_killed_anywhere_leaves_all_or_nothing(copy, right, monkeypatch, stopped_after):
    """Each rename and each write is a place to die at; readers see the old tables or the new ones, never a mixture."""
    third = config(2)
    record(copy.runs, third, 2.25)
    old, calls, real = right["load"], [0], os.replace

    def replace(one, other):
        calls[0] += 1
        if calls[0] > stopped_after:
            raise KeyboardInterrupt  # nothing here may catch it
        real(one, other)

    with monkeypatch.context() as dying:
        dying.setattr(files.os, "replace", replace)
        dying.setattr(files.shutil, "rmtree", lambda *args, **more: None)  # the dead clean up nothing
        with contextlib.suppress(KeyboardInterrupt):
            collect.collect([*PLAN, third], "laptop", "scaling", paths=copy)
    seen = READERS["load"](copy)
    assert seen["runs"].count("\n") in (3, 4)
    if seen["runs"].count("\n") == 3:
        assert seen == old
    else:
        assert seen["curves"].count("\n") == 7
        assert third.run_id in configurations.read("laptop", copy)
    collect.collect([*PLAN, third], "laptop", "scaling", paths=copy)
    assert not list((copy.results / "laptop").glob(".*.staged"))
    assert READERS["load"](copy)["runs"].count("\n") == 4
    assert published.value(copy.results / "laptop" / "traces.json") == {"runs": []}


def test_nothing_to_collect_needs_neither_lock_nor_disk(copy, monkeypatch):
    def refuse(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", refuse)
    monkeypatch.setattr(files.FileLock, "acquire", refuse)
    assert collect.collect(PLAN, "laptop", "scaling", paths=copy)["runs"] == 2
    record_of_more = config(3)
    monkeypatch.undo()
    record(copy.runs, record_of_more)
    monkeypatch.setattr(files.FileLock, "acquire", refuse)
    with pytest.raises(RecordError, match="the disk is full"):
        collect.collect([*PLAN, record_of_more], "laptop", "scaling", paths=copy)


RECORD = ("config.json", "provenance.json", "progress.jsonl", "metrics.json", "outcome.json")
RECORD += ("tables/context-index.csv",)


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "a folder"])
@pytest.mark.parametrize("name", RECORD)
def test_a_damaged_record_is_corrupt_and_stops_no_other(copy, monkeypatch, name, damage):
    monkeypatch.setenv("SEQMIX_RUNS", str(copy.runs))
    folder = RunFolder(copy.runs / PLAN[0].run_id)
    DAMAGE[damage](folder.path / name)
    said = json.loads(CliRunner().invoke(main, ["status", "--json"]).output)
    states = {row["run_id"]: row["status"] for row in said}
    assert states[PLAN[1].run_id] == "finished"
    if (name, damage) != ("outcome.json", "lost"):  # without it the run has simply not ended
        assert states[folder.run_id] == "corrupt"
        assert str(folder.path) in folder.problem()
        with pytest.raises(CollectError, match="cannot be trusted"):
            collect.collect(PLAN, "laptop", "scaling", paths=copy)
