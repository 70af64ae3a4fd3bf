"""Carry run records from one machine to another in one small archive (``.tar.xz`` or ``.tar.gz``).

The archive starts with ``manifest.json`` (format, size and checksum of every file), then the files of the ended runs;
checkpoints stay behind, weights come only when asked for. Unpacking trusts nothing: only plain files with the names
that a record has, sizes and checksums as the manifest says, every record's seal checked before it is moved into
place. A run that is already there is never overwritten.
"""

import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from seqmix.files import LARGEST_JSON, disk_error, read_json, sha256_of
from seqmix.record import WEIGHTS, RunFolder, run_folders
from seqmix_study.results.published import CollectError

__all__ = ["PackError", "pack", "unpack"]

FORMAT = "seqmix runs 1"
MANIFEST = "manifest.json"
NAMES = re.compile(r"config\.json|provenance\.json|progress\.jsonl|metrics\.json|notes\.txt|outcome\.json|weights\.pt")
TABLE = re.compile(r"tables/[A-Za-z0-9_-]+\.csv")
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}")
LARGEST = 8 * 2**30
"""No weights are larger (bytes); every other file of a record is read whole and far smaller."""

GROWTH = 200
"""How often its own size an archive may hold: records of many like runs shrink to a fiftieth."""


class PackError(CollectError):
    """An archive cannot be written or trusted; the text names it and says why."""


class _Bounded:
    """A stream that gives at most ``most`` bytes: what a small archive may grow to has an end."""

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
    """Open an archive by its name's ending; raises PackError for an unknown one."""
    opened = {".tar.xz": lzma.open, ".tar.gz": gzip.open}.get("".join(path.suffixes[-2:]))
    if opened is None:
        raise PackError(f"{path}: the name of an archive ends in .tar.xz or .tar.gz")
    with opened(path, f"{mode}b") as stream:
        whole = stream if mode == "w" else _Bounded(path, stream)
        with tarfile.open(fileobj=whole, mode=f"{mode}|") as archive:
            yield archive


def _files(folder: RunFolder, weights: bool) -> list[Path]:
    inside = (path for path in folder.path.rglob("*") if path.is_file())
    names = {path.relative_to(folder.path).as_posix(): path for path in inside}
    wanted = [name for name in sorted(names) if NAMES.fullmatch(name) or TABLE.fullmatch(name)]
    return [names[name] for name in wanted if weights or name != "weights.pt"]


