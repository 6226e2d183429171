"""One size at which images are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.slides.opening import open_slide

#: Longer side in pixels of what is compared; smaller images stay as they are.
SIDE = 512

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A reduced image.

    ``pixels`` has the shape (height, width, 3), RGB; ``full_size`` is (width, height) of the image.
    """

    pixels: Pixels
    full_size: tuple[int, int]

    @property
    def grey(self) -> Pixels:
        """Grey values of shape (height, width)."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def to_full(self) -> NDArray[np.float64]:
        """The 3 × 3 matrix from its pixel centres to those of the full image."""
        x, y = (full / own for full, own in zip(self.full_size, self.size, strict=True))
        return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def read_thumbnail(path: Path | str, side: int = SIDE) -> Thumbnail:
    """Read an image or whole slide, upright, with its longer side reduced to ``side`` pixels.

    Raises UnreadableImageError and TooLargeError as ``podura.slides.opening.open_slide``.
    """
    with open_slide(path) as slide:
        return Thumbnail(slide.thumbnail(side), slide.size)


def reduced(pixels: Pixels, side: int = SIDE) -> Thumbnail:
    """The thumbnail of an image's pixels (height, width, 3)."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Thumbnail(pixels, (width, height))
