"""Every column of the result tables, from ``columns.yaml``. ``results/README.md`` is written from it."""

from importlib import resources
from typing import NamedTuple

import yaml


class Column(NamedTuple):
    """One column: ``kind`` is text, int or float; ``unit`` is empty for names and pure numbers."""

    name: str
    kind: str
    meaning: str
    unit: str = ""


FILE = yaml.safe_load(resources.files(__package__).joinpath("columns.yaml").read_text(encoding="utf-8"))

TABLES: dict[str, tuple[Column, ...]] = {
    table: tuple(Column(name, **about) for name, about in found["columns"].items())
    for table, found in FILE["tables"].items()
}

# Columns that a table is sorted by; together they name a row.
KEYS: dict[str, tuple[str, ...]] = {table: tuple(found["key"]) for table, found in FILE["tables"].items()}


def dictionary() -> str:
    """Return ``results/README.md``."""
    from jinja2 import Template  # training reads the columns where nothing is published and no jinja2 may be installed

    text = resources.files(__package__).joinpath("columns.md").read_text(encoding="utf-8")
    return Template(text, trim_blocks=True, keep_trailing_newline=True).render(FILE)
