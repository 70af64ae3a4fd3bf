"""This study's own questions and claims, put to the tables of a tier."""

import functools
from importlib import resources
from pathlib import Path

import pandas as pd

from seqmix.paths import Paths
from seqmix_study.findings import claims, documents
from seqmix_study.findings.answer import Findings, findings
from seqmix_study.findings.questions import Questions, load
from seqmix_study.findings.select import Tables

__all__ = ["asked", "check", "read", "write"]


@functools.lru_cache
def asked() -> Questions:
    """Return questions.yaml and ledger.yaml as they come with the package."""
    folder = resources.files("seqmix_study.findings")
    return load(*(Path(str(folder.joinpath(name))) for name in ("questions.yaml", "ledger.yaml")))


def check(name: str) -> documents.Flaw | None:
    """Return the check of a founding document's arithmetic of this name; None where there is none."""
    return documents.check(name) if name in documents.names() else None


def read(tier: str, results: Path | None = None) -> Findings:
    """Return the findings of ``results/<tier>/*.csv``. The quick tier is a code check: its rows are never evidence."""
    return findings(Tables.read((results or Paths().results) / tier, asked()))


def write(tier: str, results: Path | None = None, out: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write findings and verdicts of a tier beside its tables (or into ``out``); return both."""
    return claims.write(out or (results or Paths().results) / tier, read(tier, results), check)
