"""A study, a detector and a training of a second or less, for tests of the training loop."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from podura.configuration.study import AugmentationSettings, OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch, Detector, ImageDetections
from podura.training.loop import LoopSettings, Training
from podura.training.samples import LabelledImage, TrainingSamples
from podura.training.seeds import be_deterministic, seed_torch

SPECIES = ["DARK", "LIGHT"]
OPTIMISER = OptimiserSettings("adamw", 1e-3, 5e-4, 0.1)
AUGMENTATION = AugmentationSettings(flips=True, quarter_turns=True, brightness=0.2, colour=0.1)
YOLO, FASTER_RCNN = ("ultralytics", "yolov5n"), ("torchvision", "fasterrcnn_lite0")
CPU = torch.device("cpu")


class SmallDetector(Detector):
    """Guesses the share of light animals in an image; like real ones it has batch statistics and chance.

    ``holds``: images that fit into its memory; for more it raises ``error``, in the midst of a pass.
    """

    def __init__(self, *, holds: int = 1000, error: BaseException | None = None) -> None:
        super().__init__(SPECIES)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 5, stride=4), nn.BatchNorm2d(6), nn.ReLU())
        self.head = nn.Linear(6, 1)
        self.holds, self.error = holds, error or torch.OutOfMemoryError("CUDA out of memory. Tried ...")
        self.sizes: list[int] = []

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        count = len(batch.boxes)
        self.sizes.append(count)
        maps = self.body(batch.images)
        if count > self.holds:
            raise self.error
        chance = nn.functional.dropout(maps.mean(dim=(2, 3)), 0.2, training=self.training)
        guesses = self.head(chance).squeeze(1)
        shares = torch.stack(
            [labels.float().mean() if len(labels) else guesses[0] * 0 for labels in batch.labels]
        )
        return {"share": ((guesses - shares) ** 2).mean(), "size": 1e-3 * (guesses**2).mean()}

    def detect(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], *, score_floor: float, max_detections: int
    ) -> list[ImageDetections]:
        nothing = torch.zeros(0)
        return [ImageDetections(torch.zeros(0, 4), nothing.long(), nothing) for _ in sizes]


def labelled_images(folder: Path, count: int = 6, size: tuple[int, int] = (64, 48)) -> list[LabelledImage]:
    """Images with one dark or light rectangle each."""
    random, (width, height) = np.random.default_rng(0), size
    made = []
    for number in range(count):
        pixels = np.full((height, width, 3), 150, dtype=np.uint8)
        left, top = random.integers(2, width // 2), random.integers(2, height // 2)
        label = number % 2
        pixels[top : top + height // 3, left : left + width // 3] = (30, 240)[label]
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        box = np.array([[left, top, left + width // 3, top + height // 3]], dtype=float)
        made.append(LabelledImage(path.name, path, box, np.array([label])))
    return made


def samples_of(images: Sequence[LabelledImage], *, size: int = 64, batch: int = 2) -> TrainingSamples:
    return TrainingSamples(images, image_size=size, batch_size=batch, augmentation=AUGMENTATION, seed=1)


def training(
    images: Sequence[LabelledImage],
    folder: Path,
    *,
    detector: Callable[[], Detector] | tuple[str, str] = SmallDetector,
    size: int = 64,
    batch: int = 2,
    optimiser: OptimiserSettings = OPTIMISER,
    epochs: int = 3,
    checkpoint_seconds: float = 1e9,
    validate: Callable[[Detector], tuple[float, float]] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> Training:
    """A training with seed 1, by default of a SmallDetector, judged by its own bias."""
    be_deterministic(CPU, 1)
    seed_torch(1, "weights")
    return Training(
        build_detector(*detector, SPECIES) if isinstance(detector, tuple) else detector(),
        samples_of(images, size=size, batch=batch),
        validate or (lambda averaged: (0.5, averaged.state_dict()["head.bias"].abs().item() % 1)),
        LoopSettings(
            epochs=epochs,
            optimiser=optimiser,
            average_decay=0.9,
            seed=1,
            device=CPU,
            checkpoint_seconds=checkpoint_seconds,
            **settings,
        ),
        checkpoint=folder / "state.safetensors",
        identity="same",
        should_stop=should_stop,
    )


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def killed(run: Callable[[], None]) -> bool:
    """Run in a copy of this process, and tell whether SIGKILL ended it; fail where an error did."""
    child = os.fork()
    if not child:
        try:
            run()
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or not os.WEXITSTATUS(status), "the training failed by itself"
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
