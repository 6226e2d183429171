"""Small pictures of optical density, from which a slide is put together.

What lies on a slide takes light away: a pixel shows ``illumination * exp(-density)``, one density a
colour channel (Beer and Lambert), so that things that overlap shine through each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.slides.painting.shapes import Points

Layer = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

_SHIFT = 4  # OpenCV takes sixteenths of a pixel


@dataclass(frozen=True)
class Patch:
    """Density of shape (height, width, 3) and the mask of what a box must hold, at the same scale."""

    density: Layer
    mask: Mask


class Canvas:
    """Draws shapes, given in a frame of their own, as masks of a size that holds them all."""

    def __init__(self, points: Points, margin: float, step: int) -> None:
        low = np.floor(points.min(axis=0) - margin)
        size = np.ceil(points.max(axis=0) + margin) - low
        # A multiple of the step, so that the patch shrinks to whole pixels.
        width, height = (int(np.ceil(s / step)) * step for s in size)
        self.origin = low
        self.shape = (height, width)

    def place(self, points: Points) -> Points:
        """Points of the shapes' frame in pixels of the patch."""
        return points - self.origin

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return np.round(self.place(points) * (1 << _SHIFT)).astype(np.int32)

    def fill(self, outlines: Sequence[Points]) -> Layer:
        """Coverage, 0 to 1, of the union of the outlines."""
        image = np.zeros(self.shape, np.uint8)
        for outline in outlines:
            cv2.fillPoly(image, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        return image.astype(np.float32) / 255

    def lines(self, lines: Sequence[Points], thickness: float) -> Layer:
        """Coverage of open lines; a line thinner than a pixel is drawn fainter."""
        image = np.zeros(self.shape, np.uint8)
        value = round(255 * min(thickness, 1.0))
        fixed = [self._fixed(line) for line in lines]
        cv2.polylines(image, fixed, False, value, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)
        return image.astype(np.float32) / 255

    def discs(self, discs: Sequence[tuple[Points, float]]) -> Layer:
        """Coverage of filled circles, each a centre and a radius."""
        image = np.zeros(self.shape, np.uint8)
        for centre, radius in discs:
            x, y = self._fixed(centre)
            cv2.circle(image, (int(x), int(y)), round(radius * (1 << _SHIFT)), 255, -1, cv2.LINE_AA, _SHIFT)
        return image.astype(np.float32) / 255

    def noise(self, rng: np.random.Generator, grain: float) -> Layer:
        """Smooth noise of unit variance whose grains are about ``grain`` pixels wide."""
        return smooth_noise(rng, self.shape, grain)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Layer:
    """Noise of shape (height, width), of mean 0 and about unit variance."""
    height, width = shape
    small = (max(2, round(height / grain) + 1), max(2, round(width / grain) + 1))
    coarse = rng.standard_normal(small, dtype=np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32) * np.float32(1.25)


def depth(coverage: Layer) -> tuple[Layer, Layer]:
    """Thickness (0 to 1) of a rounded body with this outline, and distance from its edge in pixels."""
    inside = (coverage > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5).astype(np.float32)
    most = max(float(distance.max()), 1.0)
    return np.sqrt(np.clip(1 - (1 - distance / most) ** 2, 0, 1)), distance


def rim(coverage: Layer, distance: Layer, width: float) -> Layer:
    """Dark refractive edge inside an outline, fading inwards over ``width`` pixels."""
    return coverage * np.exp(-np.square(distance / width))


def blur(layer: Layer, sigma: float) -> Layer:
    """Gaussian blur; nothing for a sigma below a fifth of a pixel."""
    if sigma < 0.2:
        return layer
    blurred = cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def tinted(layer: Layer, colour: Sequence[float] | Layer) -> Layer:
    """One density in three channels, weighted by ``colour``."""
    return layer[:, :, None] * np.asarray(colour, np.float32)


def absorbance(transmitted: Sequence[float]) -> NDArray[np.float32]:
    """Density per channel of a medium that lets this share of red, green and blue through."""
    return -np.log(np.clip(np.asarray(transmitted, np.float32), 0.02, 1.0))


def shrink(density: Layer, factor: int) -> Layer:
    """Density at a scale smaller by a whole factor."""
    if factor == 1:
        return density
    height, width = density.shape[:2]
    size = (width // factor, height // factor)
    return np.asarray(cv2.resize(density, size, interpolation=cv2.INTER_AREA), np.float32)
