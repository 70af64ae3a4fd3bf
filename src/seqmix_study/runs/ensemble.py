"""Train several runs of one shape as one batched model: small runs fill a large GPU together.

Runs share an ensemble when they differ in seeds, learning rate and labels only (:func:`mates`).
Each keeps its own data order, gradient clipping, learning rate and end (reached, diverged, finished), and leaves an
ordinary record: weights, curve, checkpoint and metrics are those of a run trained alone, up to the rounding of sums
(``tests/test_ensemble.py``). A checkpoint written here is resumed by the ordinary trainer, and the other way round.
"""

import contextlib
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from filelock import Timeout
from torch import Tensor

from seqmix import checkpoint, models, train
from seqmix.config import RunConfig
from seqmix.mixers import unshared
from seqmix.models.groups import group_of
from seqmix.record import RecordError, RunFolder
from seqmix.step import IGNORE, TrainStep, keep_freed_memory
from seqmix_study.runs.machine import run_memory
from seqmix_study.runs.replicas import Replicas
from seqmix_study.runs.sign import Result, Teller, shorten

__all__ = ["Ensemble", "EnsembleStep", "carry_out", "mates", "saved_step", "shape_of"]

EPSILON = 1e-8
"""PyTorch's default for AdamW."""

MOST = 64
"""Runs in one ensemble at most."""

SHARE = 0.6
"""Part of the memory that an ensemble may fill by the generous estimate of ``machine.run_memory``."""


class EnsembleStep:
    """The step of R models: ``loss_sums [R], grad_norms [R] = step(inputs [R, B, T], targets, lr_scale)``.

    AdamW as PyTorch computes it, with a learning rate and a clipping factor a replica.
    """

    def __init__(self, replicas: Replicas, configs: list[RunConfig], device: torch.device) -> None:
        self.replicas, self.config, self.device, self.steps = replicas, configs[0].train, device, 0
        keep_freed_memory()
        width, base = replicas.config.d_model, self.config.lr_width
        lr = torch.tensor([c.train.lr for c in configs], dtype=torch.float64)
        hidden = lr * base / width if base else lr
        self.named = dict(replicas.named_parameters())
        self.hidden = {name: group_of(replicas.config, name, p.dim() - 1) == "hidden" for name, p in self.named.items()}
        dtype = replicas.embedding.weight.dtype
        self.lr = {True: hidden.to(device, dtype), False: lr.to(device, dtype)}
        self.first = {name: torch.zeros_like(p) for name, p in self.named.items()}
        self.second = {name: torch.zeros_like(p) for name, p in self.named.items()}

    def autocast(self):
        """The context of the forward pass."""
        if self.config.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def __call__(self, inputs: Tensor, targets: Tensor, lr_scale: float) -> tuple[Tensor, Tensor]:
        """Take one step of all replicas; see ``TrainStep``. Gradients are those of the sum of the replicas' means."""
        count = len(inputs)
        with self.autocast():
            logits = self.replicas(inputs.flatten(0, 1))
        each = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
        loss_sum = each.view(count, -1).sum(1)
        scored = (targets != IGNORE).sum((1, 2)).clamp(min=1)
        (loss_sum / scored).sum().backward()
        norms = self.clip()
        self.update(lr_scale)
        return loss_sum.detach(), norms

    @torch.no_grad()
    def clip(self) -> Tensor:
        """Scale every replica's gradient to norm ``clip`` at most; return the norms before, ``[R]``."""
        squares = [p.grad.flatten(1).square().sum(1) for p in self.named.values()]
        norms = torch.stack(squares).sum(0).sqrt()
        factor = (self.config.clip / (norms + 1e-6)).clamp(max=1.0)
        for p in self.named.values():
            p.grad.mul_(along(factor, p))
        return norms

    @torch.no_grad()
    def update(self, lr_scale: float) -> None:
        """Take AdamW's step and drop the gradients."""
        c = self.config
        self.steps += 1
        first_bias, second_bias = 1 - c.beta1**self.steps, 1 - c.beta2**self.steps
        for name, p in self.named.items():
            lr = along(self.lr[self.hidden[name]] * lr_scale, p)
            if self.hidden[name]:
                p.mul_(1 - lr * c.weight_decay)
            first, second = self.first[name], self.second[name]
            first.lerp_(p.grad, 1 - c.beta1)
            second.mul_(c.beta2).addcmul_(p.grad, p.grad, value=1 - c.beta2)
            denominator = (second.sqrt() / math.sqrt(second_bias)).add_(EPSILON)
            p.sub_(first / denominator * (lr / first_bias))
            p.grad = None

    def keep(self, replicas: list[int]) -> None:
        """Drop all other replicas."""
        self.replicas.keep(replicas)
        for moments in (self.first, self.second):
            moments.update({name: m[replicas].clone() for name, m in moments.items()})
        self.lr = {hidden: lr[replicas] for hidden, lr in self.lr.items()}

    @torch.no_grad()
    def load(self, replica: int, alone: TrainStep) -> None:
        """Take over weights and moments of a model of its own."""
        self.replicas.load(replica, alone.model.state_dict())
        for name, p in alone.model.named_parameters():
            if state := alone.optimizer.state.get(p):
                self.first[name][replica].copy_(state["exp_avg"])
                self.second[name][replica].copy_(state["exp_avg_sq"])
                self.steps = int(state["step"])

    @torch.no_grad()
    def hand_over(self, replica: int, alone: TrainStep) -> None:
        """Give weights and moments of one replica to a model of its own."""
        alone.model.load_state_dict(self.replicas.weights_of(replica))
        for name, p in alone.model.named_parameters():
            moments = {"exp_avg": self.first[name][replica].clone(), "exp_avg_sq": self.second[name][replica].clone()}
            step = torch.tensor(float(self.steps), device=p.device)
            alone.optimizer.state[p] = {"step": step, **moments}


