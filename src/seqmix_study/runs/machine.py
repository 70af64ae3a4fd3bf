"""How many workers with how many threads: from the cores, the GPUs, the memory and the size of the models.

On a CPU, several one-thread workers give more tokens a second in sum than one process with all threads as long as the
models are small (the matrices are too small to share). On a GPU, a small run leaves most of the device idle between
its short kernels, so several runs share one.
"""

import os
import shutil
from dataclasses import dataclass

import psutil

from seqmix import accounting
from seqmix.config import RunConfig, SpeedConfig
from seqmix.provenance import cores

# Parameters below which a model counts as small (one thread, or four to a GPU) or medium (two to a GPU).
SMALL, MEDIUM = 3_000_000, 50_000_000

# Memory of a worker before it builds a model: Python and torch on a CPU.
PROCESS_BYTES = 350 * 2**20


@dataclass(frozen=True)
class Layout:
    """``jobs`` workers with ``threads`` threads, on ``gpus`` in turn (empty: on the CPU), a ``share`` of one each."""

    jobs: int
    threads: int
    gpus: list[str]
    share: float = 0.0

    @property
    def at_once(self) -> float:
        """How many runs' work is done at a time: several runs on one GPU overlap, but not perfectly."""
        return min(self.jobs, 1.5 * len(self.gpus)) if self.gpus else self.jobs


def run_memory(config: RunConfig) -> int:
    """Return a generous estimate of the bytes a training run needs beyond its process.

    Weights, gradients and two moments of Adam (16 bytes a parameter), the activations kept for the backward pass
    (about 20 D + 3 F values a token and layer; attention keeps no scores), the logits with their gradient.
    """
    model, tokens = config.model, config.train.batch_size * config.data.seq_len
    values = tokens * (model.n_layers * (20 * model.d_model + 3 * model.mlp_hidden) + 4 * model.vocab_size)
    return 16 * accounting.parameters(model)["total"] + 4 * values


def visible_gpus() -> list[str]:
    """Return the names by which CUDA devices can be chosen; without loading torch where there is no NVIDIA driver."""
    if not (shutil.which("nvidia-smi") or os.path.exists("/dev/nvidia0")):
        return []
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    found = [str(number) for number in range(torch.cuda.device_count())]
    return named or found if torch.cuda.is_available() else []


def layout(configs: list[RunConfig | SpeedConfig], jobs: int | None = None, more: int = 0) -> Layout:
    """Choose workers for these runs and ``more`` to come; ``jobs`` overrides how many, the threads follow."""
    gpus, available = visible_gpus(), cores()
    training = [config for config in configs if isinstance(config, RunConfig)]
    biggest = max((accounting.parameters(config.model)["total"] for config in training), default=0)
    if gpus:
        share = 4 if biggest < SMALL else 2 if biggest < MEDIUM else 1
        wanted, threads = len(gpus) * share, 1
    else:
        threads = 1 if biggest < SMALL else min(4, available)
        wanted = max(1, available // threads)
        need = PROCESS_BYTES + max((run_memory(config) for config in training), default=0)
        wanted = max(1, min(wanted, int(0.8 * psutil.virtual_memory().available // need)))
    wanted = min(wanted, available)
    if jobs:
        wanted = jobs
        threads = threads if gpus or biggest < SMALL else max(1, available // jobs)
    return Layout(max(1, min(wanted, len(training) + more or 1)), threads, gpus, 1 / share if gpus else 0.0)