def pack(out: Path, runs: Path, weights: bool = False, only: set[str] | None = None) -> dict[str, int]:
    """Write the ended runs of ``runs`` (those in ``only``, if given) to ``out``; return counts of runs and bytes.

    Raises PackError for a corrupt record (nothing is written then) and RecordError for the disk.
    """
    chosen: list[RunFolder] = []
    for folder in run_folders(runs):
        if only is not None and folder.run_id not in only:
            continue
        status = folder.status_unlocked()
        if status == "corrupt":
            raise PackError(f"a record cannot be trusted and nothing was packed: {folder.problem()}")
        if status in ("finished", "diverged", "failed"):
            if weights and (problem := folder.problem(deep=True)):
                raise PackError(f"weights cannot be trusted and nothing was packed: {problem}")
            chosen.append(folder)
    if not chosen:
        raise PackError(f"{runs} has no ended run to pack")
    members = [(folder, path) for folder in chosen for path in _files(folder, weights)]
    files = {}
    for folder, path in members:
        content = path.read_bytes()
        name = f"{folder.run_id}/{path.relative_to(folder.path).as_posix()}"
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = json.dumps({"format": FORMAT, "files": files}, indent=0, sort_keys=True).encode()
    # the temporary name keeps the ending, which names the compression
    temporary = out.with_name(f".{os.getpid()}.{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _open(temporary, "w") as archive:
            _add(archive, MANIFEST, manifest)
            for folder, path in members:
                name = f"{folder.run_id}/{path.relative_to(folder.path).as_posix()}"
                _add(archive, name, path.read_bytes())
        os.replace(temporary, out)
    except OSError as error:
        raise disk_error(out, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return {"runs": len(chosen), "files": len(files), "bytes": out.stat().st_size}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file without owner, mode or time of this machine: the same records give the same archive."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    archive.addfile(info, io.BytesIO(content))


def _read_manifest(path: Path, archive: tarfile.TarFile) -> dict[str, dict]:
    first = archive.next()
    foreign = f"{path} is not an archive of runs written by seqmix pack"
    if first is None or first.name != MANIFEST or not first.isfile() or first.size > LARGEST_JSON:
        raise PackError(foreign)
    try:
        manifest = read_json(archive.extractfile(first).read())
        files, format_ = manifest["files"], manifest["format"]
        most = {name: LARGEST if name.endswith(f"/{WEIGHTS}") else LARGEST_JSON for name in files}
        sizes = all(0 <= entry["bytes"] <= most[name] and len(entry["sha256"]) == 64 for name, entry in files.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PackError(foreign) from None
    if format_ != FORMAT or not sizes:
        raise PackError(f"{foreign} of this version (its format is {format_!r}, expected {FORMAT!r})")
    for name in files:
        run_id, _, inside = name.partition("/")
        if not RUN.fullmatch(run_id) or not (NAMES.fullmatch(inside) or TABLE.fullmatch(inside)):
            raise PackError(f"{path} holds {name!r}, which no record has: nothing was unpacked")
    return files


def unpack(path: Path, runs: Path) -> dict[str, list[str]]:
    """Move the records of an archive into ``runs``; return the run ids under added, known and different.

    ``known``: the same record was there; ``different``: another record of the same run was there and stays.
    Raises PackError for a foreign, torn or altered archive; nothing is moved into place then.
    """
    incoming = runs / f".incoming-{os.getpid()}"
    try:
        incoming.mkdir(parents=True)
        with _open(path, "r") as archive:
            files = _read_manifest(path, archive)
            _extract(path, archive, files, incoming)
        return _settle(path, incoming, runs)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError) as error:
        text = f"{path} is torn or not an archive ({error or 'it ends too early'}): copy it again; nothing was unpacked"
        raise PackError(text) from error
    except OSError as error:
        if type(error).__name__ == "BadGzipFile" or error.errno is None:
            raise PackError(f"{path} is torn or not an archive ({error}); nothing was unpacked") from error
        raise disk_error(Path(error.filename or path), error, "unpack") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _extract(path: Path, archive: tarfile.TarFile, files: dict[str, dict], incoming: Path) -> None:
    left = dict(files)
    for member in archive:
        expected = left.pop(member.name, None)
        if member.name == MANIFEST:
            continue
        if expected is None or not member.isfile() or member.size != expected["bytes"]:
            raise PackError(f"{path} holds {member.name!r}, which its manifest does not describe: nothing was unpacked")
        target = incoming / PurePosixPath(member.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(archive.extractfile(member), file, 2**20)
        if sha256_of(target) != expected["sha256"]:
            raise PackError(f"{path}: {member.name} differs from its checksum: copy the archive again")
    if left:
        raise PackError(f"{path} ends before {next(iter(left))}: copy it again; nothing was unpacked")


def _settle(path: Path, incoming: Path, runs: Path) -> dict[str, list[str]]:
    done: dict[str, list[str]] = {"added": [], "known": [], "different": []}
    arrived = [RunFolder(folder) for folder in sorted(incoming.iterdir())]
    for folder in arrived:
        if folder.problem(deep=True) or not folder.outcome():
            why = folder.problem(deep=True) or "it has no outcome"
            raise PackError(f"{path}: the record of {folder.run_id} is not whole ({why}); nothing was unpacked")
    for folder in arrived:
        here = RunFolder(runs / folder.run_id)
        with here.lock():
            status = here.status_unlocked()
            if status in ("finished", "diverged", "corrupt"):
                same = status != "corrupt" and here.outcome()["files"] == folder.outcome()["files"]
                done["known" if same else "different"].append(folder.run_id)
                continue
            here.clear()  # new, interrupted or failed here: the record that ended elsewhere is worth more
            os.replace(folder.path, here.path)
            done["added"].append(folder.run_id)
    return done
