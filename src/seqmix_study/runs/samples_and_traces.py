"""What trained models write, answer and do inside: ``samples.json``, ``scores.json`` and ``traces.json`` of a tier.

``python -m seqmix_study.runs.samples_and_traces laptop`` reads the weights in ``runs/`` and writes the files into
``results/<tier>``; chapters read them there.

Samples: the largest byte-level models of the study ``frontier``, one an architecture and corpus (seed 0), go on with
the same held-out beginnings. Scores: the same models answer the questions of ``downstream.py``. Traces, of the study
``attribution``: ``question`` (where it is asked in its document, and where its answer was stated) and ``runs``, one
dict a model (see ``traces.trace``); attention only of the first seed.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial

import torch

from seqmix import data
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix.restore import restore
from seqmix_study.results import published
from seqmix_study.runs import downstream, traces, tune
from seqmix_study.runs.stages import non_embedding

PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 2, 64, 192
QUESTIONS = 500
TEMPERATURE = 0.7
TEXT = ("python", "books", "stdlib", "folder")


def trained(name: str, tier: str, paths: Paths) -> list[RunConfig]:
    """Return the training runs of a study that are evidence, have finished and left their weights on this machine."""
    folders = ((config, RunFolder(paths.runs / config.run_id)) for config in tune.plan(name, tier, paths).runs)
    ended = [config for config, folder in folders if folder.status_unlocked() == "finished" and folder.weights.exists()]
    return [config for config in ended if config.kind == "train" and config.role in ("", "evidence")]


def largest(configs: list[RunConfig]) -> list[RunConfig]:
    """Return the largest seed-0 run of every architecture and text corpus, read as bytes."""
    asked = [c for c in configs if not c.seed and c.data.tokenizer == "bytes" and c.data.source in TEXT]
    asked.sort(key=lambda c: c.model.d_model**2 * c.model.n_layers * c.tokens)
    return list({(config.data.source, config.arm): config for config in asked}.values())


def _readable(tokens: Iterable[int]) -> str:
    """Return byte tokens as text; what is no UTF-8 or no printable character becomes a middle dot."""
    text = bytes(int(token) for token in tokens).decode("utf-8", errors="replace").replace("�", "·")
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)


def sample(config: RunConfig, paths: Paths) -> list[dict]:
    """Let one model go on with held-out beginnings; the same ones, and the same random numbers, for every model."""
    source = data.open_source(config.data)
    windows = source.evaluation(max(PROMPTS, config.train.eval_sequences)).inputs
    length = min(PROMPT_TOKENS, windows.shape[1] // 2)
    at = [i * (len(windows) // PROMPTS) for i in range(PROMPTS)]
    model = restore(config, RunFolder(paths.runs / config.run_id), source)
    beginnings = torch.from_numpy(windows[at, :length])
    about = {"run_id": config.run_id, "arm": config.arm, "source": config.data.source, "temperature": TEMPERATURE}
    rows = []
    for i, row in zip(at, model.generate(beginnings, NEW_TOKENS, temperature=TEMPERATURE, seed=0), strict=True):
        parts = {"prompt": row[:length], "written": row[length:], "truth": windows[i, length : length + NEW_TOKENS]}
        rows.append(about | {name: _readable(tokens) for name, tokens in parts.items()})
    return rows


def score(config: RunConfig, paths: Paths) -> list[dict]:
    """Let one model answer questions made from its held-out text; the same ones for every model of a corpus."""
    about = {"run_id": config.run_id, "arm": config.arm, "source": config.data.source}
    about |= {"parameters": non_embedding(config), "tokens": config.tokens}
    model = restore(config, RunFolder(paths.runs / config.run_id), data.open_source(config.data))
    log_p = partial(downstream.log_probability, model, config.data.seq_len)
    found = downstream.scores(log_p, downstream.held_out_tasks(config.data, QUESTIONS))
    return [about | asdict(score) | {"said": score.said} for score in found]


def trace(configs: list[RunConfig], paths: Paths) -> dict:
    """Look into runs of one source; {} without any, ValueError for several sources: one picture cannot show them."""
    if not configs:
        return {}
    if len({config.data.model_dump_json() for config in configs}) > 1:
        raise ValueError("these runs read different sources: one picture cannot show them all")
    source = data.open_source(configs[0].data)
    first = {config.arm: config.seed for config in sorted(configs, key=lambda config: -config.seed)}
    asked, found = traces.question(source), []
    for config in configs:
        model = restore(config, RunFolder(paths.runs / config.run_id), source)
        found.append(traces.trace(model, source, config, asked, whole=first[config.arm] == config.seed))
    return {"question": {"position": int(asked.position), "stated": int(asked.source)}, "runs": found}


def main(tier: str, paths: Paths) -> None:
    """Write the files of a tier, where the weights for them are here."""
    torch.set_num_threads(1)  # the same sums wherever this is done
    asked = largest(trained("frontier", tier, paths))
    rows, scores = ([row for config in asked for row in how(config, paths)] for how in (sample, score))
    found = trace(trained("attribution", tier, paths), paths)
    files = {"samples.json": json.dumps(rows, indent=1, ensure_ascii=False) + "\n"} if rows else {}
    files |= {"scores.json": json.dumps(scores, indent=1) + "\n"} if scores else {}
    files |= {"traces.json": json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"} if found else {}
    published.write(paths.results / tier, files)
    print(f"{paths.results / tier}: {len(rows)} samples, traces of {len(found.get('runs', ()))} models")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m seqmix_study.runs.samples_and_traces TIER")
    main(sys.argv[1], Paths())
