"""``seqmix export --page``: write a trained model as a file that a page can hold (see ``page_file``)."""

import base64
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmix.config import DataConfig, ModelConfig
from seqmix.data import TASKS, boxes
from seqmix.data.almanac import PRESETS
from seqmix.data.markov import MARKOV
from seqmix.files import seal_of
from seqmix.mixers import mixer
from seqmix.mixers.recurrence import CELLS
from seqmix.models import build
from seqmix_study.runs import page_file
from seqmix_study.runs.export import trained_model

# Ways to write numbers, with the bytes of each.
FORMATS = {"int8": 1, "int16": 2, "int24": 3}

# The first format is taken that changes no token's loss by more, nats.
TOLERANCE = 5e-4

# Where the page's own JavaScript is, a module a mixer.
PAGE = Path(__file__).parents[1] / "book" / "page"

# What models of text are checked on: prose, code, and every letter of Latin-1 once, since readers write anything.
PASSAGE = (PAGE / "passage.txt").read_text(encoding="utf-8") + "".join(map(chr, range(256)))


def packed(weight: Tensor, form: str) -> tuple[bytes, Tensor]:
    """Return the bytes of one tensor and the float32 numbers that they stand for.

    Whole numbers: each row (last axis) times its own scale, largest absolute value / largest whole number; the scales
    of the rows, float32, come first.
    """
    numbers = weight.detach().float().cpu().contiguous()
    size = FORMATS[form]
    rows = numbers.view(-1, numbers.shape[-1]).double().numpy()
    top = 2 ** (8 * size - 1) - 1
    scale = (np.abs(rows).max(1, keepdims=True) / top).astype("<f4").astype(float)
    whole = np.clip(np.rint(rows / np.where(scale == 0, 1, scale)), -top, top).astype("<i4")
    content = whole.view(np.uint8).reshape(*whole.shape, 4)[..., :size]
    stands_for = torch.from_numpy((whole * scale).astype(np.float32)).view(numbers.shape)
    return scale.astype("<f4").tobytes() + content.tobytes(), stands_for


def words_of(data: DataConfig, vocab_size: int) -> list[str] | None:
    """Return a name for each of ``vocab_size`` tokens, or None where tokens are bytes of text."""
    if data.source in PRESETS:
        language = PRESETS[data.source]
        sizes = (language.subjects, language.relations, language.objects, language.keys, language.values)
        return [f"{letter}{n}" for letter, size in zip("srokv", sizes, strict=True) for n in range(size)]
    if data.source == "boxes":
        pairs = [f"s{one}{other}" for one, other in boxes.PAIRS]
        return ["pad", *(f"b{n}" for n in range(boxes.BOXES)), *pairs, *(f"k{n}" for n in range(boxes.KEYS)), "ask"]
    return [f"t{n}" for n in range(vocab_size)] if data.source in (*MARKOV, *TASKS) else None


def page_model(model: nn.Module, form: str = "", words: list[str] | None = None, **about) -> dict:
    """Return the sealed export of ``model`` (built by ``seqmix.models.build``, weights in any precision).

    ``form``: one of ``FORMATS`` (default: the shortest that keeps every loss within ``TOLERANCE``). ``about``: plain
    facts that travel with it. ValueError if the model would not fit into a page.
    """
    tokens = check_tokens(model, words)
    reference, _ = losses_and_logits(model.config, model.state_dict(), tokens)
    for one in [form] if form else FORMATS:
        parts = {name: packed(weight, one) for name, weight in model.state_dict().items()}
        written = {name: numbers for name, (_, numbers) in parts.items()}
        losses, logits = losses_and_logits(model.config, written, tokens)
        rounding = float((losses - reference).abs().max())
        if rounding <= TOLERANCE:
            break
    weights = base64.b64encode(b"".join(content for content, _ in parts.values())).decode()
    if len(weights) > (most := page_file.LARGEST_PAGE):
        raise ValueError(f"it has {len(weights):,} bytes as {one}, a page takes {most:,}: export a smaller model")
    exported = {"about": about, "config": model.config.model_dump(mode="json"), "mixers": mixers(model.config)}
    exported |= {"words": words, "format": one}
    exported |= {"tensors": [[name, list(numbers.shape)] for name, numbers in written.items()], "weights": weights}
    said = {"tokens": tokens.tolist(), "losses": losses.tolist(), "logits": logits.tolist()}
    exported["check"] = said | {"rounding": rounding}
    return exported | {"seal": seal_of(exported)}


def mixers(config: ModelConfig) -> dict[str, dict]:
    """Return what the page must know of each mixer, by letter; ValueError for one that has no module there."""
    found = {}
    for letter in sorted(set(config.pattern)):
        module, _, name = str(mixer(letter).module).partition(":")
        file = PAGE / f"{module.rsplit('.', 1)[-1]}.js"
        if not file.is_file():
            raise ValueError(f"{mixer(letter).label} has no step in JavaScript: write {file}, and name it in model.js")
        found[letter] = {"module": file.stem, "class": name}
        if letter in CELLS:
            found[letter] |= asdict(CELLS[letter]) | {"gated": CELLS[letter].output_gate(config)}
    return found


def check_tokens(model: nn.Module, words: list[str] | None) -> Tensor:
    """Return the tokens [T] of a model's own vector: a passage of text, or random tokens told twice."""
    config = model.config
    if words is None and config.vocab_size == 256:
        tokens = torch.tensor(list(PASSAGE.encode()))
    else:
        tokens = torch.randint(config.vocab_size, (48,), generator=torch.Generator().manual_seed(0)).repeat(2)
    return tokens[: config.max_length] if config.learned_positions else tokens


@torch.no_grad()
def losses_and_logits(config: ModelConfig, weights: dict[str, Tensor], tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each token but the first [T - 1], nats, and the logits after the last [W], in float32."""
    model = build(config)
    model.load_state_dict(weights)
    logits = model.eval()(tokens[None])[0]
    return F.cross_entropy(logits[:-1], tokens[1:], reduction="none"), logits[-1]


def export_page(run: Path, file: Path) -> dict:
    """Write the trained model of the run folder ``run`` to ``file`` and return what was written.

    FileNotFoundError if the run has no weights, ValueError if its record is damaged or the model too large for a page.
    """
    folder, model = trained_model(run)
    config = folder.config()
    if (reads := config.data.tokenizer) != "bytes":
        raise ValueError(f"{run}: reads {reads}; a page reads bytes or the tokens of a synthetic source")
    about = {"run_id": config.run_id, "arm": config.arm, "seq_len": config.data.seq_len}
    about |= {"loss": folder.metrics().get("loss")}
    about |= {"weights_sha256": folder.outcome()["files"]["weights.pt"]["sha256"]}
    exported = page_model(model, words=words_of(config.data, config.model.vocab_size), **about)
    page_file.write(file, exported)
    return exported
