"""How one slide was made and photographed: what all images of a slide have in common."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.seeds import generator
from podura.slides.painting.patches import Layer, blur, smooth_noise
from podura.slides.painting.preparation import Preparation

#: A large image has its uneven light computed at this many pixels a step.
_COARSE = 8
#: Share and relative size of the grains of a medium.
_GRAINS = ((0.7, 2.13), (0.7, 1.0), (0.5, 0.61))


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
    # Of strong effects of site and slide only.
    texture: float = 0.0  # depth of the grain of medium and glass
    texture_um: float = 50.0  # size of its grains
    response: tuple[float, float, float] = (1.0, 1.0, 1.0)  # exponents of the camera's curve, a channel each


def draw_conditions(
    *, slide: str, site: str, seed: int, site_effect: float = 1.0, slide_effect: float = 1.0
) -> Conditions:
    """Conditions of a slide: part of them belong to its site (one laboratory, one microscope).

    The effects scale how far a site lies from the mean of all sites, and a slide from that of its site.
    """
    lab = generator(seed, "site", site)
    rng = generator(seed, "slide", site, slide)
    s, t = site_effect, slide_effect
    strong = max(s, t, 1.0)
    # The lamp runs from warm (tungsten) to bluish (daylight filter, LED).
    warmth = lab.normal(0.01, 0.025 * s) + rng.normal(0, 0.010 * t)
    # Balsam and Hoyer's medium turn yellow with age.
    yellowing = abs(lab.normal(0, 0.015 * s)) + abs(rng.normal(0, 0.012 * t))
    level = np.clip(lab.normal(0.90, 0.025 * s) + rng.normal(0, 0.025 * t), 0.76 / strong, 0.96)
    light = level * np.array([1 + warmth, 1 - 0.4 * yellowing, 1 - warmth - 2 * yellowing])
    light = np.clip(light, 0.6 / strong, 0.985)
    stains = ((0.0, 0.0, 0.0), (0.02, 0.07, 0.03), (0.07, 0.035, 0.0), (0.0, 0.02, 0.06))
    stain = np.array(stains[lab.choice(4, p=(0.4, 0.2, 0.15, 0.25))]) * s
    stain = stain * _scaled(rng.uniform(0.3, 1.5), 0.9, t)
    preparation = Preparation(
        clearing=float(
            np.clip(lab.normal(0.9, 0.1 * s) * rng.normal(1, 0.08 * t), 0.6 / strong, 1.15 * strong**0.3)
        ),
        stain=(float(stain[0]), float(stain[1]), float(stain[2])),
        contrast=float(
            np.clip(lab.normal(1.0, 0.12 * s) * rng.normal(1, 0.08 * t), 0.7 / strong, 1.35 * strong**0.3)
        ),
        blur_um=float(
            min(
                4.0 + 4.0 * _scaled(lab.random(), 0.5, s) + _scaled(rng.gamma(1.6, 1.9), 3.04, t), 14 * strong
            )
        ),
    )
    conditions = Conditions(
        light=(float(light[0]), float(light[1]), float(light[2])),
        slope=(float(rng.normal(0, 0.035 * t)), float(rng.normal(0, 0.035 * t))),
        vignette=float(_scaled(lab.uniform(0.03, 0.14), 0.085, s)),
        medium_haze=float(abs(rng.normal(0, 0.012 * t))),
        preparation=preparation,
        noise=float(_scaled(lab.uniform(0.006, 0.012), 0.009, s) * rng.lognormal(0, 0.25 * t)),
        debris=float(_scaled(rng.gamma(1.5, 0.6), 0.9, t)),
        organic=float(
            np.clip(_scaled(lab.beta(2, 2), 0.5, s) + rng.normal(0, 0.1 * t), 0, 1),
        ),
        bubbles=float(_scaled(rng.gamma(0.6, 1.3), 0.78, t)),
        scratches=float(_scaled(rng.gamma(0.5, 0.8), 0.4, t)),
    )
    return _exaggerated(conditions, slide, site, seed, max(s - 1, 0.0), max(t - 1, 0.0))


def _scaled(value: float, middle: float, strength: float) -> float:
    """A value, at least 0, moved towards or away from the middle of its kind."""
    # The value itself at a strength of 1: slides painted so far stay the same to the byte.
    return value if strength == 1 else max(0.0, middle + strength * (value - middle))


def _exaggerated(
    conditions: Conditions, slide: str, site: str, seed: int, site_excess: float, slide_excess: float
) -> Conditions:
    """What stands out where sites or slides differ more than in an orderly collection."""
    if site_excess == 0 and slide_excess == 0:
        return conditions
    lab = generator(seed, "site in excess", site)
    rng = generator(seed, "slide in excess", site, slide)
    texture = 0.016 * (site_excess * lab.random() + slide_excess * rng.random())
    grain = 60 * np.exp(
        lab.normal(0, min(0.5 * site_excess, 0.7)) + rng.normal(0, min(0.3 * slide_excess, 0.7))
    )
    # A camera's curve (gamma) and its white balance.
    curve = lab.normal(0, 0.16, 1) * site_excess + rng.normal(0, 0.10, 1) * slide_excess
    balance = lab.normal(0, 0.07, 3) * site_excess + rng.normal(0, 0.05, 3) * slide_excess
    response = np.exp(np.clip(curve + balance, -1.0, 1.0))
    return Conditions(
        **{
            **vars(conditions),
            "texture": float(texture),
            "texture_um": float(grain),
            "response": (float(response[0]), float(response[1]), float(response[2])),
        }
    )


class Light:
    """Light through the empty slide, uneven as lamps and media are."""

    def __init__(
        self,
        conditions: Conditions,
        width: int,
        height: int,
        um_per_pixel: float,
        rng: np.random.Generator,
        *,
        large: bool,
    ) -> None:
        self.conditions = conditions
        self.size = (width, height)
        self.step = _COARSE if large else 1
        shape = (-(-height // self.step), -(-width // self.step))
        clouds = smooth_noise(rng, shape, width / 5 / self.step)
        self.haze: Layer = np.exp(-conditions.medium_haze * clouds)
        if conditions.texture > 0:
            grain = max(conditions.texture_um / um_per_pixel / self.step, 1.0)
            # Three sizes that are no multiples of each other hide the grid that noise is drawn on.
            pattern = sum(share * smooth_noise(rng, shape, max(grain * size, 1.0)) for share, size in _GRAINS)
            self.haze = self.haze * np.exp(-conditions.texture * blur(np.asarray(pattern), 0.35 * grain))

    def rows(self, start: int, stop: int) -> Layer:
        """Light of the rows from ``start`` to ``stop``, of shape (rows, width, 3)."""
        width, height = self.size
        slope = self.conditions.slope
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        y = np.linspace(-1, 1, height, dtype=np.float32)[start:stop, None]
        field = 1 + slope[0] * x + slope[1] * y
        field = field - self.conditions.vignette * (x**2 + y**2) / 2
        field = field * self._haze(start, stop)
        return (field[:, :, None] * np.asarray(self.conditions.light, np.float32)).astype(np.float32)

    def _haze(self, start: int, stop: int) -> Layer:
        if self.step == 1:
            return self.haze[start:stop]
        # Linear between coarse rows, by their true places, so that bands meet without a seam.
        place = (np.arange(start, stop) + 0.5) / self.step - 0.5
        place = np.clip(place, 0, self.haze.shape[0] - 1)
        above = np.floor(place).astype(int)
        below = np.minimum(above + 1, self.haze.shape[0] - 1)
        share = (place - above).astype(np.float32)[:, None]
        rows = self.haze[above] * (1 - share) + self.haze[below] * share
        wide = cv2.resize(rows, (rows.shape[1] * self.step, stop - start), interpolation=cv2.INTER_LINEAR)
        return np.asarray(wide, np.float32)[:, : self.size[0]]


def expose(
    light: Layer, density: Layer, conditions: Conditions, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """What the camera makes of it: uint8 RGB of the same height and width."""
    image = light * cv2.exp(-density)
    if conditions.response != (1.0, 1.0, 1.0):
        np.clip(image, 0, 1, out=image)
        image **= np.asarray(conditions.response, np.float32)
    # Shot noise grows with the root of the light; the sensor adds its own to all channels alike.
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    shared = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    image += conditions.noise * (0.7 * grain * np.sqrt(np.clip(image, 0, 1)) + 0.5 * shared)
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
