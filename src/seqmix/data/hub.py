"""Well-known text sets by name, through the library ``datasets`` (optional), streamed from the Hugging Face hub.

The text is streamed once, cut off after ``limit`` bytes of training text, and kept with checksums in the cache; from
then on no network is needed. The fingerprint is that of the documents kept, whatever the hub serves later.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from seqmix.data.base import CorpusError
from seqmix.data.cache import Store, open_store
from seqmix.data.files import SPLITS, Corpus, Document

__all__ = ["SETS", "NamedSet", "documents", "open_set"]

FORMAT = 1


@dataclass(frozen=True)
class NamedSet:
    """Where a set lives and how to read it.

    ``splits``: our split -> theirs; where two of ours share one of theirs (or one is missing), documents are dealt
    out by the hash of their content: 1 in 20 of 'train' to each of valid and test, every second of 'validation'.
    ``limit``: training text kept, bytes; held-out text: at most a twentieth of that. ``options`` go to
    ``datasets.load_dataset``; ``articles``: rows are lines, and a line `` = Title = `` opens a document.
    """

    repository: str
    subset: str | None = None
    splits: dict[str, str] = field(default_factory=lambda: {"train": "train", "valid": "validation", "test": "test"})
    limit: int = 600_000_000
    options: dict = field(default_factory=dict)
    articles: bool = False


SETS = {
    "wikitext-103": NamedSet("Salesforce/wikitext", "wikitext-103-raw-v1", articles=True),
    # The authors' repository (deepmind/pg19) is a script, which current versions of `datasets` refuse to run.
    "pg19": NamedSet("emozilla/pg19"),
    "tinystories": NamedSet(
        "roneneldan/TinyStories", splits={"train": "train", "valid": "validation", "test": "validation"}
    ),
    "fineweb-edu": NamedSet(
        "HuggingFaceFW/fineweb-edu", "sample-10BT", splits={"train": "train", "valid": "train", "test": "train"}
    ),
}


def open_set(name: str, cache: Path) -> Store:
    """Open the byte streams of a named set, streaming it from the hub the first time.

    Raises CorpusError if it is not in the cache and cannot be had: library missing, no network, hub error.
    """
    return _open_set(name, json.dumps(asdict(SETS[name]), sort_keys=True), cache)


@lru_cache(maxsize=8)
def _open_set(name: str, spec: str, cache: Path) -> Store:
    key = hashlib.sha256(f"{FORMAT} {spec}".encode()).hexdigest()[:16]

    def build(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
        del folder
        streams, counts, sizes = {}, {}, {}
        digest = hashlib.sha256(f"seqmix set {FORMAT}\n".encode())
        for split, texts in _fetch(name).items():
            if not texts:
                raise CorpusError(f"set {name!r}: no {split} documents came from {SETS[name].repository}")
            stream = b"".join(text + b"\0" for text in texts)
            digest.update(f"{split}\t{hashlib.sha256(stream).hexdigest()}\n".encode())
            streams[split] = np.frombuffer(stream, np.uint8)
            counts[split], sizes[split] = len(texts), len(stream)
        plain = {"tokenizer": "bytes", "tokenizer_sha256": "", "vocab_size": 256}
        meta = {"name": name, "fingerprint": digest.hexdigest(), "documents": counts, "bytes": sizes, **plain}
        return streams, {**meta, "origin": json.loads(spec)}

    return open_store(cache / "tokens" / f"{name}-bytes-{key}", build)


def documents(store: Store) -> Corpus:
    """Return the documents of an opened set again (to train a tokenizer on them)."""
    found = []
    for split in SPLITS:
        texts = store.arrays[split].tobytes().split(b"\0")[:-1]
        found += [Document(f"{split}/{i}", split, text) for i, text in enumerate(texts)]
    return Corpus(tuple(found))


def _fetch(name: str) -> dict[str, list[bytes]]:
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(
            f"source {name!r} needs the library 'datasets': pip install 'seqmix[datasets]', "
            "or use source 'stdlib' or a folder of your own text"
        ) from error
    spec = SETS[name]
    kept: dict[str, list[bytes]] = {split: [] for split in SPLITS}
    room = {"train": spec.limit, "valid": spec.limit // 20, "test": spec.limit // 20}
    try:
        for theirs in dict.fromkeys(spec.splits.values()):
            rows = datasets.load_dataset(spec.repository, spec.subset, split=theirs, streaming=True, **spec.options)
            ours = [split for split in SPLITS if spec.splits.get(split) == theirs]
            _deal(_texts(rows, spec.articles), ours, room, kept)
    except Exception as error:  # the library, its file systems and its HTTP client raise dozens of kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CorpusError(
            f"source {name!r} could not be read from {spec.repository} on the Hugging Face hub ({reason}); "
            "connect to the network once, or copy the cache folder of a machine that has it (SEQMIX_CACHE), "
            "or use source 'stdlib' or a folder of your own text"
        ) from error
    return kept


def _deal(texts: Iterable[bytes], ours: list[str], room: dict[str, int], kept: dict[str, list[bytes]]) -> None:
    """Put texts into our splits until the first of them (the largest) is full."""
    for text in texts:
        split = ours[0]
        if len(ours) > 1:
            lot = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % (20 if "train" in ours else len(ours))
            split = ours[lot] if lot < len(ours) else ours[0]
        if room[split] >= len(text) + 1:
            room[split] -= len(text) + 1
            kept[split].append(text)
        elif split == ours[0]:
            return


def _texts(rows: Iterable[dict], articles: bool) -> Iterator[bytes]:
    """Yield documents as UTF-8 without NUL characters (which separate documents); empty ones are left out."""
    lines = (row["text"] for row in rows)
    if articles:
        lines = _joined(lines, re.compile(r"\s*= [^=](.*[^=])? =\s*$"))
    for text in lines:
        data = text.replace("\0", " ").encode()
        if data.strip():
            yield data


def _joined(lines: Iterable[str], opens: re.Pattern) -> Iterator[str]:
    """Join lines into documents; a line that matches ``opens`` starts a new one."""
    document: list[str] = []
    for line in lines:
        if opens.match(line) and document:
            yield "".join(document)
            document = []
        document.append(line)
    yield "".join(document)
