"""What a tier has published: the only reader and writer of the files of ``results/<tier>``.

``manifest.json`` names every table and side file with its hash and number of rows. It changes together with them, so
that a reader finds all the old files or all the new ones; a file that is damaged, cut, missing or not named there is
refused by name, never read.
"""

import csv
import hashlib
import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqmix.files import disk_error, json_text, read_json, seal_of
from seqmix.paths import Paths
from seqmix_study.results.columns import TABLES
from seqmix_study.results.transaction import current, locked, replace_together

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
# Name of the transaction (see ``transaction.replace_together``).
MARK = "results"
# Files that are computed from tables, and how the manifest marks them where those are newer.
COMPUTED, OUTDATED = ("findings.csv", "verdicts.csv"), "outdated"

REMEDY = "restore the folder (git checkout), or delete it and publish the tier again (seqmix collect)"


class CollectError(ValueError):
    """Records or tables contradict each other, are damaged or hold something unknown; the text names the files."""


def manifest(folder: Path) -> dict[str, dict]:
    """Return file name -> bytes, rows and sha256 of everything a tier has published ({} if that is nothing)."""
    path = folder / MANIFEST
    text = _bytes(path)
    if text is None:
        if found := sorted((*folder.glob("*.csv"), *folder.glob("*.json"))):
            raise CollectError(f"{found[0]} has no {MANIFEST} beside it; {REMEDY}")
        return {}
    try:
        plain = read_json(text)
        if plain["seal"] != seal_of(plain["files"]):
            raise ValueError("its seal differs")
    except (ValueError, KeyError, TypeError) as error:
        raise CollectError(f"{path} is torn, edited or not a manifest ({error}); {REMEDY}") from error
    return plain["files"]


def content(path: Path) -> bytes | None:
    """Return a published file as its manifest describes it, None if the tier has not published one of that name.

    Raises CollectError for a file that is damaged, cut, missing or foreign, RecordError where the disk refuses.
    """
    for _ in range(3):  # another process may publish between the two reads
        entry, found = manifest(path.parent).get(path.name), _bytes(path)
        if entry is None and found is None:
            return None
        if entry is not None and found is not None and _hash(found) == entry["sha256"]:
            return found
    if entry is None:
        raise CollectError(f"{path} is foreign: {MANIFEST} beside it does not name it; {REMEDY}")
    what = "is missing" if found is None else f"is damaged: {len(found)} bytes, published were {entry['bytes']}"
    raise CollectError(f"{path} {what}, not what {MANIFEST} beside it says; {REMEDY}")


def frame(path: Path, **how: Any) -> "pd.DataFrame | None":
    """Return a published table as a DataFrame (``how``: options of ``pandas.read_csv``).

    None if there is none, or if it was computed from tables that have changed since.
    """
    import pandas as pd

    found = None if OUTDATED in manifest(path.parent).get(path.name, {}) else content(path)
    return None if found is None else pd.read_csv(io.BytesIO(found), low_memory=False, **how)


def read_table(table: str, tier: str, paths: Paths) -> list[dict[str, str]]:
    """Return the rows of a result table, every cell as it stands in the file ([] if there is none).

    Raises CollectError for a table that is damaged or has unknown columns. Training reads tables here: without pandas.
    """
    path = paths.results / tier / f"{table}.csv"
    text = content(path)
    if text is None:
        return []
    reader = csv.DictReader(io.StringIO(text.decode(), newline=""))
    rows, known = list(reader), TABLES[table]
    if unknown := sorted(set(reader.fieldnames or ()) - set(known)):
        raise CollectError(f"{path} has unknown column(s) {', '.join(unknown)}; {REMEDY}")
    return [{name: row.get(name, "") for name in known} for row in rows]


def beside(tier: str, name: str, paths: Paths | None = None) -> Any:
    """Return what a JSON file beside the tables of a tier holds, None if there is none."""
    found = content((paths or Paths()).results / tier / name)
    return None if found is None else read_json(found)


def differs(folder: Path, files: dict[str, str]) -> bool:
    """Whether writing ``files`` would change anything; where it would not, neither lock nor disk space is needed."""
    known, unfinished = manifest(folder), (folder / f".{MARK}.staged").exists()
    new = {name: text.encode() for name, text in files.items()}
    changed = (known.get(name) != _entry(name, data) or _bytes(folder / name) != data for name, data in new.items())
    return unfinished or any(changed)


def write(folder: Path, files: dict[str, str]) -> None:
    """Publish ``files`` (name -> text) of a tier as one, with its manifest; what is not named stays as it is.

    Findings and verdicts of the tables before count as none from then on, until they are computed again. A killed
    call leaves the old files, or the new ones for every reader here. Raises CollectError and RecordError.
    """
    if differs(folder, files):
        new = {name: text.encode() for name, text in files.items()}
        with alone(folder):  # what others publish between a look at the manifest and its change would be lost
            entries = manifest(folder)
            if TABLES.keys() & {Path(name).stem for name in new}:
                entries |= {name: entries[name] | {OUTDATED: True} for name in COMPUTED if name in entries}
            entries |= {name: _entry(name, data) for name, data in new.items()}
            sealed = {"files": entries, "seal": seal_of(entries)}
            replace_together(folder, new | {MANIFEST: json_text(sealed).encode()}, MARK)


def alone(folder: Path) -> AbstractContextManager[None]:
    """Be the only one who publishes in a tier's folder; raises RecordError where that cannot be said."""
    return locked(folder / ".collect.lock")


def _bytes(path: Path) -> bytes | None:
    for place in (current(path, MARK), path):  # it may be moved into its place between two looks
        try:
            return place.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise disk_error(path, error, "read") from error
    return None


def _entry(name: str, data: bytes) -> dict:
    """Return what the manifest says of a file: rows are those of a table, or the entries of a JSON file."""
    table = name.endswith(".csv")
    rows = sum(1 for _ in csv.reader(io.StringIO(data.decode()))) - 1 if table else len(read_json(data))
    return {"bytes": len(data), "rows": rows, "sha256": _hash(data)}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
