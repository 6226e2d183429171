"""Where a training stands, and its learning curve."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from podura.training.stepping import Passes

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Where the loop stands; all of it goes into a checkpoint.

    epoch, batch: where to go on (from 1, from 0). step, images_seen: done so far. sums: parts of the loss,
    summed over the ``counted`` steps of the epoch that were not left out. best, best_epoch: highest mAP on
    validation. seconds: all training and validation; the others are of the running epoch. energy_wh: of the
    machine's meters, None where a part of the training was not metered.
    """

    epoch: int = 1
    batch: int = 0
    step: int = 0
    images_seen: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    epoch_images: int = 0
    epoch_seconds: float = 0.0
    validation_seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    peak_gpu_memory_mb: float | None = None
    energy_wh: float | None = None
    passes: Passes = field(default_factory=Passes)
    nondeterministic: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Progress:
        """Make it from what ``asdict`` gave."""
        return cls(**{**values, "passes": Passes(**values["passes"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def add(self, parts: dict[str, float] | None, images: int) -> None:
        """Count a step with these parts of the loss; None where it was left out."""
        self.batch += 1
        self.step += 1
        self.images_seen += images
        self.epoch_images += images
        if parts is not None:
            self.counted += 1
            for name, value in parts.items():
                self.sums[name] = self.sums.get(name, 0.0) + value

    def note_memory(self, peak_mb: float, peak_gpu_mb: float | None) -> None:
        """Take in the peak memory of this process; an earlier one that was killed counts as well."""
        self.peak_memory_mb = max(self.peak_memory_mb, peak_mb)
        if peak_gpu_mb is not None:
            self.peak_gpu_memory_mb = max(self.peak_gpu_memory_mb or 0.0, peak_gpu_mb)

    def close_epoch(
        self, *, epochs: int, rate: float, scores: tuple[float, float] | None, kept: bool
    ) -> None:
        """Write the epoch's row of the table ``history``, tell the log, and go to the next epoch.

        ``scores``: mAP50 and mAP50:95 on validation, None where the epoch was not validated.
        """
        means = {name: total / max(self.counted, 1) for name, total in self.sums.items()}
        speed = self.epoch_images / max(self.epoch_seconds, 1e-9)
        map50, map50_95 = scores or (None, None)
        self.history.append(
            {
                "epoch": self.epoch,
                "step": self.step,
                "images_seen": self.images_seen,
                "loss": sum(means.values()) if self.counted else None,
                "loss_parts": ";".join(f"{name}={value:.6g}" for name, value in means.items()),
                "learning_rate": rate,
                "micro_batch": self.passes.images,
                "validation_map50": map50,
                "validation_map50_95": map50_95,
                "kept": kept,
                "seconds": self.epoch_seconds,
                "validation_seconds": self.validation_seconds,
                "images_per_second": speed,
                "peak_memory_mb": self.peak_memory_mb,
                "peak_gpu_memory_mb": self.peak_gpu_memory_mb,
            }
        )
        log.info(
            "epoch %d of %d: loss %.3f, %s, %.1f images/s",
            self.epoch,
            epochs,
            sum(means.values()) if self.counted else float("nan"),
            f"validation mAP50 {map50:.3f}, mAP50:95 {map50_95:.3f}{' (best so far)' if kept else ''}"
            if scores
            else "not validated",
            speed,
        )
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, {}
        self.counted = self.epoch_images = 0
        self.epoch_seconds = self.validation_seconds = 0.0


class Stopwatch:
    """Deals the time that passes to the counters of a progress."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def lap(self, progress: Progress, *, training: bool) -> None:
        """Add the time since the last call to what the progress says of training or validation."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        progress.seconds += passed
        if training:
            progress.epoch_seconds += passed
        else:
            progress.validation_seconds += passed
