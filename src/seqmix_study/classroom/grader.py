"""The object that check cells call: Otter's test files and report, found in the checkout, with the hint in front.

``otter.Notebook`` itself is not used in the notebooks: it looks for the tests beside the notebook and writes a log into
the working folder, which fails where a class shares a read-only folder.
"""

import inspect
import textwrap
from pathlib import Path
from typing import Any

from seqmix.paths import Paths

__all__ = ["Grader", "check_file", "exercises", "grader"]

CHECKS = Paths().notebooks / "lessons" / "checks"
WIDTH = 92


def exercises(lesson: str) -> list[str]:
    """Return the names of a lesson's exercises that have a check."""
    return sorted(path.stem for path in (CHECKS / lesson).glob("*.py"))


def check_file(lesson: str, exercise: str) -> Path:
    """Return the check file of an exercise; raises ValueError naming the known ones."""
    path = CHECKS / lesson / f"{exercise}.py"
    if not path.is_file():
        known = ", ".join(exercises(lesson)) or "none: is the lesson's name right?"
        raise ValueError(f"no check {exercise!r} in lesson {lesson!r}; known: {known}")
    return path


class Grader:
    """The checks of one lesson."""

    def __init__(self, lesson: str) -> None:
        if not exercises(lesson):
            known = ", ".join(sorted(path.name for path in CHECKS.iterdir() if exercises(path.name)))
            raise ValueError(f"no lesson {lesson!r}; known: {known}")
        self.lesson = lesson

    def check(self, exercise: str, answers: dict[str, Any] | None = None):
        """Check one exercise against the notebook's variables (or ``answers``); return Otter's report."""
        from otter.test_files.exception_test import ExceptionTestFile

        if answers is None:
            answers = inspect.currentframe().f_back.f_globals
        report = ExceptionTestFile.from_file(str(check_file(self.lesson, exercise)))
        report.run(answers)
        for result in report.test_case_results:
            if not result.passed:
                result.message = readable(result.message)
        return report


def readable(message: str) -> str:
    """Return Otter's failure message with the hint alone; an answer that no check can read gets a hint of its own.

    Angle brackets are replaced because Otter's report does not escape them.
    """
    _, found, hint = message.partition("\nHint: ")
    if not found:  # the check stumbled over the answer: its last line names the error
        reason = message.strip().splitlines()[-1].strip()
        hint = f"The answer is of another kind or shape than the exercise asks for ({reason})."
    text = "\n".join(textwrap.fill(line, WIDTH) for line in hint.splitlines())
    return ("❌ Not yet.\n" + text).replace("<", "‹").replace(">", "›")


def grader(lesson: str) -> Grader:
    """Return the checks of a lesson: ``check = classroom.grader("scaling").check``."""
    return Grader(lesson)
