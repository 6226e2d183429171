"""How one slide was made and photographed: what all images of a slide have in common."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.seeds import generator
from podura.slides.painting.patches import Layer, smooth_noise
from podura.slides.painting.springtails import Preparation


@dataclass(frozen=True)
class Conditions:
    """Conditions of one slide; lengths in µm, light as shares of the sensor's range."""

    light: tuple[float, float, float]  # red, green, blue of the empty slide
    slope: tuple[float, float]  # change of light from left to right and from top to bottom
    vignette: float  # loss of light in the corners
    medium_haze: float  # depth of clouds in the mounting medium
    preparation: Preparation
    noise: float  # standard deviation of the sensor's noise
    debris: float  # mean number of particles per square millimetre
    organic: float  # share of debris that is plant or fungus
    bubbles: float  # mean number of air bubbles per image
    scratches: float  # mean number of scratches per image


def draw_conditions(*, slide: str, site: str, seed: int) -> Conditions:
    """Conditions of a slide: part of them belong to its site (one laboratory, one microscope)."""
    lab = generator(seed, "site", site)
    rng = generator(seed, "slide", site, slide)
    # The lamp runs from warm (tungsten) to bluish (daylight filter, LED).
    warmth = lab.normal(0.01, 0.025) + rng.normal(0, 0.010)
    # Balsam and Hoyer's medium turn yellow with age.
    yellowing = abs(lab.normal(0, 0.015)) + abs(rng.normal(0, 0.012))
    level = np.clip(lab.normal(0.90, 0.025) + rng.normal(0, 0.025), 0.76, 0.96)
    light = level * np.array([1 + warmth, 1 - 0.4 * yellowing, 1 - warmth - 2 * yellowing])
    light = np.clip(light, 0.6, 0.985)
    stains = ((0.0, 0.0, 0.0), (0.02, 0.07, 0.03), (0.07, 0.035, 0.0), (0.0, 0.02, 0.06))
    stain = np.array(stains[lab.choice(4, p=(0.4, 0.2, 0.15, 0.25))]) * rng.uniform(0.3, 1.5)
    preparation = Preparation(
        clearing=float(np.clip(lab.normal(0.9, 0.1) * rng.normal(1, 0.08), 0.6, 1.15)),
        stain=(float(stain[0]), float(stain[1]), float(stain[2])),
        contrast=float(np.clip(lab.normal(1.0, 0.12) * rng.normal(1, 0.08), 0.7, 1.35)),
        blur_um=float(min(4.0 + 4.0 * lab.random() + rng.gamma(1.6, 1.9), 14.0)),
    )
    return Conditions(
        light=(float(light[0]), float(light[1]), float(light[2])),
        slope=(float(rng.normal(0, 0.035)), float(rng.normal(0, 0.035))),
        vignette=float(lab.uniform(0.03, 0.14)),
        medium_haze=float(abs(rng.normal(0, 0.012))),
        preparation=preparation,
        noise=float(lab.uniform(0.006, 0.012) * rng.lognormal(0, 0.25)),
        debris=float(rng.gamma(1.5, 0.6)),
        organic=float(np.clip(lab.beta(2, 2) + rng.normal(0, 0.1), 0, 1)),
        bubbles=float(rng.gamma(0.6, 1.3)),
        scratches=float(rng.gamma(0.5, 0.8)),
    )


def illumination(conditions: Conditions, width: int, height: int, rng: np.random.Generator) -> Layer:
    """Light through the empty slide, of shape (height, width, 3)."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    field = 1 + conditions.slope[0] * x + conditions.slope[1] * y
    field = field - conditions.vignette * (x**2 + y**2) / 2
    field = field * np.exp(-conditions.medium_haze * smooth_noise(rng, (height, width), width / 5))
    return (field[:, :, None] * np.asarray(conditions.light, np.float32)).astype(np.float32)


def expose(
    light: Layer, density: Layer, conditions: Conditions, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """What the camera makes of it: uint8 RGB of the same height and width."""
    image = light * cv2.exp(-density)
    # Shot noise grows with the root of the light; the sensor adds its own to all channels alike.
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    shared = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    image += conditions.noise * (0.7 * grain * np.sqrt(np.clip(image, 0, 1)) + 0.5 * shared)
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
