"""Animals of a sample from its detections: corrected for what is missed, mistaken and made of nothing.

The expected number of detections of a species is a sum over the animals of all species of what each gives on
average, plus background (in remote sensing and epidemiology the direct, or matrix, method: Hay 1988, Int. J.
Remote Sens. 9:1395; Buonaccorsi 2010, Measurement Error, ch. 2). Unlike a share of right detections, what an
animal gives does not depend on how many other animals there are, so the correction holds for samples of
other density and other mix of species. The estimate is the non-negative maximum of the Poisson likelihood
(EM: Shepp & Vardi 1982, IEEE Trans. Med. Imaging 1:113). Its interval takes quantiles of draws of the animals
given the detections, over draws of what the detector does (``parameters``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.survey.evidence import Evidence
from podura.survey.kernels import animals_of_draws
from podura.survey.parameters import (
    Parameters,
    Spread,
    draw_parameters,
    mean_parameters,
    of_new_slides,
    spread_between_slides,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DRAWS = 1000
#: Gamma prior of the expected number of animals of each species (Jeffreys' prior of a Poisson mean).
SHAPE = 0.5
_SWEEPS = 6
_EM_STEPS = 2000
_EM_CHANGE = 1e-7
_TINY = 1e-12


@dataclass(frozen=True)
class Counted:
    """Detections of a sample at or above the counting thresholds: counts (slides, species), areas (slides,).

    Slides without any detection have a row as well.
    """

    counts: Integers
    areas: Floats

    @property
    def total(self) -> Integers:
        return self.counts.sum(axis=0)


@dataclass(frozen=True)
class Estimated:
    """Animals of one sample: estimate (species,), and draws (draws, species) that its intervals come from."""

    estimate: Floats
    draws: Integers | Floats

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Lower and upper end for each species; the estimate lies within."""
        return interval(self.draws, self.estimate, confidence)


def interval(draws: Integers | Floats, estimate: Floats | float, confidence: float) -> tuple[Floats, Floats]:
    """Quantiles along the first axis; the estimate lies within."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return np.minimum(low, estimate), np.maximum(high, estimate)


class Corrector:
    """Corrects counts by one body of evidence. Everything random comes from the generator, at once."""

    def __init__(self, evidence: Evidence, generator: Generator, draws: int = DRAWS) -> None:
        self.evidence = evidence
        self.mean: Parameters = mean_parameters(evidence)
        self.spread: Spread = spread_between_slides(evidence)
        self._draws = draw_parameters(evidence, draws, generator)

    def estimate(self, sample: Counted) -> Floats:
        """The estimate alone, (species,)."""
        background = self.mean.background * sample.areas.sum()
        return expected_animals(sample.total, self.mean.per_animal, background)

    def estimated(self, sample: Counted, generator: Generator) -> Estimated:
        """The estimate with draws of the animals on the images of the sample."""
        estimate = self.estimate(sample)
        drawn = self.drawn(sample, generator)
        animals = animals_of_draws(
            sample.total,
            np.ascontiguousarray(drawn.found),
            np.ascontiguousarray(drawn.again),
            drawn.background * sample.areas.sum(),
            np.maximum(estimate, SHAPE),
            SHAPE,
            _SWEEPS,
            generator,
        )
        return Estimated(estimate, animals)

    def drawn(self, sample: Counted, generator: Generator) -> Parameters:
        """What the detector may do to the animals of this sample, as draws."""
        return of_new_slides(
            self._draws, self.spread, sample.counts.astype(np.float64), sample.areas, generator
        )


def expected_animals(counts: Integers | Floats, per_animal: Floats, background: Floats) -> Floats:
    """Non-negative animals (..., species) that make the detections (..., species) most likely.

    per_animal (species, species): expected detections of the second species per animal of the first;
    background (..., species).
    """
    known = np.asarray(counts, dtype=np.float64)
    reach = np.maximum(per_animal.sum(axis=1), _TINY)
    animals = np.maximum(known, 0.1) / reach
    for _ in range(_EM_STEPS):
        expected = animals @ per_animal + background
        ratio = np.divide(known, expected, out=np.zeros_like(expected), where=expected > 0)
        better = animals * (ratio @ per_animal.T) / reach
        if np.abs(better - animals).max(initial=0.0) < _EM_CHANGE * (1 + animals.max(initial=0.0)):
            return better
        animals = better
    return animals
