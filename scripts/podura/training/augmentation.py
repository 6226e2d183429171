"""The one augmentation policy, applied to every detector's images alike.

Specimens on slides have no up or left, so flips and quarter turns are always right; brightness, contrast
and colour vary with lamp, stain and camera.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.configuration.study import AugmentationSettings

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]


def augment(
    pixels: Pixels,
    boxes: Boxes,
    settings: AugmentationSettings,
    generator: Generator,
    *,
    turned: bool,
) -> tuple[Pixels, Boxes]:
    """Augment an image (height, width, 3) and its boxes (n, 4).

    ``turned`` makes it a quarter turn (one way or the other) instead of none or a half: images of one
    batch are turned alike, so that a batch of oblong images needs no padding.
    """
    half_turn, sideways, upside_down = generator.random(3) < 0.5
    contrast, brightness, *colours = 2 * generator.random(5) - 1
    if settings.quarter_turns:
        pixels, boxes = quarter_turns(pixels, boxes, int(turned) + 2 * int(half_turn))
    if settings.flips and sideways:
        pixels, boxes = mirror(pixels, boxes)
    if settings.flips and upside_down:
        pixels, boxes = quarter_turns(*mirror(pixels, boxes), 2)
    gains = (1 + settings.brightness * brightness) * (1 + settings.colour * np.array(colours))
    return _recolour(pixels, 1 + settings.brightness * contrast, gains), boxes


def mirror(pixels: Pixels, boxes: Boxes) -> tuple[Pixels, Boxes]:
    """Swap left and right."""
    width = pixels.shape[1]
    left, top, right, bottom = boxes.T
    return pixels[:, ::-1], np.stack([width - right, top, width - left, bottom], axis=1)


def quarter_turns(pixels: Pixels, boxes: Boxes, turns: int) -> tuple[Pixels, Boxes]:
    """Turn counter-clockwise by ``turns`` quarters."""
    for _ in range(turns % 4):
        width = pixels.shape[1]
        left, top, right, bottom = boxes.T
        boxes = np.stack([top, width - right, bottom, width - left], axis=1)
        pixels = np.rot90(pixels)
    return pixels, boxes


def _recolour(pixels: Pixels, contrast: float, gains: NDArray[np.float64]) -> Pixels:
    if contrast == 1.0 and np.all(gains == 1.0):
        return pixels
    # 256 possible values: a table for each channel is exact and far cheaper than arithmetic on pixels.
    values = np.arange(256)[:, None]
    table = ((values - 127.5) * contrast + 127.5) * gains[None, :]
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.stack([table[pixels[..., c], c] for c in range(3)], axis=-1)
