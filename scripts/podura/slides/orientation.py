"""The eight orientations of EXIF 2.32 and TIFF 6.0 (tag 274): turning pixels and rectangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: What brings stored pixels upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: What takes upright pixels back to how they are stored.
TURNS_BACK = TURNS | {6: TURNS[8], 8: TURNS[6]}
SWAPS_SIDES = (5, 6, 7, 8)

Rectangle = tuple[int, int, int, int]


def known_orientation(value: object) -> int:
    """The orientation that a tag tells; 1 (as stored) for nonsense, as every viewer takes it."""
    return value if isinstance(value, int) and value in TURNS else 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height after orientation, from those stored (and the other way round)."""
    return size[::-1] if orientation in SWAPS_SIDES else size


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels (height × width × 3) brought upright."""
    turn = TURNS.get(orientation)
    return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))


def stored_rectangle(rectangle: Rectangle, stored_size: tuple[int, int], orientation: int) -> Rectangle:
    """Where a rectangle (x, y, width, height) of the upright image lies in the stored one, in pixels."""
    x, y, width, height = rectangle
    stored_width, stored_height = stored_size
    upright_width, upright_height = upright_size(stored_size, orientation)
    right, below = upright_width - x - width, upright_height - y - height
    if orientation in SWAPS_SIDES:
        # x counts along the stored height: from its top for 5 and 8, from its bottom for 6 and 7.
        stored_x = y if orientation in (5, 6) else stored_width - y - height
        stored_y = x if orientation in (5, 8) else stored_height - x - width
        return stored_x, stored_y, height, width
    return right if orientation in (2, 3) else x, below if orientation in (3, 4) else y, width, height
