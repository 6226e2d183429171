"""One step of an optimiser, whatever memory there is for it.

A step is defined by its batch, seed and rate. Where the batch does not fit into memory its images pass in
several parts, whose gradients are added up with the weight that each part has in the batch (gradient
accumulation), so that a step counts as many images on every machine. What cannot be the same: layers that
use statistics of the images that pass together (batch normalisation) see a part, not the whole batch.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from podura.configuration.study import OptimiserSettings
from podura.detectors.contract import Batch, Detector
from podura.errors import UserError
from podura.training.memory import is_out_of_memory, part, release_memory
from podura.training.precision import autocast, loss_scaler
from podura.training.schedule import make_optimiser, set_rate
from podura.training.seeds import seed_torch

log = logging.getLogger(__name__)

#: So many steps in a row whose gradients overflow in float16 are no search for the right scale any more.
_MOST_SKIPPED = 30


@dataclass
class Passes:
    """How many images pass at once, how that came about, and what float16 cost; part of a checkpoint.

    halvings: for each time that memory ran out the step (from 1) and the images at once before and after.
    skipped: steps without effect, because a gradient overflowed in float16; skipped_now: the last in a row.
    """

    images: int = 0
    halvings: list[dict[str, int]] = field(default_factory=list)
    skipped: int = 0
    skipped_now: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)


class NonFiniteLossError(ArithmeticError):
    """Loss or gradient are not finite; the message says what was what. Weights are as before the step."""


class Stepper:
    """Takes the steps of one training; ``passes`` and the optimiser are all that lasts between them."""

    def __init__(
        self,
        detector: Detector,
        settings: OptimiserSettings,
        *,
        seed: int,
        device: torch.device,
        precision: str,
    ) -> None:
        self.detector, self.settings = detector, settings
        self.seed, self.device, self.precision = seed, device, precision
        self.optimiser = make_optimiser(detector, settings, detector.backbone_parameters())
        self.scaler = loss_scaler(precision, device)
        self.passes = Passes()
        self._buffers = list(detector.buffers())
        self._before = [buffer.clone() for buffer in self._buffers]

    def restore(self, passes: Passes) -> None:
        """Go on from where an earlier stepper stood; the optimiser is restored by itself."""
        self.passes = passes
        if passes.scaler:
            self.scaler.load_state_dict(passes.scaler)

    def step(self, batch: Batch, step: int, rate: float) -> dict[str, float] | None:
        """Take step ``step`` (from 0) and return the parts of the loss.

        None where float16 overflowed and the step was left out. Where memory runs out the step begins
        anew with half as many images at once. Raises NonFiniteLossError, and UserError where not even one
        image fits.
        """
        _copy(self._before, self._buffers)
        while True:
            try:
                return self._attempt(batch, step, rate)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Only here the error, which holds the tensors of the pass, is gone.
            self._halve(len(batch.boxes), step)

    def _attempt(self, batch: Batch, step: int, rate: float) -> dict[str, float] | None:
        # Frameworks draw from torch's global generator (which proposals to train on, drop-out).
        seed_torch(self.seed, "step", step)
        set_rate(self.optimiser, rate)
        self.optimiser.zero_grad(set_to_none=True)
        parts = self._gradients(batch)
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(
            self.detector.parameters(), self.settings.clip, foreach=self.device.type != "mps"
        )
        # Asked for together: each question makes a GPU wait.
        *losses, length = torch.stack([*parts.values(), norm.float()]).tolist()
        values = dict(zip(parts, losses, strict=True))
        if all(map(math.isfinite, (*losses, length))):
            self.scaler.step(self.optimiser)
            self._update_scaler(skipped=False)
            return values
        self._restore_buffers()
        if self.precision == "float16" and self.passes.skipped_now < _MOST_SKIPPED:
            self._update_scaler(skipped=True)
            return None
        words = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise NonFiniteLossError(f"{words}; length of the gradient {length:g}")

    def _gradients(self, batch: Batch) -> dict[str, Tensor]:
        sums: dict[str, Tensor] = {}
        count = len(batch.boxes)
        for start, stop in portions(count, self.passes.images):
            with autocast(self.precision, self.device):
                parts = self.detector.loss(part(batch, start, stop, self.device))
            weight = (stop - start) / count
            parts = {name: value.float() * weight for name, value in parts.items()}
            self.scaler.scale(torch.stack(list(parts.values())).sum()).backward()
            for name, value in parts.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        return sums

    def _update_scaler(self, *, skipped: bool) -> None:
        passes = self.passes
        passes.skipped += skipped
        passes.skipped_now = passes.skipped_now + 1 if skipped else 0
        if self.scaler.is_enabled():
            self.scaler.update()
            passes.scaler = self.scaler.state_dict()

    def _halve(self, count: int, step: int) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self._restore_buffers()
        release_memory(self.device)
        before = min(self.passes.images, count)
        if before == 1:
            raise UserError(
                "There is not enough memory for a single image. Give the model a smaller image_size (or "
                "tiles), or train on a device with more memory."
            )
        self.passes.images = before // 2
        self.passes.halvings.append({"step": step + 1, "from": before, "to": before // 2})
        log.warning(
            "Memory ran out in step %d with %d images at once: from here on %d at once. A step still counts "
            "%d images.",
            step + 1,
            before,
            before // 2,
            count,
        )

    def _restore_buffers(self) -> None:
        with torch.no_grad():
            _copy(self._buffers, self._before)


def _copy(to: list[Tensor], values: list[Tensor]) -> None:
    if to:  # many detectors have no buffers
        torch._foreach_copy_(to, values)


def portions(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Divide ``count`` images into the fewest portions of at most ``most``, as even as can be."""
    number = -(-count // most)
    for place in range(number):
        yield place * count // number, (place + 1) * count // number
