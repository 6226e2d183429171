"""Where the samples of a training come from: whole images, resized and kept in memory as far as they fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.detectors.preprocessing import resize
from podura.seeds import generator
from podura.slides.reading import read_image
from podura.training.geometry import SMALLEST_SIDE, Boxes, Sample

log = logging.getLogger(__name__)

#: Resized images are kept in memory up to this size; beyond it they are read again each epoch.
_KEPT_BYTES = 1 << 30
#: How many other samples a mosaic takes.
COMPANIONS = 3


@dataclass(frozen=True)
class LabelledImage:
    """One image with its truth: boxes (n, 4) in the image's own pixels, labels (n,) from 0."""

    image: str
    path: Path
    boxes: Boxes
    labels: NDArray[np.int64]


class Source(Protocol):
    """Samples by number, and which of them an epoch shows in which order."""

    @property
    def per_epoch(self) -> int:
        """Samples of an epoch, the same for each."""
        ...

    def order(self, epoch: int) -> list[int]:
        """Return the numbers of the samples of an epoch, in the order in which they come up."""
        ...

    def sample(self, epoch: int, index: int) -> Sample:
        """Return a sample, resized but not augmented; its pixels must not be written to."""
        ...

    def image_of(self, index: int) -> LabelledImage:
        """Return the image that a sample shows, or shows a part of."""
        ...

    def companions(self, epoch: int, chance: Generator) -> list[int]:
        """Draw the numbers of the other samples of a mosaic."""
        ...

    def divide_memory(self, processes: int) -> None:
        """Keep no more in memory than the part of one of so many processes, each with a copy of this."""
        ...


class ImageSource:
    """Every image is a sample."""

    def __init__(self, images: Sequence[LabelledImage], image_size: int, seed: int) -> None:
        self.images, self.image_size, self.seed = images, image_size, seed
        self._kept: dict[int, Sample] = {}
        self._kept_bytes, self._most_kept = 0, _KEPT_BYTES

    @property
    def per_epoch(self) -> int:
        return len(self.images)

    def order(self, epoch: int) -> list[int]:
        return generator(self.seed, "order", epoch).permutation(len(self.images)).tolist()

    def image_of(self, index: int) -> LabelledImage:
        return self.images[index]

    def companions(self, epoch: int, chance: Generator) -> list[int]:
        return chance.integers(len(self.images), size=COMPANIONS).tolist()

    def divide_memory(self, processes: int) -> None:
        self._most_kept = _KEPT_BYTES // processes

    def sample(self, epoch: int, index: int) -> Sample:
        if index in self._kept:
            return self._kept[index]
        labelled = self.images[index]
        pixels, x_factor, y_factor = resize(read_image(labelled.path), self.image_size)
        pixels.setflags(write=False)  # it is shown again in the next epoch
        boxes = labelled.boxes * [x_factor, y_factor, x_factor, y_factor]
        large = np.all(boxes[:, 2:] - boxes[:, :2] >= SMALLEST_SIDE, axis=1)
        if not large.all():
            log.warning(
                "%s: %d of %d boxes are thinner than a pixel at %d px and cannot be learnt from.",
                labelled.image,
                int((~large).sum()),
                len(large),
                self.image_size,
            )
        made = Sample(pixels, boxes[large], labelled.labels[large], np.ones(int(large.sum())))
        if self._kept_bytes + pixels.nbytes <= self._most_kept:
            self._kept[index] = made
            self._kept_bytes += pixels.nbytes
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_kept_bytes": 0}
