"""The strict runner: wrong requests end before anything starts, failures never touch what is published."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fake_records import record
from seqmix import study
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.book import runner
from seqmix_study.book.runner import current, prepare
from seqmix_study.book.sources import ChapterError, declared, load
from seqmix_study.chapters import parameters
from seqmix_study.chapters.request import RequestError
from seqmix_study.results import published
from test_plan_cli import STUDY

HEAD = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]

tier: str = "quick"  # how much is trained [one of: quick, laptop, gpu]
seeds: int = 1  # seeds per point [1..20]
```
"""


def cell(code: str) -> str:
    return f"\n```{{code-cell}} ipython3\n{textwrap.dedent(code)}```\n"


def project(folder: Path, **chapters: str) -> Path:
    """Make a project with these chapters, all in the table of contents."""
    for name in ("notebooks", "studies", "book", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    toc = ["format: jb-book", "root: book/index", "parts:", "- chapters:"]
    for name, body in chapters.items():
        (folder / "notebooks" / f"{name}.md").write_text(HEAD + body)
        toc.append(f"  - file: book/executed/{name}")
    (folder / "_toc.yml").write_text("\n".join(toc) + "\n")
    (folder / "_config.yml").write_text("title: A project\n")
    return folder


def seqmix(folder: Path, *arguments: str, **kwargs) -> subprocess.CompletedProcess:
    environment = os.environ | {"SEQMIX_ROOT": str(folder)}
    command = [sys.executable, "-m", "seqmix_study", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False, **kwargs)


class TestParameters:
    CELL = textwrap.dedent("""\
        tier: str = "quick"  # how much is trained [one of: quick, laptop, gpu]
        seeds: int = 1  # seeds per point [0..20]
        noise: float = 1e-3  # spread [> 0]
        train: bool = True  # whether
        source: str = "stdlib"  # name of a corpus
    """)

    def test_the_cell_is_read(self):
        known = declared(self.CELL)
        assert known == {"tier": "quick", "seeds": 1, "noise": 1e-3, "train": True, "source": "stdlib"}
        assert [parameters.legal(name) for name in known] == [
            "one of quick, laptop, gpu", "0..20", "> 0", "true or false", "text"]  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [("seeds", "7", 7), ("noise", "2e-4", 2e-4), ("noise", "3", 3.0), ("train", "false", False),
         ("tier", "gpu", "gpu")],
    )  # fmt: skip
    def test_legal_values_get_their_type(self, name, value, expected):
        result = parameters.check(declared(self.CELL), {name: value})
        assert result == {name: expected}
        assert type(result[name]) is type(expected)

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("sead", "3", "did you mean 'seeds'"),
            ("jobs", "3", "unknown parameter 'jobs'"),
            ("seeds", "banana", "valid integer"),
            ("seeds", "2.5", "valid integer"),
            ("seeds", "-1", "0..20"),
            ("seeds", "21", "0..20"),
            ("noise", "0", "> 0"),
            ("noise", "nan", "finite"),
            ("noise", "inf", "finite"),
            ("train", "maybe", "true or false"),
            ("tier", "huge", "one of quick, laptop, gpu"),
        ],
    )
    def test_wrong_values_are_refused_with_a_reason(self, name, value, says):
        with pytest.raises(parameters.ParameterError, match=says):
            parameters.check(declared(self.CELL), {name: value})

    @pytest.mark.parametrize(
        "line",
        ["sead: int = 1  # unknown", "seeds: int = 99  # too many", "seeds: int = len('a')  # computed"],
    )
    def test_a_malformed_cell_is_an_error_of_the_chapter(self, tmp_path, line):
        project(tmp_path, a="")
        chapter = tmp_path / "notebooks/a.md"
        chapter.write_text(HEAD.replace("seeds: int = 1  # seeds per point [1..20]", line))
        with pytest.raises(ChapterError, match=r"notebooks/a\.md:"):
            load("a", Paths(tmp_path))

    def test_a_chapter_needs_exactly_one_parameters_cell(self, tmp_path):
        project(tmp_path, two=cell(":tags: [parameters]\n\njobs: int = 1  # x\n"))
        with pytest.raises(ChapterError, match=r"notebooks/two\.md.*found 2"):
            load("two", Paths(tmp_path))

    def test_cells_know_their_line(self, tmp_path):
        project(tmp_path, a=cell("x = 1\n") + "\nprose\n" + cell("y = 2\n"))
        chapter = load("a", Paths(tmp_path))
        text = (tmp_path / "notebooks/a.md").read_text().splitlines()
        assert text[chapter.lines[-1] - 1 :][:2] == ["```{code-cell} ipython3", "y = 2"]


