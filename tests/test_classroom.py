"""The lessons: both versions build, no solution is handed out, plans are whole, shared records are only read."""

import ast
import copy
import html.parser
import importlib
import json
import re
from itertools import pairwise
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner

from seqmix.__main__ import main
from seqmix.classroom import build, slides, source
from seqmix.paths import Paths

EVIDENCE = importlib.import_module("seqmix.classroom.evidence")  # the package has a function of that name
PATHS = Paths()
NAMES = source.names(PATHS)
LESSONS = {name: source.load(name, PATHS) for name in NAMES}


def test_there_are_five_lessons_with_five_exercises_each():
    assert NAMES == ["context", "hybrids", "recall", "scaling", "speed"]
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
    for mark in ("SOLUTION", "{solution}", "Solution.", "dropdown", "instructor"):
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
    assert (done.passed, done.hinted, done.broken) == (list(lesson.exercises), [], {})
    tried = build.run(without_live(lesson.student()), PATHS, allow_errors=True)
    done = build.judge(tried, lesson)
    assert (done.passed, done.hinted, done.broken) == ([], list(lesson.exercises), {})


def test_every_lesson_has_live_evidence_and_starts_on_colab():
    for lesson in LESSONS.values():
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
        ('check("chrono")', 'check("half_life")', "half_life"),
        (":label: recall-chrono", ":label: recal-chrono", "label 'recal-chrono'"),
        (":label: recall-chrono", ":label: recall-new", "needs text, solution, reason and check"),
    ],
)
def test_a_lesson_that_breaks_the_pattern_is_refused(tmp_path, old, new, complaint):
    text = LESSONS["recall"].path.read_text(encoding="utf-8")
    folder = tmp_path / "notebooks" / "lessons"
    folder.mkdir(parents=True)
    (tmp_path / "_config.yml").write_text("repository: {url: 'https://example.org/x'}\n", encoding="utf-8")
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


# Plans, pages, slides ------------------------------------------------------------------------------------------


