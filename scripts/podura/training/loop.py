"""The training loop: the same for every detector.

It knows no framework and no metric: validation is a function that it is given.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from podura.configuration.study import OptimiserSettings
from podura.detectors.contract import Batch, Detector
from podura.errors import DivergedError, UserError
from podura.training.averaging import WeightAverage
from podura.training.checkpoint import (
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from podura.training.loading import BatchLoader, LoaderEndedError
from podura.training.memory import fast_layout, fitting_images, peak_gpu_memory_mb, peak_memory_mb
from podura.training.progress import Progress, Stopwatch
from podura.training.samples import TrainingSamples
from podura.training.schedule import learning_rate
from podura.training.seeds import noting_nondeterminism
from podura.training.stepping import NonFiniteLossError, Stepper

log = logging.getLogger(__name__)

#: Gives (mAP50, mAP50:95) of a detector on the validation part; NaN where there is no truth. May raise
#: TrainingStopped where it is asked to stop before it is through.
Validation = Callable[[Detector], tuple[float, float]]

#: How long a signal may take to all processes of a job after it reached the first.
_SIGNAL_SECONDS = 2.0


class TrainingStopped(Exception):
    """The training was asked to stop; its checkpoint is written."""


@dataclass(frozen=True)
class LoopSettings:
    """How long and how a detector is trained.

    precision: float32, bfloat16 or float16. workers: processes that make batches; 0 for none.
    validate_every: epochs from one validation to the next. fit_memory: find out before the first step
    how many images fit into memory at once; otherwise a whole batch is tried.
    """

    epochs: int
    optimiser: OptimiserSettings
    average_decay: float
    seed: int
    device: torch.device
    checkpoint_seconds: float
    precision: str = "float32"
    workers: int = 0
    validate_every: int = 1
    fit_memory: bool = False


@dataclass(frozen=True)
class Trained:
    """The chosen weights, and where the training stood at its end."""

    state: dict[str, Tensor]
    progress: Progress

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.progress.history

    @property
    def best_epoch(self) -> int:
        return self.progress.best_epoch


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
        energy: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.energy = energy
        self._energy_before: float | None = 0.0
        self.detector = detector.to(settings.device).to(memory_format=fast_layout(settings.device))
        self.samples, self.validate, self.settings = samples, validate, settings
        self.checkpoint, self.identity, self.should_stop = checkpoint, identity, should_stop
        self.steps = settings.epochs * samples.steps_per_epoch
        self.stepper = Stepper(
            self.detector,
            settings.optimiser,
            seed=settings.seed,
            device=settings.device,
            precision=settings.precision,
        )
        self.average = WeightAverage(self.detector, settings.average_decay)
        self.best: dict[str, Tensor] = {}
        self.progress = Progress()

    def run(self) -> Trained:
        """Train to the end, from the last checkpoint where there is one.

        Raises TrainingStopped when asked to stop, UserError on a loss that is not finite, on an image that
        cannot be read and where memory is not enough for one image.
        """
        self._resume()
        progress = self.progress
        with (
            noting_nondeterminism(progress.nondeterministic),
            BatchLoader(self.samples, self._places(), self.settings.workers) as loader,
        ):
            if not progress.passes.images:
                progress.passes.images = self._images_at_once()
            self._saved, self._clock = time.monotonic(), Stopwatch()
            batches = iter(loader)
            while progress.epoch <= self.settings.epochs:
                self._finish_epoch(batches, loader)
        self._note_energy()
        return Trained({name: tensor.clone() for name, tensor in self.best.items()}, progress)

    def _places(self) -> Iterator[tuple[int, int]]:
        start = self.progress.batch
        for epoch in range(self.progress.epoch, self.settings.epochs + 1):
            yield from ((epoch, number) for number in range(start, self.samples.steps_per_epoch))
            start = 0

    def _images_at_once(self) -> int:
        if not self.settings.fit_memory:
            return self.samples.batch_size
        batch = self.samples.batch(1, 0)
        found = fitting_images(self.detector, batch, self.settings.precision, self.settings.device)
        log.info("Of %d images in a step %d pass at once.", self.samples.batch_size, found)
        return found

    def _finish_epoch(self, batches: Iterator[Batch], loader: BatchLoader) -> None:
        progress = self.progress
        self.detector.train()
        while progress.batch < self.samples.steps_per_epoch:
            self._step(self._next(batches))
            self._clock.lap(progress, training=True)
            self._save_if_due()
        progress.note_memory(
            peak_memory_mb() + loader.peak_memory_mb, peak_gpu_memory_mb(self.settings.device)
        )
        rate = learning_rate(progress.step - 1, self.steps, self.settings.optimiser)
        due = progress.epoch % self.settings.validate_every == 0 or progress.epoch == self.settings.epochs
        scores = self._validated() if due else None
        kept = scores is not None and self._keep_if_better(scores[1])
        progress.note_memory(peak_memory_mb() + loader.peak_memory_mb, None)
        progress.close_epoch(epochs=self.settings.epochs, rate=rate, scores=scores, kept=kept)
        self._save_if_due()

    def _next(self, batches: Iterator[Batch]) -> Batch:
        try:
            return next(batches)
        except LoaderEndedError as error:
            # A signal to the whole job ends the loaders, too, and may reach them first.
            until = time.monotonic() + _SIGNAL_SECONDS
            while time.monotonic() < until:
                if self.should_stop():
                    self._stop()
                time.sleep(0.05)
            raise UserError(f"{error}.") from error

    def _step(self, batch: Batch) -> None:
        progress = self.progress
        rate = learning_rate(progress.step, self.steps, self.settings.optimiser)
        try:
            parts = self.stepper.step(batch, progress.step, rate)
        except NonFiniteLossError as error:
            self._save()
            names = ", ".join(self.samples.names(progress.epoch, progress.batch))
            raise DivergedError(
                f"the loss is not finite at step {progress.step + 1} of {self.steps} ({error}). The images "
                f"of this step: {names}. Look at their boxes; if they are right, a lower "
                "optimiser.learning_rate or optimiser.clip, or training.precision: float32 usually helps."
            ) from error
        progress.add(parts, len(batch.boxes))
        if parts is not None:
            self.average.update(progress.step)

    def _validated(self) -> tuple[float, float]:
        averaged = copy.deepcopy(self.detector)
        averaged.load_state_dict(self.average.state)
        try:
            scores = self.validate(averaged.eval())
        except TrainingStopped:
            self._stop()
        self._clock.lap(self.progress, training=False)
        return scores

    def _keep_if_better(self, map50_95: float) -> bool:
        """Keep the averaged weights if they are the best so far."""
        progress = self.progress
        # A validation part without truth cannot choose: the last weights are kept then.
        if map50_95 <= progress.best:
            return False
        if math.isnan(map50_95):
            log.warning("No truth in the part validation: it cannot choose, and the last epoch is kept.")
        progress.best = -1.0 if math.isnan(map50_95) else map50_95
        progress.best_epoch = progress.epoch
        self.best = {name: tensor.to("cpu", copy=True) for name, tensor in self.average.state.items()}
        return True

    def _save_if_due(self) -> None:
        if self.should_stop():
            self._stop()
        if time.monotonic() - self._saved >= self.settings.checkpoint_seconds:
            self._save()

    def _stop(self) -> None:
        self._save()
        raise TrainingStopped(f"stopped after step {self.progress.step} of {self.steps}")

    def _note_energy(self) -> None:
        """Take in what the meters say. What an earlier process did not meter is never known again."""
        now, before = self.energy(), self._energy_before
        self.progress.energy_wh = None if now is None or before is None else before + now

    def _save(self) -> None:
        self._note_energy()
        save_checkpoint(
            self.checkpoint,
            {
                "model": self.detector.state_dict(),
                "average": self.average.state,
                "best": self.best,
                "optimiser": optimiser_tensors(self.stepper.optimiser),
            },
            self.progress.as_dict(),
            self.identity,
        )
        self._saved = time.monotonic()

    def _resume(self) -> None:
        self.stepper.restore(self.progress.passes)
        found = load_checkpoint(self.checkpoint, self.identity)
        if found is None:
            return
        self.detector.load_state_dict(found.section("model"))
        self.average.restore(found.section("average"))
        self.best = found.section("best")
        restore_optimiser(self.stepper.optimiser, found.section("optimiser"))
        self.progress = Progress.of(found.progress)
        self._energy_before = self.progress.energy_wh
        self.stepper.restore(self.progress.passes)
        log.info("Continuing after step %d of %d.", self.progress.step, self.steps)
