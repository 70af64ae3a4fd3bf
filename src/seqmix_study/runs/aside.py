"""Questions to trained weights, answered in a process of its own, so that whoever asks never loads torch.

A module that can be asked reads one JSON request from standard input when it is started as ``python -m MODULE -``, and
prints its JSON answer. Runs are named by their configurations; their weights must be in ``runs/``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from seqmix.config import RunConfig
from seqmix.record import RunFolder

__all__ = ["ask", "has_weights", "model_of", "request"]


def has_weights(runs: Path, run_id: str) -> bool:
    """Whether a run has finished and its weights are on this machine."""
    folder = RunFolder(runs / run_id)
    return folder.status_unlocked() == "finished" and folder.weights.exists()


def ask(module: str, configs: list[RunConfig], runs: Path) -> Any:
    """Return the answer of ``module`` about some runs; RuntimeError with what it wrote if it fails."""
    plain = {"runs": str(runs), "configs": [config.model_dump(mode="json") for config in configs]}
    ended = subprocess.run(
        [sys.executable, "-m", module, "-"],
        input=json.dumps(plain),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},  # so little work is quicker, and repeatable, on the CPU
    )
    if ended.returncode:
        raise RuntimeError(f"{module} failed:\n{ended.stderr[-2000:]}")
    return json.loads(ended.stdout)


def request() -> tuple[list[RunConfig], Path]:
    """Return the runs that standard input asks about, and the folder of their weights (in the other process)."""
    plain = json.loads(sys.stdin.read())
    return [RunConfig(**config) for config in plain["configs"]], Path(plain["runs"])


def model_of(config: RunConfig, runs: Path):
    """Return the trained model of a run, for evaluation, on one CPU thread (in the other process: loads torch)."""
    import torch

    from seqmix import data
    from seqmix.restore import restore

    torch.set_num_threads(1)
    return restore(config, RunFolder(runs / config.run_id), data.open_source(config.data))
