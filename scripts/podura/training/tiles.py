"""Tiles of images as the samples of a training: every animal about once an epoch, few empty places."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.configuration.study import TilingSettings
from podura.detectors.preprocessing import resize_by
from podura.seeds import generator
from podura.slides.kept_open import OpenSlides
from podura.slides.reading import open_slide
from podura.slides.tiling import Tile, grid
from podura.training.geometry import LEAST_VISIBLE, Boxes, Sample, areas, inside
from podura.training.sources import COMPANIONS, LabelledImage

log = logging.getLogger(__name__)

#: Slides that are kept open hold at most this much. An epoch takes the tiles of as many slides as fit before
#: it goes on to the next ones, so that each is opened, and decoded where that goes as a whole only, once.
_OPEN_BYTES = 256 << 20


@dataclass(frozen=True)
class _Place:
    """A tile of an image, and the size of the image."""

    image: int
    tile: Tile
    size: tuple[int, int]


class TileSource:
    """Every tile to which an animal belongs is a sample of each epoch; some others are drawn to join them.

    An animal belongs to the tile in whose core its centre lies. In each epoch tiles are moved a little,
    within the room that their overlap leaves, so that animals do not always show at the same place.
    """

    def __init__(
        self, images: Sequence[LabelledImage], image_size: int, tiling: TilingSettings, seed: int
    ) -> None:
        self.images, self.tiling, self.seed = images, tiling, seed
        self.scale = image_size / tiling.size
        self._slides = OpenSlides(_OPEN_BYTES)
        self._places: list[_Place] = []
        self._held = [0] * len(images)
        full, never_shown = [], 0
        for number, image in enumerate(images):
            with open_slide(image.path) as slide:
                size, self._held[number] = slide.size, slide.held_bytes
            tiles = grid(*size, tiling.size, tiling.overlap)
            centres = (image.boxes[:, :2] + image.boxes[:, 2:]) / 2
            for tile in tiles:
                owned = tile.owns(centres)
                full.append(bool(owned.any()))
                never_shown += int((_shares(image.boxes[owned], tile) < LEAST_VISIBLE).sum())
            self._places += [_Place(number, tile, size) for tile in tiles]
        self._full, self._empty = np.flatnonzero(full), np.flatnonzero(~np.array(full, dtype=bool))
        wanted = int(len(self._full) * tiling.empty_share / (1 - tiling.empty_share) + 1e-9)
        self._n_empty = min(len(self._empty), wanted if len(self._full) else 1)
        self._tell(never_shown)

    @property
    def per_epoch(self) -> int:
        return len(self._full) + self._n_empty

    def order(self, epoch: int) -> list[int]:
        chance = generator(self.seed, "order", epoch)
        drawn = chance.choice(self._empty, self._n_empty, replace=False)
        of_image: dict[int, list[int]] = {}
        for index in [*self._full.tolist(), *drawn.tolist()]:
            of_image.setdefault(self._places[index].image, []).append(index)
        order: list[int] = []
        together: list[int] = []
        held = 0
        for image in chance.permutation(sorted(of_image)).tolist():
            if together and held + self._held[image] > _OPEN_BYTES:
                order += chance.permutation(together).tolist()
                together, held = [], 0
            together += of_image[image]
            held += self._held[image]
        return order + chance.permutation(together).tolist()

    def image_of(self, index: int) -> LabelledImage:
        return self.images[self._places[index].image]

    def divide_memory(self, processes: int) -> None:
        """Change nothing: which images are open together decides the order, which must stay the same."""

    def companions(self, epoch: int, chance: Generator) -> list[int]:
        known = self._full if len(self._full) else self._empty
        return chance.choice(known, COMPANIONS).tolist()

    def sample(self, epoch: int, index: int) -> Sample:
        place = self._places[index]
        image, tile = self.images[place.image], place.tile
        x, y = self._moved(place, generator(self.seed, "tile", epoch, index))
        region = self._slides.get(image.path).region(x, y, tile.width, tile.height)
        pixels, x_factor, y_factor = resize_by(region, self.scale)
        boxes = (image.boxes - [x, y, x, y]) * [x_factor, y_factor, x_factor, y_factor]
        return inside(Sample(pixels, boxes, image.labels, np.ones(len(boxes))))

    def _moved(self, place: _Place, chance: Generator) -> tuple[int, int]:
        """Move the corner of a tile by at most half the way on which the tile still shows its core."""
        tile, size = place.tile, place.size
        x_min, y_min, x_max, y_max = tile.core
        corner = []
        for start, length, low, high, end in (
            (tile.x, tile.width, x_min, x_max, size[0]),
            (tile.y, tile.height, y_min, y_max, size[1]),
        ):
            back = min(start + length - min(high, end), start)
            forth = min(max(low, 0) - start, end - length - start)
            corner.append(start + round(float(chance.uniform(-back / 2, forth / 2))))
        return corner[0], corner[1]

    def _tell(self, never_shown: int) -> None:
        log.info(
            "%d tiles of %d px show animals; each epoch takes them and %d of %d others.",
            len(self._full),
            self.tiling.size,
            self._n_empty,
            len(self._empty),
        )
        boxes = [image.boxes for image in self.images if len(image.boxes)]
        if not boxes:
            return
        sides = np.concatenate([(of_image[:, 2:] - of_image[:, :2]).max(axis=1) for of_image in boxes])
        room = self.tiling.size * self.tiling.overlap
        if (sides > room).any():
            log.warning(
                "%d of %d specimens are longer than the %.0f px that neighbouring tiles share (the "
                "longest has %.0f px): where they lie across the edges of tiles they are seen in pieces. "
                "Raise tiling.overlap or tiling.size of the model.",
                int((sides > room).sum()),
                len(sides),
                room,
                sides.max(),
            )
        if never_shown:
            log.warning(
                "%d of %d specimens cannot be learnt from: the tile to which each belongs shows less than "
                "%.0f %% of its box. Raise tiling.size of the model.",
                never_shown,
                len(sides),
                100 * LEAST_VISIBLE,
            )


def _shares(boxes: Boxes, tile: Tile) -> NDArray[np.float64]:
    x_min, y_min, x_max, y_max = tile.box
    clipped = np.clip(boxes, [x_min, y_min] * 2, [x_max, y_max] * 2)
    return areas(clipped) / np.maximum(areas(boxes), 1e-9)
