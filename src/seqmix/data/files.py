"""Documents on disk: the standard library of the running Python, or any folder of UTF-8 text.

A document is a file. Identical files count once; documents are ordered by the hash of their relative path (so the
first N tokens are a fair sample, not the letter a) and split by that hash, about 90/5/5, unless the folder says.
"""

import hashlib
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from seqmix.data.base import CorpusError

__all__ = ["SPLITS", "Corpus", "Document", "folder_files", "read", "stdlib_files"]

SPLITS = ("train", "valid", "test")
SHARES = (0.90, 0.95)
"""Upper ends of train and valid on the scale of a document's hash in [0, 1)."""

_NOT_STDLIB = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "_bundled", "lib-dynload"}


@dataclass(frozen=True)
class Document:
    """One text with the split it belongs to; ``name`` is its path relative to the corpus, with forward slashes."""

    name: str
    split: str
    text: bytes


@dataclass(frozen=True)
class Corpus:
    """Documents in their final order, without duplicates."""

    documents: tuple[Document, ...]

    @property
    def fingerprint(self) -> str:
        """sha256 over split, name and content of every document, in order."""
        digest = hashlib.sha256(b"seqmix corpus 1\n")
        for document in self.documents:
            content = hashlib.sha256(document.text).hexdigest()
            digest.update(f"{document.split}\t{content}\t{document.name}\n".encode())
        return digest.hexdigest()

    def of(self, split: str) -> list[Document]:
        return [document for document in self.documents if document.split == split]


def stdlib_files(root: Path | None = None) -> dict[str, Path]:
    """Return relative name -> path of the Python files of the running interpreter's standard library.

    Without tests, installed packages and what is written when Python is built for one machine.
    """
    root = root or Path(sysconfig.get_path("stdlib"))
    files = {}
    for name, path in _walk(root, lambda part: part in _NOT_STDLIB or part.startswith("config-")):
        machine = path.name.startswith(("_sysconfigdata", "_sysconfig_vars", "sitecustomize", "usercustomize"))
        if path.suffix == ".py" and not machine:
            files[name] = path
    if not files:
        raise CorpusError(f"{root}: this Python has no standard library source on disk; use a folder of text instead")
    return files


def folder_files(root: Path) -> dict[str, Path]:
    """Return relative name -> path of every file under ``root``, hidden ones left out.

    If there are subfolders whose names start with 'train', only those and 'valid*'/'val*'/'dev*' and 'test*' count.
    """
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder; name a folder that holds UTF-8 text files")
    files = dict(_walk(root, lambda part: part == "__pycache__"))
    given = {name: path for name, path in files.items() if _given_split(name)}
    if any(_given_split(name) == "train" for name in given):
        files = given
        if not any(_given_split(name) == "valid" for name in files):
            raise CorpusError(
                f"{root}: has train text but no files under valid/; add valid/ (and test/), "
                "or put all files in one folder to have them split by document"
            )
    if not files:
        raise CorpusError(f"{root}: the folder holds no files; put UTF-8 text files there (or in train/ valid/ test/)")
    return files


def read(files: dict[str, Path], stdlib: tuple[float, float] | None = None) -> Corpus:
    """Read, check, deduplicate, split and order the documents of a folder, or of the standard library.

    In a folder, subfolders named train*/valid*/test* decide the split where they exist, else the hash does by
    ``SHARES``; CorpusError for what is not UTF-8. ``stdlib``: the shares of the standard library, whose files are not
    the reader's to mend: what is not UTF-8 is left out.
    """
    texts = {}
    for name in sorted(files):
        text = _text(files[name], lenient=stdlib is not None)
        if text:
            texts[name] = text
    if not texts:
        where = os.path.commonpath(list(files.values()))
        raise CorpusError(f"{where}: all {len(files)} file(s) are empty; the corpus needs text")
    shares, given = stdlib or SHARES, stdlib is None and any(_given_split(name) == "train" for name in texts)
    texts = _unique(texts, given)
    if given:
        splits = {name: _given_split(name) for name in texts}
    elif len(texts) < len(SPLITS):
        texts = _cut(texts, shares)
        splits = {name: name.rsplit("#", 1)[1] for name in texts}
    else:
        splits = _split(sorted(texts, key=_position), shares)
    return Corpus(tuple(Document(name, splits[name], texts[name]) for name in sorted(texts, key=_position)))


def _walk(root: Path, skip) -> list[tuple[str, Path]]:
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(part for part in subfolders if not part.startswith(".") and not skip(part))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                found.append((path.relative_to(root).as_posix(), path))
    return found


def _text(path: Path, lenient: bool) -> bytes | None:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check its permissions or remove it") from error
    if problem := _problem(text, path.name):
        if lenient:
            return None
        raise CorpusError(f"{path}: {problem}")
    return text


def _problem(text: bytes, name: str) -> str:
    """Return what keeps a file from being UTF-8 text, and what to do; "" if nothing does."""
    if (at := text.find(0)) >= 0:
        return f"not a text file (a NUL byte at offset {at}); remove it from the folder or convert it to UTF-8"
    try:
        text.decode()
    except UnicodeDecodeError as error:
        at, example = error.start, f"iconv -f latin1 -t utf-8 {name}"
        return f"not UTF-8 (byte 0x{text[at]:02x} at offset {at}); convert it, for example: {example}"
    return ""


def _position(name: str) -> float:
    """Return the place of a document on [0, 1): the first 64 bits of the hash of its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _split(ordered: list[str], shares: tuple[float, float]) -> dict[str, str]:
    """Split by hash thresholds; by rank where so few documents leave a split empty."""
    splits = {name: SPLITS[sum(_position(name) >= end for end in shares)] for name in ordered}
    if len(set(splits.values())) < len(SPLITS):
        held = max(1, round(len(ordered) * (1 - shares[1])))
        ranks = ["train"] * (len(ordered) - 2 * held) + ["valid"] * held + ["test"] * held
        splits = dict(zip(ordered, ranks, strict=True))
    return splits


def _cut(texts: dict[str, bytes], shares: tuple[float, float]) -> dict[str, bytes]:
    """Cut one or two documents into contiguous parts at line ends: there is no other way to hold text out."""
    parts = {}
    for name, text in texts.items():
        ends = [0, *(_line_end(text, round(len(text) * share)) for share in shares), len(text)]
        for split, start, end in zip(SPLITS, ends, ends[1:], strict=False):
            parts[f"{name}#{split}"] = text[start:end]
    return {name: text for name, text in parts.items() if text}


def _line_end(text: bytes, near: int) -> int:
    """Return the end of the line around ``near``; without line ends, the nearest start of a UTF-8 character."""
    end = text.find(b"\n", near, near + 4096) + 1
    while not end and near < len(text) and text[near] & 0xC0 == 0x80:
        near += 1
    return end or near


def _given_split(name: str) -> str | None:
    top = name.split("/", 1)[0] if "/" in name else ""
    starts = (("train", "train"), ("val", "valid"), ("dev", "valid"), ("test", "test"))
    return next((split for start, split in starts if top.startswith(start)), None)


def _unique(texts: dict[str, bytes], given: bool) -> dict[str, bytes]:
    """Keep one of identical texts: a held-out copy rather than a training copy, so that nothing leaks."""
    rank = {"test": 0, "valid": 1, "train": 2, None: 2}
    kept: dict[bytes, str] = {}
    for name in sorted(texts, key=lambda name: (rank[_given_split(name)] if given else 0, name)):
        kept.setdefault(hashlib.sha256(texts[name]).digest(), name)
    return {name: texts[name] for name in sorted(kept.values())}
