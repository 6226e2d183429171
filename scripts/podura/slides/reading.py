"""Reading images of any format: the one place where files become upright 8-bit RGB.

Every detector, figure and check sees an image by these rules:

* Orientation (EXIF of JPEG, PNG and WebP; tag 274 of TIFF) is applied here and nowhere else. Formats of
  whole slides have none.
* 8-bit colour, grey, palettes and bilevel images keep their look; where a file says that its smallest
  value is white, it is inverted.
* Values of more than 8 bits, and those that are no whole numbers, are scaled linearly from the image's own
  smallest..largest value to 0..255, since cameras of 10, 12 or 14 bits fill the range differently. Grey
  has one range, the colours of RGB share one (which keeps their balance), channels of OME-TIFF and ImageJ
  have one each. It is that of the whole image, never of a region. On a pyramid it is sought in the
  smallest level with a side of at least 1024 pixels; what lies beyond it is cut. Nothing wraps around.
  An image of a single value is 0.
* Transparency is laid over white. CMYK becomes RGB by Pillow's formula. Colour profiles are not applied.
* Of several pages the first that is no preview is read; of a stack the first time and depth; of channels
  the first three as red, green and blue, of two as red and green, a single one as grey.

What of this happened is told by ``Slide.notes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podura.slides.faults import MAX_PIXELS, TooLargeError, UnreadableImageError
from podura.slides.opening import open_slide
from podura.slides.orientation import upright_size
from podura.slides.slide import Level, Note, Slide

__all__ = [
    "MAX_PIXELS",
    "Examination",
    "ImageHeader",
    "Level",
    "Note",
    "Slide",
    "TooLargeError",
    "UnreadableImageError",
    "check_pixels",
    "examine",
    "image_size",
    "open_slide",
    "read_header",
    "read_image",
    "read_reduced",
]


@dataclass(frozen=True)
class ImageHeader:
    """Size in pixels after EXIF orientation, and that orientation (1 to 8; 1 means as stored)."""

    width: int
    height: int
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after orientation."""
        return self.width, self.height

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the pixels as they lie in the file."""
        return upright_size(self.size, self.orientation)


@dataclass(frozen=True)
class Examination:
    """What a look at a whole file found: its header, micrometres a pixel if told, and what to tell."""

    header: ImageHeader
    um_per_pixel: float | None
    notes: tuple[Note, ...]


def read_header(path: Path | str) -> ImageHeader:
    """Size and orientation of an image, without decoding its pixels.

    Raises UnreadableImageError, and TooLargeError as open_slide does.
    """
    with open_slide(path) as slide:
        return _header(slide)


def image_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels after EXIF orientation, without decoding the pixels.

    Raises UnreadableImageError, and TooLargeError as open_slide does.
    """
    return read_header(path).size


def check_pixels(path: Path | str) -> None:
    """Decode an image at the least cost that still shows damage, and keep nothing.

    Raises UnreadableImageError, and TooLargeError as open_slide does.
    """
    with open_slide(path) as slide:
        slide.check()


def examine(path: Path | str) -> Examination:
    """Header, damage and notes of a file in one go.

    Raises UnreadableImageError, and TooLargeError as open_slide does.
    """
    with open_slide(path) as slide:
        slide.check()
        return Examination(_header(slide), slide.um_per_pixel, slide.notes)


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Pixels as height × width × 3, 8-bit RGB, by the rules at the head of this module.

    Raises UnreadableImageError, and TooLargeError for more than ``faults.MAX_PIXELS``.
    """
    with open_slide(path) as slide:
        return slide.read()


def read_reduced(path: Path | str, max_side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The image, its longer side at most ``max_side`` pixels, and the width and height that it has itself.

    Raises UnreadableImageError, and UserError as open_slide does.
    """
    with open_slide(path) as slide:
        return slide.thumbnail(max_side), slide.size


def _header(slide: Slide) -> ImageHeader:
    return ImageHeader(*slide.size, slide.orientation)
