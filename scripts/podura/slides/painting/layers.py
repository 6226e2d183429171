"""The density of a whole image under way, and the photograph that is taken of it, in bounded memory."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.slides.painting.conditions import Conditions, Light, expose
from podura.slides.painting.patches import Layer

#: Above this many pixels the density is kept in 16 bits and exposed in bands.
LARGE_PIXELS = 2_000_000
_BAND = 128
#: Steps of density in 16 bits: -16 to 16 at a step far below the noise of a camera.
_STEPS = 2048


class DensityMap:
    """Density of shape (height, width, 3): float32, or 16-bit steps where the image is large."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.large = height * width > LARGE_PIXELS
        self._values = np.zeros((height, width, 3), np.int16 if self.large else np.float32)

    def add(self, patch: Layer, left: int, top: int) -> None:
        """Add a patch whose upper left corner is at (left, top); what sticks out is cut off."""
        x_min, y_min = max(left, 0), max(top, 0)
        x_max = min(left + patch.shape[1], self.width)
        y_max = min(top + patch.shape[0], self.height)
        if x_min >= x_max or y_min >= y_max:
            return
        part = patch[y_min - top : y_max - top, x_min - left : x_max - left]
        here = self._values[y_min:y_max, x_min:x_max]
        if not self.large:
            here += part
            return
        steps = np.rint(part * np.float32(_STEPS)).astype(np.int32) + here
        here[...] = np.clip(steps, -32768, 32767)

    def rows(self, start: int, stop: int) -> Layer:
        """Density of the rows from ``start`` to ``stop`` as float32."""
        if not self.large:
            return self._values[start:stop]
        return self._values[start:stop].astype(np.float32) / np.float32(_STEPS)

    def photograph(
        self, conditions: Conditions, um_per_pixel: float, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """What the camera makes of it: uint8 RGB of the same height and width."""
        light = Light(conditions, self.width, self.height, um_per_pixel, rng, large=self.large)
        if not self.large:
            return expose(light.rows(0, self.height), self.rows(0, self.height), conditions, rng)
        pixels = np.empty((self.height, self.width, 3), np.uint8)
        for start in range(0, self.height, _BAND):
            stop = min(start + _BAND, self.height)
            pixels[start:stop] = expose(light.rows(start, stop), self.rows(start, stop), conditions, rng)
        return pixels


def line_patch(
    start: NDArray[np.float64], end: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[Layer, int, int] | None:
    """Coverage of a thin straight line cut to an image, with its left and top; None if it is outside."""
    height, width = shape
    low = np.maximum(np.floor(np.minimum(start, end)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(np.maximum(start, end)).astype(int) + 3, (width, height))
    if (low >= high).any():
        return None
    image = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    line = np.round(np.stack([start, end]) * 16).astype(np.int32) - low.astype(np.int32) * 16
    cv2.polylines(image, [line], False, 255, 1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255, int(low[0]), int(low[1])
