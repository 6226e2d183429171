"""Write painted images: JPEG, PNG, or TIFF that can be read by region and at several sizes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from podura.tables import whole_file

_JPEG_QUALITY = 92
_TILE = 256
#: The smallest level of a pyramid fits into this square.
_SMALLEST = 1024

Pixels = NDArray[np.uint8]


def write_image(pixels: Pixels, path: Path, um_per_pixel: float) -> None:
    """Write RGB of shape (height, width, 3) in the format that the file's ending names.

    PNG and TIFF tell the size of a pixel. A TIFF has JPEG-compressed tiles of 256 pixels and, where it
    is larger than 1024, levels of half the size each in sub-IFDs (a pyramid as OME and libvips write
    it). The same pixels give the same bytes. The file appears whole or not at all.
    """
    write = _WRITERS[path.suffix.lower()]
    content = io.BytesIO()
    write(pixels, content, um_per_pixel)
    with whole_file(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _write_jpeg(pixels: Pixels, content: io.BytesIO, _um_per_pixel: float) -> None:
    Image.fromarray(pixels).save(content, "JPEG", quality=_JPEG_QUALITY)


def _write_png(pixels: Pixels, content: io.BytesIO, um_per_pixel: float) -> None:
    dots_per_inch = 25_400 / um_per_pixel
    Image.fromarray(pixels).save(content, "PNG", dpi=(dots_per_inch, dots_per_inch), compress_level=3)


def _write_tiff(pixels: Pixels, content: io.BytesIO, um_per_pixel: float) -> None:
    levels = _halvings(pixels.shape[0], pixels.shape[1])
    with tifffile.TiffWriter(content) as writer:
        for level in range(levels + 1):
            height, width = pixels.shape[:2]
            scale = 10_000 / (um_per_pixel * 2**level)
            writer.write(
                _tiles(pixels),
                shape=pixels.shape,
                dtype=np.uint8,
                photometric="rgb",
                tile=(_TILE, _TILE),
                compression="jpeg",
                compressionargs={"level": _JPEG_QUALITY},
                subifds=levels if level == 0 else None,
                subfiletype=0 if level == 0 else 1,
                resolution=(scale, scale),
                resolutionunit="CENTIMETER",
                metadata=None,
                software="Podura",
                maxworkers=1,
            )
            if level < levels:
                half = (max(width // 2, 1), max(height // 2, 1))
                pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)


def _halvings(height: int, width: int) -> int:
    number = 0
    while max(height, width) >> number > _SMALLEST:
        number += 1
    return number


def _tiles(pixels: Pixels) -> Iterator[Pixels]:
    """Tiles row by row; those at the edge are filled up with their last row and column."""
    for top in range(0, pixels.shape[0], _TILE):
        for left in range(0, pixels.shape[1], _TILE):
            tile = pixels[top : top + _TILE, left : left + _TILE]
            missing = (_TILE - tile.shape[0], _TILE - tile.shape[1])
            if any(missing):
                tile = np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            yield np.ascontiguousarray(tile)


_WRITERS: dict[str, Callable[[Pixels, io.BytesIO, float], None]] = {
    ".jpg": _write_jpeg,
    ".jpeg": _write_jpeg,
    ".png": _write_png,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
}
