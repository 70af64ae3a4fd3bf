"""What a plan will cost on this machine, before anything is spent: time, memory, disk.

The time of a step is measured on a few real steps of the runs' own shapes (random tokens), kept in the cache folder,
and carried to shapes that were not measured through their FLOPs, within the same kind of model.
"""

import hashlib
import json
import math
import shutil
import time
from pathlib import Path

import psutil

from seqmix import accounting, provenance
from seqmix.config import RunConfig, SpeedConfig
from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix_study.runs.machine import Layout, layout, models_of, parameter_count, run_memory, visible_gpus

__all__ = ["costs", "refusals", "total_seconds"]

MEASURE_SECONDS = 10.0
"""Most time spent measuring steps in one call."""

STEPS = 3
START_SECONDS = 3.0
RUN_SECONDS = 0.3
"""A worker's start, and what a run costs beside its steps (building, writing)."""

FORWARD = 1 / 3
"""Cost of a forward pass over that of a training step, a token."""

CPU_RATE, GPU_RATE = 2e10, 2e13
"""FLOP/s of one core and of a GPU on small models, where no training step of the plan was timed."""

WARM_UP = 3
"""Calls before a speed measurement counts."""

WINDOWS = {"index": 16, "beyond": 8, "truncate": 32, "shuffle": 48, "inside": 16, "tracking": 51, "boxes": 102}
"""Windows a measurement reads, over ``eval_sequences`` (see evaluate.py; of the length that a task is trained on)."""


def _shape(config: RunConfig, place: Layout) -> str:
    """Return the name of everything that decides the time of a step on this machine."""
    t = config.train
    what = [config.model.sha256(), t.batch_size, config.data.seq_len, t.precision, t.kernel, place.threads]
    text = json.dumps([*what, bool(place.gpus), provenance.machine()])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _step_flops(config: RunConfig) -> float:
    length = config.data.seq_len
    return accounting.train_flops_per_token(config.model, length) * config.train.batch_size * length


def _time_step(config: RunConfig, place: Layout) -> float:
    """Return the seconds of one training step: the best of a few, after two to warm up."""
    import torch

    from seqmix import models
    from seqmix.step import TrainStep
    from seqmix.timing import interleaved

    before = torch.get_num_threads()
    torch.set_num_threads(place.threads)
    device = torch.device("cuda" if place.gpus else "cpu")
    try:
        model = models.build(config.model, seed=0, kernel=config.train.kernel).to(device)
        step = TrainStep(model, config.train, device)
        tokens = torch.randint(config.model.vocab_size, (config.train.batch_size, config.data.seq_len), device=device)
        return min(seconds for _, _, seconds in interleaved([lambda: step(tokens, tokens, 0.0)], STEPS, device, 2))
    finally:
        torch.set_num_threads(before)


def step_seconds(configs: list[RunConfig], place: Layout, cache: Path) -> dict[str, float]:
    """Return run_id -> seconds a step; measures what the cache lacks, for at most ``MEASURE_SECONDS``."""
    file = cache / "estimates.json"
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}  # only a cache: whatever is wrong with it, measure again
    shapes = {_shape(config, place): config for config in configs}
    missing = sorted((shape for shape in shapes if shape not in known), key=lambda s: _step_flops(shapes[s]))
    # first the ends and the middle of the sizes, so that a budget that runs out leaves neighbours near everything
    missing = [shape for start in (0, 3, 1, 2) for shape in missing[start::4]]
    deadline = time.monotonic() + MEASURE_SECONDS
    for shape in missing:
        if time.monotonic() > deadline:
            break
        known[shape] = _time_step(shapes[shape], place)
    if missing:
        atomic_write(file, json.dumps(known, indent=0, sort_keys=True) + "\n")
    measured = [(config, known[shape]) for shape, config in shapes.items() if shape in known]
    return {c.run_id: known.get(_shape(c, place)) or _carried(c, measured) for c in configs}


def _kind(config: RunConfig) -> tuple:
    return config.model.skeleton, frozenset(config.model.pattern)


def _carried(config: RunConfig, measured: list[tuple[RunConfig, float]]) -> float:
    """Return the time of a step from the measured shape of the same kind that is nearest in FLOPs."""
    same = [pair for pair in measured if _kind(pair[0]) == _kind(config)] or measured
    if not same:
        return math.nan
    flops = _step_flops(config)
    nearest, seconds = min(same, key=lambda pair: abs(math.log(_step_flops(pair[0]) / flops)))
    return seconds * flops / _step_flops(nearest)


