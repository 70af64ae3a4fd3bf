"""Folder names: the only place where they are spelt.

The project root is ``$SEQMIX_ROOT`` if set, else the nearest parent of the working directory that holds
``studies/`` and ``_toc.yml``, else the checkout this package is installed from.
"""

import os
from pathlib import Path

__all__ = ["Paths", "root"]


def root() -> Path:
    """Return the project root (see the module docstring for the order in which it is looked for)."""
    if named := os.environ.get("SEQMIX_ROOT"):
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "studies").is_dir() and (folder / "_toc.yml").is_file():
            return folder
    return Path(__file__).resolve().parents[2]


class Paths:
    """Every folder of the project, as attributes of one object.

    ``runs`` can be moved with ``$SEQMIX_RUNS``, ``cache`` with ``$SEQMIX_CACHE`` (a shared disk, a class of students);
    the argument ``runs`` goes before both. ``results`` and ``executed`` are for subclasses to move.
    """

    def __init__(self, base: Path | str | None = None, runs: Path | str | None = None) -> None:
        self.root = Path(base).resolve() if base is not None else root()
        self._runs = Path(runs) if runs is not None else None
        self.studies, self.notebooks = self.root / "studies", self.root / "notebooks"
        self.book, self.build = self.root / "book", self.root / "_build"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (other.root, other.runs) == (self.root, self.runs)

    def __hash__(self) -> int:
        return hash((type(self), self.root, self.runs))

    @property
    def runs(self) -> Path:
        return self._runs or Path(os.environ.get("SEQMIX_RUNS") or self.root / "runs").absolute()

    @property
    def cache(self) -> Path:
        return Path(os.environ.get("SEQMIX_CACHE") or self.root / ".cache").absolute()

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def executed(self) -> Path:
        return self.book / "executed"
