"""Surveys drawn from a known population: annotated slides of a release, and samples whose animals are known.

An animal is found with odds that vary by species and slide, as its own species or another, with a score that
is higher where it is right; it may be found again; and images show detections of nothing. All tables have the
columns of a release and of a survey. Animals lie far apart, so that boxes tell which is which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit, logit

Floats = NDArray[np.float64]

SPECIES = ("A-ONE", "A-TWO", "B-ONE", "B-TWO", "C-ONE", "D-ONE")
#: Shares found as each species of those that are found: the two A are easily mistaken, the two B less so.
CONFUSION = np.array(
    [
        [0.82, 0.15, 0.01, 0.01, 0.01, 0.00],
        [0.12, 0.85, 0.01, 0.01, 0.01, 0.00],
        [0.00, 0.01, 0.93, 0.05, 0.01, 0.00],
        [0.00, 0.00, 0.06, 0.92, 0.01, 0.01],
        [0.01, 0.01, 0.01, 0.01, 0.95, 0.01],
        [0.00, 0.01, 0.01, 0.01, 0.01, 0.96],
    ]
)
RECALL = np.array([0.90, 0.85, 0.92, 0.88, 0.95, 0.80])
#: Mean animals an image; the last species is rare.
DENSITY = np.array([2.0, 0.8, 1.2, 0.5, 0.8, 0.15])
BACKGROUND = np.array([0.30, 0.20, 0.15, 0.15, 0.10, 0.25])
SIDE = 1000
_STEP = 50


@dataclass(frozen=True)
class Population:
    """density, recall, background (species,): means an image and chances; effect: spread of slides in logits.

    clumping: squared variation of the animals of a species between slides. again: chance to be found twice.
    """

    density: Floats = field(default_factory=lambda: DENSITY.copy())
    recall: Floats = field(default_factory=lambda: RECALL.copy())
    background: Floats = field(default_factory=lambda: BACKGROUND.copy())
    confusion: Floats = field(default_factory=lambda: CONFUSION.copy())
    effect: float = 0.3
    clumping: float = 0.5
    background_variation: float = 0.3
    again: float = 0.03


@dataclass(frozen=True)
class Drawn:
    """Tables of some slides: detections, truths and images, as those of a release's evidence."""

    detections: pd.DataFrame
    truths: pd.DataFrame
    images: pd.DataFrame

    def animals(self) -> pd.DataFrame:
        """The true number of animals, samples as rows and species as columns."""
        counted = pd.crosstab(self.truths["sample"], self.truths["species"])
        return counted.reindex(
            index=sorted(self.images["sample"].unique()), columns=list(SPECIES), fill_value=0
        )


def draw_slides(
    population: Population,
    samples: int,
    slides: int,
    images: int,
    generator: Generator,
    name: str = "slide",
) -> Drawn:
    """So many samples of so many slides of so many images."""
    n_slides = samples * slides
    kinds = len(population.density)
    shape = 1 / max(population.clumping, 1e-9)
    rate = population.density * generator.gamma(shape, 1 / shape, size=(n_slides, kinds))
    numbers = generator.poisson(np.repeat(rate, images, axis=0))
    # Half of a slide's effect is common to its species.
    effect = population.effect * (
        np.sqrt(0.5) * generator.normal(size=(n_slides, 1))
        + np.sqrt(0.5) * generator.normal(size=(n_slides, kinds))
    )
    chance = expit(logit(population.recall) + effect)

    species = np.repeat(np.tile(np.arange(kinds), n_slides * images), numbers.ravel())
    image = np.repeat(np.repeat(np.arange(n_slides * images), kinds), numbers.ravel())
    slide = image // images
    found = generator.random(len(species)) < chance[slide, species]
    heaps = population.confusion.cumsum(axis=1)
    told = np.minimum((generator.random(len(species))[:, None] > heaps[species]).sum(axis=1), kinds - 1)
    right = told == species
    score = np.where(
        right, generator.beta(6, 1.6, size=len(species)), generator.beta(3, 2.5, size=len(species))
    )
    again = found & (generator.random(len(species)) < population.again)
    told_again = np.minimum((generator.random(len(species))[:, None] > heaps[species]).sum(axis=1), kinds - 1)

    variation = population.background_variation
    loose_rate = population.background * generator.gamma(1 / variation, variation, size=(n_slides, kinds))
    loose = generator.poisson(np.repeat(loose_rate, images, axis=0))
    loose_species = np.repeat(np.tile(np.arange(kinds), n_slides * images), loose.ravel())
    loose_image = np.repeat(np.repeat(np.arange(n_slides * images), kinds), loose.ravel())

    names = _names(samples, slides, images, name)
    codes = np.array(SPECIES[:kinds], dtype=object)
    x, y = _places(image)
    truths = _frame(
        names,
        image,
        codes[species],
        x,
        y,
        found_species=np.where(found, codes[told], None),
        found_score=np.where(found, score, np.nan),
    )
    lx, ly = _places(loose_image)
    every_score = np.concatenate(
        [score[found], 0.9 * score[again], generator.beta(1.3, 4, size=len(loose_species))]
    )
    detections = _frame(
        names,
        np.concatenate([image[found], image[again], loose_image]),
        codes[np.concatenate([told[found], told_again[again], loose_species])],
        # Places of nothing lie in the lower half of an image, animals in the upper.
        np.concatenate([x[found] + 2, x[again] + 8, lx]),
        np.concatenate([y[found], y[again] + 6, ly + 100_000]),
        score=every_score,
        truth_species=np.concatenate(
            [codes[species[found]], np.full(again.sum() + len(loose_species), None)]
        ),
    )
    # Which animal a detection shows, for those who check it; the evidence does not tell of second ones.
    detections["animal"] = np.concatenate(
        [np.flatnonzero(found), np.full(again.sum() + len(loose_species), -1)]
    )
    detections["detection"] = [f"{name}-d{row}" for row in range(len(detections))]
    return Drawn(detections, truths, names)


def survey_detections(drawn: Drawn) -> pd.DataFrame:
    """What the survey sees of them: machine/detections without thresholds."""
    return drawn.detections.drop(columns=["truth_species", "animal"])


def _names(samples: int, slides: int, images: int, name: str) -> pd.DataFrame:
    number = np.arange(samples * slides * images)
    slide = number // images
    return pd.DataFrame(
        {
            "image": [f"{name}{s}_{i % images}" for i, s in zip(number, slide, strict=True)],
            "slide": [f"{name}{s:04d}" for s in slide],
            "sample": [f"{name}-sample{s // slides:03d}" for s in slide],
            "site": "site",
            "status": "ok",
            "width": SIDE,
            "height": SIDE,
            "um_per_pixel": 2.0,
        }
    )


def _frame(
    names: pd.DataFrame, image: NDArray[np.int64], codes: object, x: Floats, y: Floats, **more: object
):
    where = names[["image", "slide", "sample", "site"]].iloc[image].reset_index(drop=True)
    boxes = {"x_min": x, "y_min": y, "x_max": x + 40, "y_max": y + 40}
    return where.assign(species=codes, **boxes, **more)


def _places(image: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """A place of its own for each thing of an image."""
    order = pd.Series(image).groupby(image).cumcount().to_numpy(dtype=np.float64)
    return (order % 20) * _STEP, (order // 20) * _STEP
