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
``figure: {name, alt}`` in its metadata; the slides show the same figure. Cells tagged ``instructor`` are for the
teacher only; cells tagged ``live`` train or time something. A number that a founding document states has the book's
role ``said``, which the notebooks leave out.
"""

import ast
import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqmix.paths import Paths
from seqmix_study.classroom.grader import exercises

__all__ = ["Lesson", "LessonError", "load", "names"]

EXERCISE = re.compile(r"^:::\{exercise\} (?P<title>.+)\n:label: (?P<label>[\w-]+)\n(?P<body>.*?)^:::$", re.M | re.S)
SOLUTION = re.compile(r"^:::\{solution\} (?P<label>[\w-]+)\n:class: dropdown\n(?P<body>.*?)^:::$", re.M | re.S)
CHECK = re.compile(r'^check\("(?P<name>\w+)"\)$', re.M)
SAID = re.compile(r"\{said\}`([^`]+)`")
MARKER = re.compile(r"^\s*# (BEGIN|END) SOLUTION( NO PROMPT)?$")

INSTALL = """\
# On Colab, or wherever the study is not installed: fetch and install it. Does nothing otherwise.
import importlib.util

if importlib.util.find_spec("seqmix") is None:
    import os, pathlib, subprocess, sys

    if not pathlib.Path("seqmix-class/pyproject.toml").is_file():  # the package and this folder, nothing else
        part = ["--depth", "1", "--branch", "BRANCH", "--filter", "blob:none", "--sparse"]
        subprocess.run(["git", "clone", "--quiet", *part, "REPOSITORY", "seqmix-class"], check=True)
        subprocess.run(["git", "-C", "seqmix-class", "sparse-checkout", "set", "src", "classroom/student"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", "seqmix-class[classroom]"], check=True)
    sys.path.insert(0, str(pathlib.Path("seqmix-class/src").resolve()))
    os.chdir("seqmix-class/classroom/student")"""


ORIGIN = """\
---
From *PROJECT* (REPOSITORY). Text: CC BY 4.0; code: MIT. It may be changed and passed on."""

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
        from otter.assign.solutions import replace_solutions

        cells = []
        for cell in self._cells():
            tags = cell.metadata.get("tags", [])
            if "instructor" in tags:
                continue
            if cell.cell_type == "markdown":
                cell.source = SOLUTION.sub("", self._headed(cell.source)).strip()
                if not cell.source:
                    continue
            elif "solution" in tags:
                cell.source = "\n".join(replace_solutions(cell.source.splitlines(), "python"))
            cells.append(cell)
        return self._finished(cells, "student")

    def instructor(self):
        """Return the complete notebook, still to be executed."""
        cells = []
        for cell in self._cells():
            if cell.cell_type == "markdown":
                cell.source = SOLUTION.sub(lambda m: "**Solution.** " + m["body"].strip(), self._headed(cell.source))
            elif "solution" in cell.metadata.get("tags", []):
                cell.source = without_markers(cell.source)
            cells.append(cell)
        return self._finished(cells, "instructor")

    def examples(self) -> list[tuple[dict, str]]:
        """Return the worked examples: their ``figure`` metadata (name, alt) and code, the set-up cell put in front."""
        cells = [cell for cell in self.notebook.cells if {"setup", "example"} & set(cell.metadata.get("tags", []))]
        return [(dict(cell.metadata.get("figure", {})), cell.source) for cell in cells]

    def exercise(self, name: str) -> tuple[int, str, str]:
        """Return number, title and text of an exercise."""
        bodies = {m["label"]: m["body"] for cell in self.notebook.cells for m in EXERCISE.finditer(cell.source)}
        body = SAID.sub(r"\1", bodies[f"{self.name}-{name}"]).strip()
        return list(self.exercises).index(name) + 1, self.exercises[name], body

    def page(self) -> str:
        """Return worked examples and exercises as a page of the book, without solutions."""
        from otter.assign.solutions import replace_solutions

        out = [
            f"% Generated from notebooks/lessons/{self.path.name} by `seqmix classroom --pages`; edit that file.",
            f"# Exercises: {self.title}",
            f"The lesson is [here](../{self.name}.md). `make classroom` makes these exercises into notebooks whose"
            " cells check the answers; the solutions are in the teacher's notebooks only.",
        ]
        for cell in self.notebook.cells[1:]:
            tags = cell.metadata.get("tags", [])
            if cell.cell_type == "code":
                if "solution" in tags:
                    stub = "\n".join(replace_solutions(cell.source.splitlines(), "python"))
                    out.append(block(stub))
                elif not {"check", "instructor", "setup"} & set(tags):
                    out.append(block(cell.source))
            elif "instructor" not in tags and "setup" not in tags:
                out.append(SOLUTION.sub("", self._numbered(cell.source)).strip())
        return "\n\n".join(part for part in out if part) + "\n"

    def solution_lines(self) -> set[str]:
        """Return every line of the solutions, code and prose, that is long enough to give something away."""
        from otter.assign.solutions import replace_solutions

        lines: set[str] = set()
        kept = {line.strip() for cell in self.notebook.cells for line in _public(cell, replace_solutions)}
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown":
                lines |= {line for match in SOLUTION.finditer(cell.source) for line in match["body"].splitlines()}
            elif "solution" in cell.metadata.get("tags", []):
                lines |= set(without_markers(cell.source).splitlines())
            if "instructor" in cell.metadata.get("tags", []):
                lines |= set(cell.source.splitlines())
        lines |= {SAID.sub(r"\1", line) for line in lines}
        return {line.strip() for line in lines if len(line.strip()) > 8} - kept

    def _cells(self) -> list:
        return copy.deepcopy(self.notebook.cells)

    def _headed(self, text: str) -> str:
        """Replace exercise directives by headings and take roles away: Jupyter shows both as plain text."""
        numbers = {f"{self.name}-{name}": n for n, name in enumerate(self.exercises, 1)}
        text = EXERCISE.sub(lambda m: f"### Exercise {numbers[m['label']]}: {m['title']}\n\n{m['body'].strip()}", text)
        return SAID.sub(r"\1", text).strip()

    def _numbered(self, text: str) -> str:
        """Give exercises their number within the lesson: sphinx-exercise would count through the whole book."""
        numbers = {f"{self.name}-{name}": n for n, name in enumerate(self.exercises, 1)}

        def renumbered(match: re.Match) -> str:
            title = f"{numbers[match['label']]} · {match['title']}"
            return f":::{{exercise}} {title}\n:label: {match['label']}\n:nonumber:\n{match['body']}:::"

        return EXERCISE.sub(renumbered, text)

    def _finished(self, cells: list, version: str):
        import nbformat.v4

        install = INSTALL.replace("REPOSITORY", self.repository).replace("BRANCH", self.branch)
        first = [cells[0], *([nbformat.v4.new_code_cell(install)] if self.repository else [])]
        if version == "instructor":
            first.insert(1, nbformat.v4.new_markdown_cell(BANNER))
        origin = ORIGIN.replace("PROJECT", self.project)
        origin = origin.replace(" (REPOSITORY)", f" ({self.repository})" if self.repository else "")
        cells = [*first, *cells[1:], nbformat.v4.new_markdown_cell(origin)]
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


def block(code: str) -> str:
    """Return code as a block of a page."""
    return f"```python\n{code}\n```"


def without_markers(source: str) -> str:
    """Return a solution cell without Otter's markers."""
    lines = [line for line in source.splitlines() if not MARKER.match(line)]
    return "\n".join(re.sub(r"\s*# SOLUTION( NO PROMPT)?$", "", line) for line in lines)


def _public(cell, replace_solutions) -> list[str]:
    """Lines of a cell that students may see."""
    tags = cell.metadata.get("tags", [])
    if "instructor" in tags:
        return []
    if cell.cell_type == "markdown":
        return SOLUTION.sub("", cell.source).splitlines()
    if "solution" in tags:
        return replace_solutions(cell.source.splitlines(), "python")
    return cell.source.splitlines()


def names(paths: Paths) -> list[str]:
    """Return the names of the lessons."""
    return sorted(path.stem for path in (paths.notebooks / "lessons").glob("*.md"))


def load(name: str, paths: Paths) -> Lesson:
    """Read a lesson and check its pattern; raises LessonError."""
    import jupytext
    import yaml

    path = paths.notebooks / "lessons" / f"{name}.md"
    if not path.is_file():
        raise LessonError(f"no lesson {name!r}; lessons: {', '.join(names(paths)) or 'none'}")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")
    title = next((c.source.splitlines()[0][2:] for c in notebook.cells if c.source.startswith("# ")), name)
    config = yaml.safe_load((paths.root / "_config.yml").read_text(encoding="utf-8"))
    found = _exercises(name, notebook.cells)
    repository = config["repository"]
    return Lesson(name, path, title, notebook, found, config["title"], repository["url"], repository["branch"])


def _exercises(lesson: str, cells: list) -> dict[str, str]:
    """Return the exercises in order, after checking that each has a solution, a reason and a check, in that order."""
    order: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    current = ""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            for match in EXERCISE.finditer(cell.source):
                prefix, _, current = match["label"].partition("-")
                if prefix != lesson or current in titles:
                    raise LessonError(f"{lesson}: label {match['label']!r} should be {lesson}-<a new name>")
                titles[current], order[current] = match["title"], []
            for match in SOLUTION.finditer(cell.source):
                order.setdefault(match["label"].partition("-")[2], []).append("reason")
        elif "solution" in tags:
            order[current].append("solution")
        elif "check" in tags:
            for name in CHECK.findall(cell.source):
                order.setdefault(name, []).append("check")
    for name, parts in order.items():
        if name not in titles or parts[:1] != ["solution"] or parts[-2:] != ["reason", "check"]:
            raise LessonError(f"{lesson}: exercise {name!r} needs text, solution, reason and check; it has {parts}")
    if set(titles) != set(exercises(lesson)):
        raise LessonError(f"{lesson}: exercises and check files differ: {sorted(set(titles) ^ set(exercises(lesson)))}")
    return titles
