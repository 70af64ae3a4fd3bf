"""Records travel whole, or not at all; an archive is trusted for nothing."""

import contextlib
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from fake_records import config, record, say, speed_record
from seqmix.files import RecordError, json_text
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results import collect
from seqmix_study.results.collect import CollectError
from seqmix_study.runs.archive import PackError, pack, unpack
from seqmix_study.runs.known import Known


@pytest.fixture
def sent(tmp_path):
    """Two runs and a speed measurement, packed."""
    runs = tmp_path / "runs"
    for seed in range(2):
        folder = record(runs, config(seed))
        folder.weights.write_bytes(b"w" * 1000)
        folder.finish("finished")
    speed_record(runs)
    RunFolder(runs / config(5).run_id).write_config(config(5))  # unfinished: stays behind
    return tmp_path / "records.tar.xz"


def test_records_arrive_whole_without_weights_and_unfinished_runs(sent, tmp_path):
    done = pack(sent, tmp_path / "runs")
    assert done["runs"] == 3
    there = tmp_path / "there"
    assert len(unpack(sent, there)["added"]) == 3
    arrived = RunFolder(there / config(1).run_id)
    assert arrived.status() == "finished"
    assert arrived.metrics() == RunFolder(tmp_path / "runs" / config(1).run_id).metrics()
    assert not arrived.weights.exists()
    assert [path.name for path in there.iterdir() if path.name.startswith(".sq-")] == []
    again = unpack(sent, there)
    assert (len(again["added"]), len(again["known"])) == (0, 3)


def test_weights_travel_when_asked_for(sent, tmp_path):
    pack(sent, tmp_path / "runs", weights=True)
    unpack(sent, tmp_path / "there")
    assert RunFolder(tmp_path / "there" / config(0).run_id).problem(deep=True) == ""
    assert RunFolder(tmp_path / "there" / config(0).run_id).weights.stat().st_size == 1000


def test_the_same_records_give_the_same_archive(sent, tmp_path):
    pack(sent, tmp_path / "runs")
    first = sent.read_bytes()
    pack(sent, tmp_path / "runs")
    assert sent.read_bytes() == first


def test_a_record_that_is_there_stays(sent, tmp_path):
    pack(sent, tmp_path / "runs")
    there = tmp_path / "there"
    record(there, config(0), loss=9.0)
    RunFolder(there / config(1).run_id).write_config(config(1))  # only begun here: the ended one is worth more
    done = unpack(sent, there)
    assert done["different"] == [config(0).run_id]
    assert RunFolder(there / config(0).run_id).metrics()["loss"] == 9.0
    assert RunFolder(there / config(1).run_id).status() == "finished"


def test_a_corrupt_record_is_not_packed(sent, tmp_path):
    (tmp_path / "runs" / config(0).run_id / "metrics.json").write_text("")
    with pytest.raises(PackError, match=r"metrics\.json"):
        pack(sent, tmp_path / "runs")
    assert not sent.exists()


@pytest.mark.parametrize("keep", [0, 0.01, 0.5, 0.9])
def test_a_torn_archive_is_refused_and_leaves_nothing(sent, tmp_path, keep):
    pack(sent, tmp_path / "runs")
    sent.write_bytes(sent.read_bytes()[: int(keep * sent.stat().st_size)])
    with pytest.raises(PackError, match=r"records\.tar\.xz"):
        unpack(sent, tmp_path / "there")
    assert list((tmp_path / "there").glob("[!.]*")) == []


def rebuild(path, change) -> None:
    """Write the archive again after ``change(files)``; files is name -> content."""
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    files = change(files) or files
    with lzma.open(path, "w") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def climbing(files):
    files["../../climbed.txt"] = b"x"


def altered(files):
    name = f"{config(0).run_id}/metrics.json"
    files[name] = files[name].replace(b"2.5", b"1.5")


def linked(files):
    name = f"{config(0).run_id}/metrics.json"
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    files[name] = link


def smuggled(files):
    files[f"{config(0).run_id}/evil.py"] = b"print(1)"


def foreign(files):
    return {"readme.txt": b"hello"}


def unsealed(files):
    files[f"{config(0).run_id}/tables/more.csv"] = b"a\n1\n"


def without_its_outcome(files):
    del files[f"{config(1).run_id}/outcome.json"]


def incomplete(files):
    del files[f"{config(1).run_id}/metrics.json"]


def sealing_what_lies_elsewhere(files):
    """The record's own seal is right, but names a file outside of the record."""
    name = f"{config(0).run_id}/outcome.json"
    outcome = json.loads(files[name])
    outcome["files"] |= {"../" + config(1).run_id + "/metrics.json": outcome["files"]["metrics.json"]}
    del outcome["seal"]
    outcome["seal"] = hashlib.sha256(json_text(outcome).encode()).hexdigest()
    files[name] = json_text(outcome).encode()


