"""Train several runs of one shape as one batched model: small runs fill a large GPU together.

Runs share an ensemble when they differ in seeds, learning rate and labels only (:func:`mates`).
Each keeps its own data order, gradient clipping, optimiser and end (reached, diverged, finished), and leaves an
ordinary record: weights, curve, checkpoint and metrics are those of a run trained alone, up to the rounding of sums
(``tests/test_ensemble.py``). A checkpoint written here is resumed by the ordinary trainer, and the other way round.
"""

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from filelock import Timeout

from seqmix import checkpoint, models, train
from seqmix.config import RunConfig
from seqmix.mixers import unshared
from seqmix.record import RecordError, RunFolder
from seqmix.step import IGNORE, TrainStep
from seqmix_study.runs.machine import run_memory
from seqmix_study.runs.replicas import Replicas
from seqmix_study.runs.sign import Result, Teller, shorten

# Runs in one ensemble at most.
MOST = 64

# Part of the memory that an ensemble may fill by the generous estimate of ``machine.run_memory``.
SHARE = 0.6


class Ensemble:
    """The way to step several runs of one shape; see ``train.Alone``, whose methods these are.

    Forward and backward pass are one, over the :class:`Replicas`; clipping and AdamW are those of each run's own step.
    """

    def __init__(self, configs: Sequence[RunConfig], place: torch.device, team: Any = None) -> None:
        if configs[0].train.accelerate != "none":
            raise ValueError("an ensemble is not recorded as a graph: use accelerate 'none' with it")
        self.place = place
        self.steps = [TrainStep(models.build(c.model, seed=c.seed).to(place), c.train, place) for c in configs]
        self.replicas = Replicas([step.model for step in self.steps])

    def __call__(self, batches: Sequence[Any], lr_scale: float) -> list[tuple[float, float]]:
        """Take one step of every run on its batch; return each one's summed loss, nats, and gradient norm."""
        inputs, targets = (
            torch.from_numpy(np.stack([getattr(batch, part) for batch in batches])).to(self.place)
            for part in ("inputs", "targets")
        )
        with self.steps[0].autocast():
            logits = self.replicas(inputs.flatten(0, 1))
        each = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
        sums = each.view(len(batches), -1).sum(1)
        scored = (targets != IGNORE).sum((1, 2)).clamp(min=1)
        (sums / scored).sum().backward()
        self.replicas.hand_over_gradients()
        norms = []
        for step in self.steps:
            for group in step.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * lr_scale
            norms.append(step.update())
        return list(zip(sums.tolist(), torch.stack(norms).tolist(), strict=True))

    def model(self, which: int) -> torch.nn.Module:
        """Return a copy of one run's model, in memory of its own."""
        return copy.deepcopy(self.steps[which].model)

    def load(self, which: int, saved: dict[str, Any]) -> None:
        self.steps[which].model.load_state_dict(saved["model"])
        self.steps[which].optimizer.load_state_dict(saved["optimizer"])

    def saved(self, which: int) -> dict[str, Any]:
        return {"model": self.model(which).state_dict(), "optimizer": self.steps[which].optimizer.state_dict()}

    def keep(self, which: Sequence[int]) -> None:
        self.steps = [self.steps[r] for r in which]
        if which:
            self.replicas = Replicas([step.model for step in self.steps])


def shape_of(config: RunConfig) -> str:
    """Return the hash of all that runs of one ensemble have in common: everything but seeds, learning rate, labels."""
    train = config.train.model_copy(update={"lr": 0.5})
    return config.model_copy(update={"seed": 0, "data_seed": 0, "train": train}).sha256()


def mates(first: RunConfig, others: list[RunConfig]) -> list[RunConfig]:
    """Return the runs that can train with ``first``, itself first: of its shape, as many as the memory takes.

    [first] where its mixers cannot share or nobody has its shape.
    """
    if unshared(first.model):
        return [first]
    most = min(MOST, max(1, int(SHARE * _memory() // run_memory(first))))
    shape = shape_of(first)
    return [first, *(c for c in others if c.run_id != first.run_id and shape_of(c) == shape)][:most]


def _memory() -> int:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available


def carry_out(first: RunConfig, todo: list[RunConfig], runs: Path, teller: Teller) -> list[Result]:
    """Train ``first`` with the free runs of its shape that stand at its step; [] if there is none."""
    group = mates(first, todo)
    if len(group) < 2:
        return []
    with ExitStack() as locks:
        at_step: dict[int, list[tuple[RunConfig, RunFolder]]] = {}
        for config in group:
            folder = RunFolder(runs / config.run_id)
            try:
                locks.enter_context(folder.lock().acquire(timeout=0))
            except Timeout:
                continue
            if folder.status_unlocked() in ("new", "interrupted"):
                checkpoint.repair(folder)
                step = checkpoint.load(folder.checkpoint)["state"]["state"]["step"] if folder.checkpoint.exists() else 0
                at_step.setdefault(step, []).append((config, folder))
        members = max(at_step.values(), key=len, default=[])
        if len(members) < 2:
            return []
        for _, folder in members:
            teller.take(folder)
        failed = None
        try:
            configs, folders = zip(*members, strict=True)
            train.train_together(configs, folders, lambda run_id, row: teller(row, run_id), way=Ensemble)
        except train.Interrupted:
            pass
        except RecordError as error:
            failed = Result("failed", str(error), error.fatal)
        except Exception as error:
            failed = Result("failed", f"in an ensemble: {shorten(error)}")
        return [_ended(folder, failed, teller) for _, folder in members]


def _ended(folder: RunFolder, failed: Result | None, teller: Teller) -> Result:
    result = failed or Result("interrupted")
    if (status := folder.status_unlocked()) in ("finished", "diverged"):
        result = Result(status)
    elif failed and not failed.fatal:
        folder.finish("failed", failed.message)
    teller.leave(folder, result)
    return result
