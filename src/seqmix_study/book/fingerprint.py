"""What an executed chapter rests on, as one hash a part: is it up to date, and if not, what changed?

The parts are the source, the parameters, the package (what can change a number or a figure, not the publishing code),
the result rows of the chapter's studies in every tier, and the environment (versions).
"""

import contextlib
import csv
import hashlib
import io
import json
import platform
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import seqmix
from seqmix.paths import Paths
from seqmix_study.book.sources import Notebook
from seqmix_study.results import published

# Parts of the study package that execute, publish or show chapters without changing what is in them.
PUBLISHING = ("commands", "book", "classroom")

# Published files beside the tables -> the study whose chapters show them.
BESIDE = {"traces.json": "attribution", "samples.json": "frontier", "scores.json": "frontier"}

VERSIONS = ("torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn")


def digest(parts: Iterable[bytes]) -> str:
    """Hash parts, so that no other cut of the same bytes gives the same."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part)
    return sha.hexdigest()[:16]


def package_digest(paths: Paths) -> str:
    """Hash the sources of both packages and the study files."""
    study = Path(__file__).resolve().parents[1]
    files = [f for ending in ("py", "html", "svg", "mplstyle") for f in study.rglob(f"*.{ending}")]
    files = [f for f in files if f.relative_to(study).parts[0] not in PUBLISHING]
    files += [*Path(seqmix.__file__).parent.rglob("*.py"), *paths.studies.glob("*.yaml"), *study.rglob("*.yaml")]
    return digest(part for f in sorted(files) for part in (f.name.encode(), f.read_bytes()))


def results_digest(paths: Paths, studies: tuple[str, ...]) -> str:
    """Hash what the published tables, and the files beside them, hold of the studies ('all': every row).

    Raises CollectError for a damaged one.
    """
    parts = []
    for tier in sorted(folder for folder in paths.results.glob("*") if folder.is_dir()):
        for name in sorted(published.manifest(tier)):
            text = published.content(tier / name)
            if name.endswith(".csv"):
                held = _rows_by_study(text)
                held = held if "all" in studies or None in held else {s: held[s] for s in studies if s in held}
                parts += [f"{tier.name}/{name}".encode(), json.dumps(held).encode()] if held else []
            elif BESIDE.get(name) in studies:
                parts += [f"{tier.name}/{name}".encode(), text]
    return digest(parts)


@lru_cache
def _rows_by_study(text: bytes) -> dict[str | None, str]:
    """Return study -> hash of its rows in a table; None stands for all of a table that does not name studies."""
    header, *lines = csv.reader(io.StringIO(text.decode(), newline=""))
    column = header.index("study") if "study" in header else None
    rows: dict[str | None, list] = {}
    for line in lines:
        rows.setdefault(None if column is None else line[column], []).append(line)
    return {study: digest([json.dumps([header, mine]).encode()]) for study, mine in rows.items()}


@lru_cache
def environment_digest() -> str:
    """Hash the versions that can change a number or a picture; reading them imports nothing."""
    installed = {}
    for name in VERSIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return digest([json.dumps([platform.python_version(), platform.machine(), installed]).encode()])


def parameters_digest(values: dict) -> str:
    """Hash the parameter values; the folder that ``path`` names also stands for the files in it."""
    described = {name: values[name] for name in sorted(values) if name != "jobs"}  # they never change what is trained
    files = sorted(Path(values["path"]).rglob("*")) if values.get("path") else []
    stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return digest([json.dumps([described, stats]).encode()])


def fingerprint(chapter: Notebook, values: dict, paths: Paths) -> dict[str, str]:
    """Return the hash of every part; ``values`` are all parameters, defaults included."""
    return {
        "source": chapter.sha256[:16],
        "parameters": parameters_digest(values),
        "package": package_digest(paths),
        "results": results_digest(paths, chapter.studies),
        "environment": environment_digest(),
    }


def changed(old: dict, new: dict) -> list[str]:
    """Name the parts that differ."""
    return [part for part in new if old.get(part) != new[part]]
