"""Paint one image of a slide, with the box of every specimen of interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.seeds import generator
from podura.slides.painting.conditions import draw_conditions
from podura.slides.painting.debris import add_debris
from podura.slides.painting.scene import Scene
from podura.slides.painting.settings import PaintSettings, check_settings, draw_numbers, species_chances
from podura.slides.painting.traits import SpeciesTraits


@dataclass(frozen=True)
class Specimen:
    """One animal of interest and its box in pixels: body, antennae, legs and furca, without hairs."""

    species: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float


@dataclass(frozen=True)
class PaintedImage:
    """RGB pixels of shape (height, width, 3), uint8, and the specimens that they show."""

    pixels: NDArray[np.uint8]
    specimens: tuple[Specimen, ...]


def paint_image(
    *,
    image: str,
    slide: str,
    site: str,
    species: Sequence[str],
    settings: PaintSettings,
    traits: Mapping[str, SpeciesTraits],
    seed: int,
) -> PaintedImage:
    """Paint an image; the same arguments give the same bytes.

    Images of one slide share its conditions, slides of one site a part of them. Boxes are tight around
    the whole animal, also where another lies over it, and clipped to the image. Other animals are
    among the specimens where ``settings.others_name`` names them. Raises UserError for a species
    without traits or settings that cannot be painted.
    """
    check_settings(species, settings, traits)
    conditions = draw_conditions(
        slide=slide,
        site=site,
        seed=seed,
        site_effect=settings.site_effect,
        slide_effect=settings.slide_effect,
    )
    rng = generator(seed, "image", site, slide, image)
    scene = Scene(settings, conditions.preparation, rng)
    chances = species_chances(len(species), settings, slide=slide, site=site, seed=seed)
    number, others = draw_numbers(settings, rng)
    for _ in range(number):
        scene.add_specimen(traits[species[int(rng.choice(len(species), p=chances))]])
    if others is None:
        others = int(rng.poisson(settings.other_animals_per_image))
        if settings.max_animals is not None:
            others = min(others, settings.max_animals - number)
    for _ in range(others):
        scene.add_other_animal()
    add_debris(scene.density, conditions, settings.um_per_pixel, rng)
    pixels = scene.density.photograph(conditions, settings.um_per_pixel, rng)
    specimens = [Specimen(code, *box) for code, box in scene.specimens]
    if settings.others_name is not None:
        specimens += [Specimen(settings.others_name, *box) for box in scene.others]
    return PaintedImage(pixels, tuple(specimens))
