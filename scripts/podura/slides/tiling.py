"""Windows that cover an image, and which of them answers for which place.

Neighbouring tiles overlap. The middle of each overlap divides the image into cores, one a tile, without gap
or overlap: an animal belongs to the tile in whose core its centre lies. That tile shows it whole as long as
it is no larger than the overlap.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tile:
    """A window of an image in whole pixels, and its core: x_min, y_min, x_max, y_max, half-open.

    A core reaches to infinity where the tile lies at the edge of the image. ``inner`` tells of the sides
    left, top, right and bottom whether another tile lies beyond it.
    """

    x: int
    y: int
    width: int
    height: int
    core: tuple[float, float, float, float]

    @property
    def inner(self) -> tuple[bool, bool, bool, bool]:
        left, top, right, bottom = (math.isfinite(side) for side in self.core)
        return left, top, right, bottom

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The window as x_min, y_min, x_max, y_max."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    def owns(self, centres: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the points (n, 2) lie in the core."""
        x_min, y_min, x_max, y_max = self.core
        x, y = centres[:, 0], centres[:, 1]
        return np.asarray((x >= x_min) & (x < x_max) & (y >= y_min) & (y < y_max))


def grid(width: int, height: int, size: int, overlap: float) -> tuple[Tile, ...]:
    """Tiles of ``size`` × ``size`` pixels that cover an image exactly, row by row.

    Neighbours share at least the share ``overlap`` of their side; tiles are spread evenly, so that the last
    ones end with the image and share no more than the others (up to a pixel). A side shorter than ``size`` is
    covered by tiles of that length. Raises ValueError for what gives no grid.
    """
    if min(width, height, size) < 1 or not 0 <= overlap < 1:
        raise ValueError(f"no tiles of {size} px, overlap {overlap}, for {width} × {height} px")
    columns, rows = _starts(width, size, overlap), _starts(height, size, overlap)
    across, down = min(size, width), min(size, height)
    x_seams, y_seams = _seams(columns, across), _seams(rows, down)
    return tuple(
        Tile(x, y, across, down, (x_seams[i], y_seams[j], x_seams[i + 1], y_seams[j + 1]))
        for j, y in enumerate(rows)
        for i, x in enumerate(columns)
    )


def _starts(length: int, size: int, overlap: float) -> list[int]:
    if length <= size:
        return [0]
    # A thousandth of a pixel, since 1 - 0.2 is a little more than 0.8.
    stride = max(1, math.floor(size * (1 - overlap) + 1e-3))
    steps = math.ceil((length - size) / stride)
    return [(length - size) * step // steps for step in range(steps + 1)]


def _seams(starts: list[int], size: int) -> list[float]:
    middles = [(after + before + size) / 2 for before, after in itertools.pairwise(starts)]
    return [-math.inf, *middles, math.inf]
