"""What is looked at before anything starts: memory, disk, folders and the engine. Each fault is one sentence."""

import importlib
import os
import shutil
from pathlib import Path

import numpy as np
import psutil

from seqmix import accounting, data, study
from seqmix.data import CorpusError
from seqmix_study.results.rows import Config
from seqmix_study.runs.job import CheckError, Job, Queue
from seqmix_study.runs.machine import run_memory, visible_gpus

# Tokens and number of the stretches of held-out text that are looked for; tokens of training text searched.
STRETCH, STRETCHES, MOST_SEARCHED = 64, 16, 2**28


def environment() -> None:
    """Check the variables that steer the project; raises CheckError naming the first that is wrong."""
    for name in ("SEQMIX_RUNS", "SEQMIX_CACHE"):
        place = Path(os.environ.get(name) or ".").absolute()
        if not (there := _existing(place)).is_dir():
            raise CheckError(f"{name} is {place}, but {there} is a file: name a folder")


def _existing(place: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


def before_training(job: Job, engine: str = "local") -> None:
    """Raise CheckError for the first thing that would keep the job from working; a finished job needs nothing."""
    environment()
    try:
        queue = Queue(job)
        todo = [config for config in queue.runs() if not queue.done(config)]
    except CorpusError as error:
        raise CheckError(str(error)) from error
    if not todo and not queue.waiting():
        return
    later = {name: plan.open for name, plan in queue.plans.items() if plan.open}
    cells = [
        c for n in later for c in study.plan(n, job.tier, paths=job.paths, **job.studies[n]) if c.group in later[n]
    ]
    _read_folders([*todo, *cells])
    if engine != "local":
        importlib.import_module(f"seqmix_study.runs.{engine}").check()
    if not os.access(there := _existing(Path(job.folder)), os.W_OK):
        raise CheckError(f"{there} cannot be written: set SEQMIX_RUNS to a folder you may write to")
    if reasons := refusals(todo, Path(job.folder)):
        raise CheckError("; ".join(reasons))


def _refuse_copies(train: np.ndarray, held_out: np.ndarray, split: str) -> None:
    """Raise CorpusError if most stretches of a held-out part stand word for word in the training text."""
    text = train[:MOST_SEARCHED].tobytes()
    starts = np.linspace(0, max(0, len(held_out) - STRETCH), STRETCHES).astype(int)
    copies = sum(held_out[start : start + STRETCH].tobytes() in text for start in starts)
    if copies > STRETCHES / 2:
        text = f"{copies} of {STRETCHES} stretches of its {split} part stand word for word in its train part: a loss "
        raise CorpusError(text + "on what was learnt by heart says nothing; take the copies out of one of them")


def _read_folders(todo: list) -> None:
    """Open every folder of text that the runs read, draw windows of all its splits, and see that none is a copy."""
    once = {c.data.sha256(): c for c in todo if c.kind == "train" and c.data.source in data.FOLDERS}
    for config in once.values():
        try:
            source = data.open_source(config.data)
            source.batch(0, config.train.batch_size, config.data_seed)
            for split in ("valid", "test"):
                source.evaluation(config.train.eval_sequences, split)
                _refuse_copies(source.streams["train"], source.streams[split], split)
        except ValueError as error:
            place = config.data.path or f"study {config.study}, group {config.group} (seqmix train --only names others)"
            raise CheckError(f"{place}: {error}".replace(f"{place}: " * 2, "")) from error


def refusals(configs: list[Config], runs: Path) -> list[str]:
    """Return why these runs (those still to be done) cannot work on this machine, each with what to lower; [] if so."""
    limit, where = psutil.virtual_memory().total, "this machine has"
    if visible_gpus():
        import torch

        limit, where = torch.cuda.get_device_properties(0).total_memory, "the GPU has"
    reasons, disk, gib = [], 0, 2**30
    for config in (config for config in configs if config.kind == "train"):
        disk += 4 * accounting.parameters(config.model)["total"] * 4
        if (need := run_memory(config)) > limit:
            text = f"{config.run_id} needs about {need / gib:.1f} GiB and {where} {limit / gib:.1f}: lower "
            text += f"train.batch_size (now {config.train.batch_size}), data.seq_len (now {config.data.seq_len}) "
            reasons.append(text + f"or the size (d_model is {config.model.d_model})")
    free = shutil.disk_usage(place := _existing(runs)).free
    if disk > free:
        needed = f"the weights and checkpoints need about {disk / gib:.1f} GiB and {place} has {free / gib:.1f} free"
        reasons.append(f"{needed}: free some space, or set SEQMIX_RUNS to another disk")
    return reasons