def costs(configs: list[RunConfig | SpeedConfig], paths: Paths, jobs: int | None = None) -> dict[str, float]:
    """Return run_id -> seconds on one worker of this machine, from a few measured steps."""
    place = layout(configs, jobs)
    training = [config for config in configs if isinstance(config, RunConfig)]
    timed = step_seconds(training, place, paths.cache) if training else {}
    rate = GPU_RATE if place.gpus else CPU_RATE
    found = {config.run_id: _run_seconds(config, timed[config.run_id]) for config in training}
    timings = [config for config in configs if isinstance(config, SpeedConfig)]
    return found | {config.run_id: _speed_seconds(config, training, timed, rate) for config in timings}


def _run_seconds(config: RunConfig, step: float) -> float:
    train = config.train
    checks = train.steps // train.check_every if train.target_accuracy else 0
    read = train.eval_sequences * (train.eval_points + checks + sum(WINDOWS.get(e, 4) for e in config.evaluate))
    per_sequence = step / train.batch_size
    return RUN_SECONDS + step * train.steps + FORWARD * per_sequence * read


def _speed_seconds(config: SpeedConfig, training: list[RunConfig], timed: dict[str, float], rate: float) -> float:
    """Estimate a speed measurement from the FLOP/s of the timed training steps (``rate`` where there are none)."""
    rates = sorted(_step_flops(c) / timed[c.run_id] for c in training if timed.get(c.run_id, 0) > 0)
    rate = rates[len(rates) // 2] if rates else rate
    flops = 0.0
    for model in models_of(config):
        for length in config.lengths:
            batch = max(1, config.tokens_per_call // length) if config.tokens_per_call else config.batch_size
            forward = batch * FORWARD * accounting.train_flops_per_token(model, length)
            a_call = forward * {"train": 3 * length, "prefill": length}.get(config.mode, 1)
            flops += a_call * (config.repeats + WARM_UP) + (forward * length if config.mode == "decode" else 0)
    return flops / rate + 1e-3 * config.repeats * len(config.models) * len(config.lengths)


def total_seconds(configs: list[RunConfig | SpeedConfig], found: dict[str, float], jobs: int | None = None) -> float:
    """Return the time of all runs with the workers that the engine would start; speed measurements run alone."""
    if not configs:
        return 0.0
    place = layout(configs, jobs)
    train = [found[c.run_id] for c in configs if isinstance(c, RunConfig)]
    alone = sum(found[c.run_id] for c in configs if isinstance(c, SpeedConfig))
    # several runs on one GPU overlap, but not perfectly
    workers = place.jobs if not place.gpus else min(place.jobs, 1.5 * len(place.gpus))
    return START_SECONDS + max(sum(train) / workers, max(train, default=0.0)) + alone


def refusals(configs: list[RunConfig | SpeedConfig], runs: Path) -> list[str]:
    """Return why these runs (those still to be done) cannot work on this machine, each with what to lower; [] if so."""
    gpus = visible_gpus()
    if gpus:
        import torch

        limit, where = torch.cuda.get_device_properties(0).total_memory, "the GPU has"
    else:
        limit, where = psutil.virtual_memory().total, "this machine has"
    reasons, disk, gib = [], 0, 2**30
    for config in configs:
        need = run_memory(config)
        disk += 4 * parameter_count(config.model) * 4 if isinstance(config, RunConfig) else 0
        if need > limit:
            knobs = "speed.tokens_per_call or speed.lengths"
            if isinstance(config, RunConfig):
                knobs = f"train.batch_size (now {config.train.batch_size}), data.seq_len (now {config.data.seq_len})"
                knobs += f" or the size (d_model is {config.model.d_model})"
            text = f"{config.run_id} needs about {need / gib:.1f} GiB and {where} {limit / gib:.1f}: lower {knobs}"
            reasons.append(text)
    place = next((folder for folder in (runs, *runs.parents) if folder.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    if disk > free:
        needed = f"the weights and checkpoints need about {disk / gib:.1f} GiB and {place} has {free / gib:.1f} free"
        reasons.append(f"{needed}: free some space, or set SEQMIX_RUNS to another disk")
    return reasons
