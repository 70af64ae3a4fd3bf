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
    parts = [
        "# Result tables\n",
        "Written by `seqmix collect` from the records in `runs/`; never edited by hand. One folder a tier "
        "(`quick` is not committed: it is a check that everything works, not evidence). Numbers have six significant "
        "digits; an empty cell means that the quantity does not exist for that row. This page is written from "
        "`src/seqmix_study/results/columns.yaml`.\n",
    ]
    for name, columns in TABLES.items():
        about, key = FILE["tables"][name]["about"], ", ".join(KEYS[name])
        parts.append(f"## {name}.csv\n\n{about}\n\nRows are named by: {key}.\n")
        lines = ["| column | kind | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| {c.name} | {c.kind} | {c.unit or '–'} | {c.meaning} |" for c in columns]
        parts.append("\n".join(lines) + "\n")
    beside = (f"* {', '.join(f'`{n}`' for n in name.split(', '))}: {about}" for name, about in FILE["beside"].items())
    parts.append("\n".join(["## Beside the tables\n", *beside]) + "\n")
    return "\n".join(parts)
