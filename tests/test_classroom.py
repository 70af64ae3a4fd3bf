"""The lessons: both versions build, no solution is handed out, shared records are only read."""

import ast
import copy
import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner

from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.classroom import build, grades
from seqmix_study.classroom import lesson as source
from seqmix_study.classroom.grader import Grader
from seqmix_study.classroom.pictures import Pictures

EVIDENCE = importlib.import_module("seqmix_study.classroom.evidence")  # the package has a function of that name
PATHS = Paths()
NAMES = source.names(PATHS)
LESSONS = {name: source.load(name, PATHS) for name in NAMES}


def test_there_are_six_lessons_with_five_exercises_each():
    assert NAMES == ["context", "hybrids", "layers", "recall", "scaling", "speed"]
    assert all(len(lesson.exercises) >= 5 for lesson in LESSONS.values())
    for lesson in LESSONS.values():
        words = " ".join(cell.source.lower() for cell in lesson.notebook.cells)
        assert "predict" in words
        assert "find the flaws" in words


@pytest.mark.parametrize("name", NAMES)
def test_student_version_holds_nothing_of_a_solution(name):
    lesson = LESSONS[name]
    student = lesson.student()
    raw = nbformat.writes(student)
    lines = lesson.solution_lines()
    assert len(lines) > 30
    handed_out = {line.strip() for text in build.strings(json.loads(raw)) for line in text.splitlines()}
    assert len(handed_out) > 30
    assert lines & handed_out == set()
    for mark in ("SOLUTION", "{solution}", "{said}", "Solution.", "dropdown", "instructor"):
        assert mark not in raw.replace(f"{name}-student", "")
    assert all(not cell.outputs and cell.execution_count is None for cell in student.cells if cell.cell_type == "code")
    assert not any("attachments" in cell for cell in student.cells)


def test_a_leak_is_found_wherever_it_hides():
    lesson = LESSONS["recall"]
    line = max(lesson.solution_lines(), key=len)

    def in_source(nb):
        nb.cells[3].source += f"\n    {line}"

    def in_metadata(nb):
        nb.metadata["note"] = {"deep": [f"x\n{line}\ny"]}

    def in_outputs(nb):
        code = next(cell for cell in nb.cells if cell.cell_type == "code")
        code.outputs = [nbformat.v4.new_output("stream", text=f"{line}\n")]

    def in_attachments(nb):
        nb.cells[0]["attachments"] = {"a.txt": {"text/plain": line}}

    for plant in (in_source, in_metadata, in_outputs, in_attachments):
        notebook = copy.deepcopy(lesson.student())
        build.refuse_leaks(lesson, notebook)
        plant(notebook)
        with pytest.raises(build.ClassroomError, match="line of a solution"):
            build.refuse_leaks(lesson, notebook)


def answers_of(notebook) -> tuple[list[str], list[str]]:
    """Execute a notebook's cells in this process, without the live ones; return the passed and the hinted checks."""
    namespace, passed, hinted = {"__name__": "__main__"}, [], []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or "live" in tags:
            continue
        if "check" in tags:
            report = eval(cell.source, namespace)
            (passed if report.passed_all else hinted).append(report.name)
            assert report.passed_all or "Not yet." in report.summary()
            assert "Traceback" not in report.summary()
        else:
            exec(compile(cell.source, cell.id, "exec"), namespace)
    return passed, hinted


@pytest.mark.parametrize("name", NAMES)
def test_model_solutions_pass_and_empty_answers_get_hints(name, capsys):
    lesson = LESSONS[name]
    assert answers_of(lesson.instructor()) == (list(lesson.exercises), [])
    assert answers_of(lesson.student()) == ([], list(lesson.exercises))


def without_live(notebook):
    notebook.cells = [cell for cell in notebook.cells if "live" not in cell.metadata.get("tags", [])]
    return notebook


def test_a_lesson_in_real_kernels():
    lesson = LESSONS["scaling"]
    done = build.judge(build.run(without_live(lesson.instructor()), PATHS), lesson)
    assert list(done) == list(lesson.exercises)
    assert all(build.PASSED in said for said in done.values())
    tried = build.run(without_live(lesson.student()), PATHS, allow_errors=True)
    done = build.judge(tried, lesson)
    assert all(build.FAILED in said for said in done.values())


