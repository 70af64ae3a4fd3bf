"""What a study will still ask for: its stages, with the runs that are known and a guess at those that are not yet.

The guess is the planner's own: it plans on from results as they might be (:class:`Guess`). Seconds are those of the
machine that published: the FLOP/s of its own runs, of the same kind of model and width, by the one that other work
disturbed least; a few steps of real shapes say how many times as long this machine takes (:func:`slowdown`).
"""

import functools
import math
import statistics
import time
from dataclasses import dataclass

import numpy as np

from seqmix import accounting
from seqmix.config import RunConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix_study.results.published import read_table
from seqmix_study.results.rows import Config
from seqmix_study.runs import precision, tune
from seqmix_study.runs.bracket import START, rate
from seqmix_study.runs.job import Queue
from seqmix_study.runs.known import Known, Outcome
from seqmix_study.runs.machine import Layout
from seqmix_study.runs.stages import flops

# Of a run that is not known: its loss, nats; octaves from the first rate tried to the best one; what lets a member of
# a family win by chance, nats.
WORSE, BESIDE, DRAWN = 100.0, 1.5, 1e-6

# FLOP/s of one core where no run of that kind is published: so many for each unit of width, and at most so many.
RATES = {"float32": (0.65e9, 50e9), "bfloat16": (1.2e9, 90e9)}

# Power of the width by which FLOP/s grow beyond the widest published run: the least of four kinds, d64 to d128.
WIDER = 0.25

# FLOP/s of an H200-class GPU on models of this size, several at once; assumed, not measured.
GPU_RATE = 40e12

START_SECONDS = 3.0  # a worker's start

SHAPES, MEASURE_SECONDS = 4, 10.0  # runs whose steps are timed here, and about how long that may take

NAMES = {"check": "precision", "sweep": "sweeps", "choice": "choice", "evidence": "evidence", "speed": "speed"}


@dataclass
class Stage:
    """One stage of a study: runs that are done, that can be done now, that wait; FLOPs and core-seconds to be spent."""

    name: str
    done: int = 0
    ready: int = 0
    waiting: int = 0
    flops: float = 0.0
    seconds: float = 0.0


@functools.lru_cache
def _published(paths: Paths) -> dict[tuple, tuple[np.ndarray, np.ndarray]]:
    """Return kind of model and precision -> widths, ascending, and the FLOP/s of the fastest run on the usual machine.

    A wider model of a kind is no slower a FLOP: where the runs say so, the machine was busy with more than them.
    """
    found: dict[tuple, dict[int, float]] = {}
    rows = read_table("runs", "laptop", paths)
    usual = statistics.mode([row.get("hardware") for row in rows] or [None])
    for row in [row for row in rows if row.get("hardware") == usual]:
        if row["status"] == "finished" and row["steps_done"] == row["steps"] and float(row["seconds"] or 0) > 0:
            kind = row["skeleton"], frozenset(row["pattern"]), bool(row["conv"]), row["precision"]
            known, width = found.setdefault(kind, {}), int(row["d_model"])
            known[width] = max(known.get(width, 0.0), float(row["train_flops"]) / float(row["seconds"]))
    ordered = {kind: np.array(sorted(known.items())).T for kind, known in found.items()}
    return {kind: (widths, np.maximum.accumulate(rates)) for kind, (widths, rates) in ordered.items()}


@functools.lru_cache
def _checks(paths: Paths) -> dict:
    """Return what the published check allows in bfloat16; kinds of model whose check is not finished are left out."""
    return {kind: shift for kind, shift in tune.shifts(Known("laptop", paths)).items() if shift}


def assumed_seconds(config: Config, paths: Paths | None = None) -> float:
    """Return the seconds of a run on one core of the machine that published (tier gpu: on a GPU).

    A width that was not published takes the rate between its neighbours (see ``WIDER``).
    """
    if config.kind == "speed":
        return _timing_flops(config) / (GPU_RATE if config.tier == "gpu" else RATES["float32"][1] / 2)
    if config.tier == "gpu":
        return flops(config) / GPU_RATE
    model, asked = config.model, config.train.precision
    used = precision.allowed(model, _checks(paths or Paths())) if asked == "checked" else asked
    kind = model.skeleton, frozenset(model.pattern), bool(model.conv), used
    if (known := _published(paths or Paths()).get(kind)) is None:
        slope, most = RATES["bfloat16" if used == "bfloat16" else "float32"]
        return flops(config) / min(most, slope * model.d_model)
    widths, rates = known
    beyond = max(1.0, model.d_model / widths[-1]) ** WIDER
    return flops(config) / float(np.interp(math.log(model.d_model), np.log(widths), rates) * beyond)


