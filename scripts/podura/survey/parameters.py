"""What a detector does to animals of new slides, as draws: how often it finds which species as which.

The annotated slides are resampled by the Bayesian bootstrap (Rubin 1981, Ann. Stat. 9:130), weights spread as
far as Student's t asks with so many slides. A few animals that follow the mean of all species are added to
each species, so that a rare one, or one that was never seen, is neither found always nor never. What
differs between slides beyond that (a sample lies on few slides) is a further Dirichlet or gamma step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from podura.evaluation.intervals import student
from podura.survey.evidence import Evidence

Floats = NDArray[np.float64]

#: Animals that are added to each species, with what happens to those of all species.
PRIOR_ANIMALS = 2.0
#: Detections of nothing that are added to each species (Jeffreys' prior of a rate).
PRIOR_BACKGROUND = 0.5
#: Likeness of a slide's animals before any evidence, and the pairs of animals that it is worth.
_PRIOR_LIKENESS, _PRIOR_PAIRS = 0.03, 30.0
#: The same for the squared variation of the rate of background between slides, in pairs of detections.
_PRIOR_VARIATION, _PRIOR_BACKGROUNDS = 0.3, 10.0
#: Pairs that the mean of all species is worth against a species' own.
_COMMON_PAIRS, _COMMON_BACKGROUNDS = 60.0, 20.0
_LEAST_WEIGHT_SHAPE = 0.15
_TINY = 1e-12


@dataclass(frozen=True)
class Parameters:
    """found, again (..., species, species): expected detections of the last species per animal of the other.

    found is a chance, again a rate. background (..., species): detections of nothing per unit of area.
    """

    found: Floats
    again: Floats
    background: Floats

    @property
    def per_animal(self) -> Floats:
        """Expected detections of the last species per animal of the one before, (..., species, species)."""
        return self.found + self.again


@dataclass(frozen=True)
class Spread:
    """How much slides differ, each (species,): likeness of a slide's animals, variation of its background.

    Intraclass correlation of being found, and squared coefficient of variation of the rates.
    """

    likeness: Floats
    variation: Floats


def pooled_chances(evidence: Evidence) -> tuple[float, float, float, float]:
    """Of all animals: shares found as their species and as another, detections again of both kinds."""
    animals = evidence.animals.sum()
    found, again = evidence.found.sum(axis=0), evidence.again.sum(axis=0)
    right, right_again = float(np.trace(found)), float(np.trace(again))
    return (
        (right + 0.5) / (animals + 1.0),
        (found.sum() - right) / (animals + 1.0),
        right_again / (animals + 1.0),
        (again.sum() - right_again) / (animals + 1.0),
    )


def _prior(evidence: Evidence) -> tuple[Floats, Floats]:
    """Mean chances found as each species, (species, species + 1) with the missed last, and rates again."""
    size = len(evidence.species)
    right, wrong, right_again, wrong_again = pooled_chances(evidence)
    total = max(right + wrong, 1.0)
    off = (1 - np.eye(size)) / max(size - 1, 1)
    found = (np.eye(size) * right + off * wrong) / total
    missed = np.maximum(1 - found.sum(axis=1), 0.0)
    return np.column_stack([found, missed]), np.eye(size) * right_again + off * wrong_again


def mean_parameters(evidence: Evidence) -> Parameters:
    """The expected values, with the added animals."""
    return _from_weights(evidence, np.ones((1, len(evidence.slides))), None)


def draw_parameters(evidence: Evidence, draws: int, generator: Generator) -> Parameters:
    """Draws of the mean over all slides that are like these: arrays begin with (draws,)."""
    weights = slide_weights(len(evidence.slides), draws, generator)
    return _from_weights(evidence, weights, generator)


def slide_weights(slides: int, draws: int, generator: Generator) -> Floats:
    """Weights of slides, of mean 1, whose weighted means spread as Student's t of so many slides does.

    Gamma weights of shape c give a mean the variance s² / (slides (slides c + 1)), s² with divisor
    slides; it is to be s² / (slides - 1) times the square of the quantile of t over that of the normal.
    """
    if slides < 3:
        shape = _LEAST_WEIGHT_SHAPE
    else:
        wider = (student(0.95, slides - 1) / 1.959964) ** 2
        shape = max(((slides - 1) / wider - 1) / slides, _LEAST_WEIGHT_SHAPE)
    return generator.gamma(shape, 1 / shape, size=(draws, slides))


def _from_weights(evidence: Evidence, weights: Floats, generator: Generator | None) -> Parameters:
    """Weights (draws, slides). Without a generator the prior's part is its mean."""
    chances, rates = _prior(evidence)
    size = len(evidence.species)
    missed = evidence.animals - evidence.found.sum(axis=2)
    outcome = np.concatenate([evidence.found, missed[:, :, None]], axis=2)
    seen = np.tensordot(weights, outcome, axes=(1, 0)) + _gamma(
        PRIOR_ANIMALS * chances, len(weights), generator
    )
    found = seen / np.maximum(seen.sum(axis=2, keepdims=True), _TINY)
    again = np.tensordot(weights, evidence.again, axes=(1, 0))
    again += _gamma(PRIOR_ANIMALS * rates, len(weights), generator)
    animals = weights @ evidence.animals + PRIOR_ANIMALS
    area = np.maximum(weights @ evidence.area, _TINY)
    loose = weights @ evidence.background + _gamma(np.full(size, PRIOR_BACKGROUND), len(weights), generator)
    result = Parameters(found[:, :, :size], again / animals[:, :, None], loose / area[:, None])
    if generator is None:
        return Parameters(result.found[0], result.again[0], result.background[0])
    return result


