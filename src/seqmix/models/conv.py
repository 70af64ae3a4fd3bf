"""Short causal depthwise convolution, a switch of every mixer (``ModelConfig.conv``)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ShortConv(nn.Module):
    """y_t = sum_j w_j * x_{t - width + 1 + j}, one filter a channel, no bias, zeros before the first token.

    The state is the last ``width - 1`` inputs, ``[B, width - 1, channels]``.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, width))

    @property
    def width(self) -> int:
        return self.weight.shape[1]

    def initial_state(self, batch_size: int) -> Tensor:
        return self.weight.new_zeros(batch_size, self.width - 1, self.weight.shape[0])

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Filter ``x [B, T, channels]``; ``state`` carries the inputs before it, and comes back if it was given."""
        if state is None:
            return CausalFilter.apply(F.pad(x, (0, 0, self.width - 1, 0)), self.weight), None
        padded = torch.cat([state.to(x.dtype), x], 1)
        return CausalFilter.apply(padded, self.weight), padded[:, x.shape[1] :]


class CausalFilter(torch.autograd.Function):
    """``(padded [B, width - 1 + T, channels], weight [channels, width]) -> [B, T, channels]``, tap by tap.

    A handful of passes over contiguous rows is faster on CPU than a grouped convolution with a transpose before and
    after it; the backward pass accumulates in place, where autograd would fill one array of zeros a tap.
    """

    @staticmethod
    def forward(ctx, padded, weight):
        ctx.save_for_backward(padded, weight)
        taps = weight.t().to(padded.dtype).contiguous()
        time = padded.shape[1] - len(taps) + 1
        y = padded[:, :time] * taps[0]
        for n in range(1, len(taps)):
            y.addcmul_(padded[:, n : n + time], taps[n])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        padded, weight = ctx.saved_tensors
        taps = weight.t().to(padded.dtype).contiguous()
        time, d_padded = d_y.shape[1], torch.zeros_like(padded)
        d_weight = torch.empty_like(weight)
        for n in range(len(taps)):
            d_padded[:, n : n + time].addcmul_(d_y, taps[n])
            d_weight[:, n] = (padded[:, n : n + time] * d_y).sum((0, 1), dtype=weight.dtype)
        return d_padded, d_weight
