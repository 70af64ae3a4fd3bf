"""The LM Evaluation Harness (``lm-eval``, optional) on a ``downstream.Speaker``; the only file that imports it."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from seqmix_study.runs.downstream import DownstreamError, Speaker

try:
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager
except ImportError as error:
    raise DownstreamError(
        "tasks of the LM Evaluation Harness need the package lm-eval: pip install 'seqmix[lm-eval]'; "
        "the local tasks (continuation, last_word) need nothing"
    ) from error

__all__ = ["HarnessModel", "evaluate"]

MOST_WRITTEN = 128
"""Tokens that a generation task may ask for at most."""


class HarnessModel(LM):
    """The harness' interface: three kinds of requests, answered one at a time."""

    def __init__(self, speaker: Speaker) -> None:
        super().__init__()
        self.speaker = speaker

    def loglikelihood(self, requests, **_: object) -> list[tuple[float, bool]]:
        """Return (log p, greedy) of every (context, continuation)."""
        return [self.speaker.loglikelihood(*request.args) for request in requests]

    def loglikelihood_rolling(self, requests, **_: object) -> list[float]:
        """Return log p of every whole text."""
        return [self.speaker.loglikelihood("", request.args[0])[0] for request in requests]

    def generate_until(self, requests, **_: object) -> list[str]:
        """Return the greedy continuation of every context, up to its stop strings."""
        written = []
        for request in requests:
            context, settings = request.args
            until = settings.get("until") or []
            most = min(MOST_WRITTEN, int(settings.get("max_gen_toks") or MOST_WRITTEN))
            written.append(self.speaker.write(context, [until] if isinstance(until, str) else list(until), most))
        return written


@contextmanager
def _own_cache():
    """Keep what the library ``datasets`` makes of local files in a folder that goes away, unless HF_HOME is set."""
    import datasets

    if "HF_HOME" in os.environ:
        yield
        return
    before = datasets.config.HF_DATASETS_CACHE
    with tempfile.TemporaryDirectory(prefix="seqmix-datasets-") as folder:
        datasets.config.HF_DATASETS_CACHE = Path(folder)
        try:
            yield
        finally:
            datasets.config.HF_DATASETS_CACHE = before


def evaluate(speaker: Speaker, tasks: list[str], folder: Path | None, limit: int | None) -> list[tuple]:
    """Return (task, metric, right, count, chance) a task; DownstreamError for tasks that cannot be had.

    Chance is one over the choices of a question; where the answer is written freely (LAMBADA) it is 0. With ``folder``
    only its task files are known, without it those that come with the harness.
    """
    manager = TaskManager(include_path=str(folder) if folder else None, include_defaults=folder is None)
    try:
        with _own_cache():
            done = simple_evaluate(
                model=HarnessModel(speaker), tasks=tasks, task_manager=manager, limit=limit, bootstrap_iters=0
            )
    except Exception as error:  # the harness and datasets raise whatever their network or a task's code raises
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        text = f"tasks {', '.join(tasks)}: {first[:300]} (most tasks are fetched from a network once)"
        raise DownstreamError(text) from error
    rows = []
    for task, samples in sorted(done["samples"].items()):
        scored = [sample for sample in samples if "acc" in sample]
        if not scored:
            raise DownstreamError(f"task {task} has no accuracy; its results are {sorted(done['results'][task])}")
        choices = [len(sample["arguments"]) for sample in scored]
        chance = sum(1 / n if n > 1 else 0.0 for n in choices) / len(choices)
        rows.append((task, "acc", sum(float(sample["acc"]) for sample in scored), len(scored), chance))
    return rows
