"""The labelled images of a part, as batches: which images, in which order, changed how, by seed alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from podura.configuration.study import AugmentationSettings, TilingSettings
from podura.detectors.contract import Batch
from podura.detectors.preprocessing import to_tensor
from podura.seeds import generator
from podura.training.augmentation import disturbed, reoriented
from podura.training.geometry import Sample
from podura.training.mosaic import mosaic
from podura.training.sources import ImageSource, LabelledImage, Source
from podura.training.tiles import TileSource

__all__ = ["LabelledImage", "TrainingSamples"]

log = logging.getLogger(__name__)


class TrainingSamples:
    """Batches of resized, augmented images, or tiles of them, for one training.

    Any batch can be made at any time, in any process: it follows from the seed, the epoch and its number.
    An object may be pickled; what it keeps in memory stays behind. ``epochs`` is the length of the training,
    which tells when there are no more mosaics; None for mosaics to the end.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        *,
        image_size: int,
        batch_size: int,
        augmentation: AugmentationSettings,
        seed: int,
        tiling: TilingSettings | None = None,
        epochs: int | None = None,
    ) -> None:
        self.images = list(images)
        self.augmentation, self.seed, self.epochs = augmentation, seed, epochs
        self.source: Source = (
            ImageSource(self.images, image_size, seed)
            if tiling is None
            else TileSource(self.images, image_size, tiling, seed)
        )
        self.batch_size = min(batch_size, self.source.per_epoch)
        self._known_order: tuple[int, list[int]] = (0, [])

    @property
    def steps_per_epoch(self) -> int:
        # A last, smaller batch would make batch statistics and steps uneven; its images come up in
        # other epochs, since each epoch has its own order.
        return self.source.per_epoch // self.batch_size

    def order(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch (from 1) as numbers of samples: images, or tiles of them."""
        if self._known_order[0] != epoch:
            self._known_order = (epoch, self.source.order(epoch))
        order, size = self._known_order[1], self.batch_size
        return [order[i * size : (i + 1) * size] for i in range(self.steps_per_epoch)]

    def batches(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``start`` on."""
        for number in range(start, self.steps_per_epoch):
            yield self.batch(epoch, number)

    def batch(self, epoch: int, number: int) -> Batch:
        """Return batch ``number`` (from 0) of an epoch (from 1): always the same one for the same seed.

        Raises IndexError for a number that the epoch does not have.
        """
        samples = self.samples(epoch, number)
        return Batch(
            to_tensor([sample.pixels for sample in samples]),
            tuple(torch.from_numpy(sample.boxes.astype(np.float32)) for sample in samples),
            tuple(torch.from_numpy(sample.labels) for sample in samples),
        )

    def samples(self, epoch: int, number: int) -> list[Sample]:
        """Return what batch ``number`` of an epoch is made of. Raises IndexError as ``batch`` does."""
        indices = self.order(epoch)[number]
        turned = bool(generator(self.seed, "turn", epoch, number).random() < 0.5)
        return [self._sample(epoch, index, turned) for index in indices]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known_order": (0, [])}

    def _sample(self, epoch: int, index: int, turned: bool) -> Sample:
        settings, chance = self.augmentation, generator(self.seed, "image", epoch, index)
        sample = reoriented(self.source.sample(epoch, index), settings, chance, turned=turned)
        # Mosaics have a generator of their own, so that without them images are changed as with them.
        mixing = generator(self.seed, "mosaic", epoch, index)
        if mixing.random() < settings.mosaic and self._mixes(epoch):
            sample = self._mosaic(epoch, sample, mixing)
        return disturbed(sample, settings, chance)

    def _mixes(self, epoch: int) -> bool:
        # The last epochs see images as they are (Ge et al. 2021, "YOLOX", arXiv:2107.08430).
        return self.epochs is None or epoch <= self.augmentation.mosaic_until * self.epochs

    def _mosaic(self, epoch: int, sample: Sample, mixing: np.random.Generator) -> Sample:
        others = [
            reoriented(
                self.source.sample(epoch, int(other)),
                self.augmentation,
                mixing,
                turned=bool(mixing.random() < 0.5),
            )
            for other in self.source.companions(epoch, mixing)
        ]
        return mosaic([sample, *others], mixing)

    def names(self, epoch: int, number: int) -> list[str]:
        """Return the names of the images in a batch."""
        return [self.source.image_of(index).image for index in self.order(epoch)[number]]
