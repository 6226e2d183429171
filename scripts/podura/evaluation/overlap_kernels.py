"""Inner loops over boxes that overlap whatever their species, compiled by Numba as in ``kernels``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podura.compiled import compiled
from podura.evaluation.kernels import Floats, Integers


@compiled()
def _overlap(one: Floats, other: Floats) -> float:
    """Intersection over union of two boxes x_min, y_min, x_max, y_max; 0 where they only touch."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    if width <= 0:
        return 0.0
    height = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0:
        return 0.0
    shared = width * height
    return float(
        shared
        / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)
    )


@compiled()
def nearest(
    start: Integers,
    truth_order: Integers,
    image: Integers,
    species: Integers,
    boxes: Floats,
    truth_species: Integers,
    truth_boxes: Floats,
) -> tuple[Floats, Integers]:
    """The truths that each detection overlaps most: overlaps and rows, each (n, 2).

    Column 0 is of its own species, column 1 of the others; overlap 0 and row -1 where there is none, of
    equal ones the first. The truths of image i are the rows truth_order[start[i]] to
    truth_order[start[i + 1] - 1].
    """
    best = np.zeros((len(boxes), 2))
    rows = np.full((len(boxes), 2), -1, dtype=np.int64)
    for detection in range(len(boxes)):
        for place in range(start[image[detection]], start[image[detection] + 1]):
            truth = truth_order[place]
            overlap = _overlap(boxes[detection], truth_boxes[truth])
            column = 0 if truth_species[truth] == species[detection] else 1
            if overlap > best[detection, column]:
                best[detection, column], rows[detection, column] = overlap, truth
    return best, rows


@compiled()
def overlapping(
    start: Integers, order: Integers, image: Integers, boxes: Floats, others: Floats, least: float
) -> NDArray[np.int64]:
    """All pairs of a box and another one of its image that overlap by ``least`` or more: (pairs, 2).

    The others of image i are the rows order[start[i]] to order[start[i + 1] - 1].
    """
    pairs = [(0, 0) for _ in range(0)]
    for one in range(len(boxes)):
        for place in range(start[image[one]], start[image[one] + 1]):
            if _overlap(boxes[one], others[order[place]]) >= least:
                pairs.append((one, order[place]))
    found = np.empty((len(pairs), 2), dtype=np.int64)
    for place in range(len(pairs)):
        found[place, 0], found[place, 1] = pairs[place]
    return found


@compiled()
def places(image: Integers, boxes: Floats, least: float) -> Integers:
    """The place in the image that each box shows, as the row of its first box: (n,).

    Boxes stand by image and, in an image, the surest first. Each that has no place yet founds one, and
    takes in all later ones that overlap it by ``least`` or more.
    """
    place = np.full(len(boxes), -1, dtype=np.int64)
    for first in range(len(boxes)):
        if place[first] >= 0:
            continue
        place[first] = first
        for other in range(first + 1, len(boxes)):
            if image[other] != image[first]:
                break
            if place[other] < 0 and _overlap(boxes[first], boxes[other]) >= least:
                place[other] = first
    return place