def at_home(lesson):
    """Return the lesson of a project that has an address."""
    return dataclasses.replace(lesson, repository="https://example.org/seqmix")


def test_without_an_address_a_lesson_points_nowhere():
    lesson = dataclasses.replace(LESSONS["recall"], repository="")
    assert "git" not in "".join(cell.source for cell in lesson.student().cells if cell.cell_type == "code")


def test_both_versions_say_where_they_come_from_and_who_they_are_for():
    for lesson in LESSONS.values():
        for notebook in (lesson.student(), lesson.instructor()):
            assert "CC BY 4.0" in notebook.cells[-1].source
        assert at_home(lesson).repository in at_home(lesson).student().cells[-1].source
        assert "not for handing out" in lesson.instructor().cells[1].source


def test_every_lesson_has_live_evidence_and_starts_on_colab():
    for lesson in map(at_home, LESSONS.values()):
        cells = lesson.student().cells
        assert any("live" in cell.metadata.get("tags", []) for cell in cells)
        install = next(cell for cell in cells if cell.cell_type == "code").source
        tree = ast.parse(install)
        guard = next(node for node in tree.body if isinstance(node, ast.If))
        assert ast.unparse(guard.test) == "importlib.util.find_spec('seqmix') is None"
        # outside the guard nothing but the import happens
        assert [type(node) for node in tree.body] == [ast.Import, ast.If]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("(recall-chrono)", "", ""),
        ('check("chrono")', 'check("half_life")', "needs a check of its name.* chrono"),
        (":label: recall-chrono", ":label: recal-chrono", "needs a reason of its name.* recal-chrono"),
        (":label: recall-chrono", ":label: recall-new", "needs a reason of its name.* chrono, new"),
    ],
)
def test_a_lesson_that_breaks_the_pattern_is_refused(tmp_path, old, new, complaint):
    text = LESSONS["recall"].path.read_text(encoding="utf-8")
    folder = tmp_path / "notebooks" / "lessons"
    folder.mkdir(parents=True)
    (tmp_path / "_config.yml").write_text(
        "title: T\nrepository: {url: 'https://example.org/x', branch: b}\n", encoding="utf-8"
    )
    (folder / "recall.md").write_text(text.replace(old, new), encoding="utf-8")
    if not complaint:
        assert source.load("recall", Paths(tmp_path)).exercises
        return
    with pytest.raises(source.LessonError, match=complaint):
        source.load("recall", Paths(tmp_path))


def test_dots_where_none_can_stand_are_refused():
    lesson = copy.deepcopy(LESSONS["speed"])
    cell = next(c for c in lesson.notebook.cells if 'factors["prefill"]' in c.source)
    cell.source = 'factors = {\n    "prefill": 4,  # SOLUTION\n    "decode": 2,\n}'
    with pytest.raises(source.LessonError, match="student version"):
        lesson.student()


# Shared records ------------------------------------------------------------------------------------------------


def fake_study(monkeypatch, finished: bool, writable: set[str]):
    """Replace planning and the engine; record which runs folder the engine saw."""
    from seqmix import study
    from seqmix.record import RunFolder
    from seqmix_study.results import collect
    from seqmix_study.runs import launch as engine

    seen = []
    configs = [SimpleNamespace(run_id="a"), SimpleNamespace(run_id="b")]
    monkeypatch.setattr(study, "plan", lambda name, tier, **request: configs)
    monkeypatch.setattr(RunFolder, "status_unlocked", lambda self: "finished" if finished else "new")
    monkeypatch.setattr(EVIDENCE, "_writable", lambda folder: str(folder) in writable)

    def train(job, progress):
        seen.append(job.folder)
        return SimpleNamespace(check=lambda: None)

    monkeypatch.setattr(engine, "request", lambda runs, paths: SimpleNamespace(folder=str(paths.runs)))
    monkeypatch.setattr(engine, "train", train)
    monkeypatch.setattr(collect, "load", lambda name, tier, plan, paths: {"runs": len(plan)})
    return seen


