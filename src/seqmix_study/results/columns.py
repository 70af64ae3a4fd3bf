"""Every column of the result tables, from ``columns.yaml``. ``results/README.md`` is written from it."""

from importlib import resources

import yaml

FILE = yaml.safe_load(resources.files(__package__).joinpath("columns.yaml").read_text(encoding="utf-8"))

# Table -> its columns in order, each with its kind: text, int or float.
TABLES: dict[str, dict[str, str]] = {
    table: {name: column["kind"] for name, column in found["columns"].items()}
    for table, found in FILE["tables"].items()
}

# Columns that a table is sorted by; together they name a row.
KEYS: dict[str, tuple[str, ...]] = {table: tuple(found["key"]) for table, found in FILE["tables"].items()}


def dictionary() -> str:
    """Return ``results/README.md``."""
    from jinja2 import Template  # training reads the columns where nothing is published and no jinja2 may be installed

    text = resources.files(__package__).joinpath("columns.md").read_text(encoding="utf-8")
    return Template(text, trim_blocks=True, keep_trailing_newline=True).render(FILE)
