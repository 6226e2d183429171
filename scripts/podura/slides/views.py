"""A place in an image at the size in which it is shown."""

from __future__ import annotations

import numpy as np
from PIL import Image

from podura.slides.slide import Pixels, Slide


def read_view(slide: Slide, x_min: int, y_min: int, width: int, height: int, max_side: int) -> Pixels:
    """A region of level 0, its longer side at most ``max_side`` pixels (never enlarged), as RGB.

    Read from the smallest level of a pyramid that suffices. Raises as ``Slide.region`` does.
    """
    if not (0 <= x_min <= slide.size[0] - width and 0 <= y_min <= slide.size[1] - height):
        raise ValueError(f"region {width} × {height} at ({x_min}, {y_min}) is not inside {slide.size}")
    scale = min(1.0, max_side / max(width, height))
    level = max((number for number, one in enumerate(slide.levels) if one.downsample * scale <= 1), default=0)
    here = slide.levels[level]
    across, down = here.width / slide.size[0], here.height / slide.size[1]
    left, top = min(int(x_min * across), here.width - 1), min(int(y_min * down), here.height - 1)
    columns = max(1, min(round(width * across), here.width - left))
    rows = max(1, min(round(height * down), here.height - top))
    pixels = slide.region(left, top, columns, rows, level)
    wanted = (max(1, round(width * scale)), max(1, round(height * scale)))
    if pixels.shape[1::-1] == wanted:
        return pixels
    return np.array(Image.fromarray(pixels).resize(wanted, Image.Resampling.BILINEAR, reducing_gap=2.0))
