"""A small corpus of made-up documents, for the tests of the data package."""

from pathlib import Path

import numpy as np

from seqmix.config import DataConfig

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "that", "one", "dog", "ran", "home\n"]


def document(seed: int, words: int = 400) -> str:
    rng = np.random.default_rng(seed)
    return " ".join(WORDS[i] for i in rng.integers(0, len(WORDS), words)) + f"\n{seed}\n"


def write_corpus(folder: Path) -> Path:
    """Write 40 documents into ``folder`` and return it."""
    folder.mkdir()
    for i in range(40):
        (folder / f"{i}.txt").write_text(document(i))
    return folder


def at(folder: Path, **fields) -> DataConfig:
    return DataConfig(source="folder", path=str(folder), seq_len=fields.pop("seq_len", 32), **fields)


def windows(source, split="valid"):
    """Return the inputs of the first five held-out windows, [5, T]."""
    return source.evaluation(5, split).inputs
