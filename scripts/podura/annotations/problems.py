"""Faults of annotations: the record of one fault, and the checks of boxes and of counts.

Severity: an *error* lost something (a box or an image), a *warning* needs a look, a *note* is for the
record. Treatment: *fixed*, *ignored* (the box stays, but counts neither for nor against a detector),
*dropped* or *kept*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Severity = Literal["error", "warning", "note"]
Treatment = Literal["fixed", "ignored", "dropped", "kept"]
Box = tuple[float, float, float, float]

#: Two boxes of different species that overlap by more than this are told of as one animal named twice.
SAME_PLACE_IOU = 0.9

FEW_BOXES_DEVIATIONS = 3.0
FEW_BOXES_MEDIAN = 5
FEW_BOXES_IMAGES = 10
# The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Problem:
    """One row of the table ``problems`` (tables.PROBLEMS); ``image`` None: concerns no study image."""

    kind: str
    severity: Severity
    treatment: Treatment
    message: str
    image: str | None = None
    row: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Fault:
    """What a check found in a box, before it is known to which image it belongs."""

    kind: str
    severity: Severity
    treatment: Treatment
    message: str


def checked_box(box: Box, width: int, height: int, *, corners: bool) -> tuple[Box | None, list[Fault]]:
    """A box made sound for an image of width × height pixels, or None, and the faults found.

    ``corners`` tells that the file gives two corners, so that a negative extent means swapped corners;
    where it gives width and height, a negative one leaves the position in doubt.
    """
    if not all(math.isfinite(value) for value in box):
        return None, [
            Fault("not_a_number", "error", "dropped", "a coordinate is missing or no finite number")
        ]
    faults: list[Fault] = []
    x_min, y_min, x_max, y_max = box
    if x_max < x_min or y_max < y_min:
        if not corners:
            return None, [Fault("negative_size", "error", "dropped", "the width or height is negative")]
        x_min, x_max = sorted((x_min, x_max))
        y_min, y_max = sorted((y_min, y_max))
        faults.append(
            Fault("swapped_corners", "warning", "fixed", "a maximum lies below its minimum; swapped")
        )
    if x_min == x_max or y_min == y_max:
        return None, [*faults, Fault("zero_area", "error", "dropped", "the box has no area")]
    size = f"the image, which is {width} × {height} pixels"
    clipped = (max(x_min, 0.0), max(y_min, 0.0), min(x_max, width), min(y_max, height))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        return None, [
            *faults,
            Fault("outside_image", "error", "dropped", f"the box lies wholly outside {size}"),
        ]
    if clipped != (x_min, y_min, x_max, y_max):
        faults.append(Fault("partly_outside", "warning", "fixed", f"the box reaches beyond {size}; clipped"))
    return (float(clipped[0]), float(clipped[1]), float(clipped[2]), float(clipped[3])), faults


def iou_matrix(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each pair of n boxes (n × 4, corners, pixels), as n × n."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return overlap / (area[:, None] + area[None, :] - overlap)


def named_twice(boxes: Sequence[Box], species: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of boxes (by place in the list) of different species with IoU above SAME_PLACE_IOU."""
    if len(boxes) < 2:
        return []
    close = np.triu(iou_matrix(np.array(boxes, dtype=np.float64)) > SAME_PLACE_IOU, k=1)
    return [(int(i), int(j)) for i, j in np.argwhere(close) if species[i] != species[j]]


def few_boxes(counts: Sequence[int]) -> NDArray[np.bool_]:
    """Which images have suspiciously few boxes beside the others: were animals left without a box?

    An image is told of if its count is below half the median and, on the scale log(1 + count), more
    than 3 scaled median absolute deviations below it (Leys et al. 2013, J. Exp. Soc. Psychol. 49:764).
    Only where it can mean something: at least 10 images with boxes and a median of at least 5 boxes.
    Images without any box take no part; they are told of anyway.
    """
    count = np.asarray(counts, dtype=np.float64)
    with_boxes = count[count > 0]
    if len(with_boxes) < FEW_BOXES_IMAGES or np.median(with_boxes) < FEW_BOXES_MEDIAN:
        return np.zeros(len(count), dtype=bool)
    logs = np.log1p(with_boxes)
    middle = np.median(logs)
    spread = _MAD_TO_SD * np.median(np.abs(logs - middle))
    return (
        (count > 0)
        & (count < np.median(with_boxes) / 2)
        & (np.log1p(count) < middle - FEW_BOXES_DEVIATIONS * spread)
    )
