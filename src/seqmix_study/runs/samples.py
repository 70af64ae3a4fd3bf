"""Text written by the trained models: what a loss reads like.

``python -m seqmix_study.runs.samples laptop`` samples from the largest byte-level models of the scaling study, one an
architecture and corpus (seed 0), all from the same held-out beginnings, and writes ``results/<tier>/samples.json``.
A chapter calls ``write`` in a process of its own, so that its kernel never loads torch. Needs the weights in ``runs/``.
"""

import json
import sys
from pathlib import Path

from seqmix import data, study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix_study.results import published as tables
from seqmix_study.runs import aside

__all__ = ["available", "published", "write"]

PROMPTS = 2
PROMPT_TOKENS = 64
NEW_TOKENS = 192
TEMPERATURE = 0.7
TEXT = ("stdlib", "prose", "folder")


def available(tier: str, name: str = "scaling", paths: Paths | None = None, **request) -> list[RunConfig]:
    """Return the largest finished seed-0 run of every architecture and text corpus whose weights are on this machine.

    ``request`` goes to ``study.plan`` (source=, path=, overrides=). Raises study.StudyError.
    """
    paths = paths or Paths()
    best: dict[tuple[str, str], tuple[int, RunConfig]] = {}
    for config in study.plan(name, tier, paths=paths, **request):
        if config.kind != "train" or config.seed or config.data.tokenizer != "bytes" or config.data.source not in TEXT:
            continue
        if not aside.has_weights(paths.runs, config.run_id):
            continue
        size = config.model.d_model * config.model.n_layers * config.model.d_model
        key = (config.data.source, config.arm)
        if size * config.tokens > best.get(key, (0, None))[0]:
            best[key] = (size * config.tokens, config)
    return [config for _, config in best.values()]


def published(tier: str, paths: Paths | None = None) -> list[dict]:
    """Return the committed samples of a tier ([] if there are none)."""
    return tables.value((paths or Paths()).results / tier / "samples.json") or []


def write(configs: list[RunConfig], paths: Paths | None = None) -> list[dict]:
    """Sample from every run in a process of its own; one dict a run and prompt: run_id, arm, source, prompt, ..."""
    return aside.ask("seqmix_study.runs.samples", configs, (paths or Paths()).runs) if configs else []


def _readable(tokens) -> str:
    """Return byte tokens as text; what is no UTF-8 or no printable character becomes a middle dot."""
    text = bytes(int(token) for token in tokens).decode("utf-8", errors="replace").replace("�", "·")
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)


def _sample(config: RunConfig, runs: Path) -> list[dict]:
    """Let one model go on with held-out beginnings; the same ones, and the same random numbers, for every model."""
    import torch

    source = data.open_source(config.data)
    windows = source.evaluation(max(PROMPTS, config.train.eval_sequences)).inputs
    length = min(PROMPT_TOKENS, windows.shape[1] // 2)
    at = [i * (len(windows) // PROMPTS) for i in range(PROMPTS)]
    beginnings = torch.from_numpy(windows[at, :length])
    text = aside.model_of(config, runs).generate(beginnings, NEW_TOKENS, temperature=TEMPERATURE, seed=0)
    return [
        {
            "run_id": config.run_id,
            "arm": config.arm,
            "source": config.data.source,
            "temperature": TEMPERATURE,
            "prompt": _readable(row[:length]),
            "written": _readable(row[length:]),
            "truth": _readable(windows[i, length : length + NEW_TOKENS]),
        }
        for i, row in zip(at, text, strict=True)
    ]


def main(argument: str) -> None:
    """Answer a request on standard input (``-``), or write the samples of a tier into ``results/``."""
    if argument == "-":
        configs, runs = aside.request()
        print(json.dumps([row for config in configs for row in _sample(config, runs)]))
        return
    paths = Paths()
    found = write(available(argument, paths=paths), paths)
    tables.write(paths.results / argument, {"samples.json": json.dumps(found, indent=1, ensure_ascii=False) + "\n"})
    print(f"{len(found)} samples in {paths.results / argument / 'samples.json'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m seqmix_study.runs.samples TIER")
    main(sys.argv[1])
