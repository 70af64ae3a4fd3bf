"""One optimiser step, the only one: the trainer calls it and ``seqmix plan`` times it.

Forward (under autocast if asked), cross-entropy over the scored tokens, backward, clipping, fused AdamW.
"""

import contextlib
import ctypes

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqmix.config import TrainConfig
from seqmix.data import IGNORE
from seqmix.models import parameter_groups

__all__ = ["IGNORE", "TrainStep"]


def keep_freed_memory() -> None:
    """Ask glibc to keep freed memory in the process: a step frees and asks for the same blocks again and again.

    Returning them to the system costs 5 to 10 % of a small model's step in page faults. Other C libraries: no effect.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_MMAP_THRESHOLD, 2**25)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


class TrainStep:
    """The step of one model: ``loss_sum, grad_norm = step(inputs, targets, lr_scale)``.

    ``optimizer`` is public: its state dict belongs in checkpoints.
    """

    def __init__(self, model: nn.Module, train_config: TrainConfig, device: torch.device | str) -> None:
        c = train_config
        self.model, self.config, self.device = model, c, torch.device(device)
        keep_freed_memory()
        groups = parameter_groups(model, c.lr, c.lr_width, c.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, betas=(c.beta1, c.beta2), fused=True)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]

    def autocast(self):
        """The context of the forward pass."""
        if self.config.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def __call__(self, inputs: Tensor, targets: Tensor, lr_scale: float) -> tuple[Tensor, Tensor]:
        """Take one step on ``inputs, targets [B, T]`` (-100: not scored) at ``lr_scale`` times the peak learning rate.

        Returns the summed loss of the scored tokens, nats, and the gradient norm before clipping; both are tensors that
        nothing has waited for. The gradient is that of the mean over scored tokens.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * lr_scale
        return self.compute(inputs, targets)

    def compute(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Do the step at the learning rates that the optimiser holds."""
        with self.autocast():
            logits = self.model(inputs)
        loss_sum = F.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum"
        )
        scored = (targets != IGNORE).sum().clamp(min=1)
        (loss_sum / scored).backward()
        return loss_sum.detach(), self.update()

    def update(self) -> Tensor:
        """Clip the gradients, step at the learning rates that the optimiser holds; return the norm before clipping."""
        grad_norm = nn.utils.get_total_norm([p.grad for p in self.parameters], foreach=True)
        # On CPU the norm is there already: gradients that need no clipping are not touched.
        if self.device.type != "cpu" or not grad_norm <= self.config.clip:
            nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip, grad_norm, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return grad_norm
