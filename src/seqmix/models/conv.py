"""Short causal depthwise convolution, a switch of every mixer (``ModelConfig.conv``)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
        time, past = x.shape[1], self.width - 1
        padded = F.pad(x, (0, 0, past, 0)) if state is None else torch.cat([state.to(x.dtype), x], 1)
        weight = self.weight.to(x.dtype)
        y = padded[:, :time] * weight[:, 0]
        for tap in range(1, self.width):
            y = torch.addcmul(y, padded[:, tap : tap + time], weight[:, tap])
        return y, None if state is None else padded[:, time:]
