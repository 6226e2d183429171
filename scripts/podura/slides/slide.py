"""An opened image or whole slide: its size, its resolution, and any region of it, upright, 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from podura.slides import faults, resolution
from podura.slides.faults import faults_told
from podura.slides.orientation import SWAPS_SIDES, stored_rectangle, upright, upright_size

Pixels = NDArray[np.uint8]
#: The whole image made smaller, and how many of its columns and rows, in fractions, the image fills.
Preview = tuple[Pixels, float, float]

#: Pixels that are worked on at a time where a whole level is passed through.
BAND_PIXELS = 8_000_000


@dataclass(frozen=True)
class Note:
    """What there is to tell of how a file was read. ``value`` may be empty."""

    kind: str
    message: str
    value: str = ""


@dataclass(frozen=True)
class Level:
    """One level of a pyramid: its size in pixels and how many pixels of level 0 one of its own spans."""

    width: int
    height: int
    downsample: float


class Reader(Protocol):
    """What opens files of one family. Everything is as stored: orientation is applied by Slide.

    ``held_bytes`` is the most that it keeps in memory between two calls.
    """

    format: str
    held_bytes: int
    orientation: int
    sizes: tuple[tuple[int, int], ...]
    n_pages: int
    um_per_pixel: resolution.MicrometresXY | None

    def notes(self) -> tuple[Note, ...]: ...

    def pixels(self, level: int, x: int, y: int, width: int, height: int) -> Pixels: ...

    def preview(self, longest_side: int) -> Preview | None:
        """The whole image in fewer pixels, its longer side at least this, where that is cheaper."""
        ...

    def check(self) -> None:
        """Pass through all pixels at the least cost that shows damage."""
        ...

    def close(self) -> None: ...


class Slide:
    """An opened image, to be used in a ``with`` statement by one thread.

    Coordinates and sizes are in pixels after orientation. Every method raises UnreadableImageError for
    what is wrong with the file.
    """

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self._reader = reader
        sizes = [upright_size(size, reader.orientation) for size in reader.sizes]
        width, height = sizes[0]
        #: Level 0 is the full resolution; a file without a pyramid has only that.
        self.levels = tuple(Level(w, h, (width / w + height / h) / 2) for w, h in sizes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    @property
    def format(self) -> str:
        """The name of the format, such as JPEG or OME-TIFF."""
        return self._reader.format

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after orientation."""
        return self.levels[0].width, self.levels[0].height

    @property
    def held_bytes(self) -> int:
        """The most memory that the slide takes while it is open and nothing is asked of it, about."""
        return self._reader.held_bytes

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the pixels as they lie in the file."""
        return self._reader.sizes[0]

    @property
    def orientation(self) -> int:
        """EXIF or TIFF orientation, 1 to 8; 1 means as stored."""
        return self._reader.orientation

    @property
    def n_pages(self) -> int:
        """Pictures in the file, levels and previews of the first aside. Only the first is read."""
        return self._reader.n_pages

    @property
    def um_per_pixel_xy(self) -> resolution.MicrometresXY | None:
        """Micrometres a pixel along x and along y; None where the file does not tell it credibly."""
        sizes = self._reader.um_per_pixel
        return sizes[::-1] if sizes is not None and self.orientation in SWAPS_SIDES else sizes

    @property
    def um_per_pixel(self) -> float | None:
        """Micrometres a pixel, where it is (nearly) the same along x and y; the rules: resolution.py."""
        return resolution.single(self._reader.um_per_pixel)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What there is to tell; for scaled values their range is sought, which may read the file."""
        with faults_told(self.path):
            return self._reader.notes()

    def region(self, x_min: int, y_min: int, width: int, height: int, level: int = 0) -> Pixels:
        """A region as height × width × 3, 8-bit RGB; all numbers in pixels of that level.

        It looks the same as that place in the whole image. Tiled and striped files are decoded only
        where the region lies; JPEG, PNG, BMP and WebP are decoded as a whole once.
        Raises ValueError for a region that is empty or not wholly inside.
        """
        here = self.levels[level]
        if not (
            width > 0
            and height > 0
            and 0 <= x_min <= here.width - width
            and 0 <= y_min <= here.height - height
        ):
            raise ValueError(
                f"region {width} × {height} at ({x_min}, {y_min}) is not inside {here.width} × {here.height}"
            )
        rectangle = stored_rectangle(
            (x_min, y_min, width, height), self._reader.sizes[level], self.orientation
        )
        with faults_told(self.path):
            return upright(self._reader.pixels(level, *rectangle), self.orientation)

    def read(self) -> Pixels:
        """The whole image. Raises TooLargeError for more than faults.MAX_PIXELS."""
        width, height = self.size
        if width * height > faults.MAX_PIXELS:
            raise faults.too_large(self.path)
        return self.region(0, 0, width, height)

    def thumbnail(self, max_side: int) -> Pixels:
        """The whole image, its longer side at most ``max_side`` pixels (never enlarged).

        Made from the smallest level that suffices, by passing through it in bands.
        """
        width, height = self._reader.sizes[0]
        scale = min(1.0, max_side / max(width, height))
        wanted = (max(1, round(width * scale)), max(1, round(height * scale)))
        with faults_told(self.path):
            # Twice the side first: averages of whole pixels alone would be uneven.
            small, across, down = self._reader.preview(2 * max_side) or self._reduced(max_side)
        if small.shape[1::-1] != wanted:
            # The last row and column of averages may stand for fewer pixels than the others.
            box = (0.0, 0.0, across, down)
            small = np.array(Image.fromarray(small).resize(wanted, Image.Resampling.BILINEAR, box))
        return upright(small, self.orientation)

    def check(self) -> None:
        """Find damage, without holding the whole image in memory where the format allows."""
        with faults_told(self.path):
            self._reader.check()

    def _reduced(self, max_side: int) -> Preview:
        sizes = self._reader.sizes
        level = max(i for i, size in enumerate(sizes) if i == 0 or max(size) >= max_side)
        width, height = sizes[level]
        factor = max(1, max(width, height) // (2 * max_side))
        bands = [
            np.array(Image.fromarray(self._reader.pixels(level, 0, top, width, rows)).reduce(factor))
            for top, rows in bands_of_rows(width, height, multiple=factor)
        ]
        return np.concatenate(bands), width / factor, height / factor


def bands_of_rows(width: int, height: int, *, multiple: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of bands of about BAND_PIXELS, each a multiple of some rows."""
    rows = max(1, BAND_PIXELS // (width * multiple)) * multiple
    for top in range(0, height, rows):
        yield top, min(rows, height - top)