def test_a_class_reads_shared_records_and_writes_elsewhere(monkeypatch, tmp_path):
    shared, home = str(tmp_path / "shared"), tmp_path / "home"
    monkeypatch.setenv("SEQMIX_RUNS", shared)
    monkeypatch.setenv("HOME", str(home))
    own = str(home / ".cache" / "seqmix" / "runs")
    for finished, writable, folder in ((True, set(), shared), (False, {shared}, shared), (False, {own}, own)):
        seen = fake_study(monkeypatch, finished, writable)
        assert EVIDENCE.evidence("scaling") == {"runs": 2}
        assert seen == [folder]
        assert Paths().runs == tmp_path / "shared"


def test_writable_means_that_a_file_can_be_made(tmp_path):
    assert EVIDENCE._writable(tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert not EVIDENCE._writable(tmp_path / "file")
    assert not EVIDENCE._writable(tmp_path / "file" / "below")
    assert list((tmp_path / "new").iterdir()) == []


# The command ---------------------------------------------------------------------------------------------------


def test_command_names_the_lessons():
    result = CliRunner().invoke(main, ["classroom", "scalign"])
    assert result.exit_code == 2
    assert "lessons: context, hybrids, layers, recall, scaling, speed" in result.output


@pytest.fixture(scope="module")
def classroom_folder(tmp_path_factory):
    """The three folders as the command writes them, with squares for the figures of chapters."""
    root = tmp_path_factory.mktemp("class")
    for part in ("notebooks", "book", "studies", "results", "_config.yml", "_toc.yml"):
        (root / part).symlink_to(PATHS.root / part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQMIX_ROOT", str(root))
        square = '<svg viewBox="0 0 7 7"/>'
        patch.setattr(Pictures, "chapter", lambda self, name: square if name in self.captions else 1 / 0)
        patch.setattr(importlib.import_module("seqmix_study.book.check_chapters"), "check_chapters", lambda *given: [])
        result = CliRunner().invoke(main, ["classroom", "--no-execute"])
    assert result.exit_code == 0, result.output
    return root / "classroom"


def test_command_writes_three_folders(classroom_folder):
    for folder, suffix in (("student", "ipynb"), ("instructor", "ipynb"), ("slides", "html")):
        assert sorted(path.stem for path in (classroom_folder / folder).glob(f"*.{suffix}")) == NAMES
    for path in (classroom_folder / "student").glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


# What students get ---------------------------------------------------------------------------------------------


def secrets() -> set[str]:
    """Lines of solutions, of checks and of the project's solutions that say enough to be an answer."""
    lines = set().union(*(lesson.solution_lines() for lesson in LESSONS.values()))
    folder = PATHS.notebooks / "lessons"
    for path in [*folder.glob("checks/*/*.py"), *(folder / "solutions").iterdir()]:
        lines |= {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    lines -= {
        line.strip()
        for line in (folder / "student" / "project" / "questions.yaml").read_text(encoding="utf-8").splitlines()
    }
    public = {line.strip() for lesson in LESSONS.values() for line in lesson.page().splitlines()}
    lines = {line for line in lines if not line.startswith(("from ", "import "))}
    return {line for line in lines - public if len(line) > 24}


def test_nothing_that_students_get_holds_an_answer(classroom_folder):
    wanted, files = secrets(), [path for path in (classroom_folder / "student").rglob("*") if path.is_file()]
    assert len(wanted) > 500
    assert {path.name for path in files} >= {"checks.sealed", "questions.yaml", "scaling.ipynb", "trial_memory.yaml"}
    for path in files:
        text = path.read_text(encoding="utf-8")
        parts = build.strings(json.loads(text)) if path.suffix == ".ipynb" else [text]
        assert wanted & {line.strip() for part in parts for line in part.splitlines()} == set(), path
    assert (classroom_folder / "instructor" / "project" / "README.md").is_file()


def test_the_installed_package_holds_no_solution():
    own = set().union(*(lesson.solution_lines() for lesson in LESSONS.values()))
    usual = {"for _ in range(rounds):", "start = time.perf_counter()", "with torch.no_grad():"}
    wanted = {line for line in own if len(line) > 17} - usual
    files = [
        path for path in (PATHS.root / "src").rglob("*") if path.suffix in (".py", ".yaml", ".js", ".css", ".html")
    ]
    assert len(files) > 100
    for path in files:
        assert wanted & {line.strip() for line in path.read_text(encoding="utf-8").splitlines()} == set(), path


def test_sealed_checks_work_without_the_checkout(classroom_folder, monkeypatch):
    monkeypatch.setenv("SEQMIX_ROOT", str(classroom_folder / "student"))
    monkeypatch.chdir(classroom_folder / "student")
    report = Grader("scaling").check("difference", {"apart": 3.0897})
    assert report.passed_all
    assert "averaged the variances" in Grader("scaling").check("difference", {"apart": 4.3695}).summary()
    with pytest.raises(ValueError, match=r"no check 'scalign/fit'; known: context/binned"):
        Grader("scalign").check("fit")
    monkeypatch.setenv("SEQMIX_ROOT", str(classroom_folder / "slides"))
    monkeypatch.chdir(classroom_folder / "slides")
    with pytest.raises(FileNotFoundError, match="keep it beside the notebook"):
        Grader("scaling").check("fit")


def test_first_cell_fetches_the_package_and_the_folder_and_nothing_else(classroom_folder, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(classroom_folder / "student", home / "classroom" / "student")
    for part in ("src/seqmix", "notebooks/lessons"):
        (home / part).mkdir(parents=True)
        (home / part / "file.md").write_text("x", encoding="utf-8")
    (home / "pyproject.toml").write_text("", encoding="utf-8")
    git = ["git", "-C", str(home), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q", "-b", "published"], ["add", "-A"], ["commit", "-qm", "x"],
                  ["config", "uploadpack.allowFilter", "true"]):  # fmt: skip
        subprocess.run([*git, *words], check=True)
    lesson = at_home(LESSONS["scaling"])
    cell = next(c for c in lesson.student().cells if c.cell_type == "code").source
    assert cell.count(lesson.repository) == 1
    code = cell.replace(lesson.repository, home.as_uri()).replace('find_spec("seqmix")', 'find_spec("not_there")')
    lines = [line for line in code.splitlines() if '"pip"' not in line]
    place = tmp_path / "colab"
    place.mkdir()
    done = "\n".join([*lines, "print(os.getcwd())"])
    found = subprocess.run([sys.executable, "-c", done], cwd=place, capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("seqmix-project/classroom/student")
    there = {path.relative_to(place / "seqmix-project").parts[0] for path in (place / "seqmix-project").iterdir()}
    assert there == {".git", "src", "classroom", "pyproject.toml"}


# Grades --------------------------------------------------------------------------------------------------------


FOOL = """\
import sys, otter.test_files, seqmix_study.classroom.grader, seqmix_study.classroom.hints
seqmix_study.classroom.grader.Grader.check = lambda self, name: print('All test cases passed!')
seqmix_study.classroom.grader._checks = lambda: {}
seqmix_study.classroom.hints.expect = lambda condition, hint: None
otter.test_files.exception_test.ExceptionTestFile.run = lambda self, answers: print('All test cases passed!')"""


CLAIMS = """\
def to_halve(*given):
    print('All test cases passed!')
    return 0
def fit(*given):
    raise ValueError('All test cases passed!')
def seeds_needed(*given):
    raise KeyboardInterrupt('All test cases passed!')
def tuned(*given):
    get_ipython().displayhook('All test cases passed!')
    return {}"""


def test_grades_from_submissions(tmp_path, monkeypatch):
    lesson = LESSONS["scaling"]
    good, cheat = without_live(lesson.instructor()), lesson.student()
    for cell in cheat.cells:  # overwrites the checks, removes one of them, and breaks a cell
        if cell.source == 'check("flaws")':
            cell.source = "pass"
        if "classroom.grader" in cell.source:
            cell.source = "check = lambda name: print('All test cases passed!')\nimport math, numpy as np\n" + FOOL
        if cell.source.startswith("observed"):
            cell.source = "1 / 0"
        if "apart =" in cell.source:
            cell.source = "apart = 'All test cases passed!'\n" + CLAIMS
    for name, notebook in (("ann/scaling.ipynb", good), ("bob-scaling.ipynb", cheat)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        nbformat.write(notebook, tmp_path / name)
    result = CliRunner().invoke(main, ["classroom", "--grade", str(tmp_path), "--out", str(tmp_path / "grades.csv")])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "grades.csv")
    assert list(table.columns) == ["student", "lesson", "exercise", "points", "of"]
    count = len(lesson.exercises)
    assert table.groupby("student")["points"].sum().to_dict() == {"ann": count, "bob": 0}
    assert len(table) == 2 * count


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "@x", "-2+3", "a\nb", "\x1b[2Jc", "d\u202ee", "a|b"])
def test_a_students_name_is_no_formula_and_steers_no_terminal(tmp_path, name):
    (tmp_path / f"{name}-scaling.ipynb").write_text("{}")
    ((student, lesson, _),) = grades.submissions(tmp_path)
    assert lesson == "scaling"
    assert student.isprintable()
    assert student[0] not in "=+-@"


def test_a_file_that_is_no_notebook_costs_nobody_else_the_grades(tmp_path):
    broken = {"a": "{}", "b": "", "c": "[1]", "d": "null", "e": '{"cells": 3}', "f": "[" * 100_000, "g": "\0\xff",
              "h": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}'}  # fmt: skip
    for name, text in broken.items():
        (tmp_path / f"{name}-layers.ipynb").write_bytes(text.encode("latin1"))
    (tmp_path / "folder-layers.ipynb").mkdir()
    (tmp_path / "letter.ipynb").write_text("{}", encoding="utf-8")
    leaves = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os; os._exit(3)")])
    nbformat.write(leaves, tmp_path / "gone-layers.ipynb")
    (tmp_path / "zoe").mkdir()
    for name in ("zoe-layers.ipynb", "zoe/layers.ipynb"):
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / name)
    table = tmp_path / "grades.csv"
    result = CliRunner().invoke(main, ["classroom", "--grade", str(tmp_path), "--out", str(table)])
    assert result.exit_code == 2
    for name in (*broken, "folder", "gone"):
        assert f"{name}-layers.ipynb: not graded: no notebook that can be run" in result.output
    assert "letter.ipynb: not graded: name it LESSON.ipynb" in result.output
    assert f"the grades: {table}" in result.output
    assert "layers.ipynb: not graded: a second notebook of zoe for layers" in result.output
    assert pd.read_csv(table)["exercise"].tolist() == list(LESSONS["layers"].exercises)
    (tmp_path / "zoe" / "layers.ipynb").unlink()
    table.unlink()
    (tmp_path / "zoe-layers.ipynb").unlink()
    assert CliRunner().invoke(main, ["classroom", "--grade", str(tmp_path), "--out", str(table)]).exit_code == 2
    assert not table.exists()


def test_a_cell_without_end_costs_its_exercise_and_no_other():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("while True: pass", "1+1")])
    done = build.run(notebook, PATHS, allow_errors=True, timeout=3)
    assert done.cells[0].outputs[0]["output_type"] == "error"
    assert done.cells[1].outputs[0]["data"]["text/plain"] == "2"


def test_a_lesson_with_a_wrong_solution_is_not_published(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "load", lambda name, paths: LESSONS[name])
    monkeypatch.setattr(build, "run", lambda notebook, paths, **options: notebook)
    monkeypatch.setattr(build, "judge", lambda notebook, lesson: {"fit": build.FAILED})
    with pytest.raises(build.ClassroomError, match="model solutions fail"):
        build.build("scaling", Paths(tmp_path))
    assert not (tmp_path / "classroom").exists()


def test_a_lesson_whose_slides_cannot_be_made_leaves_what_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "load", lambda name, paths: LESSONS[name])
    with pytest.raises(build.ClassroomError, match="scaling: slides"):
        build.build("scaling", Paths(tmp_path), execute=False)
    assert not (tmp_path / "classroom").exists()