def _timing_flops(config: SpeedConfig) -> float:
    """Return the FLOPs of a measurement of speed: its calls, and the text that decoding has to read first."""
    total = 0.0
    for model in config.models.values():
        for length in config.lengths:
            batch = max(1, config.tokens_per_call // length) if config.tokens_per_call else config.batch_size
            forward = batch * accounting.train_flops_per_token(model, length) / 3
            calls = config.repeats * {"train": 3 * length, "prefill": length}.get(config.mode, 1)
            total += forward * (calls + (length if config.mode == "decode" else 0))
    return total


def slowdown(configs: list[Config], place: Layout) -> float:
    """Return how many times as long a training step takes here as ``assumed_seconds`` says.

    The median over up to ``SHAPES`` runs, from the cheapest step to the most expensive one; 1 without a run to time
    here: those of tier gpu are not timed on a machine that has none.
    """
    here = [c for c in configs if c.kind == "train" and (place.gpus or c.tier != "gpu")]
    training = sorted(here, key=lambda c: flops(c) / c.train.steps)
    began, ratios = time.monotonic(), []
    for config in training[:: max(1, len(training) // SHAPES)]:
        if time.monotonic() - began < MEASURE_SECONDS:
            ratios.append(_step_seconds(config, place) * config.train.steps / assumed_seconds(config))
    return statistics.median(ratios) if ratios else 1.0


def _step_seconds(config: RunConfig, place: Layout) -> float:
    """Return the seconds of one training step on random tokens: the best of a few, after some to warm up.

    On a CPU those of its cores: what else the machine does now says nothing about tonight.
    """
    import torch  # whoever asks only for a forecast needs none

    from seqmix import models
    from seqmix.step import TrainStep
    from seqmix.timing import interleaved

    clock = time.perf_counter if place.gpus else (lambda: time.process_time() / place.threads)
    before, device = torch.get_num_threads(), torch.device("cuda" if place.gpus else "cpu")
    torch.set_num_threads(place.threads)
    try:
        step = TrainStep(models.build(config.model).to(device), config.train, device)
        tokens = torch.randint(config.model.vocab_size, (config.train.batch_size, config.data.seq_len), device=device)
        return min(seconds for _, _, seconds in interleaved([lambda: step(tokens, tokens, 0.0)], 3, device, clock))
    finally:
        torch.set_num_threads(before)


class Guess:
    """What is known, and what might be: the loss of every other run, worse than any known one, follows its rate.

    So the planner itself says what it will ask for: a search from nothing widens once, one that knows its best ends; a
    check of bfloat16 passes where the published one did.
    """

    def __init__(self, known: Known) -> None:
        self.known, self.paths = known, known.paths

    def of(self, config: RunConfig) -> Outcome:
        """Return how a run ended, or how it might."""
        if (ended := self.known.of(config)) is not None:
            return ended
        off = math.log2(config.train.lr / rate(START)) - BESIDE
        loss = WORSE + off**2 + DRAWN * int(config.model.sha256()[:4], 16) / 16**4
        passes = precision.allowed(config.model, _checks(self.paths))
        return Outcome(loss, 0.5 if config.train.precision == passes == "bfloat16" else 1.0, 0)


def forecast(name: str, queue: Queue) -> list[Stage]:
    """Return the stages of one study of the queue's job; those without any run are left out."""
    plan, tier, paths = queue.plans[name], queue.job.tier, queue.known.paths
    found = {stage: Stage(said) for stage, said in NAMES.items()}
    planned = {config.run_id for config in plan.runs}
    whole = tune.plan(name, tier, paths, Guess(queue.known), **queue.job.studies[name]).runs if plan.waiting else []
    for config in [*plan.runs, *(config for config in whole if config.run_id not in planned)]:
        stage = found.get("speed" if config.kind == "speed" else config.role, found["evidence"])
        if config.run_id in planned and queue.done(config):
            stage.done += 1
            continue
        stage.ready += config.run_id in planned
        stage.waiting += config.run_id not in planned
        stage.flops += flops(config)
        stage.seconds += assumed_seconds(config, paths)
    return [stage for stage in found.values() if stage.done + stage.ready + stage.waiting]
