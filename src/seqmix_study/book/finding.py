"""One thing that a check found: where, and what to do about it."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding"]


@dataclass(frozen=True, order=True)
class Finding:
    """A problem at a line of a file (paths relative to the project root)."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file.as_posix()}:{self.line}: {self.message}"
