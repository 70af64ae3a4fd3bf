"""The same optimiser step with fewer launches, for small models on a GPU: ``torch.compile`` or a CUDA graph.

Chosen by name only (``TrainConfig.accelerate``, ``seqmix train --accelerate``): what is asked for runs or the run
fails with the reason, and the record says what ran (column ``kernel``: ``torch+cuda_graph``).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import TrainConfig
from seqmix.step import IGNORE, TrainStep

__all__ = ["CompiledStep", "GraphStep", "kernel_name", "make_step"]

ROUNDING = {"float32": 1e-2, "bfloat16": 1e-1}
"""Largest relative difference between a compiled gradient and the model's own that counts as rounding."""

WARM_UP = 3
"""Steps before a graph is captured: libraries choose kernels and allocate their workspaces in them."""


def make_step(model: nn.Module, config: TrainConfig, device: torch.device) -> TrainStep:
    """Return the step that ``config.accelerate`` names; ValueError where the device cannot do it."""
    if config.accelerate == "none":
        return TrainStep(model, config, device)
    if config.accelerate == "compile":
        return CompiledStep(model, config, device)
    if device.type != "cuda":
        raise ValueError(f"a CUDA graph needs a CUDA device, not {device.type}: use accelerate 'none' or 'compile'")
    return GraphStep(model, config, device, CudaRecorder())


def kernel_name(config: TrainConfig) -> str:
    """Return what a record says about how its steps were computed."""
    return config.kernel if config.accelerate == "none" else f"{config.kernel}+{config.accelerate}"


class CompiledStep(TrainStep):
    """Forward and backward through ``torch.compile`` for one fixed shape; optimiser and clipping as they are.

    A compiler that traces a hand-written backward pass can lose a gradient without a word (PyTorch 2.11 did, where 2.13
    does not). So such parts of the mixers stay outside of what is compiled, the first batch is computed both ways, and
    other gradients than the model's own end the run.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, backend: str = "inductor") -> None:
        super().__init__(model, config, device)
        for layer in model.layers:
            mixer = getattr(layer, "mixer", None)
            for name in ("delta_rule", "short"):  # those with a backward pass of their own
                if hasattr(mixer, name):
                    setattr(mixer, name, torch.compiler.disable(getattr(mixer, name)))
        self.plain, self.model, self.checked = model, torch.compile(model, dynamic=False, backend=backend), False

    def compute(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See ``TrainStep``; RuntimeError if the compiled gradients are not the model's."""
        if not self.checked:
            self.check(inputs, targets)
        return super().compute(inputs, targets)

    def check(self, inputs: Tensor, targets: Tensor) -> None:
        """Compare the gradients of both ways on one batch."""
        found = []
        for model in (self.plain, self.model):
            with self.autocast():
                logits = model(inputs)
            loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
            found.append(torch.autograd.grad(loss, self.parameters, materialize_grads=True))
        names = {p: name for name, p in self.plain.named_parameters()}
        allowed = ROUNDING[self.config.precision]
        for p, own, compiled in zip(self.parameters, *found, strict=True):
            if (compiled - own).norm() > allowed * own.norm():
                text = (
                    f"torch.compile of PyTorch {torch.__version__} gives another gradient for {names[p]} than the model"
                )
                raise RuntimeError(f"{text}: use accelerate 'none' or 'cuda_graph'")
        self.checked = True


class CudaRecorder:
    """Capture of a function's kernels as one CUDA graph, and its replay."""

    def warm_up(self, work: Callable[[], object]) -> None:
        """Run ``work`` on another stream, as capturing demands."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(stream)

    def record(self, work: Callable[[], tuple[Tensor, ...]]) -> None:
        """Capture ``work`` without running it."""
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.results = work()

    def replay(self) -> tuple[Tensor, ...]:
        """Run what was captured; the results are overwritten by the next replay."""
        self.graph.replay()
        return self.results


class GraphStep(TrainStep):
    """A whole step, optimiser included, as one recorded graph for one fixed shape of batch.

    Inputs are copied into the buffers that the graph reads, the learning rate is a tensor. The graph is recorded at the
    first call, so that a checkpoint may be loaded before; the warm-up steps are undone.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, recorder: CudaRecorder) -> None:
        super().__init__(model, config, device)
        self.recorder, self.buffers = recorder, None

    def __call__(self, inputs: Tensor, targets: Tensor, lr_scale: float) -> tuple[Tensor, Tensor]:
        """See ``TrainStep``; ValueError if the batch has another shape than the first one."""
        if self.buffers is None:
            self.prepare(inputs, targets)
        if inputs.shape != self.buffers[0].shape:
            raise ValueError(
                f"the graph is recorded for batches {tuple(self.buffers[0].shape)}, got {tuple(inputs.shape)}"
            )
        for buffer, value in zip(self.buffers, (inputs, targets), strict=True):
            buffer.copy_(value)
        for group in self.optimizer.param_groups:
            group["lr"].fill_(group["initial_lr"] * lr_scale)
        loss_sum, grad_norm = self.recorder.replay()
        return loss_sum.clone(), grad_norm.clone()

    def prepare(self, inputs: Tensor, targets: Tensor) -> None:
        """Warm up, undo that, record."""
        self.buffers = (inputs.clone(), targets.clone())
        for group in self.optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=self.device)
            group["capturable"] = self.device.type == "cuda"
        weights = [p.detach().clone() for p in self.parameters]
        before = {p: {k: v.clone() for k, v in state.items()} for p, state in self.optimizer.state.items()}
        self.recorder.warm_up(lambda: self.compute(*self.buffers))
        with torch.no_grad():
            for p, saved in zip(self.parameters, weights, strict=True):
                p.copy_(saved)
                for name, value in self.optimizer.state[p].items():
                    value.copy_(before[p][name]) if p in before else value.zero_()
        self.recorder.record(lambda: self.compute(*self.buffers))
