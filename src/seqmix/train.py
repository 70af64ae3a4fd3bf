"""The one training loop, in six phases that can be read aloud: build, schedule, step, measure, record, finish.

The batch at step t is a function of the data seed and t alone, so every architecture sees the same tokens in the same
order, and a resumed run goes on exactly where it was. A run that diverges is a result, not an exception.

How a step is taken is exchangeable: one model on one device, on several (``distributed.py``), recorded or compiled
(``accelerate.py``), or several runs of one shape as one batched model (the ``way`` of :func:`train_together`).
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seqmix import checkpoint, data, distributed, evaluate, models, probes, provenance
from seqmix.accelerate import kernel_name, make_step
from seqmix.config import RunConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix.restore import restore

__all__ = ["Alone", "Interrupted", "choose_device", "lr_scale", "remeasure", "train", "train_together"]

Progress = Callable[[dict[str, Any]], Any]
"""Called after every step with step, steps, tokens, loss; a true return value asks the run to stop and save."""

SMOOTHING = 0.98
"""Weight of the past in the running training loss that ``target_loss`` is compared with."""


class Interrupted(Exception):
    """The run was asked to stop; its checkpoint is saved and the same command goes on from there."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device to use: CUDA when there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def lr_scale(step: int, config: TrainConfig) -> float:
    """Learning rate at a step (from 0) over its peak: linear warm-up, constant, linear decay to ``final_lr``."""
    rise = max(1, round(config.warmup * config.steps))
    fall = max(1, round(config.decay * config.steps))
    up = min(1.0, (step + 1) / rise)
    down = min(1.0, (config.steps - step - 1) / fall) if config.decay else 1.0
    return min(up, config.final_lr + (1 - config.final_lr) * down)


def evaluation_steps(config: TrainConfig) -> list[int]:
    """Steps after which the held-out loss is measured: log-spaced, the last one at the end."""
    points = config.eval_points
    first = max(1.0, config.steps / 64)
    ratio = (config.steps / first) ** (1 / max(1, points - 1))
    return sorted({min(config.steps, round(first * ratio**k)) for k in range(points)} | {config.steps})


@dataclass
class Member:
    """One run that is being trained: its configuration, its record, its counters."""

    config: RunConfig
    folder: RunFolder
    state: dict[str, Any]


class Alone:
    """The usual way to step: one run, one model of its own."""

    def __init__(self, configs: Sequence[RunConfig], place: torch.device, team: distributed.Team | None = None) -> None:
        (config,) = configs
        self.place = place
        self.own = models.build(config.model, seed=config.seed).to(place)
        shared = distributed.SharedStep(self.own, config.train, team) if team else None
        self.step = shared or make_step(self.own, config.train, place)

    def __call__(self, batches: Sequence[data.Batch], lr_scale: float) -> list[tuple[float, float]]:
        """Take one step of every run on its batch; return each one's summed loss, nats, and gradient norm."""
        (batch,) = batches
        inputs, targets = torch.from_numpy(batch.inputs).to(self.place), torch.from_numpy(batch.targets).to(self.place)
        loss_sum, grad_norm = self.step(inputs, targets, lr_scale)
        return [(float(loss_sum), float(grad_norm))]

    def model(self, which: int) -> torch.nn.Module:
        """Return a model with the weights of one run, to measure with."""
        return self.own

    def load(self, which: int, saved: dict[str, Any]) -> None:
        """Take over a checkpoint's model and optimiser."""
        self.own.load_state_dict(saved["model"])
        self.step.optimizer.load_state_dict(saved["optimizer"])

    def saved(self, which: int) -> dict[str, Any]:
        """Return what a checkpoint of one run needs to hold."""
        return {"model": self.own.state_dict(), "optimizer": self.step.optimizer.state_dict()}

    def keep(self, which: Sequence[int]) -> None:
        """Drop all other runs."""


def train(config: RunConfig, folder: RunFolder, progress: Progress = lambda info: None, device: str = "auto") -> None:
    """Train one run (or go on with it) and leave its complete record in ``folder``; see :func:`train_together`."""
    train_together([config], [folder], lambda run_id, row: progress(row), device)


