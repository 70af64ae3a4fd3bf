"""Chapter sources: ``notebooks/NAME.md`` (jupytext MyST) and the order of the chapters in ``_toc.yml``."""

import ast
import hashlib
from dataclasses import dataclass, field
from typing import Any

from sphinx_external_toc.parsing import parse_toc_yaml

from seqmix.paths import Paths
from seqmix_study.chapters.parameters import check


class ChapterError(ValueError):
    """A chapter source that cannot be used; the message names the file and the line."""


@dataclass
class Notebook:
    """A chapter source: the notebook, the line where each cell begins, and its parameters with their defaults."""

    name: str
    notebook: object = field(repr=False)
    lines: list[int] = field(repr=False)
    parameters: dict[str, Any]
    sha256: str
    title: str
    studies: tuple[str, ...]

    @property
    def study(self) -> str:
        """The study that the chapter plans and trains: the first of its studies."""
        return self.studies[0] if self.studies else self.name


def chapters_in_toc(paths: Paths) -> list[str]:
    """Return the names of the executed chapters that ``_toc.yml`` lists, in order."""
    listed = parse_toc_yaml(paths.root / "_toc.yml")
    return [page.removeprefix("book/executed/") for page in listed if page.startswith("book/executed/")]


def load(name: str, paths: Paths) -> Notebook:
    """Read a chapter; raises ChapterError if it is missing or has not exactly one parameters cell."""
    from jupytext.myst import myst_to_notebook

    path = paths.notebooks / f"{name}.md"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in paths.notebooks.glob("*.md")))
        raise ChapterError(f"no chapter {name!r}: {path} does not exist; chapters: {known or 'none'}, or 'all'")
    text = path.read_text(encoding="utf-8")
    notebook = myst_to_notebook(text, add_source_map=True)
    lines = notebook.metadata.pop("source_map")
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ChapterError(f"notebooks/{name}.md:1: exactly one cell must be tagged 'parameters', found {len(tagged)}")
    try:
        parameters = declared(notebook.cells[tagged[0]].source)
    except (ValueError, SyntaxError) as error:
        raise ChapterError(f"notebooks/{name}.md:{lines[tagged[0]]}: {error}") from error
    title = next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), name)
    studies = tuple(notebook.metadata.get("seqmix", {}).get("studies", [name]))
    return Notebook(name, notebook, lines, parameters, hashlib.sha256(text.encode()).hexdigest(), title, studies)


def declared(source: str) -> dict[str, Any]:
    """Return the parameters that a cell declares, with their defaults; ValueError for an unknown or a wrong one."""
    from papermill.translators import PythonTranslator

    found = {each.name: ast.literal_eval(each.default) for each in PythonTranslator.inspect({"source": source})}
    return check(found, found)
