"""How lamp, stain, camera and focus change an image: brightness, contrast, colour, blur, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.detectors.preprocessing import Pixels

#: Range of the standard deviation of a blur, in pixels of the image as the detector sees it.
_BLUR = (0.3, 1.5)
#: Range of the standard deviation of noise in the brightest places, in grey levels.
_NOISE = (2.0, 10.0)
#: Share of that variance which darkness has too: the camera's own beside that of light.
_DARK_NOISE = 0.1


def recoloured(pixels: Pixels, contrast: float, gains: NDArray[np.float64]) -> Pixels:
    """Stretch values around middle grey by ``contrast``, then multiply each channel by its gain."""
    if contrast == 1.0 and np.all(gains == 1.0):
        return pixels
    # 256 possible values: a table for each channel is exact and far cheaper than arithmetic on pixels.
    values = np.arange(256)[:, None]
    table = ((values - 127.5) * contrast + 127.5) * gains[None, :]
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), table[None]))


def blurred(pixels: Pixels, strength: float) -> Pixels:
    """Blur by a Gaussian, as out of focus; ``strength`` from 0 to 1."""
    sigma = _BLUR[0] + strength * (_BLUR[1] - _BLUR[0])
    made = cv2.GaussianBlur(np.ascontiguousarray(pixels), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(made)


def noisy(pixels: Pixels, strength: float, generator: Generator) -> Pixels:
    """Add a camera's noise; ``strength`` from 0 to 1.

    Its variance grows with the light, on top of a constant part (Foi et al. 2008, "Practical
    Poissonian-Gaussian noise modeling and fitting for single-image raw-data").
    """
    deviation = _NOISE[0] + strength * (_NOISE[1] - _NOISE[0])
    table = deviation * np.sqrt(_DARK_NOISE + (1 - _DARK_NOISE) * np.arange(256) / 255)
    noise = generator.standard_normal(pixels.shape, dtype=np.float32)
    noise *= table.astype(np.float32)[pixels]
    noise += pixels
    return np.clip(np.rint(noise, out=noise), 0, 255, out=noise).astype(np.uint8)
