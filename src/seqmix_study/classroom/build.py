"""Make the notebooks and slides of the lessons: execute, judge by the checks, put into place by rename."""

import json
import os
import re
from pathlib import Path

from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix_study.classroom import slides
from seqmix_study.classroom.grader import SEALED, seal
from seqmix_study.classroom.lesson import Lesson, load
from seqmix_study.classroom.pictures import Pictures
from seqmix_study.results.transaction import scratch

PASSED = "All test cases passed!"
FAILED = "Not yet."
MARKS = ("BEGIN SOLUTION", "END SOLUTION", "# SOLUTION", "{solution}", "**Solution.**")


class ClassroomError(RuntimeError):
    """A lesson that must not be handed out; the message says which cell and why."""


def build(name: str, paths: Paths, execute: bool = True) -> Lesson:
    """Write the student and the instructor notebook and the slides of a lesson, and its page of exercises in the book.

    With ``execute``, the instructor version is executed and every check must pass; the student version is executed as
    it is handed out, and every check must fail with a hint; what is published is without those outputs. Raises
    ClassroomError or LessonError, and leaves the published files of that lesson as they were.
    """
    import nbformat

    lesson = load(name, paths)
    student, instructor = lesson.student(), lesson.instructor()
    refuse_leaks(lesson, student)
    if execute:
        tried = run(instructor, paths), run(lesson.student(), paths, allow_errors=True)
        reasons = "the model solutions fail", "without answers these checks pass or give no hint"
        for notebook, wanted, wrong in zip(tried, (PASSED, FAILED), reasons, strict=True):
            if failed := {n: said for n, said in judge(notebook, lesson).items() if wanted not in said}:
                raise ClassroomError(f"{name}: {wrong}: {failed}")
    try:
        page = slides.deck(paths.book / "lessons" / f"{name}.md", Pictures(lesson, paths))
    except (LookupError, ValueError, OSError) as error:
        raise ClassroomError(f"{name}: slides: {error}") from error
    files = {"student": nbformat.writes(student), "instructor": nbformat.writes(instructor), "slides": page}
    for folder, text in files.items():
        atomic_write(paths.root / "classroom" / folder / f"{name}.{'html' if text is page else 'ipynb'}", text + "\n")
    atomic_write(paths.book / "lessons" / "exercises" / f"{name}.md", lesson.page())
    return lesson


def write_student_folder(paths: Paths) -> None:
    """Put beside the students' notebooks what they need: sealed checks, studies, the project's form, a word to them.

    The worked solutions of the project go to the instructor's folder.
    """
    lessons, folder = paths.notebooks / "lessons", paths.root / "classroom"
    copies = {"student": lessons / "student", "student/studies": paths.studies}
    for name, source in (copies | {"instructor/project": lessons / "solutions"}).items():
        for file in filter(Path.is_file, source.rglob("*")):
            atomic_write(folder / name / file.relative_to(source), file.read_bytes())
    atomic_write(folder / "student" / SEALED, seal(lessons / "checks"))


def run(notebook, paths: Paths, allow_errors: bool = False, timeout: int = 300):
    """Execute a notebook in place from the project root and return it; raises ClassroomError at the first error."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from traitlets.config import Config

    with scratch() as folder:
        config = Config()
        if os.name == "posix":  # no ports, and a socket of its own: kernels of one folder would share the default one
            config.KernelManager.transport, config.KernelManager.ip = "ipc", str(Path(folder, "k"))
        how = {"kernel_name": "python3", "config": config, "timeout": timeout, "record_timing": False}
        how |= {"allow_errors": allow_errors, "interrupt_on_timeout": allow_errors}  # a loop without end costs its cell
        client = NotebookClient(notebook, resources={"metadata": {"path": str(paths.root)}}, **how)
        try:
            client.execute(env=os.environ | {"SEQMIX_ROOT": str(paths.root)})
        except CellExecutionError as error:
            raise ClassroomError(f"{notebook.metadata.get('title', 'lesson')}: {error}") from error
    return notebook


def judge(notebook, lesson: Lesson) -> dict[str, str]:
    """Return exercise -> what its check said in an executed notebook: PASSED, FAILED with a hint, or something else.

    It is the report alone that counts, the last result of its cell: what an answer prints is no report, and a report
    may quote an answer, so one that says both is FAILED.
    """
    said = dict.fromkeys(lesson.exercises, "no check cell")
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []):
            name = re.search(r'check\("(\w+)"\)', cell.source)[1]
            told = strings([end for end in cell.outputs if end.output_type in ("execute_result", "error")][-1:])
            text = "\n".join(told) or "no output"
            said[name] = text.replace(PASSED, "...") if FAILED in text or "error" in told else text
    return said


def refuse_leaks(lesson: Lesson, notebook) -> None:
    """Raise ClassroomError if anything of a solution is anywhere in the notebook, metadata and outputs included."""
    texts = strings(notebook)
    if found := lesson.solution_lines() & {line.strip() for text in texts for line in text.splitlines()}:
        raise ClassroomError(f"{lesson.name}: the student version holds a line of a solution: {sorted(found)[0]!r}")
    if any(mark in text for text in texts for mark in MARKS):
        raise ClassroomError(f"{lesson.name}: the student version holds a solution marker")


def strings(node) -> list[str]:
    """Return every string of a notebook or of a part of it, whatever holds it."""
    return [json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', json.dumps(node))]
