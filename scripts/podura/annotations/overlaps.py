"""Boxes of one image that lie at almost the same place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from podura.annotations.problems import Box

#: Two boxes that overlap by more than this are taken for one animal marked twice.
SAME_PLACE_IOU = 0.9
#: Beyond this it is doubtful whether two boxes are two animals; no detector tells them apart.
DOUBTFUL_IOU = 0.8
# Rounding must not lose a pair: it is decided by its IoU alone.
_SLACK = 1e-6


def intersection_over_union(a: Box, b: Box) -> float:
    """The shared area of two boxes (corners, pixels, with area) divided by the area that both cover."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def close_pairs(boxes: Sequence[Box], above: float) -> list[tuple[int, int, float]]:
    """Pairs of boxes (by their places in the list, the lower first) with their IoU, if above ``above``.

    A sweep: with IoU above t two boxes share more than t of each one's width and height, so the left edges
    differ by less than 1 - t of the width, and the upper edges by less than 1 - t of the height. Boxes
    sorted by an edge are therefore compared with their next neighbours only, along the axis that has fewer
    of them. Time grows as n log n, plus the pairs that are close along both axes.
    """
    if len(boxes) < 2:
        return []
    sweeps = [_sorted_edges(boxes, axis, above) for axis in (0, 1)]
    _, order, edges, reach = min(sweeps, key=lambda sweep: sweep[0])
    pairs = []
    for place, first in enumerate(order):
        for second in order[place + 1 : bisect_right(edges, reach[place], lo=place)]:
            overlap = intersection_over_union(boxes[first], boxes[second])
            if overlap > above:
                pairs.append((min(first, second), max(first, second), overlap))
    return sorted(pairs)


def _sorted_edges(
    boxes: Sequence[Box], axis: int, above: float
) -> tuple[int, list[int], list[float], list[float]]:
    """How many comparisons a sweep needs, the order of boxes, their edges, and how far each reaches."""
    order = sorted(range(len(boxes)), key=lambda place: boxes[place][axis])
    edges = [boxes[place][axis] for place in order]
    share = 1 - above + _SLACK
    reach = [boxes[place][axis] + share * (boxes[place][axis + 2] - boxes[place][axis]) for place in order]
    # Far from the origin the sum is rounded.
    reach = [value + _SLACK * 1e-3 * max(1.0, abs(value)) for value in reach]
    comparisons = sum(bisect_right(edges, far, lo=place) - place - 1 for place, far in enumerate(reach))
    return comparisons, order, edges, reach