def along(vector: Tensor, like: Tensor) -> Tensor:
    """``[R] -> [R, 1, ...]`` with the axes of ``like``."""
    return vector.view(-1, *[1] * (like.dim() - 1))


class Ensemble:
    """The way to step several runs of one shape; see ``train.Alone``, whose methods these are."""

    def __init__(self, configs: Sequence[RunConfig], place: torch.device, team: None = None) -> None:
        if configs[0].train.accelerate != "none":
            raise ValueError("an ensemble is not recorded as a graph: use accelerate 'none' with it")
        if team:
            raise ValueError("an ensemble trains in one process: start it without torchrun")
        self.configs, self.place = list(configs), place
        built = [models.build(c.model, seed=c.seed).to(place) for c in configs]
        self.one = built[0]  # one model of its own is enough to measure with
        self.step = EnsembleStep(Replicas(built).to(place), list(configs), place)

    def __call__(self, batches: Sequence[Any], lr_scale: float) -> list[tuple[float, float]]:
        inputs, targets = (np.stack([getattr(b, part) for b in batches]) for part in ("inputs", "targets"))
        sums, norms = self.step(
            torch.from_numpy(inputs).to(self.place), torch.from_numpy(targets).to(self.place), lr_scale
        )
        return list(zip(sums.tolist(), norms.tolist(), strict=True))

    def model(self, which: int) -> torch.nn.Module:
        self.one.load_state_dict(self.step.replicas.weights_of(which))
        return self.one.train()

    def _alone(self, which: int) -> TrainStep:
        """Return a step of one run's own, whose optimiser has the layout (and the rates) of its checkpoints."""
        config = self.configs[which]
        model = models.build(config.model, config.seed).to(self.place)
        return TrainStep(model, config.train, self.place)

    def load(self, which: int, saved: dict[str, Any]) -> None:
        alone = self._alone(which)
        alone.model.load_state_dict(saved["model"])
        alone.optimizer.load_state_dict(saved["optimizer"])
        self.step.load(which, alone)

    def saved(self, which: int) -> dict[str, Any]:
        alone = self._alone(which)
        self.step.hand_over(which, alone)
        return {"model": alone.model.state_dict(), "optimizer": alone.optimizer.state_dict()}

    def keep(self, which: Sequence[int]) -> None:
        self.configs = [self.configs[r] for r in which]
        if which:
            self.step.keep(list(which))


def saved_step(folder: RunFolder) -> int:
    """Return the step of a run's newest usable checkpoint; 0 if there is none."""
    checkpoint.repair(folder)
    return checkpoint.load(folder.checkpoint)["state"]["state"]["step"] if folder.checkpoint.exists() else 0


def shape_of(config: RunConfig) -> str:
    """Return the hash of all that runs of one ensemble have in common: everything but seeds, learning rate, labels."""
    train = config.train.model_copy(update={"lr": 0.5})
    return config.model_copy(update={"seed": 0, "data_seed": 0, "train": train}).sha256()


def mates(first: RunConfig, others: list[RunConfig], limit: int | None = None) -> list[RunConfig]:
    """Return the runs that can train with ``first``, itself first: of its shape, as many as the memory takes.

    ``limit``: bytes (None: what this machine has). [first] where its mixers cannot share or nobody has its shape.
    """
    if unshared(first.model):
        return [first]
    available = _memory() if limit is None else limit
    most = min(MOST, max(1, int(SHARE * available // run_memory(first))))
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
        free: list[tuple[RunConfig, RunFolder]] = []
        for config in group:
            folder = RunFolder(runs / config.run_id)
            try:
                locks.enter_context(folder.lock().acquire(timeout=0))
            except Timeout:
                continue
            if folder.status_unlocked() in ("new", "interrupted") and not folder.reopened:
                free.append((config, folder))
        steps = [saved_step(folder) for _, folder in free]
        common = max(set(steps), key=steps.count, default=0)
        members = [pair for pair, step in zip(free, steps, strict=True) if step == common]
        if len(members) < 2:
            return []
        for config, folder in members:
            folder.write_config(config)
            teller.take(folder)
        reason, fatal = "", False
        try:
            configs, folders = zip(*members, strict=True)
            train.train_together(configs, folders, lambda run_id, row: teller(row, run_id), way=Ensemble)
        except train.Interrupted:
            reason = ""
        except RecordError as error:
            reason, fatal = str(error), error.fatal
        except Exception as error:
            reason = shorten(error)
        return [_ended(folder, reason, fatal, teller) for _, folder in members]


def _ended(folder: RunFolder, reason: str, fatal: bool, teller: Teller) -> Result:
    status = folder.status_unlocked()
    if status in ("finished", "diverged"):
        result = Result(folder.run_id, status)
    elif reason:
        if not fatal:
            folder.finish("failed", f"in an ensemble: {reason}")
        result = Result(folder.run_id, "failed", reason, fatal)
    else:
        result = Result(folder.run_id, "interrupted")
    teller.leave(folder, result)
    return result