def train_together(
    configs: Sequence[RunConfig],
    folders: Sequence[RunFolder],
    progress: Callable[[str, dict[str, Any]], Any] = lambda run_id, row: None,
    device: str = "auto",
    way: Callable = Alone,
) -> None:
    """Train runs that share all but seeds, rate and labels, in the ``way`` given; each leaves its complete record.

    ``progress`` gets the run's id besides. Raises Interrupted when it asks to stop, all saved; ValueError for runs
    that stand at different steps or whose rate is not decided; data.CorpusError and record.RecordError with a clear
    message. A loss that is not finite ends its run with the outcome ``diverged``.
    """
    # 1 build
    for config in configs:
        if not config.train.lr or config.train.precision == "checked":
            raise ValueError(
                f"{config.run_id}: its rate or precision is not decided yet; seqmix train runs what decides it"
            )
    torch.set_flush_denormal(True)  # decaying states create denormal numbers, which are many times slower
    team = distributed.join()  # None unless torchrun started several processes for this one run
    place = team.place if team else choose_device(device)
    source, settings = data.open_source(configs[0].data), configs[0].train
    if settings.target_accuracy:
        source.fresh(0, 1, 0)  # a source without questions is refused before anything is trained
    step = way(configs, place, team)
    members = [
        Member(c, f, _restore(f, step, r, place, team)) for r, (c, f) in enumerate(zip(configs, folders, strict=True))
    ]
    if len({member.state["step"] for member in members}) > 1:
        raise ValueError("runs that stand at different steps cannot go on as one ensemble")
    for member in members:
        member.folder.write_config(member.config)
        member.folder.write_provenance(_provenance(member.config, place, source, len(members)))

    # 2 schedule
    points = set(evaluation_steps(settings))
    windows = source.evaluation(settings.eval_sequences, "valid")
    began = time.perf_counter()

    while members and members[0].state["step"] < settings.steps:
        # 3 step
        now = members[0].state["step"]
        drawn = {seed: source.batch(now, settings.batch_size, seed) for seed in {m.config.data_seed for m in members}}
        batches = [drawn[member.config.data_seed] for member in members]
        results = step(batches, lr_scale(now, settings))
        share, began = (time.perf_counter() - began) / len(members), time.perf_counter()
        ended, stop = [], False
        for r, (member, batch, (loss_sum, grad_norm)) in enumerate(zip(members, batches, results, strict=True)):
            loss, state = loss_sum / int((batch.targets != data.IGNORE).sum()), member.state
            state["step"], state["seconds"] = now + 1, state["seconds"] + share
            if not math.isfinite(loss) or not math.isfinite(grad_norm):
                why = f"loss {loss}, gradient norm {grad_norm} at step {now + 1}"
                _finish(member, source, "diverged", why)
                ended.append(r)
                continue
            state["smooth"] = loss if now == 0 else SMOOTHING * state["smooth"] + (1 - SMOOTHING) * loss
            state["grad_norm_max"] = max(state["grad_norm_max"], grad_norm)
            reached = 0 < state["smooth"] < settings.target_loss
            if settings.target_accuracy and (now + 1) % settings.check_every == 0:
                reached = reached or probes.solved(step.model(r), source, member.config, now + 1, place)
            reached = team.agree(reached) if team else reached

            # 4 measure
            if (now + 1 in points or reached) and (team is None or team.leads):
                _append_row(member, step.model(r), windows, place, grad_norm)
            if reached:
                state["reached"] = now + 1
                _measure_and_finish(member, step.model(r), source, place)
                ended.append(r)
                continue
            tokens = settings.batch_size * member.config.data.seq_len
            row = {"step": now + 1, "steps": settings.steps, "tokens": tokens, "loss": state["smooth"]}
            stop = bool(progress(member.config.run_id, row)) or stop

        # 5 record
        if ended:
            left = [r for r in range(len(members)) if r not in ended]
            members = [members[r] for r in left]
            step.keep(left)
        if not members:
            return
        stop = team.agree(stop) if team else stop
        if stop or ((now + 1) % settings.checkpoint_every == 0 and now + 1 < settings.steps):
            for r, member in enumerate(members):
                _save(member, step.saved(r))
        if stop:
            raise Interrupted(f"stopped at step {now + 1} of {settings.steps}")

    # 6 finish
    for r, member in enumerate(members):
        _measure_and_finish(member, step.model(r), source, place)


def _provenance(config: RunConfig, place: torch.device, source: Any, replicas: int) -> dict:
    kernel, precision = kernel_name(config.train), config.train.precision
    found = provenance.collect(str(place), kernel, precision, corpus_sha256=source.fingerprint)
    return found | ({"replicas": replicas} if replicas > 1 else {})


