"""Tiny stand-ins for training, so that tests of the engine take no time: a "model" is one number that is halved.

The environment steers them: FAKE_DELAY (seconds a step), FAKE_FAIL and FAKE_DIE (seeds that raise or kill themselves).
"""

import os
import signal
import time

import torch

from seqmix import checkpoint


class Stopped(Exception):
    pass


def interruption():
    return Stopped


def _seeds(name):
    return {int(seed) for seed in os.environ.get(name, "").split(",") if seed}


def train(config, folder, progress):
    with open(os.environ.get("FAKE_LOG", os.devnull), "a") as log:
        print(config.run_id, os.getpid(), file=log)
    if config.seed in _seeds("FAKE_FAIL"):
        raise TypeError(f"seed {config.seed} was told to fail")
    state = checkpoint.resume(folder) or {"step": 0, "value": torch.tensor(float(config.seed + 1))}
    while state["step"] < config.train.steps:
        time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
        state["value"] = state["value"] * 0.9 + 0.01 * state["step"]
        state["step"] += 1
        if config.seed in _seeds("FAKE_DIE") and state["step"] == config.train.steps // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        folder.append_curve({"step": state["step"], "loss": float(state["value"])})
        row = {"step": state["step"], "steps": config.train.steps, "tokens": 16, "loss": float(state["value"])}
        stop = progress(row)
        if stop or state["step"] % config.train.checkpoint_every == 0:
            checkpoint.save_checkpoint(folder, state)
        if stop:
            raise Stopped(f"at step {state['step']}")
    checkpoint.save_weights(folder.weights, {"value": state["value"]})
    remeasure(config, folder, progress)


def remeasure(config, folder, progress):
    value = checkpoint.load_weights(folder.weights)["value"]
    for name in config.evaluate:
        folder.write_table(f"context-{name}", [{"measure": name, "loss": float(value)}])
    folder.write_metrics({"loss": float(value), "evaluated": sorted(config.evaluate)})
    folder.finish("finished")


def measure(config, folder, progress):
    folder.write_metrics({"seconds": 1.0})
    folder.finish("finished")
