"""Is the book that is there the one that a build would give? Then nothing needs to be built.

``_build/.stamp`` holds two hashes: of all that the pages are made from when a build begins (files of the project, the
packages, versions of what draws and builds), and of the pages that it put in place.
"""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import seqmix
from seqmix.files import atomic_write, json_text, read_json
from seqmix.paths import Paths
from seqmix_study.book.build import html_folder
from seqmix_study.book.fingerprint import digest, environment_digest

# Folders of the project that pages are made from, beside the files at its top (what a command printed is none).
FOLDERS = ("book", "notebooks", "studies", "results", "tools")

BUILDERS = ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme", "pydata-sphinx-theme", "latex2mathml")


def made_from(paths: Paths) -> str:
    """Hash everything that the pages are made from."""
    package = Path(seqmix.__file__).parents[1]
    files = [f for f in paths.root.iterdir() if f.is_file() and f.suffix != ".log"]
    for folder in (*(paths.root / name for name in FOLDERS), package / "seqmix", package / "seqmix_study"):
        files += [f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    versions = [environment_digest(), *(metadata.version(name) for name in BUILDERS)]
    return digest(part.encode() for part in (_whole(files), *versions))


def put(paths: Paths, sources: str) -> None:
    """Say that the pages which are there were built from ``sources``."""
    atomic_write(paths.build / ".stamp", json_text({"sources": sources, "pages": _pages(paths)}))


def is_built(paths: Paths, sources: str) -> bool:
    """Say whether the pages which are there were built from ``sources`` and have not changed since."""
    try:
        return read_json((paths.build / ".stamp").read_bytes()) == {"sources": sources, "pages": _pages(paths)}
    except (OSError, ValueError):
        return False


def _pages(paths: Paths) -> str:
    return _whole(f for f in html_folder(paths).rglob("*") if f.is_file())


def _whole(files: Iterable[Path]) -> str:
    """Hash the names and contents of files."""
    return digest(part for file in sorted(files) for part in (str(file).encode(), file.read_bytes()))
