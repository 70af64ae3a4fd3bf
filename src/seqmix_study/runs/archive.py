"""Carry run records from one machine to another in one small archive (``.tar.xz``).

The archive holds the files of the ended runs as they are; checkpoints stay behind, weights come only when asked for.
Unpacking trusts nothing: only plain files with the names that a record has and of a size that it may have, and every
record must be exactly what its own seal says (the hash of each file) before any is moved into place. A run that is
already there is never overwritten.
"""

import io
import lzma
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from seqmix.files import LARGEST_JSON, RecordError, disk_error
from seqmix.record import ENDED, OUTCOME, WEIGHTS, RunFolder, run_folders
from seqmix_study.results.published import CollectError
from seqmix_study.results.rows import run_rows
from seqmix_study.results.transaction import locked, scratch
from seqmix_study.runs import known

FILES = r"config\.json|provenance\.json|progress\.jsonl|metrics\.json|notes\.txt|tables/[A-Za-z0-9_-]+\.csv"
NAMES = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,120}}/({FILES}|{re.escape(OUTCOME)}|{re.escape(WEIGHTS)})")
# No weights are larger (bytes); every other file of a record is read whole and far smaller.
LARGEST = 8 * 2**30

# How often its own size an archive may hold: records of many like runs shrink to a fiftieth.
GROWTH = 200


class PackError(CollectError):
    """An archive cannot be written or trusted; the text names it and says why."""


class _Bounded:
    """A stream that gives at most so many bytes: what a small archive may grow to has an end."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path, self.stream, self.left = path, stream, GROWTH * path.stat().st_size + LARGEST_JSON

    def read(self, count: int) -> bytes:
        content = self.stream.read(count)
        self.left -= len(content)
        if self.left < 0:
            raise PackError(f"{self.path} grows to more than {GROWTH} times its size: nothing was unpacked")
        return content


@contextmanager
def _open(path: Path, mode: str) -> Iterator[tarfile.TarFile]:
    with lzma.open(path, f"{mode}b") as stream:
        whole = stream if mode == "w" else _Bounded(path, stream)
        with tarfile.open(fileobj=whole, mode=f"{mode}|") as archive:
            yield archive


def pack(out: Path, runs: Path, weights: bool = False) -> dict[str, int]:
    """Write the ended runs of ``runs`` to ``out``; return counts of runs, files and bytes.

    Raises PackError for a corrupt record (nothing is written then) and RecordError for the disk.
    """
    chosen = [folder for folder in run_folders(runs) if folder.status_unlocked() in (*ENDED, "corrupt")]
    if problem := next(filter(None, (folder.problem(deep=weights) for folder in chosen)), ""):
        raise PackError(f"a record cannot be trusted and nothing was packed: {problem}")
    if not chosen:
        raise PackError(f"{runs} has no ended run to pack")
    members = {f"{f.run_id}/{name}": f.path / name for f in chosen for name in (*f.outcome()["files"], OUTCOME)}
    packed = {name: path for name, path in members.items() if path.is_file() and (weights or path.name != WEIGHTS)}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch(out.parent) as folder:
            with _open(folder / out.name, "w") as archive:
                for name, path in packed.items():
                    content = path.read_bytes()
                    info = tarfile.TarInfo(name)  # no owner, mode or time: the same records give the same archive
                    info.size, info.mode = len(content), 0o644
                    archive.addfile(info, io.BytesIO(content))
            os.replace(folder / out.name, out)
    except OSError as error:
        raise disk_error(out, error) from error
    return {"runs": len(chosen), "files": len(packed), "bytes": out.stat().st_size}


def unpack(path: Path, runs: Path) -> dict[str, list[str]]:
    """Move the records of an archive into ``runs``; return the run ids under added, known and different.

    ``known``: the same record was there; ``different``: another record of the same run was there and stays.
    Raises PackError for a foreign, torn or altered archive; nothing is moved into place then.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with scratch(runs) as incoming:
            with _open(path, "r") as archive:
                for member in archive:
                    _extract(path, archive, member, incoming)
            arrived = [RunFolder(folder) for folder in sorted(incoming.glob("*/"))]
            for folder in arrived:
                if why := _incomplete(folder):
                    raise PackError(f"{path}: the record of {folder.run_id} is not whole ({why}); nothing was unpacked")
            return _settle(arrived, runs)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        text = f"{path} is torn or not an archive ({error or 'it ends too early'}): copy it again; nothing was unpacked"
        raise PackError(text) from error
    except OSError as error:
        raise disk_error(Path(error.filename or path), error, "unpack") from error


def _extract(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, incoming: Path) -> None:
    """Write one file of the archive below ``incoming``; raises PackError for what no record has."""
    most = LARGEST if member.name.endswith(f"/{WEIGHTS}") else LARGEST_JSON
    target = incoming / member.name
    plain = member.isfile() and not member.issparse() and NAMES.fullmatch(member.name) and not target.exists()
    if not plain or member.size > most:
        raise PackError(f"{path} holds {member.name!r}, which no record has, or has twice: nothing was unpacked")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(archive.extractfile(member), file, 2**20)


def _incomplete(folder: RunFolder) -> str:
    """Say in what a record that arrived is not what its seal says, or what of it no table takes; "" if it is whole."""
    if why := folder.problem(deep=True):
        return why
    there = {file.relative_to(folder.path).as_posix() for file in folder.path.rglob("*") if file.is_file()}
    sealed = {OUTCOME, *folder.outcome().get("files", ())} if OUTCOME in there else {OUTCOME}
    if there not in (sealed, sealed - {WEIGHTS}):
        return "its files are not those that its seal names"
    try:
        run_rows(config := folder.config(), folder)
        config.kind == "train" and known.outcome(folder.metrics(), folder.status_unlocked(), folder.path)
        folder.step()
        return "" if isinstance(folder.evaluated(), list) else "metrics.json, evaluated: no list"
    except (CollectError, RecordError, OverflowError) as error:
        return str(error)


def _settle(arrived: list[RunFolder], runs: Path) -> dict[str, list[str]]:
    done: dict[str, list[str]] = {"added": [], "known": [], "different": []}
    for folder in arrived:
        here = RunFolder(runs / folder.run_id)
        with locked(here.lock_path):  # whoever trains it ends first
            status = here.status_unlocked()
            if status in ("finished", "diverged", "corrupt"):
                same = status != "corrupt" and here.outcome()["files"] == folder.outcome()["files"]
                done["known" if same else "different"].append(folder.run_id)
                continue
            # new, interrupted or failed here: the record that ended on another machine is worth more
            shutil.rmtree(here.path, ignore_errors=True)
            os.replace(folder.path, here.path)
            done["added"].append(folder.run_id)
    return done
