"""Faults of annotations: the record of one fault, and the checks of boxes and of counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.annotations.kinds import DONE, KINDS, Severity

Box = tuple[float, float, float, float]

FEW_BOXES_DEVIATIONS = 3.0
FEW_BOXES_MEDIAN = 5
FEW_BOXES_IMAGES = 10
# The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a kind of ``kinds.KINDS``; ``image`` None: it concerns no study image, or none yet."""

    kind: str
    message: str
    image: str | None = None
    row: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the catalogue of faults has no kind {self.kind}")

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind].severity

    @property
    def treatment(self) -> str:
        """What is done about it where the study does not choose otherwise: fixed, ignored, ..."""
        return DONE[KINDS[self.kind].default]


def checked_box(
    box: Box, width: int, height: int, *, corners: bool
) -> tuple[Box | None, list[tuple[str, str]]]:
    """A box made sound for an image of width × height pixels, or None; and the faults: kind and message.

    ``corners`` tells that the file gives two corners, so that a negative extent means swapped corners;
    where it gives width and height, a negative one leaves the position in doubt.
    """
    if not all(map(math.isfinite, box)):
        return None, [("not_a_number", "a coordinate is missing or no finite number")]
    faults: list[tuple[str, str]] = []
    x_min, y_min, x_max, y_max = box
    if x_max < x_min or y_max < y_min:
        if not corners:
            return None, [("negative_size", "the width or height is negative")]
        x_min, x_max = sorted((x_min, x_max))
        y_min, y_max = sorted((y_min, y_max))
        faults.append(("swapped_corners", "a maximum lies below its minimum; swapped"))
    if x_min == x_max or y_min == y_max:
        return None, [*faults, ("zero_area", "the box has no area")]
    clipped = (max(x_min, 0.0), max(y_min, 0.0), min(x_max, width), min(y_max, height))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        beyond = f"the box lies wholly outside the image, which is {width} × {height} pixels"
        return None, [*faults, ("outside_image", beyond)]
    if clipped != (x_min, y_min, x_max, y_max):
        beyond = f"the box reaches beyond the image, which is {width} × {height} pixels; clipped"
        faults.append(("partly_outside", beyond))
    return (float(clipped[0]), float(clipped[1]), float(clipped[2]), float(clipped[3])), faults


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
