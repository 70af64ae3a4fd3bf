"""Read a lesson and turn it into what students, teachers and the book see.

A lesson (``notebooks/lessons/NAME.md``, jupytext MyST) is a notebook whose exercises follow one pattern:

    :::{exercise} Title                     Markdown cell
    :label: NAME-EXERCISE
    :::
    code cell tagged ``prediction``         where the text asks for one: a cell of its own, before the answer
    code cell tagged ``solution``           the answer, in Otter's markers (# SOLUTION, # BEGIN SOLUTION)
    :::{solution} NAME-EXERCISE             Markdown cell: why
    :::
    code cell tagged ``check``              check("EXERCISE")

Before each block of exercises stands a worked example: a code cell tagged ``example`` that draws one figure and has
``figure: {name, alt}`` in its metadata; the slides show the same figure. Cells tagged ``live`` train
or time something. A number that a founding document states has the book's role ``said``, which the notebooks leave out.
"""

import ast
import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqmix.paths import Paths
from seqmix_study.chapters.address import configuration, fetching
from seqmix_study.chapters.common import template
from seqmix_study.classroom.grader import exercises

EXERCISE = re.compile(r"^:::\{exercise\} (?P<title>.+)\n:label: (?P<label>[\w-]+)\n(?P<body>.*?)^:::$", re.M | re.S)
SOLUTION = re.compile(r"^:::\{solution\} (?P<label>[\w-]+)\n:class: dropdown\n(?P<body>.*?)^:::$", re.M | re.S)
CHECK = re.compile(r'^check\("(?P<name>\w+)"\)$', re.M)
SAID = re.compile(r"\{said\}`([^`]+)`")
MARKER = re.compile(r"^\s*# (BEGIN|END) SOLUTION( NO PROMPT)?$")

# An exercise in a notebook.
HEADING = "### Exercise {number}: {title}\n\n{body}"

# An exercise in the book: sphinx-exercise would count through the whole of it.
DIRECTIVE = ":::{{exercise}} {number} · {title}\n:label: {label}\n:nonumber:\n\n{body}\n:::"

BANNER = "**Instructor version**, with solutions: not for handing out."


class LessonError(ValueError):
    """A lesson source that breaks the pattern; the message names the file and the exercise."""


