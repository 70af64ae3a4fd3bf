"""This study's own questions and claims, put to the tables of a tier. What chapters, cards and lessons read."""

import functools
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

import pandas as pd

from seqmix.paths import Paths
from seqmix_study.findings import claims, documents
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.questions import Questions, load
from seqmix_study.findings.select import Tables
from seqmix_study.results import published


@functools.lru_cache
def asked() -> Questions:
    """Return questions.yaml and ledger.yaml as they come with the package."""
    folder = resources.files("seqmix_study.findings")
    return load(*(Path(str(folder.joinpath(name))) for name in ("questions.yaml", "ledger.yaml")))


def check(name: str) -> documents.Flaw | None:
    """Return the check of a founding document's arithmetic of this name; None where there is none."""
    return documents.check(name) if name in documents.CHECKS else None


@functools.lru_cache
def compute(tier: str, results: Path) -> Findings:
    """Return the findings of ``results/<tier>/*.csv``. The quick tier is a code check: its rows are never evidence."""
    return Findings(Tables.read(results / tier, asked()))


def rows(tier: str, paths: Paths | None = None) -> pd.DataFrame:
    """Return findings.csv of a tier, indexed by the name of the row; computed where it has not been written."""
    folder = (paths or Paths()).results / tier
    changed = folder / published.MANIFEST
    return _rows(folder / "findings.csv", changed.stat().st_mtime_ns if changed.exists() else 0).copy()


@functools.lru_cache(maxsize=2)
def _rows(file: Path, changed: int) -> pd.DataFrame:
    """Return findings as they were at this time of change: a chapter asks for them at every figure."""
    found = published.frame(file, dtype={"threads": str, "size": str})
    table = compute(file.parent.name, file.parent.parent).table() if found is None else found
    return table.set_index("row", drop=False)


def verdicts(tier: str, paths: Paths | None = None) -> pd.DataFrame:
    """Return verdicts.csv of a tier, indexed by claim; computed where it has not been written."""
    folder = (paths or Paths()).results / tier
    table = published.frame(folder / "verdicts.csv", dtype={"id": str})
    if table is None:
        table = claims.table(compute(tier, folder.parent), check)
    text = table.select_dtypes(exclude="number").columns
    return table.assign(**{c: table[c].fillna("") for c in text}).set_index("id", drop=False)


def write(tier: str, results: Path | None = None, out: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write findings and verdicts of a tier beside its tables (or into ``out``); return both.

    Beside the tables, nobody else publishes meanwhile: findings of tables that another has replaced would stay.
    """
    folder = (results or Paths().results) / tier
    with nullcontext() if out else published.alone(folder):
        return claims.write(out or folder, compute(tier, folder.parent), check)