def remeasure(
    config: RunConfig, folder: RunFolder, progress: Progress = lambda info: None, device: str = "auto"
) -> None:
    """Repeat the measurements of a finished run from its weights, those that ``config.evaluate`` asks for now."""
    place = choose_device(device)
    source = data.open_source(config.data)
    model = restore(config, folder, source, place)
    metrics = folder.metrics() | _measure(config, folder, model, source, place)
    folder.write_metrics(metrics | {"evaluated": sorted(config.evaluate)})
    folder.finish("finished", "")


def _save(member: Member, tensors: dict[str, Any]) -> None:
    if not isinstance(member.folder, distributed.Spectator):
        checkpoint.save_checkpoint(member.folder, tensors | {"state": dict(member.state)})


def _restore(folder: RunFolder, step: Any, which: int, place: torch.device, team: Any) -> dict[str, Any]:
    """Load the newest usable checkpoint; return the counters. No random state: batches are functions of t."""
    saved = team.resume(folder) if team else checkpoint.resume(folder, str(place))
    if saved is None:
        return {"step": 0, "smooth": 0.0, "grad_norm_max": 0.0, "seconds": 0.0, "reached": 0}
    step.load(which, saved)
    return saved["state"]


def _append_row(member: Member, model: torch.nn.Module, windows: Any, place: torch.device, grad_norm: float) -> None:
    """Add an evaluation on 'valid' to the curve."""
    config, state = member.config, member.state
    tokens = state["step"] * config.train.batch_size * config.data.seq_len
    row = {"step": state["step"], "tokens": tokens, "seconds": state["seconds"]}
    row |= evaluate.held_out(model, windows, place) | evaluate.first_token_gradient(model, windows, config, place)
    lr = config.train.lr * lr_scale(state["step"] - 1, config.train)
    member.folder.append_curve(row | {"train_loss": state["smooth"], "grad_norm": grad_norm, "lr": lr})


def _measure_and_finish(member: Member, model: torch.nn.Module, source: Any, place: torch.device) -> None:
    """Keep the weights, take the measurements, seal the record."""
    if isinstance(member.folder, distributed.Spectator):
        return
    checkpoint.save_weights(member.folder.weights, model.state_dict())
    _finish(member, source, "finished", "", _measure(member.config, member.folder, model, source, place))


def _measure(
    config: RunConfig, folder: RunFolder, model: torch.nn.Module, source: Any, place: torch.device
) -> dict[str, float]:
    """Write the tables that ``config.evaluate`` asks for; return what is published of every run: its loss on 'test'."""
    model.eval()
    for name in config.evaluate:
        for table, rows in evaluate.MEASURES[name](model, source, config, place).items():
            folder.write_table(f"{table}-{name}", rows)
    tested, rows = evaluate.test_loss(model, source, config, place)
    folder.write_table("blocks-test", rows)
    return tested


def _finish(member: Member, source: Any, status: str, reason: str, tested: dict[str, float] | None = None) -> None:
    """Seal the record. Losses of the curve are those of 'valid'; ``tested`` (a finished run's) are those of 'test'."""
    config, folder, state = member.config, member.folder, member.state
    curve = folder.curve()
    last = curve[-1] if curve else {}
    done = state["step"] * config.train.batch_size * config.data.seq_len
    kept = ("train_loss", "grad_first", "grad_last")
    metrics = {name: last[name] for name in kept if name in last} | (tested or {})
    metrics |= {f"{name}_valid": last[name] for name in ("loss", "accuracy") if name in last}
    metrics |= {"steps_done": state["step"], "tokens_done": done, "reached_target_at_step": state["reached"]}
    metrics |= {"train_loss": state["smooth"], "grad_norm_max": state["grad_norm_max"], "seconds": state["seconds"]}
    metrics["tokens_per_second"] = done / state["seconds"] if state["seconds"] else 0.0
    metrics["bytes_per_token"] = source.bytes_per_token
    metrics["evaluated"] = sorted(config.evaluate) if status == "finished" else []
    metrics |= {f"reference_{name}": value for name, value in source.references.items()}
    if tested and math.isfinite(source.bytes_per_token):
        metrics["bits_per_byte"] = metrics["loss"] / math.log(2) / source.bytes_per_token
    folder.write_metrics(metrics)
    folder.finish(status, reason)
