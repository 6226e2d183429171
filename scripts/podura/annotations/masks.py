"""The tight box of masks: segmentations as COCO writes them, and brush strokes of Label Studio.

Masks are never drawn out, so a hostile size costs no memory. Whatever is no mask is a ValueError that
says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from podura.annotations.problems import Box
from podura.annotations.shapes import flat_pairs, points_box

# COCO's letters are 48 + 5 bits + a bit "more follows"; the C code trusts that a letter without that bit
# ends the text, so this is checked before it reads.
_COMPRESSED = re.compile(r"[0-o]*[0-O]")
_POLYGON_NUMBERS = 6
_LARGEST_SIDE = 2**24
_CHANNELS = 4
_ALPHA = 3


def segmentation_box(segmentation: Any) -> Box:
    """The tight box of a COCO segmentation: polygons, or run lengths, compressed or not.

    Raises ValueError for an empty mask and for what is no segmentation.
    """
    if isinstance(segmentation, Mapping):
        return _runs_box(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("the segmentation is empty or of an unknown kind")
    # Some tools write a single polygon without the list around it.
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    points: list[tuple[float, float]] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < _POLYGON_NUMBERS or len(polygon) % 2:
            raise ValueError("a polygon needs at least three points of two numbers each")
        points += flat_pairs(polygon)
    box = points_box(points)
    if not np.isfinite(box).all():
        raise ValueError("a polygon holds what is no finite number")
    return box


def _runs_box(runs: Mapping[str, Any]) -> Box:
    size, counts = runs.get("size"), runs.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(_is_count(side, 1) for side in size)):
        raise ValueError("the run lengths have no size of two whole numbers above 0")
    height, width = size
    if max(size) > _LARGEST_SIDE or height * width > 2**32 - 1:
        raise ValueError("the run lengths are for an impossibly large image")
    if isinstance(counts, list) and all(_is_count(count, 0) for count in counts):
        if sum(counts) != height * width:
            raise ValueError("the run lengths do not add up to the size of their image")
        encoded = coco_mask.frPyObjects({"size": size, "counts": counts}, height, width)
    elif isinstance(counts, str) and _COMPRESSED.fullmatch(counts):
        encoded = {"size": size, "counts": counts.encode("ascii")}
    else:
        raise ValueError("the run lengths are neither a list of whole numbers nor COCO's compressed text")
    x, y, box_width, box_height = (float(value) for value in coco_mask.toBbox(encoded))
    if not box_width or not box_height:
        raise ValueError("the mask is empty")
    if x < 0 or y < 0 or x + box_width > width or y + box_height > height:
        raise ValueError("the run lengths reach beyond the size of their image")
    return x, y, x + box_width, y + box_height


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def brush_box(encoded: Any, width: int, height: int) -> Box:
    """The tight box of a Label Studio brush stroke on an image of width × height pixels.

    The bytes hold a stream of bits: the number of values (32 bits; red, green, blue and alpha of each
    pixel, row by row), the bits of a value less one (5), four possible bits of a length less one (4
    each); then runs, each a bit "repeated", the choice of the length's bits (2), the length less one,
    and one value or, where not repeated, as many. Where alpha is not 0 there is a stroke.

    Raises ValueError for an empty stroke and for what is no stroke on such an image.
    """
    if not isinstance(encoded, list) or not all(_is_count(v, 0) and v < 256 for v in encoded):
        raise ValueError("the brush stroke is no list of bytes")
    bits = _Bits(encoded)
    values = bits.take(32)
    if values != width * height * _CHANNELS:
        raise ValueError("the brush stroke is for another size of image")
    value_bits = bits.take(5) + 1
    length_bits = [bits.take(4) + 1 for _ in range(4)]
    place, box = 0, None
    while place < values:
        repeated = bits.take(1)
        length = bits.take(length_bits[bits.take(2)]) + 1
        for step in [length] if repeated else [1] * length:
            painted, start, place = bits.take(value_bits), place, place + step
            # The first and the last alpha value in the run, as pixels.
            first, last = (start + _CHANNELS - 1 - _ALPHA) // _CHANNELS, (place - 1 - _ALPHA) // _CHANNELS
            if painted and first <= last:
                box = _widened(box, first, last, width)
    if place != values or box is None:
        raise ValueError("the brush stroke is empty or damaged")
    return float(box[0]), float(box[1]), float(box[2] + 1), float(box[3] + 1)


def _widened(
    box: tuple[int, int, int, int] | None, first: int, last: int, width: int
) -> tuple[int, int, int, int]:
    """The box (of whole pixels, the last ones included) with the pixels first..last added."""
    top, bottom = first // width, last // width
    left, right = (first % width, last % width) if top == bottom else (0, width - 1)
    if box is None:
        return left, top, right, bottom
    return min(box[0], left), min(box[1], top), max(box[2], right), max(box[3], bottom)


class _Bits:
    """Whole numbers from a stream of bits; ValueError at its end."""

    def __init__(self, encoded: Sequence[int]) -> None:
        bits = np.unpackbits(np.array(encoded, dtype=np.uint8))
        self._text = (bits + ord("0")).tobytes().decode("ascii")
        self._place = 0

    def take(self, count: int) -> int:
        self._place += count
        if self._place > len(self._text):
            raise ValueError("the brush stroke ends too early")
        return int(self._text[self._place - count : self._place], 2)