HOSTILE = [climbing, altered, linked, smuggled, foreign, unsealed, without_its_outcome, incomplete]


@pytest.mark.parametrize("change", [*HOSTILE, sealing_what_lies_elsewhere])
def test_a_hostile_or_foreign_archive_is_refused_and_leaves_nothing(sent, tmp_path, change):
    pack(sent, tmp_path / "runs")
    rebuild(sent, change)
    with pytest.raises(PackError, match=r"records\.tar\.xz"):
        unpack(sent, tmp_path / "there")
    assert list((tmp_path / "there").glob("[!.]*")) == []
    assert not (tmp_path / "climbed.txt").exists()


def test_what_an_archive_holds_twice_is_refused(sent, tmp_path):
    pack(sent, tmp_path / "runs")
    with lzma.open(sent, "w") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo(f"{config(0).run_id}/metrics.json"), io.BytesIO())
    with pytest.raises(PackError, match="twice"):
        unpack(sent, tmp_path / "there")


def test_holes_of_a_sparse_file_do_not_fill_the_disk(sent, tmp_path, monkeypatch):
    """A gigabyte of nothing fits into one header; only the bytes that are read from the archive are counted."""
    info = tarfile.TarInfo(f"{config(0).run_id}/weights.pt")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = header[483:495] + b"%011o\0" % 0
    header[386:398] = header[483:495] = b"%011o\0" % 2**30
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with lzma.open(sent, "w") as stream:
        stream.write(bytes(header) + bytes(1024))
    copied = []
    monkeypatch.setattr(shutil, "copyfileobj", lambda *what: copied.append(what))
    with pytest.raises(PackError, match="no record has"):
        unpack(sent, tmp_path / "there")
    assert not copied


STRANGE = [
    *(("metrics.json", {"loss_valid": value}) for value in ("x", [1], {"a": 1})),
    *(("metrics.json", {name: "x"}) for name in ("loss", "seconds", "tokens_done", "reached_target_at_step")),
    *(("metrics.json", {"evaluated": value}) for value in (5, "index")),
    ("metrics.json", {"a metric of nobody": 1}),
    ("provenance.json", {"versions": 5}),
    ("progress.jsonl", {"step": 3, "tokens": "x"}),
    ("progress.jsonl", {"step": 9e999, "tokens": 3}),
    ("outcome.json", {"files": 5}),
]


@pytest.mark.parametrize(("name", "change"), STRANGE)
def test_values_of_no_kind_that_a_record_has_are_refused_before_they_are_in_the_way(tmp_path, name, change):
    """Well sealed, but no table takes it: it would stop every plan and every collect of who unpacks it."""
    here, path = Paths(tmp_path), tmp_path / "foreign.tar.xz"
    folder = record(here.runs, config(0))
    file = folder.path / name
    if name == "outcome.json":
        say(folder, **change)
    else:
        file.write_text(json.dumps(change if name.endswith("l") else json.loads(file.read_text()) | change) + "\n")
        folder.finish("finished")
    with tarfile.open(path, "w:xz") as archive:
        for file in filter(Path.is_file, folder.path.rglob("*")):
            archive.add(file, f"{folder.run_id}/{file.relative_to(folder.path).as_posix()}")
    with pytest.raises(PackError, match="not whole"):
        unpack(path, tmp_path / "there")
    assert not list((tmp_path / "there").glob("[!.]*"))
    with contextlib.suppress(CollectError, RecordError):  # copied by hand: a named refusal, and no other error
        collect.collect([config(0)], "laptop", "scaling", paths=here)
    with contextlib.suppress(RecordError):
        Known("", here).of(config(0))


def test_a_run_that_is_being_trained_here_is_waited_for_and_that_is_said(sent, tmp_path, capfd):
    pack(sent, tmp_path / "runs")
    folder = RunFolder(tmp_path / "there" / config(0).run_id)
    folder.write_config(config(0))
    hold = "import sys; from pathlib import Path; from seqmix.record import RunFolder\n"
    hold += "with RunFolder(sys.argv[1]).lock():\n    print('held', flush=True)\n    sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", hold, str(folder.path)], **pipes) as trainer:
        assert trainer.stdout.readline() == b"held\n"
        threading.Timer(0.3, trainer.stdin.close).start()
        assert len(unpack(sent, tmp_path / "there")["added"]) == 3
    assert "waiting for another process" in capfd.readouterr().err
