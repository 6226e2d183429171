"""Paint one image of a slide, with the box of every specimen of interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.errors import UserError
from podura.seeds import generator
from podura.slides.painting.conditions import Conditions, draw_conditions, expose, illumination
from podura.slides.painting.debris import add_debris, add_patch
from podura.slides.painting.others import paint_other_animal
from podura.slides.painting.patches import Layer, Mask, Patch, shrink
from podura.slides.painting.springtails import draw_length_mm, paint_springtail
from podura.slides.painting.traits import SpeciesTraits

#: Share of images without any specimen, as fields without animals are photographed too.
EMPTY_SHARE = 0.03
#: An animal of which less than this share lies in the image is not painted.
LEAST_INSIDE = 0.4
_ATTEMPTS = 40


@dataclass(frozen=True)
class PaintSettings:
    """Size of an image in pixels, of a pixel in µm, and mean numbers of animals in an image."""

    width: int
    height: int
    um_per_pixel: float
    specimens_per_image: float
    other_animals_per_image: float


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
    the animal and clipped to the image. Raises UserError for a species without traits or settings that
    cannot be painted.
    """
    _check(species, settings, traits)
    conditions = draw_conditions(slide=slide, site=site, seed=seed)
    rng = generator(seed, "image", site, slide, image)
    scene = _Scene(settings, conditions, rng)
    chances = _species_chances(len(species), generator(seed, "species", site, slide))
    for _ in range(_number_of_specimens(settings, rng)):
        scene.add_specimen(traits[species[int(rng.choice(len(species), p=chances))]])
    for _ in range(rng.poisson(settings.other_animals_per_image)):
        scene.add_other_animal()
    add_debris(scene.density, conditions, settings.um_per_pixel, rng)
    light = illumination(conditions, settings.width, settings.height, rng)
    pixels = expose(light, scene.density, conditions, rng)
    return PaintedImage(pixels, tuple(scene.specimens))


def _check(species: Sequence[str], settings: PaintSettings, traits: Mapping[str, SpeciesTraits]) -> None:
    if not species:
        raise UserError("there is no species to paint. Include at least one in species.include.")
    for code in species:
        if code not in traits:
            raise UserError(
                f"species '{code}' cannot be painted, for it has no row in the table of traits. "
                f"Species with traits are: {', '.join(traits)}."
            )
    if settings.width < 32 or settings.height < 32:
        raise UserError(
            f"a painted image of {settings.width} x {settings.height} pixels is too small. "
            "Write at least 32 for painted.width and painted.height."
        )
    if not 0.5 <= settings.um_per_pixel <= 100:
        raise UserError(
            f"um_per_pixel: {settings.um_per_pixel} cannot be painted. Write a number from 0.5 to 100."
        )
    if min(settings.specimens_per_image, settings.other_animals_per_image) < 0:
        raise UserError("painted: a mean number of animals is below 0. Write 0 or more.")


def _species_chances(number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Chances of the species on one slide: all are common, none exactly as common as another."""
    weights = rng.gamma(4.0, size=number)
    return weights / weights.sum()


def _number_of_specimens(settings: PaintSettings, rng: np.random.Generator) -> int:
    empty = rng.random() < EMPTY_SHARE
    number = int(rng.poisson(settings.specimens_per_image))
    if empty or settings.specimens_per_image == 0:
        return 0
    return max(1, number)


class _Scene:
    """The density of an image under way, and what lies where."""

    def __init__(self, settings: PaintSettings, conditions: Conditions, rng: np.random.Generator) -> None:
        self.settings = settings
        self.preparation = conditions.preparation
        self.rng = rng
        self.density: Layer = np.zeros((settings.height, settings.width, 3), np.float32)
        self.specimens: list[Specimen] = []
        self.taken: list[tuple[float, float, float, float]] = []
        # Twice the resolution keeps thin legs smooth; fine pixels need no such help.
        self.factor = 2 if settings.um_per_pixel > 4 else 1
        self.pixels_per_mm = self.factor * 1000 / settings.um_per_pixel

    def add_specimen(self, traits: SpeciesTraits) -> None:
        patch = paint_springtail(
            traits,
            draw_length_mm(traits, self.rng),
            self.pixels_per_mm,
            self.preparation,
            self.rng,
            self.factor,
        )
        box = self._put(patch)
        if box is not None:
            self.specimens.append(Specimen(traits.code, *box))

    def add_other_animal(self) -> None:
        self._put(paint_other_animal(self.pixels_per_mm, self.preparation, self.rng, self.factor))

    def _put(self, patch: Patch) -> tuple[float, float, float, float] | None:
        """Find a place mostly apart from the others; None if the image is full."""
        density = shrink(patch.density, self.factor)
        height, width = density.shape[:2]
        # A few animals are cut by the edge of the image, a few touch each other.
        overhang = 0.45 if self.rng.random() < 0.12 else 0.0
        crowding = 0.25 if self.rng.random() < 0.15 else 0.04
        for _ in range(_ATTEMPTS):
            left = self._place(self.settings.width, width, overhang)
            top = self._place(self.settings.height, height, overhang)
            box = self._box(patch.mask, left, top)
            if box is not None and all(_overlap(box, other) <= crowding for other in self.taken):
                add_patch(self.density, density, left, top)
                self.taken.append(box)
                return box
        return None

    def _place(self, room: int, size: int, overhang: float) -> int:
        low, high = -overhang * size, room - size + overhang * size
        return int(np.floor(self.rng.uniform(min(low, high), max(low, high) + 1)))

    def _box(self, mask: Mask, left: int, top: int) -> tuple[float, float, float, float] | None:
        """Box of the part of the mask that lies in the image; None if too little of it does."""
        factor = self.factor
        x_start, y_start = max(0, -left) * factor, max(0, -top) * factor
        x_stop = max(0, self.settings.width - left) * factor
        y_stop = max(0, self.settings.height - top) * factor
        inside = mask[y_start:y_stop, x_start:x_stop]
        if np.count_nonzero(inside) < LEAST_INSIDE * np.count_nonzero(mask):
            return None
        columns = np.flatnonzero(inside.any(axis=0)) + x_start
        rows = np.flatnonzero(inside.any(axis=1)) + y_start
        return (
            left + float(columns[0]) / factor,
            top + float(rows[0]) / factor,
            left + float(columns[-1] + 1) / factor,
            top + float(rows[-1] + 1) / factor,
        )


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Area that two boxes share, as a share of the smaller one."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / min(areas)
