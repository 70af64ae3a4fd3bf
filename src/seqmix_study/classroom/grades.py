"""Grades from submitted notebooks: every submission is executed, every check is the teacher's own.

A submission is a notebook named ``LESSON.ipynb`` in a folder per student, or ``STUDENT-LESSON.ipynb``. Its check cells
are replaced, so who edits or removes a check, or replaces what checks, gains nothing (short of replacing Python itself:
a submission runs in one process with its checks); live cells are left out. A cell that
raises costs the exercises that need it and no others. Submissions run on this machine with the rights of who grades:
use a container for people you do not know.
"""

from pathlib import Path

import nbformat.v4
import pandas as pd

from seqmix.files import atomic_write, printable
from seqmix.paths import Paths
from seqmix_study.classroom.build import PASSED, judge, run
from seqmix_study.classroom.lesson import Lesson, LessonError, load, names
from seqmix_study.results.rows import plain

# What stands before a check: its code is read again from its files.
AFRESH = """\
for _name in [m for m in __import__("sys").modules if m.startswith(("seqmix_study.classroom", "otter"))]:
    __import__("sys").modules.pop(_name)"""


def submissions(folder: Path) -> list[tuple[str, str, Path]]:
    """Return (student, what should be the lesson, file) of every notebook below a folder.

    Names are theirs: they say nothing to a terminal, and are no formula to who opens the grades as a spreadsheet.
    """
    files = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    named = ((path, path.stem.rpartition("-")) for path in files)
    return [(plain(student or path.parent.name).lstrip("=+-@"), lesson, path) for path, (student, _, lesson) in named]


def to_grade(notebook, lesson: Lesson):
    """Return a copy of a submission without live cells and with checks of the teacher: each exercise exactly once."""
    own, wanted = nbformat.v4.new_notebook(), dict.fromkeys(lesson.exercises)
    for cell in notebook.cells:
        if cell.cell_type != "code" or "live" in cell.metadata.get("tags", []) or "classroom.evidence" in cell.source:
            continue
        asked = next((name for name in wanted if cell.source.strip() == f'check("{name}")'), None)
        wanted.pop(asked, None)
        own.cells.append(_check(lesson.name, asked) if asked else nbformat.v4.new_code_cell(cell.source))
    own.cells += [_check(lesson.name, name) for name in wanted]  # whose check cell was removed
    return own


def _check(lesson: str, exercise: str):
    """A cell that trusts no name of the notebook, and no function of these packages that it may have replaced."""
    source = f'__import__("seqmix_study.classroom", fromlist=["grader"]).grader("{lesson}").check("{exercise}")'
    return nbformat.v4.new_code_cell(f"{AFRESH}\n{source}", metadata={"tags": ["check"]})


def collect(folder: Path, target: Path, paths: Paths, say=print) -> None:
    """Grade every submission below a folder (1: passed, or 0) and write one row per student and exercise (CSV).

    Raises LessonError at the end, naming each file that could not be graded; the others are graded and written.
    """
    rows, refused = [], []
    for student, name, path in submissions(folder):
        try:
            if name not in names(paths):
                raise LessonError(f"name it LESSON.ipynb or STUDENT-LESSON.ipynb; lessons: {', '.join(names(paths))}")
            if any(row[:2] == [student, name] for row in rows):
                raise LessonError(f"a second notebook of {student} for {name}; leave the one that counts")
            lesson = load(name, paths)
            done = run(to_grade(nbformat.read(path, as_version=4), lesson), paths, allow_errors=True)
        except Exception as error:  # a file of somebody else can break in any way, and costs nobody else the grades
            kind = "" if isinstance(error, LessonError) else f"no notebook that can be run ({type(error).__name__}): "
            refused.append(f"{printable(str(path))}: not graded: {kind}{str(error).strip().partition(chr(10))[0]:.200}")
            continue
        points = {exercise: int(PASSED in said) for exercise, said in judge(done, lesson).items()}
        say(f"{student}, {name}: {sum(points.values())} of {len(points)}")
        rows += [[student, name, exercise, got, 1] for exercise, got in points.items()]
    if rows:
        table = pd.DataFrame(rows, columns=["student", "lesson", "exercise", "points", "of"])
        atomic_write(target, table.to_csv(index=False, lineterminator="\n"))
        say(f"the grades: {target}")
    if refused or not rows:
        raise LessonError("\n".join(refused) or f"{folder} holds no notebook")
