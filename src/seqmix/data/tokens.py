"""Bytes, or a byte-level BPE vocabulary trained on the training split (library ``tokenizers``, optional).

Token 0 separates documents in both: the byte 0x00, which no text file may hold, or ``<|document|>``.
"""

import hashlib
from pathlib import Path

import numpy as np

from seqmix.data.base import CorpusError
from seqmix.data.files import SPLITS, Corpus

__all__ = ["SEPARATOR", "encode"]

SEPARATOR = "<|document|>"
_SMALLEST = 257
"""256 byte values and the separator: no byte-level vocabulary can be smaller."""


def encode(corpus: Corpus, tokenizer: str, folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Return ({split: tokens}, {vocab_size, tokenizer, tokenizer_sha256}); a trained tokenizer goes to ``folder``."""
    if tokenizer == "bytes":
        streams = {}
        for split in SPLITS:
            text = b"".join(document.text + b"\0" for document in corpus.of(split))
            streams[split] = np.frombuffer(text, np.uint8)
        return streams, {"tokenizer": tokenizer, "tokenizer_sha256": "", "vocab_size": 256}
    return _encode_bpe(corpus, tokenizer, folder)


def _encode_bpe(corpus: Corpus, tokenizer: str, folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    vocab_size = int(tokenizer.removeprefix("bpe-"))
    if vocab_size < _SMALLEST:
        raise CorpusError(f"tokenizer {tokenizer!r}: a byte-level vocabulary has at least {_SMALLEST} tokens")
    trained = _train_bpe(corpus, vocab_size)
    if (size := trained.get_vocab_size()) < vocab_size:
        raise CorpusError(
            f"tokenizer {tokenizer!r}: the training text yields only {size} tokens; lower its size or add text"
        )
    trained.save(str(folder / "tokenizer.json"))
    dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
    streams = {}
    for split in SPLITS:
        parts = []
        documents = [document.text.decode() for document in corpus.of(split)]
        for start in range(0, len(documents), 64):
            for encoding in trained.encode_batch_fast(documents[start : start + 64]):
                parts.append(np.array([*encoding.ids, 0], dtype))
        streams[split] = np.concatenate(parts) if parts else np.zeros(0, dtype)
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    return streams, {"tokenizer": tokenizer, "tokenizer_sha256": digest, "vocab_size": vocab_size}


def _train_bpe(corpus: Corpus, vocab_size: int):
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise CorpusError(
            f"tokenizer 'bpe-{vocab_size}' needs the library 'tokenizers': pip install 'seqmix[tokenizers]', "
            "or use tokenizer 'bytes'"
        ) from error
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = {"special_tokens": [SEPARATOR], "initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, **alphabet)
    tokenizer.train_from_iterator((document.text.decode() for document in corpus.of("train")), trainer)
    # A separator spelt out inside a document must stay ordinary text.
    tokenizer.encode_special_tokens = True
    return tokenizer
