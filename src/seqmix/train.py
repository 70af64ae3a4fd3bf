"""One training run, in six phases that can be read aloud: build, schedule, step, measure, record, finish.

The batch at step t is a function of the data seed and t alone, so every architecture sees the same tokens in the same
order, and a resumed run goes on exactly where it was. A run that diverges is a result, not an exception.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import torch

from seqmix import checkpoint, data, distributed, evaluate, models, probes, provenance
from seqmix.accelerate import kernel_name, make_step
from seqmix.config import RunConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix.restore import restore
from seqmix.step import TrainStep

__all__ = ["Interrupted", "choose_device", "lr_scale", "remeasure", "train"]

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


def train(config: RunConfig, folder: RunFolder, progress: Progress = lambda info: None, device: str = "auto") -> None:
    """Train one run (or go on with it) and leave its complete record in ``folder``.

    Raises Interrupted when ``progress`` asks to stop, data.CorpusError and record.RecordError with a clear message;
    a loss that is not finite ends the run with the outcome ``diverged``.
    """
    # 1 build
    if not config.train.lr or config.train.precision == "checked":
        raise ValueError(
            f"{config.run_id}: its rate or precision is not decided yet; seqmix train runs what decides it"
        )
    torch.set_flush_denormal(True)  # decaying states create denormal numbers, which are many times slower
    team = distributed.join()  # None unless torchrun started several processes for this one run
    place = team.place if team else choose_device(device)
    source = data.open_source(config.data)
    if config.train.target_accuracy:
        source.fresh(0, 1, config.data_seed)  # a source without questions is refused before anything is trained
    model = models.build(config.model, seed=config.seed, kernel=config.train.kernel).to(place)
    step = distributed.SharedStep(model, config.train, team) if team else make_step(model, config.train, place)
    state = _restore(folder, model, step, team)
    folder.write_config(config)
    folder.write_provenance(_provenance(config, place, source))

    # 2 schedule
    points = set(evaluation_steps(config.train))
    windows = source.evaluation(config.train.eval_sequences, "valid")
    tokens_per_step = config.train.batch_size * config.data.seq_len
    began, reported = time.perf_counter(), state["seconds"]

    while state["step"] < config.train.steps:
        # 3 step
        now = state["step"]
        batch = source.batch(now, config.train.batch_size, config.data_seed)
        inputs, targets = torch.from_numpy(batch.inputs).to(place), torch.from_numpy(batch.targets).to(place)
        loss_sum, grad_norm = step(inputs, targets, lr_scale(now, config.train))
        loss, grad_norm = float(loss_sum) / int((batch.targets != evaluate.IGNORE).sum()), float(grad_norm)
        state["step"] = now + 1
        if not math.isfinite(loss) or not math.isfinite(grad_norm):
            _finish(
                folder,
                config,
                source,
                state,
                "diverged",
                f"loss {loss}, gradient norm {grad_norm} at step {now + 1}",
            )
            return
        state["smooth"] = loss if now == 0 else SMOOTHING * state["smooth"] + (1 - SMOOTHING) * loss
        state["grad_norm_max"] = max(state["grad_norm_max"], grad_norm)
        state["seconds"] = reported + time.perf_counter() - began
        reached = 0 < state["smooth"] < config.train.target_loss
        reached = reached or probes.solved(model, source, config, state["step"], place)
        reached = team.agree(reached) if team else reached

        # 4 measure
        if (state["step"] in points or reached) and (team is None or team.leads):
            row = {
                "step": state["step"],
                "tokens": state["step"] * tokens_per_step,
                "seconds": state["seconds"],
            }
            row |= evaluate.held_out(model, windows, place) | evaluate.first_token_gradient(
                model, windows, config, place
            )
            row |= {
                "train_loss": state["smooth"],
                "grad_norm": grad_norm,
                "lr": config.train.lr * lr_scale(now, config.train),
            }
            folder.append_curve(row)
        if reached:
            state["reached"] = state["step"]
            break

        # 5 record
        stop = progress(
            {
                "step": state["step"],
                "steps": config.train.steps,
                "tokens": tokens_per_step,
                "loss": state["smooth"],
            }
        )
        stop = team.agree(stop) if team else stop
        if stop or (state["step"] % config.train.checkpoint_every == 0 and state["step"] < config.train.steps):
            _save(folder, model, step, state)
        if stop:
            raise Interrupted(f"stopped at step {state['step']} of {config.train.steps}")

    # 6 finish
    if team and not team.leads:
        return
    checkpoint.save_weights(folder.weights, model.state_dict())
    tested = _measure(config, folder, model, source, place)
    _finish(folder, config, source, state, "finished", "", tested)


def _provenance(config: RunConfig, place: torch.device, source: Any) -> dict:
    kernel, precision = kernel_name(config.train), config.train.precision
    return provenance.collect(str(place), kernel, precision, corpus_sha256=source.fingerprint)


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


def _save(folder: RunFolder, model: torch.nn.Module, step: TrainStep, state: dict[str, Any]) -> None:
    if isinstance(folder, distributed.Spectator):
        return
    tensors = {"model": model.state_dict(), "optimizer": step.optimizer.state_dict(), "state": dict(state)}
    checkpoint.save_checkpoint(folder, tensors)


def _restore(folder: RunFolder, model: torch.nn.Module, step: TrainStep, team: Any = None) -> dict[str, Any]:
    """Load the newest usable checkpoint; return the counters. No random state: batches are functions of t."""
    saved = team.resume(folder) if team else checkpoint.resume(folder, str(step.device))
    if saved is None:
        folder.truncate_curve(0)
        return {"step": 0, "smooth": 0.0, "grad_norm_max": 0.0, "seconds": 0.0, "reached": 0}
    model.load_state_dict(saved["model"])
    step.optimizer.load_state_dict(saved["optimizer"])
    folder.truncate_curve(saved["state"]["step"])
    return saved["state"]


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


def _finish(
    folder: RunFolder,
    config: RunConfig,
    source: Any,
    state: dict[str, Any],
    status: str,
    reason: str,
    tested: dict[str, float] | None = None,
) -> None:
    """Seal the record. Losses of the curve are those of 'valid'; ``tested`` (a finished run's) are those of 'test'."""
    curve = folder.curve()
    last = curve[-1] if curve else {}
    done = state["step"] * config.train.batch_size * config.data.seq_len
    kept = ("train_loss", "grad_first", "grad_last")
    metrics = {name: last[name] for name in kept if name in last} | (tested or {})
    metrics |= {f"{name}_valid": last[name] for name in ("loss", "accuracy") if name in last}
    metrics |= {
        "steps_done": state["step"],
        "tokens_done": done,
        "reached_target_at_step": state["reached"],
        "train_loss": state["smooth"],
        "grad_norm_max": state["grad_norm_max"],
        "seconds": state["seconds"],
        "tokens_per_second": done / state["seconds"] if state["seconds"] else 0.0,
        "bytes_per_token": source.bytes_per_token,
        "evaluated": sorted(config.evaluate) if status == "finished" else [],
    }
    metrics |= {f"reference_{name}": value for name, value in source.references.items()}
    if tested and math.isfinite(source.bytes_per_token):
        metrics["bits_per_byte"] = metrics["loss"] / math.log(2) / source.bytes_per_token
    folder.write_metrics(metrics)
    folder.finish(status, reason)
