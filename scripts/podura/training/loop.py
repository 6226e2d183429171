"""The training loop: the same for every detector.

It knows no framework and no metric: validation is a function that it is given.
"""

from __future__ import annotations

import copy
import logging
import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from podura.configuration.study import OptimiserSettings
from podura.detectors.contract import Batch, Detector
from podura.training.averaging import WeightAverage
from podura.training.checkpoint import (
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from podura.training.samples import TrainingSamples
from podura.training.schedule import learning_rate, make_optimiser
from podura.training.seeds import seed_torch

log = logging.getLogger(__name__)

#: Gives (mAP50, mAP50:95) of a detector on the validation part; NaN where there is no truth.
Validation = Callable[[Detector], tuple[float, float]]

_LARGEST_GRADIENT = 10.0


class TrainingStopped(Exception):
    """The training was asked to stop; its checkpoint is written."""


@dataclass(frozen=True)
class LoopSettings:
    """How long and how a detector is trained."""

    epochs: int
    optimiser: OptimiserSettings
    average_decay: float
    seed: int
    device: torch.device
    checkpoint_seconds: float


@dataclass
class Progress:
    """Where the loop stands; all of it goes into a checkpoint."""

    epoch: int = 1
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    epoch_seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """The chosen weights, the learning curve, and what the training took."""

    state: dict[str, Tensor]
    history: list[dict[str, Any]]
    best_epoch: int
    steps: int
    seconds: float
    peak_memory_mb: float


class Training:
    """One training of one detector; ``run`` may be called in a new process until it is through."""

    def __init__(
        self,
        detector: Detector,
        samples: TrainingSamples,
        validate: Validation,
        settings: LoopSettings,
        *,
        checkpoint: Path,
        identity: str,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.detector = detector.to(settings.device)
        self.samples, self.validate, self.settings = samples, validate, settings
        self.checkpoint, self.identity, self.should_stop = checkpoint, identity, should_stop
        self.steps = settings.epochs * samples.steps_per_epoch
        self.optimiser = make_optimiser(detector, settings.optimiser)
        self.average = WeightAverage(detector, settings.average_decay)
        self.best: dict[str, Tensor] = {}
        self.progress = Progress()

    def run(self) -> Trained:
        """Train to the end, from the last checkpoint where there is one.

        Raises TrainingStopped when asked to stop, FloatingPointError on a loss that is not finite.
        """
        self._resume()
        self._saved = self._clock = time.monotonic()
        while self.progress.epoch <= self.settings.epochs:
            self._finish_epoch()
        return Trained(
            state={name: tensor.cpu() for name, tensor in self.best.items()},
            history=self.progress.history,
            best_epoch=self.progress.best_epoch,
            steps=self.progress.step,
            seconds=self.progress.seconds,
            peak_memory_mb=peak_memory_mb(),
        )

    def _finish_epoch(self) -> None:
        progress = self.progress
        self.detector.train()
        for batch in self.samples.batches(progress.epoch, start=progress.batch):
            self._step(batch.to(self.settings.device))
            progress.batch += 1
            self._tick(training=True)
            self._save_if_due()
        self._validate()
        progress.epoch, progress.batch, progress.sums = progress.epoch + 1, 0, {}
        progress.epoch_seconds = 0.0
        self._save_if_due()

    def _step(self, batch: Batch) -> None:
        progress, settings = self.progress, self.settings
        # Frameworks draw from torch's global generator (which proposals to train on, drop-out).
        seed_torch(settings.seed, "step", progress.step)
        rate = learning_rate(progress.step, self.steps, settings.optimiser)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = self.detector.loss(batch)
        loss = torch.stack(list(parts.values())).sum()
        if not math.isfinite(loss.item()):
            values = ", ".join(f"{name} {part.item():g}" for name, part in parts.items())
            raise FloatingPointError(
                f"the loss is not finite at step {progress.step + 1} ({values}); "
                "a lower optimiser.learning_rate usually helps"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        progress.step += 1
        self.average.update(self.detector, progress.step)
        sums = defaultdict(float, progress.sums)
        for name, part in parts.items():
            sums[name] += part.item()
        progress.sums = dict(sums)

    def _validate(self) -> None:
        progress, steps = self.progress, self.samples.steps_per_epoch
        averaged = copy.deepcopy(self.detector)
        averaged.load_state_dict(self.average.state)
        map50, map50_95 = self.validate(averaged.eval())
        self._tick(training=False)
        # A validation part without truth cannot choose: the last weights are kept then.
        kept = not map50_95 <= progress.best
        if kept:
            progress.best = -1.0 if math.isnan(map50_95) else map50_95
            progress.best_epoch = progress.epoch
            self.best = {name: tensor.clone() for name, tensor in self.average.state.items()}
        means = {name: total / steps for name, total in progress.sums.items()}
        speed = steps * self.samples.batch_size / max(progress.epoch_seconds, 1e-9)
        progress.history.append(
            {
                "epoch": progress.epoch,
                "step": progress.step,
                "loss": sum(means.values()),
                "loss_parts": ";".join(f"{name}={value:.6g}" for name, value in means.items()),
                "learning_rate": self.optimiser.param_groups[0]["lr"],
                "validation_map50": map50,
                "validation_map50_95": map50_95,
                "kept": kept,
                "seconds": progress.epoch_seconds,
                "images_per_second": speed,
                "peak_memory_mb": peak_memory_mb(),
            }
        )
        log.info(
            "epoch %d of %d: loss %.3f, validation mAP50 %.3f, mAP50:95 %.3f%s, %.1f images/s",
            progress.epoch,
            self.settings.epochs,
            sum(means.values()),
            map50,
            map50_95,
            " (best so far)" if kept else "",
            speed,
        )

    def _tick(self, *, training: bool) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        if training:
            self.progress.epoch_seconds += now - self._clock
        self._clock = now

    def _save_if_due(self) -> None:
        stop = self.should_stop()
        if not stop and time.monotonic() - self._saved < self.settings.checkpoint_seconds:
            return
        save_checkpoint(
            self.checkpoint,
            {
                "model": self.detector.state_dict(),
                "average": self.average.state,
                "best": self.best,
                "optimiser": optimiser_tensors(self.optimiser),
            },
            asdict(self.progress),
            self.identity,
        )
        self._saved = time.monotonic()
        if stop:
            raise TrainingStopped(f"stopped after step {self.progress.step} of {self.steps}")

    def _resume(self) -> None:
        found = load_checkpoint(self.checkpoint, self.identity)
        if found is None:
            return
        self.detector.load_state_dict(found.section("model"))
        device = self.settings.device
        self.average.state = {n: t.to(device) for n, t in found.section("average").items()}
        self.best = {n: t.to(device) for n, t in found.section("best").items()}
        restore_optimiser(self.optimiser, found.section("optimiser"))
        self.progress = Progress(**found.progress)
        log.info("Continuing after step %d of %d.", self.progress.step, self.steps)


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