def _gamma(shape: Floats, draws: int, generator: Generator | None) -> Floats:
    """Gamma variates of these shapes and scale 1, or their means: (draws, *shape)."""
    size = (draws, *shape.shape)
    return np.broadcast_to(shape, size) if generator is None else generator.gamma(shape, size=size)


def spread_between_slides(evidence: Evidence) -> Spread:
    """How much more slides differ than chance makes them, by moments; species lean on their mean.

    Intraclass correlation: Ridout, Demétrio & Firth 1999, Biometrics 55:137.
    """
    animals, right = evidence.animals, np.einsum("sii->si", evidence.found)
    total = animals.sum(axis=0)
    share = _ratio(right.sum(axis=0), total)
    varies = share * (1 - share)
    free = total - _ratio((animals**2).sum(axis=0), total)
    excess = ((right - animals * share) ** 2).sum(axis=0) - varies * free
    pairs = (animals * (animals - 1)).sum(axis=0) * varies
    # Pairs are counted in units of the variance, so that species at a share of 0 or 1 say nothing.
    unit = max(float((varies * total).sum() / max(total.sum(), 1.0)), 0.01)
    common = (excess.sum() + _PRIOR_LIKENESS * _PRIOR_PAIRS * unit) / (pairs.sum() + _PRIOR_PAIRS * unit)
    common = float(np.clip(common, 0.002, 0.6))
    likeness = (excess + common * _COMMON_PAIRS * unit) / (pairs + _COMMON_PAIRS * unit)

    area = evidence.area[:, None] / max(evidence.area.sum(), _TINY)
    expected = area * evidence.background.sum(axis=0)
    beyond = ((evidence.background - expected) ** 2 - expected * (1 - area)).sum(axis=0)
    rates = (expected**2).sum(axis=0)
    mean = (beyond.sum() + _PRIOR_VARIATION * _PRIOR_BACKGROUNDS) / (rates.sum() + _PRIOR_BACKGROUNDS)
    mean = float(np.clip(mean, 0.01, 9.0))
    variation = (beyond + mean * _COMMON_BACKGROUNDS) / (rates + _COMMON_BACKGROUNDS)
    return Spread(np.clip(likeness, 0.002, 0.6), np.clip(variation, 0.01, 9.0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def of_new_slides(
    mean: Parameters, spread: Spread, animals: Floats, areas: Floats, generator: Generator
) -> Parameters:
    """Draws for a sample on few slides: each draw of the mean, moved as these slides may differ from it.

    animals (slides, species): how many each slide holds, roughly, with which their differences even out;
    areas (slides,).
    """
    share = _evenness(animals + 0.25)
    likeness = spread.likeness * share
    shape = (1 - likeness) / likeness
    missed = np.maximum(1 - mean.found.sum(axis=-1, keepdims=True), 0.0)
    whole = np.concatenate([mean.found, missed], axis=-1)
    moved = generator.gamma(whole * shape[:, None] + _TINY)
    moved = np.maximum(moved, _TINY)
    moved /= moved.sum(axis=-1, keepdims=True)
    variation = spread.variation * float(_evenness(areas[:, None] + _TINY)[0])
    rate = generator.gamma(1 / variation, variation, size=mean.background.shape)
    return Parameters(moved[..., :-1], mean.again, mean.background * rate)


def _evenness(sizes: Floats) -> Floats:
    """Sum of squared shares of slides, (species,): 1 over the number of slides of equal size."""
    return (sizes**2).sum(axis=0) / sizes.sum(axis=0) ** 2
