"""The running average of the weights, which is what is validated and saved."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's weights and buffers (Polyak & Juditsky 1992).

    The decay rises from 0 to its final value over the first steps, so that the random start is forgotten.
    The model must stay where it is (device, memory layout) once its average has been begun.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        # A state dict holds the weights themselves, not copies: asked for once, they are followed.
        self._followed = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        self.state: dict[str, Tensor] = {name: tensor.clone() for name, tensor in self._followed.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step ``step`` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        numbers = [name for name, tensor in self.state.items() if tensor.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self.state[name] for name in numbers],
                [self._followed[name] for name in numbers],
                1 - decay,
            )
            for name in self.state.keys() - set(numbers):
                self.state[name].copy_(self._followed[name])

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from an earlier ``state``."""
        for name, tensor in self.state.items():
            tensor.copy_(state[name])
