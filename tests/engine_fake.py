"""Tiny stand-ins for training, without torch, so that tests of the engine take no time.

A "model" is one number, changed a little every step. The environment steers them: FAKE_DELAY (seconds a step),
FAKE_FAIL, FAKE_DIE, FAKE_HANG, FAKE_FULL (seeds that raise, kill their process, stand still, or find the disk full),
FAKE_UNMEASURED, FAKE_DIE_MEASURING (seeds whose measurements raise or kill their process),
FAKE_LOG (a file that gets a line for every training), FAKE_MEET (a training waits until so many workers train, so that
a test of several workers has several, however busy the machine).
"""

import errno
import json
import os
import signal
import time
from pathlib import Path

from seqmix.files import atomic_write, disk_error


class Interrupted(Exception):
    pass


def _seeds(name):
    return {int(seed) for seed in os.environ.get(name, "").split(",") if seed}


def _log(config, what):
    with open(os.environ.get("FAKE_LOG", os.devnull), "a") as log:
        print(what, getattr(config, "seed", "-"), os.getpid(), file=log)


def _meet():
    wanted, until = int(os.environ.get("FAKE_MEET", "0")), time.monotonic() + 120
    while wanted and len({line.split()[2] for line in Path(os.environ["FAKE_LOG"]).read_text().splitlines()}) < wanted:
        if time.monotonic() > until:
            raise TypeError(f"fewer than {wanted} workers came")
        time.sleep(0.01)


def train(config, folder, progress):
    _log(config, "train")
    _meet()
    if config.seed in _seeds("FAKE_FAIL"):
        raise TypeError(f"seed {config.seed} was told to fail")
    if config.seed in _seeds("FAKE_HANG"):
        time.sleep(60)
    if config.seed in _seeds("FAKE_FULL"):
        raise disk_error(folder.path / "weights.pt", OSError(errno.ENOSPC, "No space left on device"))
    saved = folder.path / "checkpoint.pt"
    state = json.loads(saved.read_text()) if saved.exists() else {"step": 0, "value": config.seed + 1.0}
    while state["step"] < config.train.steps:
        time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
        state = {"step": state["step"] + 1, "value": state["value"] * 0.9 + 0.01 * state["step"]}
        if config.seed in _seeds("FAKE_DIE") and state["step"] == config.train.steps // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        row = {"step": state["step"], "steps": config.train.steps, "tokens": 16, "loss": state["value"]}
        stop = progress(row)
        if stop or state["step"] % config.train.checkpoint_every == 0:
            atomic_write(saved, json.dumps(state))
        if stop:
            raise Interrupted(f"at step {state['step']}")
    atomic_write(folder.weights, repr(state["value"]))
    folder.write_metrics({"loss": state["value"], "loss_valid": state["value"]})
    folder.finish("finished")
    measure(config, folder, progress)


def measure(config, folder, progress):
    _log(config, "measure")
    for name in (name for name in config.evaluate if name not in folder.evaluated()):
        if config.seed in _seeds("FAKE_UNMEASURED"):
            raise TypeError(f"measurement {name} was told to fail")
        if config.seed in _seeds("FAKE_DIE_MEASURING"):
            os.kill(os.getpid(), signal.SIGKILL)
        folder.add(name, {"context": [{"measure": name, "loss": float(folder.weights.read_text())}]})


def clock(config, folder, progress):
    _log(config, "time")
    folder.write_metrics({"seconds": 1.0})
    folder.finish("finished")
