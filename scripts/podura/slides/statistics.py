"""What an image as a whole looks like, in six numbers: light, colour, sharpness and noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Images are compared at this longer side in pixels, whatever size they have.
STATISTICS_SIDE = 1024
# Immerkær 1996, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2): this
# filter answers to noise and hardly to lines and edges.
_NOISE_FILTER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
# Of full scale: what lies below cannot be told from the rounding to 8 bits.
_LEAST = 1e-5


def image_statistics(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """The numbers of ``tables.IMAGE_STATISTICS`` for an RGB image (height, width, 3).

    Brightness is the mean of the three channels, all as shares of full scale.
    """
    colours = pixels.astype(np.float32) / 255
    grey = colours.mean(axis=2)
    low, middle, high = np.percentile(grey, [5, 50, 95])
    red, green, blue = (float(colours[..., channel].mean(dtype=np.float64)) for channel in range(3))
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    answers = np.abs(cv2.filter2D(grey, cv2.CV_32F, _NOISE_FILTER)[1:-1, 1:-1])
    noise = float(np.sqrt(np.pi / 2) * answers.mean(dtype=np.float64) / 6) if answers.size else 0.0
    return {
        "brightness": float(middle),
        "contrast": float(high - low),
        "red_green": red - green,
        "blue_green": blue - green,
        "sharpness": float(np.log10(max(float(edges.var(dtype=np.float64)), _LEAST**2))),
        "noise": float(np.log10(max(noise, _LEAST))),
    }
