"""The labelled images of a part, as batches: which images, in which order, changed how, by seed alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from podura.configuration.study import AugmentationSettings
from podura.detectors.contract import Batch
from podura.detectors.preprocessing import Pixels, resize, to_tensor
from podura.seeds import generator
from podura.slides.reading import read_image
from podura.training.augmentation import augment

log = logging.getLogger(__name__)

#: Resized images are kept in memory up to this size; beyond it they are read again each epoch.
_KEPT_BYTES = 1 << 30
#: A box thinner than this after resizing cannot be learnt from and upsets some losses.
_SMALLEST_SIDE = 1.0


@dataclass(frozen=True)
class LabelledImage:
    """One image with its truth: boxes (n, 4) in the image's own pixels, labels (n,) from 0."""

    image: str
    path: Path
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]


class TrainingSamples:
    """Batches of resized, augmented images for one training.

    Any batch can be made at any time, in any process: it follows from the seed, the epoch and its number.
    An object may be pickled; what it keeps in memory stays behind.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        *,
        image_size: int,
        batch_size: int,
        augmentation: AugmentationSettings,
        seed: int,
    ) -> None:
        self.images = list(images)
        self.image_size, self.batch_size = image_size, min(batch_size, len(images))
        self.augmentation, self.seed = augmentation, seed
        self._kept: dict[int, tuple[Pixels, NDArray[np.float64], NDArray[np.int64]]] = {}
        self._kept_bytes = 0

    @property
    def steps_per_epoch(self) -> int:
        # A last, smaller batch would make batch statistics and steps uneven; its images come up in
        # other epochs, since each epoch has its own order.
        return len(self.images) // self.batch_size

    def order(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch as indices into ``images``."""
        order = generator(self.seed, "order", epoch).permutation(len(self.images)).tolist()
        size = self.batch_size
        return [order[i * size : (i + 1) * size] for i in range(self.steps_per_epoch)]

    def batches(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``start`` on."""
        for number in range(start, self.steps_per_epoch):
            yield self.batch(epoch, number)

    def batch(self, epoch: int, number: int) -> Batch:
        """Return batch ``number`` (from 0) of an epoch (from 1): always the same one for the same seed.

        Raises IndexError for a number that the epoch does not have.
        """
        indices = self.order(epoch)[number]
        turned = bool(generator(self.seed, "turn", epoch, number).random() < 0.5)
        pixels, boxes, labels = [], [], []
        for index in indices:
            image, image_boxes, image_labels = self._resized(index)
            changed, changed_boxes = augment(
                image,
                image_boxes,
                self.augmentation,
                generator(self.seed, "image", epoch, index),
                turned=turned,
            )
            pixels.append(changed)
            boxes.append(torch.from_numpy(changed_boxes.astype(np.float32)))
            labels.append(torch.from_numpy(image_labels))
        return Batch(to_tensor(pixels), tuple(boxes), tuple(labels))

    def names(self, epoch: int, number: int) -> list[str]:
        """Return the names of the images in a batch."""
        return [self.images[index].image for index in self.order(epoch)[number]]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_kept_bytes": 0}

    def _resized(self, index: int) -> tuple[Pixels, NDArray[np.float64], NDArray[np.int64]]:
        if index in self._kept:
            return self._kept[index]
        labelled = self.images[index]
        pixels, x_factor, y_factor = resize(read_image(labelled.path), self.image_size)
        boxes = labelled.boxes * [x_factor, y_factor, x_factor, y_factor]
        large = np.all(boxes[:, 2:] - boxes[:, :2] >= _SMALLEST_SIDE, axis=1)
        if not large.all():
            log.warning(
                "%s: %d of %d boxes are thinner than a pixel at %d px and cannot be learnt from.",
                labelled.image,
                int((~large).sum()),
                len(large),
                self.image_size,
            )
        made = (pixels, boxes[large], labelled.labels[large])
        if self._kept_bytes + pixels.nbytes <= _KEPT_BYTES:
            self._kept[index] = made
            self._kept_bytes += pixels.nbytes
        return made