def plan(name: str) -> str:
    return (PATHS.book / "lessons" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_plan_is_whole(name):
    text = plan(name)
    for section in (
        "## Goals",
        "**Prerequisites**",
        "## The lecture",
        "## Misconceptions",
        "## Discuss",
        "**Compute**",
    ):
        assert section in text
    rows = re.findall(r"^\| (\d+)–(\d+) \|", text, flags=re.M)
    times = [(int(a), int(b)) for a, b in rows]
    assert times[0][0] == 0
    assert times[-1][1] == 120
    assert all(before[1] == after[0] for before, after in pairwise(times))
    optional = re.findall(r"^\| (\d+)–(\d+) \|.*†", text, flags=re.M)
    assert sum(int(b) - int(a) for a, b in optional) == 30  # what the version of 90 minutes leaves out
    wrong = text.partition("## Misconceptions")[2].partition("\n## ")[0]
    assert wrong.count("\n### ") >= 3
    assert all("**Run**" in part or "**See**" in part for part in wrong.split("\n### ")[1:])
    assert text.partition("## Discuss")[2].partition("\n## ")[0].count("\n* ") >= 3
    numbers = {int(n) for n in re.findall(r"exercises? (\d)", text)}
    assert numbers <= set(range(1, len(LESSONS[name].exercises) + 1))
    title = text.splitlines()[0]
    assert title == f"# {LESSONS[name].title}"
    assert len(text.split()) < 900  # about a page, the slides included


@pytest.mark.parametrize("name", NAMES)
def test_exercise_page_is_up_to_date(name):
    page = PATHS.book / "lessons" / "exercises" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == LESSONS[name].page(), "run: seqmix classroom --pages"
    labels = {f"{name}-{exercise}" for exercise in LESSONS[name].exercises}
    assert set(re.findall(r"^:label: (\S+)", LESSONS[name].page(), flags=re.M)) == labels
    assert set(re.findall(r"^::::\{solution\} (\S+)", LESSONS[name].page(), flags=re.M)) == labels


def test_figures_that_plans_point_at_exist():
    chapters = "\n".join(path.read_text(encoding="utf-8") for path in PATHS.notebooks.glob("*.md"))
    named = {figure for name in NAMES for figure in re.findall(r"`(fig-[\w-]+)`", plan(name))}
    assert len(named) > 5
    assert {figure for figure in named if f"name: {figure}," not in chapters} == set()


class Page(html.parser.HTMLParser):
    """Collects what a page opens, what it refers to, and whether every tag is closed."""

    VOID = ("meta", "br", "hr", "img")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.targets, self.ids, self.headings = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.headings += tag in ("h1", "h2")
        self.targets += [value for key, value in attrs if key in ("src", "href", "srcset", "data")]
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_slides_stand_alone(name):
    text = slides.deck(PATHS.book / "lessons" / f"{name}.md")
    page = Page(text)
    assert page.open == []
    assert page.targets == []
    assert "url(" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert page.headings == text.count("<section") == len(slides.sections(plan(name))) >= 10
    assert 'lang="en"' in text
    assert "For the teacher" not in text
    assert "Before the class" not in text


def test_sections_follow_their_rule():
    text = "# T\nintro\n\n## A\nbody\n\n## B\n\n### B1\none\n\n### B2\ntwo\n\n## C\n% not a slide\nno\n\n### C1\nno\n"
    assert slides.sections(text) == [("", "T", "intro"), ("", "A", "body"), ("B", "B1", "one"), ("B", "B2", "two")]


# Shared records ------------------------------------------------------------------------------------------------


def fake_study(monkeypatch, finished: bool, writable: set[str]):
    """Replace planning and the engine; record which runs folder the engine saw."""
    from seqmix import collect, engine, study
    from seqmix.record import RunFolder

    seen = []
    configs = [SimpleNamespace(run_id="a"), SimpleNamespace(run_id="b")]
    monkeypatch.setattr(study, "plan", lambda name, tier, **request: configs)
    monkeypatch.setattr(RunFolder, "status_unlocked", lambda self: "finished" if finished else "new")
    monkeypatch.setattr(EVIDENCE, "_writable", lambda folder: str(folder) in writable)

    def run(plan, progress):
        seen.append(str(Paths().runs))
        return SimpleNamespace(check=lambda: None)

    monkeypatch.setattr(engine, "run", run)
    monkeypatch.setattr(collect, "load", lambda name, tier, plan: {"runs": len(plan)})
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
    assert "lessons: context, hybrids, recall, scaling, speed" in result.output


def test_command_writes_three_folders(monkeypatch, tmp_path):
    for part in ("notebooks", "book", "studies", "_config.yml", "_toc.yml"):
        (tmp_path / part).symlink_to(PATHS.root / part)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    result = CliRunner().invoke(main, ["classroom", "--no-execute"])
    assert result.exit_code == 0, result.output
    for folder, suffix in (("student", "ipynb"), ("instructor", "ipynb"), ("slides", "html")):
        assert sorted(p.name for p in (tmp_path / "classroom" / folder).iterdir()) == [f"{n}.{suffix}" for n in NAMES]
    for path in (tmp_path / "classroom" / "student").iterdir():
        nbformat.validate(nbformat.read(path, as_version=4))


def test_a_lesson_with_a_wrong_solution_is_not_published(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "load", lambda name, paths: LESSONS[name])
    monkeypatch.setattr(build, "run", lambda notebook, paths, **options: notebook)
    hinted = build.Outcome([], ["fit"], {})
    monkeypatch.setattr(build, "judge", lambda notebook, lesson: hinted)
    with pytest.raises(build.ClassroomError, match="model solutions fail"):
        build.build("scaling", Paths(tmp_path))
    assert not (tmp_path / "classroom").exists()