@pytest.mark.parametrize(("name", "value"), [("sead", "3"), ("seeds", "banana"), ("seeds", "99"), ("tier", "huge")])
def test_a_wrong_request_exits_2_before_anything_starts(tmp_path, name, value):
    project(tmp_path, a=cell("open('started', 'w').close()\n"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for which in ("a", "all"):
        done = seqmix(tmp_path, "run", which, "-p", name, value)
        assert done.returncode == 2
        assert name in done.stderr
        assert "seeds per point" in done.stderr  # the known parameters are listed with their meaning
        assert "0..20" in done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10  # both, however busy the machine
    assert not (tmp_path / "started").exists()


STUDY_CELL = """arms: str = ""  # architectures to keep
sizes: str = ""  # sizes to keep
"""


def with_studies(folder: Path) -> Path:
    """A project with two chapters that ask the project's own studies, and one that uses the word for a number."""
    project(folder, frontier="", solve="", other="")
    for name in ("frontier", "solve"):
        chapter = folder / f"notebooks/{name}.md"
        chapter.write_text(HEAD.replace("tier: str", f"{STUDY_CELL}tier: str"))
    other = folder / "notebooks/other.md"
    other.write_text(HEAD.replace("tier: str", "equal_arms: int = 13  # how many\ntier: str"))
    shutil.copytree(Paths().studies, folder / "studies", dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize(("part", "value"), [("arms", "transformer,lstm_9"), ("sizes", "d16,d17")])
def test_an_architecture_or_a_size_that_no_study_has_exits_2_before_anything_starts(tmp_path, part, value):
    done = seqmix(with_studies(tmp_path), "run", "frontier", "-p", part, value)
    assert done.returncode == 2
    assert repr(value.split(",")[1]) in done.stderr
    assert "known: transformer, " in done.stderr or "known: d16, d24" in done.stderr


def test_a_name_that_one_chapter_does_not_know_is_refused_for_all(tmp_path):
    paths = Paths(with_studies(tmp_path))
    toc = tmp_path / "_toc.yml"
    toc.write_text(toc.read_text().replace("  - file: book/executed/other\n", ""))
    assert len(prepare("all", {"arms": "transformer"}, paths, train=False)) == 2
    with pytest.raises(RequestError, match=r"lstm_2.*known: transformer"):
        prepare("all", {"arms": "transformer,lstm_2"}, paths, train=False)
    assert prepare("other", {"equal_arms": "3"}, paths)[0].passed == {"equal_arms": 3}


def test_a_fresh_training_that_is_whole_is_not_taken_for_the_next_one(tmp_path, monkeypatch):
    paths = Paths(project(tmp_path, tiny=cell("1\n")))
    (paths.studies / "tiny.yaml").write_text(STUDY)
    shutil.copy(Paths().studies / "arms.yaml", paths.studies)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.setenv("SEQMIX_FRESH", "1")
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    beside = tmp_path / "runs-fresh"
    first, *others = study.plan("tiny", "quick", seeds=1, paths=paths)

    def left(passed: dict) -> int:
        prepare("tiny", passed, paths, fresh=True)
        return len(list(beside.glob("*/outcome.json")))

    record(beside, first)
    assert left({}) == 1  # it was interrupted, and goes on
    for config in others:
        record(beside, config)
    with pytest.raises(parameters.ParameterError):
        left({"seeds": "none"})
    assert left({"seeds": "2"}) == 1 + len(others)  # of these there are more to do
    assert left({}) == 0


@pytest.mark.parametrize("listed", ["[all]", "[]", "[tiny, nope]"])
def test_the_end_of_a_fresh_run_speaks_of_what_was_trained(tmp_path, monkeypatch, listed):
    """A chapter may read all studies, or none; it trains at most the first that it names."""
    paths = Paths(project(tmp_path, tiny="", other=""))
    other = paths.notebooks / "other.md"
    other.write_text(other.read_text().replace("kernelspec", f"seqmix: {{studies: {listed}}}\nkernelspec", 1))
    (paths.studies / "tiny.yaml").write_text(STUDY)
    shutil.copy(Paths().studies / "arms.yaml", paths.studies)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.setenv("SEQMIX_FRESH", "")
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    monkeypatch.setattr(runner, "run", lambda *_, **more: True)
    done = CliRunner().invoke(main, ["run", "other", "--fresh"])
    assert done.exit_code == 0, done.output
    assert "0 runs against the published quick tier" in done.output


def test_unknown_chapter_exits_2_and_names_the_known_ones(tmp_path):
    done = seqmix(project(tmp_path, scaling=""), "run", "scalling")
    assert done.returncode == 2
    assert "scaling" in done.stderr


def test_a_failed_chapter_keeps_its_published_version_and_others_go_on(tmp_path):
    project(tmp_path, a=cell("print('fine')\n"), b=cell("print(seeds)\n"))
    assert seqmix(tmp_path, "run", "a").returncode == 0
    before = (tmp_path / "book/executed/a.ipynb").read_bytes()
    (tmp_path / "notebooks/a.md").write_text(HEAD + cell("print('half')\nraise ValueError('on purpose')\n"))
    done = seqmix(tmp_path, "run", "all", "-p", "seeds", "3")
    assert done.returncode == 1
    assert "ValueError: on purpose" in done.stderr
    assert "notebooks/a.md:15" in done.stderr
    assert (tmp_path / "book/executed/a.ipynb").read_bytes() == before
    assert "3\\n" in (tmp_path / "book/executed/b.ipynb").read_text()


def test_chapters_that_only_read_are_executed_side_by_side(tmp_path):
    say = "import os\nprint('training' if train else 'no training', os.getcwd())\n"
    project(tmp_path, a=cell(say), b=cell(say), c=cell("raise ValueError('on purpose')\n"))
    for name in "ab":
        chapter = tmp_path / "notebooks" / f"{name}.md"
        chapter.write_text(chapter.read_text().replace("seeds: int", "train: bool = True\nseeds: int"))
    done = seqmix(tmp_path, "run", "all", "--no-train")
    assert done.returncode == 1
    assert "2 executed, 0 unchanged, 1 failed c" in done.stdout
    for name in "ab":
        text = (tmp_path / f"book/executed/{name}.ipynb").read_text()
        assert f"no training {tmp_path}" in text
        assert json.loads(text)["metadata"]["seqmix"]["parameters"]["train"] is False
        assert f"seqmix run {name} --no-train`" in text
        assert (tmp_path / f"book/executed/{name}.run.json").is_file()


def test_a_dead_kernel_is_a_failure(tmp_path):
    done = seqmix(project(tmp_path, a=cell("import os\nos._exit(9)\n")), "run", "a")
    assert done.returncode == 1
    assert "DeadKernelError" in done.stderr
    assert not (tmp_path / "book/executed/a.ipynb").exists()


def test_unchanged_chapters_are_skipped_and_changes_are_seen(tmp_path):
    project(tmp_path, a=cell("print(seeds)\n"))
    assert "1 executed" in seqmix(tmp_path, "run", "a").stdout
    assert "1 unchanged" in seqmix(tmp_path, "run", "a").stdout
    paths = Paths(tmp_path)

    def unchanged(**passed: str) -> bool:
        return current(prepare("a", passed, paths)[0], paths)

    assert unchanged()
    assert not unchanged(seeds="2")
    published.write(tmp_path / "results/laptop", {"runs.csv": "study,loss\nother,1\n"})
    assert unchanged()
    published.write(tmp_path / "results/laptop", {"runs.csv": "study,loss\na,1\n"})
    assert not unchanged()
    assert "1 executed" in seqmix(tmp_path, "run", "a").stdout


def test_outputs_are_deterministic_and_hold_no_path(tmp_path):
    body = cell("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\n")
    project(tmp_path, a=body)
    path = tmp_path / "book/executed/a.ipynb"
    contents = []
    for _ in range(2):
        assert seqmix(tmp_path, "run", "a", "--force").returncode == 0
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert b"image/png" in contents[0]
    assert b"stderr" not in contents[0]
    assert str(tmp_path).encode() not in contents[0]
    assert json.loads(contents[0])["metadata"]["seqmix"]["parameters"] == {"tier": "quick", "seeds": 1}


def test_real_error_output_is_kept_and_reported_with_its_line(tmp_path):
    done = seqmix(project(tmp_path, a=cell("import warnings\nwarnings.warn('odd')\n")), "run", "a")
    assert done.returncode == 0
    assert "notebooks/a.md:15: error stream: " in done.stderr
    assert "odd" in (tmp_path / "book/executed/a.ipynb").read_text()


def test_two_runs_at_once_do_not_collide(tmp_path):
    project(tmp_path, a=cell("import time\ntime.sleep(1)\nprint('a')\n"), b=cell("import time\ntime.sleep(1)\n"))
    environment = os.environ | {"SEQMIX_ROOT": str(tmp_path)}
    command = [sys.executable, "-m", "seqmix_study", "run"]
    both = [subprocess.Popen([*command, name], cwd=tmp_path, env=environment) for name in ("a", "b")]
    assert [process.wait(300) for process in both] == [0, 0]


def test_plain_papermill_runs_the_converted_chapter(tmp_path):
    """The runner adds strictness, not a dialect: jupytext and papermill alone work too, as the book says."""
    project(tmp_path, a=cell("print('seeds', seeds)\n"))
    script = (
        "jupytext --to ipynb --output - notebooks/a.md | papermill - out.ipynb -k python3 -p seeds 4 --no-progress-bar"
    )
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(script, shell=True, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert "seeds 4" in (tmp_path / "out.ipynb").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_chapter_says_how_to_go_on_and_leaves_nothing_behind(tmp_path, number, code):
    root = project(tmp_path / "p", a=cell("open('started', 'w').close()\nimport time\ntime.sleep(600)\n"))
    (tmp_path / "t").mkdir()
    environment = os.environ | {"SEQMIX_ROOT": str(root), "TMPDIR": str(tmp_path / "t")}
    command = [sys.executable, "-m", "seqmix_study", "run", "a"]
    process = subprocess.Popen(command, cwd=root, env=environment, text=True, stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
    until = time.monotonic() + 300
    while not (root / "started").exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == code
    assert "Start the same command again to go on" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "t").glob(".sq-*"))
    assert not (root / "book/executed/a.ipynb").exists()


def test_a_parameter_given_twice_is_refused(tmp_path):
    done = seqmix(project(tmp_path, a=""), "run", "a", "-p", "tier", "quick", "-p", "tier", "gpu")
    assert (done.returncode, "given twice" in done.stderr) == (2, True)


def test_a_failing_cell_shows_its_own_lines_and_no_frames_of_others(tmp_path):
    body = "import json\ndef broken():\n    return json.loads('{')\nbroken()\n"
    done = seqmix(project(tmp_path, a=cell(body)), "run", "a")
    assert done.returncode == 1
    assert "json.loads('{')" in done.stderr
    assert "raw_decode" not in done.stderr
    assert len(done.stderr) < 1500
