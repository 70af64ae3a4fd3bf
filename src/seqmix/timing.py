"""Timing and memory: several models interleaved in one process, in randomised order, so that drift cancels.

One row a timed call. Medians, ratios and their intervals are the analysis' business. Every cell is warmed up first;
random weights and tokens; on a GPU the clock stops after a synchronisation. An A/A control (the first arm once more
under the name ``<arm>_again``) shows what the machine's noise alone does to a ratio.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seqmix import accounting, demos, models, provenance
from seqmix.config import SpeedConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix.step import TrainStep
from seqmix.train import Interrupted, choose_device

__all__ = ["interleaved", "measure"]

WARM_UP_CALLS = 3
CONTROL = "_again"
KERNELS = ("attention", "encoder_layer", "rnn", "lstm", "_softmax")
"""Parts of the names of library calls that say how the tokens of a sequence met."""


def measure(
    config: SpeedConfig,
    folder: RunFolder,
    progress: Callable[[dict[str, Any]], Any] = lambda info: None,
    device: str = "auto",
) -> None:
    """Run one interleaved measurement and leave its record in ``folder``; raises Interrupted when asked to stop."""
    torch.set_flush_denormal(True)
    place = choose_device(device)
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        folder.write_config(config)
        folder.write_provenance(provenance.collect(str(place), "torch", config.precision))
        began = time.perf_counter()
        cells = _cells(config, place)
        rows = _rows(cells, config, place, progress)
    finally:
        torch.set_num_threads(before)
    folder.write_table("speed", rows)
    folder.write_metrics({"seconds": time.perf_counter() - began, "evaluated": []})
    folder.finish("finished", "")


Cell = tuple[dict[str, Any], Callable[[], Any]]
"""The columns that say what is timed, and the call itself."""


def _cells(config: SpeedConfig, place: torch.device) -> list[Cell]:
    if config.mode in demos.BATCH:
        return _demo_cells(config)
    make = {"train": _train_call, "prefill": _prefill_call, "decode": _decode_call}[config.mode]
    arms = dict(config.models)
    first = next(iter(arms))
    arms[first + CONTROL] = arms[first]
    cells = []
    for arm, shape in arms.items():
        model = models.build(shape, seed=0).to(place)
        for length in config.lengths:
            batch = max(1, config.tokens_per_call // length) if config.tokens_per_call else config.batch_size
            call, tokens, peak = make(model, config, batch, length, place)
            numbers, state = accounting.parameters(shape)["non_embedding"], accounting.state_bytes(shape, length, batch)
            cells.append((_columns(config, arm, batch, length, tokens, numbers, state, peak), call))
    return cells


def _demo_cells(config: SpeedConfig) -> list[Cell]:
    batch, modules = demos.BATCH[config.mode], demos.modules(config.mode)
    return [
        (
            _columns(config, arm, batch, length, batch * length, demos.size(module)),
            demos.reading(module, batch, length, causal=arm == "transformer_matched"),
        )
        for length in config.lengths
        for arm, module in modules.items()
    ]


def _columns(
    config: SpeedConfig, arm: str, batch: int, length: int, tokens: int, numbers: int, state: int = 0, peak: int = 0
) -> dict[str, Any]:
    what = {"arm": arm, "mode": config.mode, "length": length, "batch_size": batch, "tokens": tokens}
    held = {"peak_bytes": peak, "params_non_embedding": numbers, "state_bytes": state}
    return what | held | {"threads": config.threads, "precision": config.precision}


def _tokens(model: torch.nn.Module, batch: int, length: int, place: torch.device) -> torch.Tensor:
    generator = torch.Generator().manual_seed(length)
    return torch.randint(model.config.vocab_size, (batch, length), generator=generator).to(place)


def _train_call(model: torch.nn.Module, config: SpeedConfig, batch: int, length: int, place: torch.device):
    """One optimiser step on [batch, length] tokens; the very step the trainer takes."""
    step = TrainStep(model, TrainConfig(precision=config.precision), place)
    inputs = _tokens(model, batch, length, place)
    peak = _activation_bytes(lambda: model(inputs).float().sum())
    return (lambda: step(inputs, inputs, 0.0)), batch * length, peak


def _prefill_call(model: torch.nn.Module, config: SpeedConfig, batch: int, length: int, place: torch.device):
    """Read ``length`` tokens at once (logits of all positions, no gradient)."""
    inputs = _tokens(model, batch, length, place)

    @torch.no_grad()
    def call():
        with torch.autocast(place.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            return model(inputs)

    return call, batch * length, 0


def _decode_call(model: torch.nn.Module, config: SpeedConfig, batch: int, length: int, place: torch.device):
    """One new token a sequence after ``length`` tokens of context and those of the calls before (cache or state)."""
    decoder = models.for_decoding(model)
    with torch.no_grad():
        _, state = decoder.prefill(_tokens(model, batch, length, place), decoder.initial_state(batch))
    token = torch.zeros(batch, dtype=torch.long, device=place)

    @torch.no_grad()
    def call():
        nonlocal state  # going on from the newest state: a second continuation of an old one would copy its cache
        _, state = decoder.step(token, state)

    return call, batch, 0


def _activation_bytes(forward: Callable[[], torch.Tensor]) -> int:
    """Bytes kept for the backward pass (distinct storages saved by autograd), the memory that grows with B and T."""
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(seen.values())


class _Names(TorchDispatchMode):
    """Collects the names of all library calls."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def kernel(call: Callable[[], object]) -> str:
    """Return the library calls of ``KERNELS`` that one call makes, joined by +; "torch": none of them."""
    with _Names() as names:
        call()
    forward = (name for name in names.seen if "backward" not in name and "log_softmax" not in name)
    return "+".join(sorted(name for name in forward if any(part in name for part in KERNELS))) or "torch"


def interleaved(
    calls: Sequence[Callable[[], object]], repeats: int, place: torch.device, clock: Callable = time.perf_counter
) -> Iterator[tuple[int, int, float]]:
    """Make every call once a round, in a new random order each round; yield (round, which, seconds).

    The clock stops when the device has done its work.
    """
    wait = torch.cuda.synchronize if place.type == "cuda" else (lambda: None)
    for call in calls:
        for _ in range(WARM_UP_CALLS):
            call()
    rng = np.random.default_rng(0)
    for repeat in range(repeats):
        for which in rng.permutation(len(calls)):
            wait()
            start = clock()
            calls[which]()
            wait()
            yield repeat, int(which), clock() - start


def _rows(cells: list[Cell], config: SpeedConfig, place: torch.device, progress: Callable) -> list[dict[str, Any]]:
    """Return one row a timed call."""
    rows: list[dict[str, Any]] = []
    cells = [(columns | {"kernel": kernel(call)}, call) for columns, call in cells]
    for repeat, which, seconds in interleaved([call for _, call in cells], config.repeats, place):
        rows.append(cells[which][0] | {"repeat": repeat, "order": len(rows), "seconds": seconds})
        row = {"step": repeat + 1, "steps": config.repeats, "tokens": 0, "loss": float("nan")}
        if len(rows) % len(cells) == 0 and progress(row):
            raise Interrupted(f"stopped after {repeat + 1} of {config.repeats} rounds; a measurement starts anew")
    return rows