@dataclass
class Lesson:
    """A lesson: its notebook as written, and its exercises in order (name -> title)."""

    name: str
    path: Path
    title: str
    notebook: Any
    exercises: dict[str, str]
    project: str
    repository: str
    branch: str

    def student(self):
        """Return the notebook without solutions and outputs, ready to be handed out."""
        return self._finished(self._cells(HEADING), "student")

    def instructor(self):
        """Return the complete notebook, still to be executed."""
        return self._finished(self._cells(HEADING, solved=True), "instructor")

    def exercise(self, name: str) -> tuple[int, str, str]:
        """Return number, title and text of an exercise."""
        bodies = {m["label"]: m["body"] for cell in self.notebook.cells for m in EXERCISE.finditer(cell.source)}
        body = SAID.sub(r"\1", bodies[f"{self.name}-{name}"]).strip()
        return list(self.exercises).index(name) + 1, self.exercises[name], body

    def page(self) -> str:
        """Return worked examples and exercises as a page of the book, without solutions."""
        cells = [c for c in self._cells(DIRECTIVE)[1:] if not {"check", "setup"} & set(c.metadata.get("tags", []))]
        return template("exercises.md", __package__).render(lesson=self, cells=cells)

    def solution_lines(self) -> set[str]:
        """Return every line that only the instructor's version has and that is long enough to give something away."""
        whole, public = (
            {line.strip() for cell in version.cells for line in cell.source.splitlines()}
            for version in (self.instructor(), self.student())
        )
        return {line for line in whole - public if len(line) > 8}

    def _cells(self, form: str, solved: bool = False) -> list:
        """Return the cells, exercises written in ``form``: those that everybody may see, or ``solved`` ones."""
        from otter.assign.solutions import replace_solutions

        cells = copy.deepcopy(self.notebook.cells)
        for cell in cells:
            if cell.cell_type == "markdown":
                text = SOLUTION.sub(r"**Solution.**\n\g<body>" if solved else "", cell.source)
                cell.source = self._numbered(text, form).strip()
            elif "solution" in cell.metadata.get("tags", []):
                removed = replace_solutions(cell.source.splitlines(), "python")
                cell.source = without_markers(cell.source) if solved else "\n".join(removed)
        return [cell for cell in cells if cell.source]

    def _numbered(self, text: str, form: str) -> str:
        """Write exercises in ``form``, with their number in the lesson; Jupyter would show the role as plain text."""
        numbers = {f"{self.name}-{name}": n for n, name in enumerate(self.exercises, 1)}

        def written(match: re.Match) -> str:
            return form.format(**match.groupdict() | {"number": numbers[match["label"]], "body": match["body"].strip()})

        text = EXERCISE.sub(written, text)
        return text if form == DIRECTIVE else SAID.sub(r"\1", text)

    def _finished(self, cells: list, version: str):
        import nbformat.v4

        install = fetching(self.repository, self.branch, "classroom", ("src", "classroom/student"), "classroom/student")
        place = f" ({self.repository})" if self.repository else ""
        origin = f"---\nFrom *{self.project}*{place}. Text: CC BY 4.0; code: MIT. It may be changed and passed on."
        banner = [nbformat.v4.new_markdown_cell(BANNER)] if version == "instructor" else []
        fetch = [nbformat.v4.new_code_cell(install)] if self.repository else []
        cells = [cells[0], *banner, *fetch, *cells[1:], nbformat.v4.new_markdown_cell(origin)]
        for index, cell in enumerate(cells):
            tags = [tag for tag in cell.metadata.get("tags", []) if tag in ("check", "example", "live", "prediction")]
            cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
            cell.id = f"{self.name}-{version}-{index:03d}"
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                try:
                    ast.parse(cell.source)
                except SyntaxError as error:  # a solution marker inside a literal leaves dots where none can stand
                    raise LessonError(f"{self.name}: {version} version: {error}: {cell.source}") from error
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "title": self.title}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
        nbformat.validate(notebook)
        return notebook


def without_markers(source: str) -> str:
    """Return a solution cell without Otter's markers."""
    lines = [line for line in source.splitlines() if not MARKER.match(line)]
    return "\n".join(re.sub(r"\s*# SOLUTION( NO PROMPT)?$", "", line) for line in lines)


def names(paths: Paths) -> list[str]:
    """Return the names of the lessons."""
    return sorted(path.stem for path in (paths.notebooks / "lessons").glob("*.md"))


def load(name: str, paths: Paths) -> Lesson:
    """Read a lesson and check its pattern; raises LessonError."""
    import jupytext

    path = paths.notebooks / "lessons" / f"{name}.md"
    if not path.is_file():
        raise LessonError(f"no lesson {name!r}; lessons: {', '.join(names(paths)) or 'none'}")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")
    title = next((c.source.splitlines()[0][2:] for c in notebook.cells if c.source.startswith("# ")), name)
    config, found = configuration(paths), _exercises(name, notebook.cells)
    address = config["repository"]["url"], config["repository"]["branch"]
    return Lesson(name, path, title, notebook, found, config["title"], *address)


def _exercises(lesson: str, cells: list) -> dict[str, str]:
    """Return the exercises in order, after checking that each has a reason, a check and the check's file."""
    exercise, reason, check = (
        [match for cell in cells if (match := pattern.search(cell.source))] for pattern in (EXERCISE, SOLUTION, CHECK)
    )
    titles = {match["label"].removeprefix(f"{lesson}-"): match["title"] for match in exercise}
    parts = {
        "reason": [match["label"].removeprefix(f"{lesson}-") for match in reason],
        "check": [match["name"] for match in check],
        "check file": exercises(lesson),
    }
    for part, found in parts.items():
        if wrong := ", ".join(sorted(set(titles) ^ set(found))):
            raise LessonError(f"{lesson}: every exercise needs a {part} of its name, and no other; see {wrong}")
    return titles
