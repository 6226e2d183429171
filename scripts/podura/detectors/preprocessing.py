"""How an image becomes what a detector sees: one rule for training and for detection, for all models.

The longer side is resized to the model's ``image_size`` (antialiased, aspect kept); a tile is resized by the
factor that makes a whole one of that size, so that a small image keeps the scale of the others. A batch is
padded at the right and bottom with middle grey to a common size that is a multiple of 32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

STRIDE = 32
PADDING = 114  # the grey that YOLO models are trained with; near the middle for the others

Pixels = NDArray[np.uint8]


def resize(pixels: Pixels, image_size: int) -> tuple[Pixels, float, float]:
    """Resize (height, width, 3) so that the longer side is ``image_size``.

    Returns the image and the factors of x and y, by which boxes are multiplied.
    """
    return resize_by(pixels, image_size / max(pixels.shape[:2]))


def resize_by(pixels: Pixels, scale: float) -> tuple[Pixels, float, float]:
    """Resize (height, width, 3) by a factor; returns what ``resize`` does."""
    height, width = pixels.shape[:2]
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    if (new_width, new_height) == (width, height):
        return pixels, 1.0, 1.0
    resized = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR)
    return np.asarray(resized), new_width / width, new_height / height


def to_tensor(images: Sequence[Pixels]) -> Tensor:
    """Stack (height, width, 3) uint8 images into (n, 3, height, width) floats in 0..1, padded."""
    height = _up(max(image.shape[0] for image in images))
    width = _up(max(image.shape[1] for image in images))
    canvas = np.full((len(images), height, width, 3), PADDING, dtype=np.uint8)
    for place, image in zip(canvas, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = image
    return torch.from_numpy(canvas).permute(0, 3, 1, 2).contiguous().float() / 255


def _up(length: int) -> int:
    return -(-length // STRIDE) * STRIDE
