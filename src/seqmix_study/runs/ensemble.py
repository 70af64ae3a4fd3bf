"""Train several runs of one shape as one batched model: small runs fill a large GPU together.

Runs share an ensemble when they differ in seeds, learning rate and labels only (``together.py`` groups them).
Each keeps its own data order, gradient clipping, learning rate and end (reached, diverged, finished), and leaves an
ordinary record: weights, curve, checkpoint and metrics are those of a run trained alone, up to the rounding of sums
(``tests/test_ensemble.py``). A checkpoint written here is resumed by the ordinary trainer, and the other way round.
"""

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqmix import checkpoint, data, evaluate, models, probes, train
from seqmix.config import RunConfig
from seqmix.models.groups import group_of
from seqmix.record import RunFolder
from seqmix.step import IGNORE, TrainStep, keep_freed_memory
from seqmix_study.runs.replicas import Replicas

__all__ = ["EnsembleStep", "saved_step", "train_together"]

EPSILON = 1e-8
"""PyTorch's default for AdamW."""

Progress = Callable[[str, dict[str, Any]], Any]
"""Called for every run after every step with its id and step, steps, tokens, loss; true asks all to stop and save."""


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


class Member:
    """One run of an ensemble: its configuration, record and counters."""

    def __init__(self, config: RunConfig, folder: RunFolder, place: torch.device) -> None:
        self.config, self.folder = config, folder
        self.alone = self.on_its_own(place)
        self.state = train._restore(folder, self.alone.model, self.alone)

    def on_its_own(self, place: torch.device) -> TrainStep:
        model = models.build(self.config.model, seed=self.config.seed, kernel=self.config.train.kernel).to(place)
        return TrainStep(model, self.config.train, place)


def train_together(
    configs: list[RunConfig],
    folders: list[RunFolder],
    progress: Progress = lambda run_id, row: None,
    device: str = "auto",
) -> None:
    """Train runs of one shape (or go on with those that stand at the same step) and leave a complete record of each.

    Raises ValueError for runs that cannot share, ``train.Interrupted`` when ``progress`` asks to stop, all saved;
    what ``train.train`` raises besides.
    """
    if configs[0].train.accelerate != "none":
        raise ValueError("an ensemble is not compiled or recorded as a graph: use accelerate 'none' with it")
    torch.set_flush_denormal(True)
    place = train.choose_device(device)
    members = [Member(config, folder, place) for config, folder in zip(configs, folders, strict=True)]
    if len({member.state["step"] for member in members}) > 1:
        raise ValueError("runs that stand at different steps cannot go on as one ensemble")
    source, settings = data.open_source(configs[0].data), configs[0].train
    replicas = Replicas([member.alone.model for member in members]).to(place)
    step = EnsembleStep(replicas, configs, place)
    for r, member in enumerate(members):
        step.load(r, member.alone)
        member.folder.write_config(member.config)
        proven = train._provenance(member.config, place, source)
        member.folder.write_provenance(proven | {"replicas": len(members)})
        if r:
            member.alone = None  # one model of its own is enough to measure with
    alone, windows = members[0].alone, source.evaluation(settings.eval_sequences)
    points = set(train.evaluation_steps(settings))
    began = time.perf_counter()

    while members and members[0].state["step"] < settings.steps:
        now = members[0].state["step"]
        inputs, targets, scored = _batches(source, now, members, place)
        loss_sums, norms = step(inputs, targets, train.lr_scale(now, settings))
        losses, norms = [x / n for x, n in zip(loss_sums.tolist(), scored, strict=True)], norms.tolist()
        share, began = (time.perf_counter() - began) / len(members), time.perf_counter()
        ended, stop = [], False
        for r, member in enumerate(members):
            state = member.state
            state["step"], state["seconds"] = now + 1, state["seconds"] + share
            if not math.isfinite(losses[r]) or not math.isfinite(norms[r]):
                why = f"loss {losses[r]}, gradient norm {norms[r]} at step {now + 1}"
                train._finish(member.folder, member.config, source, state, "diverged", why)
                ended.append(r)
                continue
            old = state["smooth"]
            state["smooth"] = losses[r] if now == 0 else train.SMOOTHING * old + (1 - train.SMOOTHING) * losses[r]
            state["grad_norm_max"] = max(state["grad_norm_max"], norms[r])
            reached = 0 < state["smooth"] < settings.target_loss
            if settings.target_accuracy and (now + 1) % settings.check_every == 0:
                alone.model.load_state_dict(replicas.weights_of(r))
                reached = reached or probes.solved(alone.model, source, member.config, now + 1, place)
            if now + 1 in points or reached:
                alone.model.load_state_dict(replicas.weights_of(r))
                _append_row(member, alone.model, windows, place, norms[r])
            if reached or now + 1 == settings.steps:
                state["reached"] = now + 1 if reached else 0
                _finish(member, alone.model, source, place)
                ended.append(r)
            tokens = settings.batch_size * member.config.data.seq_len
            row = {"step": now + 1, "steps": settings.steps, "tokens": tokens, "loss": state["smooth"]}
            stop = bool(progress(member.config.run_id, row)) or stop
        if ended:
            left = [r for r in range(len(members)) if r not in ended]
            members = [members[r] for r in left]
            if left:
                step.keep(left)
        if members and (stop or (now + 1) % settings.checkpoint_every == 0):
            _save(step, members, place)
        if members and stop:
            raise train.Interrupted(f"stopped at step {now + 1} of {settings.steps}")
    for r, member in enumerate(members):  # their last step was taken before an interruption
        alone.model.load_state_dict(replicas.weights_of(r))
        _finish(member, alone.model, source, place)


