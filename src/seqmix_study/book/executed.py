"""Executed chapters: put into ``book/executed`` as one, and read back only as they were put there.

Beside ``NAME.ipynb`` lies ``NAME.run.json``: the hash of the notebook and of each file of its figures, sealed. A
chapter that was edited, cut or half replaced is named, never skipped as unchanged and never built into the book.
"""

import hashlib
from pathlib import Path

import nbformat

from seqmix.files import json_text, read_json, seal_of, sha256_of
from seqmix.paths import Paths
from seqmix_study.results.transaction import finish_replacing, replace_together


class AlteredError(ValueError):
    """An executed chapter is not as it was published; the text names the file and says what to do."""


def publish(notebook, figures: dict[str, str], path: Path) -> None:
    """Put a notebook and the files of its figures into place as one; raises RecordError for the disk."""
    files = {f"figures/{name}": text.encode() for name, text in figures.items()}
    files[path.name] = (nbformat.writes(notebook) + "\n").encode()
    note = {"files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
    sealed = json_text(note | {"seal": seal_of(note)}).encode()
    replace_together(path.parent, files | {f"{path.stem}.run.json": sealed}, path.stem)


def read_executed(name: str, paths: Paths):
    """Return the published notebook of a chapter, None if there is none; raises AlteredError and RecordError."""
    path, note = paths.executed / f"{name}.ipynb", paths.executed / f"{name}.run.json"
    finish_replacing(path.parent, name)
    if not path.exists() and not note.exists():
        return None
    try:
        plain = read_json(note.read_bytes())
        if plain.pop("seal") != seal_of(plain):
            raise ValueError("its seal differs")
        for file, digest in plain["files"].items():
            if sha256_of(path.parent / file) != digest:
                raise ValueError(f"{file} was changed")
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"{note}: not as it was executed ({error}); remove what is there and run: seqmix run {name}"
        raise AlteredError(text) from error
