"""The same optimiser step with fewer launches, for small models on a GPU: one recorded CUDA graph.

Chosen by name only (``TrainConfig.accelerate``, in a study ``train: {accelerate: cuda_graph}``): what is asked for
runs or the run fails with the reason, and the record says what ran (column ``kernel``: ``torch+cuda_graph``).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqmix.config import TrainConfig
from seqmix.step import TrainStep

__all__ = ["GraphStep", "kernel_name", "make_step"]

WARM_UP = 3
"""Steps before a graph is captured: libraries choose kernels and allocate their workspaces in them."""


def make_step(model: nn.Module, config: TrainConfig, device: torch.device) -> TrainStep:
    """Return the step that ``config.accelerate`` names; ValueError where the device cannot do it."""
    if config.accelerate == "none":
        return TrainStep(model, config, device)
    if device.type != "cuda":
        raise ValueError(f"a CUDA graph needs a CUDA device, not {device.type}: use accelerate 'none'")
    return GraphStep(model, config, device, CudaRecorder())


def kernel_name(config: TrainConfig) -> str:
    """Return what a record says about how its steps were computed."""
    return "torch" if config.accelerate == "none" else f"torch+{config.accelerate}"


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