def saved_step(folder: RunFolder) -> int:
    """Return the step of a run's newest usable checkpoint; 0 if there is none."""
    checkpoint.repair(folder)
    return checkpoint.load(folder.checkpoint)["state"]["state"]["step"] if folder.checkpoint.exists() else 0


def _batches(source: Any, step: int, members: list[Member], place: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """Return inputs and targets ``[R, B, T]``, every run in its own order, and the scored tokens of each."""
    size, once = members[0].config.train.batch_size, {}
    for member in members:
        seed = member.config.data_seed
        if seed not in once:
            once[seed] = source.batch(step, size, seed)
    chosen = [once[member.config.data_seed] for member in members]
    inputs, targets = (np.stack([getattr(batch, part) for batch in chosen]) for part in ("inputs", "targets"))
    scored = [max(1, int(n)) for n in (targets != IGNORE).sum((1, 2))]
    return torch.from_numpy(inputs).to(place), torch.from_numpy(targets).to(place), scored


def _append_row(member: Member, model: torch.nn.Module, windows: Any, place: torch.device, norm: float) -> None:
    config, state = member.config, member.state
    tokens = state["step"] * config.train.batch_size * config.data.seq_len
    row = {"step": state["step"], "tokens": tokens, "seconds": state["seconds"]}
    row |= evaluate.held_out(model, windows, place)
    row |= evaluate.first_token_gradient(model, windows, config, place)
    lr = config.train.lr * train.lr_scale(state["step"] - 1, config.train)
    member.folder.append_curve(row | {"train_loss": state["smooth"], "grad_norm": norm, "lr": lr})


def _finish(member: Member, model: torch.nn.Module, source: Any, place: torch.device) -> None:
    checkpoint.save_weights(member.folder.weights, model.state_dict())
    tested = train._measure(member.config, member.folder, model, source, place)
    train._finish(member.folder, member.config, source, member.state, "finished", "", tested)
    model.train()


def _save(step: EnsembleStep, members: list[Member], place: torch.device) -> None:
    for r, member in enumerate(members):
        alone = member.on_its_own(place)
        step.hand_over(r, alone)
        train._save(member.folder, alone.model, alone, member.state)
