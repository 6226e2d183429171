"""Reading image files: their size and their pixels, after their EXIF orientation is applied.

This is the only place where the orientation is applied, so that it is applied exactly once. Rules for
pixels, which every detector and figure shares:

* 8-bit grey and palette images become RGB of the same look; CMYK is converted by Pillow.
* Transparent pixels are laid over white.
* 16-bit (and 32-bit) grey is scaled linearly from the image's own smallest..largest value to 0..255,
  because cameras of 10, 12 or 14 bits fill the range differently; nothing wraps around. An image of a
  single value becomes 0.
* Colour of 16 bits a channel keeps its upper 8 bits (Pillow's reading).
* Colour profiles are not applied. Of a file with several pages the first is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from podura.errors import UserError

#: Pillow warns of "decompression bombs" from 89 megapixels on; slides are larger. Above this we refuse.
MAX_PIXELS = 2_000_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = (5, 6, 7, 8)
_PNG_METADATA = (b"eXIf", b"iTXt", b"zTXt", b"tEXt")


class UnreadableImageError(UserError):
    """An image file that is missing, damaged, cut off or of an unknown kind."""


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
        if self.orientation in _SWAPS_SIDES:
            return self.height, self.width
        return self.size


def read_header(path: Path | str) -> ImageHeader:
    """Size and orientation of an image, without decoding its pixels.

    Raises UnreadableImageError, and UserError for more than ``MAX_PIXELS``.
    """
    with _opened(path) as image:
        if image.format == "PNG" and _metadata_after_pixels(Path(path)):
            # PNG allows EXIF behind the pixels; Pillow sees it only after decoding them.
            image.load()
        orientation = _orientation(image)
        width, height = image.size
        # Pillow gives the size of a TIFF after orientation, of all others before it.
        if orientation in _SWAPS_SIDES and image.format != "TIFF":
            width, height = height, width
        return ImageHeader(width, height, orientation)


def image_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels after EXIF orientation, without decoding the pixels.

    Raises UnreadableImageError, and UserError for more than ``MAX_PIXELS``.
    """
    return read_header(path).size


def check_pixels(path: Path | str) -> None:
    """Decode an image at the least cost that still shows damage, and keep nothing.

    Raises UnreadableImageError, and UserError for more than ``MAX_PIXELS``.
    """
    with _opened(path) as image:
        image.draft("L", (1, 1))  # a JPEG is decoded at an eighth of its size: every byte is read
        image.load()


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Pixels as height × width × 3, 8-bit RGB, by the rules at the head of this module.

    Raises UnreadableImageError, and UserError for more than ``MAX_PIXELS``.
    """
    with _opened(path) as image:
        image.load()
        upright: Image.Image = image
        # Pillow has turned a TIFF while loading it.
        if image.format != "TIFF" and (turn := _TURNS.get(_orientation(image))) is not None:
            upright = image.transpose(turn)
        return _rgb(upright, path)


def _rgb(image: Image.Image, path: Path | str) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        grey = _scaled_grey(np.asarray(image), path)
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _scaled_grey(values: NDArray, path: Path | str) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnreadableImageError(f"{path}: the image holds values that are not finite numbers.")
    scale = 255.0 / (high - low) if high > low else 0.0
    return np.rint((values.astype(np.float64) - low) * scale).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # Damaged EXIF raises almost anything; every viewer then shows the image as stored.
        return 1
    return value if value in _TURNS else 1


@contextmanager
def _opened(path: Path | str) -> Iterator[Image.Image]:
    """Open an image; whatever goes wrong while it is open says which file it was."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(path)
            yield image
    except (UserError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except FileNotFoundError:
        raise UnreadableImageError(f"{path}: there is no such file.") from None
    except UnidentifiedImageError:
        raise UnreadableImageError(
            f"{path}: this is not an image that can be read. "
            "Give JPEG, PNG, TIFF, BMP or WebP, and check that the file is whole."
        ) from None
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, struct.error and more on damaged files.
        raise UnreadableImageError(f"{path}: the image cannot be read ({error}).") from error


def _too_large(path: Path | str) -> UserError:
    return UserError(
        f"{path}: the image has more than {MAX_PIXELS / 1e9:g} gigapixels. "
        "Cut it into smaller fields, each an image of the same slide."
    )


def _metadata_after_pixels(path: Path) -> bool:
    seen_pixels = False
    with path.open("rb") as handle:
        handle.seek(8)
        while len(head := handle.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            seen_pixels = seen_pixels or kind == b"IDAT"
            if seen_pixels and kind in _PNG_METADATA:
                return True
            handle.seek(length + 4, 1)
    return False
