"""Four images in one (Bochkovskiy et al. 2020, "YOLOv4", arXiv:2004.10934)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from podura.detectors.preprocessing import PADDING
from podura.training.geometry import Sample, cut

#: Where the four images meet, as shares of the canvas.
_MEETING = (0.3, 0.7)


def mosaic(samples: Sequence[Sample], generator: Generator) -> Sample:
    """Put a random cut of each of four samples into a quarter of a canvas of the first one's size.

    Cuts keep their scale, unlike in YOLOv4: the size of an animal helps to name its species. Boxes are
    clipped to their quarter; animals of which too little is left are no targets.
    """
    if len(samples) != 4:
        raise ValueError(f"a mosaic is made of four samples, not of {len(samples)}")
    width, height = samples[0].size
    x, y = (round(float(generator.uniform(*_MEETING)) * side) for side in (width, height))
    quarters = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
    canvas = np.full((height, width, 3), PADDING, dtype=np.uint8)
    placed = []
    for sample, (left, top, right, bottom) in zip(samples, quarters, strict=True):
        across, down = min(sample.size[0], right - left), min(sample.size[1], bottom - top)
        from_x = int(generator.integers(0, sample.size[0] - across + 1))
        from_y = int(generator.integers(0, sample.size[1] - down + 1))
        part = cut(sample, from_x, from_y, across, down)
        canvas[top : top + down, left : left + across] = part.pixels
        placed.append((part, part.boxes + np.array([left, top] * 2)))
    return Sample(
        canvas,
        np.concatenate([boxes for _, boxes in placed]),
        np.concatenate([part.labels for part, _ in placed]),
        np.concatenate([part.visible for part, _ in placed]),
    )
