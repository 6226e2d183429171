"""Turning, mirroring, scaling and cutting of a training image together with its boxes.

Pixels that come in are never written to: what changes is a view or a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.detectors.preprocessing import PADDING, Pixels

Boxes = NDArray[np.float64]

#: An animal of which less than this share of its box is in the picture is no target. What is left of it
#: stays in the picture as background: painting it out would take neighbours along, and a detector shall
#: not fire on slivers at the edge of a tile, which the next tile shows whole.
LEAST_VISIBLE = 0.4
#: A box thinner than this cannot be learnt from and upsets some losses.
SMALLEST_SIDE = 1.0

# Workers are processes of their own, and OpenCV's threads do not survive a fork.
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Sample:
    """One training image and its targets.

    pixels: (height, width, 3). boxes: (n, 4), x_min, y_min, x_max, y_max in these pixels. labels: (n,).
    visible: (n,), the share of each animal's whole box that is left in the picture.
    """

    pixels: Pixels
    boxes: Boxes
    labels: NDArray[np.int64]
    visible: NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


def mirrored(sample: Sample) -> Sample:
    """Swap left and right."""
    width, _ = sample.size
    left, top, right, bottom = sample.boxes.T
    return replace(
        sample,
        pixels=sample.pixels[:, ::-1],
        boxes=np.stack([width - right, top, width - left, bottom], axis=1),
    )


def quarter_turned(sample: Sample, turns: int) -> Sample:
    """Turn counter-clockwise by ``turns`` quarters."""
    pixels, boxes = sample.pixels, sample.boxes
    for _ in range(turns % 4):
        width = pixels.shape[1]
        left, top, right, bottom = boxes.T
        boxes = np.stack([top, width - right, bottom, width - left], axis=1)
        pixels = np.rot90(pixels)
    return replace(sample, pixels=pixels, boxes=boxes)


def turned_and_scaled(sample: Sample, degrees: float, scale: float, shift: tuple[float, float]) -> Sample:
    """Turn counter-clockwise around the centre and enlarge by ``scale`` on a canvas of the same size.

    ``shift``, each -1 to 1, moves the picture within the room that the scale makes or takes. What the
    picture does not fill is grey. The corners of a turned box bound more than the animal in it, the more
    so the further it is turned; the box of the turned ellipse that fits into the box before is nearer to
    what an expert would draw (Kalra et al. 2021, "Towards Rotation Invariance in Object Detection", ICCV).
    """
    width, height = sample.size
    matrix = np.array(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale), dtype=np.float64)
    room = np.array([width, height]) * abs(scale - 1) / 2
    matrix[:, 2] += room * np.array(shift)
    # Coordinates of boxes are edges of pixels; OpenCV's are centres.
    centres = matrix.copy()
    centres[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    grey = (PADDING, PADDING, PADDING)
    pixels = cv2.warpAffine(sample.pixels, centres, (width, height), flags=cv2.INTER_LINEAR, borderValue=grey)
    boxes = ellipse_bounds(sample.boxes, matrix)
    return inside(replace(sample, pixels=np.asarray(pixels, np.uint8), boxes=boxes))


def ellipse_bounds(boxes: Boxes, matrix: NDArray[np.float64]) -> Boxes:
    """Bounds (n, 4) of the ellipses inscribed in boxes after an affine map, a matrix (2, 3)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centres - halves, centres + halves], axis=1)


def cut(sample: Sample, x: int, y: int, width: int, height: int) -> Sample:
    """Cut out a window, which must lie inside, with the targets that are visible enough in it."""
    return inside(
        replace(
            sample,
            pixels=sample.pixels[y : y + height, x : x + width],
            boxes=sample.boxes - [x, y, x, y],
        )
    )


def inside(sample: Sample) -> Sample:
    """Clip boxes to the picture; those of which too little is left are no targets any more."""
    limits = np.array([*sample.size, *sample.size], dtype=np.float64)
    boxes = np.clip(sample.boxes, 0, limits)
    visible = sample.visible * areas(boxes) / np.maximum(areas(sample.boxes), 1e-9)
    kept = (visible >= LEAST_VISIBLE - 1e-9) & (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_SIDE).all(axis=1)
    return replace(sample, boxes=boxes[kept], labels=sample.labels[kept], visible=visible[kept])


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Areas (n,) of boxes; 0 for one that is turned inside out."""
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
