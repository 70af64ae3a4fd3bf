"""Files that appear whole or not at all, and errors of the disk that say what to do."""

import csv
import errno
import hashlib
import io
import json
import os
from pathlib import Path

__all__ = ["RecordError", "append_text", "atomic_write", "csv_text", "disk_error", "json_text", "read_csv", "sha256_of"]

REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space, or set SEQMIX_RUNS to another disk",
    errno.EDQUOT: "your disk quota is used up: free some space, or set SEQMIX_RUNS to another disk",
    errno.EFBIG: "the file would exceed the size limit of this shell or disk (ulimit -f): raise it",
    errno.EROFS: "the folder is read-only: set SEQMIX_RUNS to a folder you may write to",
    errno.EACCES: "permission denied: make the folder writable, or set SEQMIX_RUNS to one you may write to",
    errno.EPERM: "not permitted: make the folder writable, or set SEQMIX_RUNS to one you may write to",
}


class RecordError(RuntimeError):
    """A file of a record cannot be read or written; the text names it and says what to do.

    ``fatal`` is true where the next run would meet the same obstacle (full or read-only disk).
    """

    def __init__(self, message: str, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


def disk_error(path: Path, error: OSError, doing: str = "write") -> RecordError:
    """Translate an error of the operating system into one that names the file and the remedy."""
    remedy = REMEDIES.get(error.errno, "check the disk, then start the same command again: it goes on")
    return RecordError(f"cannot {doing} {path}: {error.strerror or error}; {remedy}", error.errno in REMEDIES)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a whole file by rename in its folder: a crash leaves the old one or the new one."""
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, error) from error


def append_text(path: Path, text: str) -> None:
    """Append to a file that grows line by line; raises RecordError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise disk_error(path, error) from error


def json_text(value: object) -> str:
    """Return JSON in one canonical form: sorted keys, one entry a line."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def sha256_of(path: Path) -> str:
    """Return the checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def csv_text(rows: list[dict]) -> str:
    """Return rows as CSV; columns are the keys, in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> list[dict]:
    """Return the rows of a CSV file; cells that read as numbers are numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _number(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
