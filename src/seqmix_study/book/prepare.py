"""Make an executed chapter fit to be read.

Taken out: times, paths, the double parameters cells. Put in: a table of the parameters, and for every
figure its alt text, its numbers as a CSV file and the command that makes it again (see ``seqmix_study.chapters.show``).
"""

import re
import shlex

from nbformat.v4 import new_code_cell, new_markdown_cell

from seqmix.paths import Paths
from seqmix_study.book.sources import Notebook, chapters_in_toc
from seqmix_study.chapters.address import configuration, fetching
from seqmix_study.chapters.common import template
from seqmix_study.chapters.parameters import legal, meaning
from seqmix_study.chapters.show import FIGURE_MIME, NOTHING
from seqmix_study.results.rows import plain

# Folders that a chapter needs where it is fetched.
NEEDED = ("src", "book", "notebooks", "results", "studies")

# The chapter that lists every run with its configuration.
RUNS = "appendix_runs"


def prepare_for_reading(notebook, chapter: Notebook, values: dict) -> tuple[dict[str, str], list[list[str]]]:
    """Clean a notebook in place; return the files of its figures, and their names with alt texts in its order."""
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    figures, described, cells, runs = {}, [], [], _runs_link(chapter.studies)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        tags = cell.metadata.get("tags", [])
        if {"parameters", "injected-parameters"} & set(tags):
            cell.metadata["tags"] = [*tags, "remove-input"]
        if "injected-parameters" in tags:
            cell["id"] = f"{chapter.name}-injected"
        if "parameters" in tags:
            cells.append(_markdown(f"{chapter.name}-parameters", _parameter_table(chapter, values)))
        cells.append(cell)
        for output in cell.get("outputs", []):
            if record := output.get("data", {}).pop(FIGURE_MIME, None):
                _describe_figure(cell, record)
                figures[f"{record['name']}.csv"] = record["csv"]
                figures[f"{record['name']}.svg"] = output["data"]["image/svg+xml"]
                described.append([record["name"], cell.metadata["mystnb"]["image"]["alt"]])
                shown = {"name": record["name"], "runs": runs, "command": command(chapter, values)}
                text = template("figure.md", __package__).render(shown)
                cells.append(_markdown(f"{record['name']}-tools", text))
    repository = configuration(Paths()).get("repository", {})
    if repository.get("url"):
        source = fetching(repository["url"], repository["branch"], "book", NEEDED)
        cells.insert(1, new_code_cell(source, id=f"{chapter.name}-elsewhere", metadata={"tags": ["remove-cell"]}))
    notebook.cells = cells
    return figures, described


def command(chapter: Notebook, values: dict) -> str:
    """Return the command that gives this execution."""
    words, short = ["seqmix", "run", chapter.name], {"tier": ["--tier", values.get("tier")], "train": ["--no-train"]}
    for name, value in values.items():
        if value != chapter.parameters[name] and name != "jobs":
            words += short.get(name, ["-p", name, str(value)])
    return plain(shlex.join(words))


def _markdown(cell_id: str, text: str):
    return new_markdown_cell(text, id=re.sub(r"[^\w-]", "-", cell_id)[:64])


def _describe_figure(cell, record: dict) -> None:
    """Hand alt text and classes to myst-nb, which reads them from the metadata of the cell."""
    settings, alt = cell.metadata.setdefault("mystnb", {}), " ".join(record["alt"].split())
    settings["image"] = {"classes": "mpl dark-light", **settings.get("image", {}), "alt": alt}
    settings["figure"] = {"name": record["name"], **settings.get("figure", {})}
    if alt.startswith(NOTHING):  # the caption describes what is not drawn
        settings["figure"]["caption"] = alt if alt.endswith((".", ")")) else f"{alt}."


def _runs_link(studies: tuple[str, ...]) -> str:
    """Return where the runs of a chapter are listed, at its study or in the whole list; "" without runs or a list."""
    paths = Paths()
    if not studies or RUNS not in chapters_in_toc(paths):
        return ""
    single = len(studies) == 1 and (paths.studies / f"{studies[0]}.yaml").is_file()
    return f"{RUNS}.html#{f'runs-{studies[0]}' if single else 'every-run'}"


def _parameter_table(chapter: Notebook, values: dict) -> str:
    """A folded table: the parameters of this execution and how to run the chapter with others."""
    rows = [(name, plain(repr(values[name])), repr(default)) for name, default in chapter.parameters.items()]
    shown = {"rows": rows, "meaning": meaning, "legal": legal, "command": command(chapter, values)}
    return template("parameters.md", __package__).render(shown)
