"""Exported models as files: one JSON text each, sealed, small enough for a page.

::

    {"about":   {"run_id", "arm", "seq_len", "loss", "weights_sha256"},
     "config":  the ModelConfig in full,
     "mixers":  by letter: module and class of seqmix.models, and the switches of a cell (seqmix.mixers.recurrence),
     "words":   a name for each token, or null where tokens are bytes of UTF-8,
     "format":  "int8", "int16" or "int24": whole numbers and a scale for each row,
     "tensors": [[name, shape], ...] in the order of the numbers,
     "weights": their bytes, base64 (see numbers.js),
     "check":   {"tokens", "losses", "logits", "rounding"}: what torch says with the numbers as they are written here,
                and how far a token's loss is at most from that of the run's own numbers,
     "seal":    sha256 over all of the above}

The seal is checked wherever a file is read; no torch is needed for that.
"""

import base64
import json
from pathlib import Path

import numpy as np

from seqmix.files import atomic_write, read_json, seal_of

# Most bytes that the models of one page may have together.
LARGEST_PAGE = 2_000_000


class PageModelError(ValueError):
    """A model's file cannot be used; the text names it and says what to do."""


def folder(results: Path, tier: str = "laptop") -> Path:
    """Where the committed files of a tier lie."""
    return results / tier / "models"


def write(path: Path, model: dict) -> None:
    """Write a sealed model, one key a line; raises RecordError for the disk."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in model.items()]
    atomic_write(path, "{" + ",\n".join(lines) + "}\n")


def write_script(path: Path, model: dict) -> None:
    """Write a model as a script that pages load, without what only tests compare.

    Its weights are fifteen bits a character, most significant first: in UTF-16 a fifth shorter than base64.
    """
    bits = np.unpackbits(np.frombuffer(base64.b64decode(model["weights"]), np.uint8))
    units = np.pad(bits, (0, -len(bits) % 15)).reshape(-1, 15) @ (1 << np.arange(14, -1, -1)) + 0x3400
    short = json.dumps(model | {"check": None, "weights": "".join(map(chr, units))}, ensure_ascii=False)
    path.write_text(f"(globalThis.seqmixModels ??= {{}})[{json.dumps(path.stem)}] = {short};\n", encoding="utf-16")


def read(path: Path) -> dict:
    """Return the model of a file; raises PageModelError if it is missing, not one, or not as it was written."""
    remedy = "write it again with: seqmix export --page RUN " + str(path.name)
    try:
        model = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PageModelError(f"{path}: cannot be read ({error}); {remedy}") from error
    if not isinstance(model, dict) or model.pop("seal", "") != (seal := seal_of(model)):
        raise PageModelError(f"{path}: no exported model, or changed after it was written (its seal differs); {remedy}")
    return model | {"seal": seal}
