"""What a painted study asks for, and how many animals of which species an image then shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.errors import UserError
from podura.seeds import generator
from podura.slides.painting.traits import SpeciesTraits

#: Shape of the gamma from which a slide's share of a species is drawn: all are common, none exactly
#: as common as another.
_EVENNESS = 4.0


@dataclass(frozen=True)
class PaintSettings:
    """Size of an image in pixels, of a pixel in µm, and what it shows; the keys of ``painted``.

    ``specimens_per_image`` and ``other_animals_per_image`` are means. ``others_name`` is the name under
    which other animals are marked, None where they are not. ``single_share`` is the share of images
    with animals that show exactly one (None: numbers follow from the means alone), ``max_animals`` the
    most that an image shows. ``long_tail`` is the exponent of Zipf's law over the species in study
    order. ``touching`` is the share of animals that touch or overlap another. ``site_effect`` and
    ``slide_effect`` scale how much the looks of sites, and of slides within a site, differ: 0 not at
    all, 1 as in an orderly collection, 3 much. ``site_species`` is the share of animals whose species
    is guessed right by one who knows the site alone; None where all sites have the same species.
    """

    width: int
    height: int
    um_per_pixel: float
    specimens_per_image: float
    other_animals_per_image: float
    others_name: str | None = None
    single_share: float | None = None
    max_animals: int | None = None
    empty_share: float = 0.03
    long_tail: float = 0.0
    touching: float = 0.0
    site_effect: float = 1.0
    slide_effect: float = 1.0
    site_species: float | None = None


def check_settings(
    species: Sequence[str], settings: PaintSettings, traits: Mapping[str, SpeciesTraits]
) -> None:
    """Raise UserError for a species without traits or settings that cannot be painted."""
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
    if settings.others_name in species:
        raise UserError(
            f"painted.others_name: '{settings.others_name}' is a species of the study. "
            "Write a name that is none, such as other_animal."
        )


def draw_numbers(settings: PaintSettings, rng: np.random.Generator) -> tuple[int, int | None]:
    """Numbers of animals of the study's species and of others in one image; None: by their mean."""
    specimens, others = settings.specimens_per_image, settings.other_animals_per_image
    most = settings.max_animals
    empty = rng.random() < settings.empty_share
    if settings.single_share is None:
        number = int(rng.poisson(specimens))
        # The chance of an empty image is empty_share and nothing else.
        number = 0 if empty or specimens == 0 else max(1, number)
        return number if most is None else min(number, most), None
    if empty or specimens + others == 0:
        return 0, 0
    number = 1
    if rng.random() >= settings.single_share:
        # The means settle how many animals the other images show.
        mean = (specimens + others - settings.single_share) / max(1 - settings.single_share, 1e-9)
        number = 2 + int(rng.poisson(max(mean - 2, 0)))
    number = number if most is None else min(number, most)
    other = int(rng.binomial(number, others / (specimens + others)))
    return number - other, other


def species_chances(
    number: int, settings: PaintSettings, *, slide: str, site: str, seed: int
) -> NDArray[np.float64]:
    """Chance of each species on one slide; over the slides of a site their mean is the site's."""
    shares = _site_shares(number, settings, generator(seed, "site species", site))
    if settings.slide_effect == 0:
        return shares
    rng = generator(seed, "species", site, slide)
    weights = rng.gamma(_EVENNESS * number * shares / settings.slide_effect**2)
    total = weights.sum()
    return weights / total if total > 0 else shares


def _site_shares(number: int, settings: PaintSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    shares = 1.0 / np.arange(1, number + 1) ** settings.long_tail
    shares = shares / shares.sum()
    if settings.site_species is None or number == 1:
        return shares
    # Around the favourite of the site the others vary too, so that no two sites are alike.
    favourite = int(rng.integers(number))
    others = shares * rng.gamma(_EVENNESS, size=number)
    others[favourite] = 0.0
    others = others / others.sum()
    mixed = (1 - settings.site_species) * others
    mixed[favourite] = settings.site_species
    return mixed
