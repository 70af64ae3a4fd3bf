"""Every kind of file, damaged in every way, before everybody who reads it: a named refusal, or the right answer."""

import contextlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import nbformat
import pytest
import torch
from click.testing import CliRunner

from fake_records import config, record, speed_record
from seqmix import checkpoint, files, models
from seqmix.files import RecordError
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix.restore import restore
from seqmix_study.__main__ import main
from seqmix_study.book import build, check_chapters, check_pages, executed
from seqmix_study.book.fingerprint import results_digest
from seqmix_study.book.sphinxext.roles import lookup
from seqmix_study.findings.questions import Questions
from seqmix_study.findings.select import Tables
from seqmix_study.results import agreement, collect, configurations, published, transaction
from seqmix_study.results.published import CollectError
from seqmix_study.results.rows import plain
from seqmix_study.runs import archive, export, page_export, samples_and_traces
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
    "known": lambda here: Known("laptop", here)._found,
    "compare": lambda here: agreement.compare("laptop", here).to_csv(),
    "configurations": lambda here: configurations.read("laptop", here),
    "samples": lambda here: published.beside("laptop", "samples.json", here),
    "traces": lambda here: published.beside("laptop", "traces.json", here),
    "fingerprint": lambda here: results_digest(here, ("all", "attribution", "scaling")),
    "findings": lambda here: {
        name: frame.to_csv() for name, frame in Tables.read(here.results / "laptop", ASKED).frames.items()
    },
    "a number in a page": lambda here: lookup("runs:seed == 1:loss.mean:.3f", here),
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


@pytest.mark.parametrize("command", [["compare"], ["findings"], ["plan", "frontier", "--tier", "laptop"]])
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
        dying.setattr(transaction.shutil, "rmtree", lambda *args, **more: None)  # the dead clean up nothing
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
    assert published.beside("laptop", "traces.json", copy) == {"runs": []}


