"""The running average of the weights, which is what is validated and saved."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's weights and buffers (Polyak & Juditsky 1992).

    The decay rises from 0 to its final value over the first steps, so that the random start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in model.state_dict().items()
        }

    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after step ``step`` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                average = self.state[name]
                if average.is_floating_point():
                    average.lerp_(tensor.detach(), 1 - decay)
                else:
                    average.copy_(tensor)