def test_nothing_to_collect_needs_neither_lock_nor_disk(copy, monkeypatch):
    def refuse(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", refuse)
    monkeypatch.setattr(transaction.FileLock, "acquire", refuse)
    assert collect.collect(PLAN, "laptop", "scaling", paths=copy)["runs"] == 2
    record_of_more = config(3)
    monkeypatch.undo()
    record(copy.runs, record_of_more)
    monkeypatch.setattr(transaction.FileLock, "acquire", refuse)
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
        assert Known("", copy).of(PLAN[0]) is None  # and decides no rate
        with pytest.raises(CollectError, match="cannot be trusted"):
            collect.collect(PLAN, "laptop", "scaling", paths=copy)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A finished run with weights."""
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.setenv("SEQMIX_RUNS", str(tmp_path / "runs"))
    folder = record(tmp_path / "runs", PLAN[0])
    checkpoint.save_weights(folder.weights, models.build(PLAN[0].model, 0).state_dict())
    folder.finish("finished")
    return folder


LOADERS = {
    "load": lambda folder: checkpoint.load_weights(folder.weights),
    "restore": lambda folder: restore(PLAN[0], folder, None),
    "score": lambda folder: samples_and_traces.score(PLAN[0], Paths(folder.path.parents[1])),
    "export": lambda folder: export.save(export.trained_model(folder.path)[1], folder.path.parent.parent / "out"),
    "page": lambda folder: page_export.export_page(folder.path, folder.path.parent.parent / "page.json"),
    "pack": lambda folder: archive.pack(folder.path.parent.parent / "a.tar.xz", folder.path.parent, weights=True),
}


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("loader", LOADERS)
def test_one_flipped_bit_of_the_weights_is_refused_wherever_they_are_used(trained, loader, where):
    content = bytearray(trained.weights.read_bytes())
    content[int(where * len(content))] ^= 1
    trained.weights.write_bytes(bytes(content))
    with pytest.raises((checkpoint.CheckpointError, archive.PackError), match=r"weights\.pt was (altered|edited)"):
        LOADERS[loader](trained)
    assert not list(trained.path.parent.parent.glob("out*")) + list(trained.path.parent.parent.glob("a.tar.xz"))


def test_a_new_measurement_never_seals_weights_that_changed(trained):
    flip(trained.weights)  # after the check, before the seal
    trained.add("swap", {"context": []})
    assert trained.evaluated() == ["swap"]
    assert "weights.pt" in trained.problem(deep=True)
    checkpoint.save_weights(trained.weights, {"w": torch.ones(2)})  # trained anew: a new seal
    trained.finish("finished")
    assert trained.problem(deep=True) == ""


def test_a_small_archive_cannot_fill_the_memory(tmp_path):
    """A file of zeros whose header tells the truth about it."""
    name = f"{PLAN[0].run_id}/weights.pt"
    size = 2**27
    path = tmp_path / "bomb.tar.xz"
    with lzma.open(path, "wb", preset=0) as stream:
        info = tarfile.TarInfo(name)
        info.size = size
        stream.write(info.tobuf())
        for _ in range(size // 2**22):
            stream.write(bytes(2**22))
    with pytest.raises(archive.PackError, match="times its size"):
        archive.unpack(path, tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("[!.]*"))


@pytest.fixture
def chapter(tmp_path):
    """A project with one executed chapter, a notebook and a figure."""
    (tmp_path / "_toc.yml").write_text("root: book/executed/a\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="a-0")])
    executed.publish(notebook, {"fig-a.csv": "x\n1\n"}, tmp_path / "book/executed/a.ipynb")
    return Paths(tmp_path)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["a.ipynb", "a.run.json", "figures/fig-a.csv"])
def test_a_damaged_chapter_is_named(chapter, name, damage):
    assert executed.read_executed("a", chapter).cells[0].source == "1 + 1"
    DAMAGE[damage](chapter.executed / name)
    with pytest.raises(executed.AlteredError, match=r"(a|fig-a)\.(ipynb|csv|run\.json).*run: seqmix run a"):
        executed.read_executed("a", chapter)
    assert executed.read_executed("b", chapter) is None


@pytest.mark.parametrize("stopped_after", range(8))
def test_a_chapter_killed_while_it_is_published_is_the_old_or_the_new_one(chapter, monkeypatch, stopped_after):
    calls, real = [0], os.replace

    def replace(one, other):
        calls[0] += 1
        if calls[0] > stopped_after:
            raise KeyboardInterrupt
        real(one, other)

    new = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("2 + 2", id="a-0")])
    with monkeypatch.context() as dying, contextlib.suppress(KeyboardInterrupt):
        dying.setattr(files.os, "replace", replace)
        dying.setattr(transaction.shutil, "rmtree", lambda *args, **more: None)
        executed.publish(new, {"fig-a.csv": "x\n2\n"}, chapter.executed / "a.ipynb")
    source = executed.read_executed("a", chapter).cells[0].source  # hashes agree: nothing is half replaced
    figure = (chapter.executed / "figures/fig-a.csv").read_text()
    assert (source, figure) in {("1 + 1", "x\n1\n"), ("2 + 2", "x\n2\n")}


def test_a_killed_or_refused_build_leaves_the_checked_book(chapter, monkeypatch):
    built = chapter.build / "html"
    built.mkdir(parents=True)
    (built / "index.html").write_text("checked")

    def jupyter_book(paths, output):
        html = output / "_build" / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text("new")

    monkeypatch.setattr(build, "run_jupyter_book", jupyter_book)
    html = build.build(chapter)
    assert (built / "index.html").read_text() == "checked"
    assert build.put_in_place(chapter, build.build(chapter)) == built
    assert (built / "index.html").read_text() == "new"
    assert not html.exists()


HOSTILE = (
    "<script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "{raw}`x` {download}`/etc/passwd`",
    "```{raw} html",
    "[x](javascript:alert(1)) ![](https://example.org/x.png)",
    "{{ env }} | a | b |",
    "a\u202eb\x1b[31m\nc",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_a_foreign_record_stay_words(tmp_path, text):
    """What an archive says of its machine reaches tables, figures and pages through one door."""
    record(tmp_path / "runs", PLAN[0], hardware=text, kernel=text)
    collect.collect(PLAN, "laptop", "scaling", paths=Paths(tmp_path))
    frame = collect.load("scaling", "laptop", PLAN, paths=Paths(tmp_path))["runs"]
    for said in (*frame["hardware"], *frame["kernel"], plain(text)):
        assert not set("`<>{}[]|$\\\n\x1b\u202e") & set(said)
    assert plain("AMD EPYC 9B14 (2 cores), 3.5 GHz") == "AMD EPYC 9B14 (2 cores), 3.5 GHz"


@pytest.mark.parametrize("text", ["\x1b]0;mine\x07\x1b[2J", "\x9b31m", "a\u202eb"])
def test_words_of_a_foreign_record_do_not_steer_a_terminal(tmp_path, monkeypatch, text):
    monkeypatch.setenv("SEQMIX_RUNS", str(tmp_path / "runs"))
    for number, c in enumerate(PLAN):
        folder = record(tmp_path / "runs", c)
        folder.note(f"note {text}")
        folder.finish("failed", f"reason {text}")
        if number:  # corrupt: its problem is told instead
            flip(folder.path / "metrics.json")
    said = CliRunner().invoke(main, ["status"]).output
    assert said.count("note: note") == 2
    assert "reason" in said
    assert all(c.isprintable() or c == "\n" for c in said)


def test_who_has_to_wait_for_another_process_says_so(tmp_path, capfd):
    hold = "import sys; from pathlib import Path; from seqmix_study.results.transaction import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
    lock = tmp_path / "_build" / ".lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", hold, str(lock)], **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        threading.Timer(0.3, other.stdin.close).start()
        with transaction.locked(lock):
            pass
        assert f"waiting for another process, which writes in {tmp_path / '_build'}" in capfd.readouterr().err


def test_computed_markdown_is_refused(chapter):
    """It could hold directives that read files while the book is built; HTML is looked at in the built pages."""
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {"text/markdown": "fine"})])
    assert any("computed Markdown" in message for message in check_chapters._outputs(cell))
    fine = nbformat.v4.new_output("display_data", {"text/html": '<details open><a href="../x.html">a</a></details>'})
    assert check_chapters._outputs(nbformat.v4.new_code_cell("", outputs=[fine])) == []


PAGE = '<html><body><script src="theme.js"></script><article>{}</article></body></html>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<script>alert(1)</script>", "<script> in the text"),
        ('<img src="x.png" alt="a picture" onerror="alert(1)">', "attribute onerror"),
        ('<a href="javascript:alert(1)">x</a>', "attribute href"),
        ('<iframe srcdoc="x"></iframe>', "<iframe> in the text"),
        ('<a class="download" href="_downloads/0/passwd">x</a>', "not the book's"),
    ],
)
def test_a_built_page_that_would_run_or_give_away_is_refused(chapter, text, says):
    html = chapter.build / "html"
    (html / "_downloads" / "0").mkdir(parents=True)
    (html / "_downloads" / "0" / "passwd").write_text("root")
    shutil.copy(chapter.executed / "figures" / "fig-a.csv", html / "_downloads" / "0")
    (html / "theme.js").write_text("")
    good = '<script type="application/json">{}</script><a class="download" href="_downloads/0/fig-a.csv">x</a>'
    for name, inside in (("good", good), ("bad", text)):
        (html / f"{name}.html").write_text(PAGE.format(inside))
    found = [str(finding) for finding in check_pages.check_pages(chapter)]
    assert any("bad.html" in finding and says in finding for finding in found), found
    assert not any("good.html" in finding for finding in found), found
