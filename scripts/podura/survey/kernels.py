"""The inner loops of counting, compiled by Numba where they run often."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from podura.compiled import compiled
from podura.evaluation.kernels import Floats, Integers


@compiled()
def animals_of_draws(
    counts: Integers,
    found: Floats,
    again: Floats,
    background: Floats,
    start: Floats,
    shape: float,
    sweeps: int,
    generator: Generator,
) -> Integers:
    """Draw how many animals there are, given the detections: (draws, species).

    counts (species,): detections. found, again (draws, species, species) and background (draws, species):
    expected numbers of detections per animal and in all, one set a draw. Gibbs sampling with the sources of
    the detections as missing data (Tanner & Wong 1987, J. Am. Stat. Assoc. 82:528): each detection came from
    an animal of some species, again from one, or from nothing; animals that gave no detection follow from
    those that did. shape: of the gamma prior of each species' expected number, whose rate is 0.
    """
    n_draws, n_species = background.shape
    result = np.zeros((n_draws, n_species), dtype=np.int64)
    expected = start.copy()
    animals = start.copy()
    detected = np.zeros(n_species, dtype=np.int64)
    for draw in range(n_draws):
        for _ in range(sweeps):
            detected[:] = 0
            for kind in range(n_species):
                left = counts[kind]
                if left == 0:
                    continue
                total = background[draw, kind]
                for true in range(n_species):
                    total += (
                        expected[true] * found[draw, true, kind] + animals[true] * again[draw, true, kind]
                    )
                for true in range(n_species):
                    if left == 0 or total <= 0.0:
                        break
                    of_true = expected[true] * found[draw, true, kind]
                    if of_true > 0.0:
                        taken = generator.binomial(left, min(1.0, of_true / total))
                        detected[true] += taken
                        left -= taken
                        total -= of_true
            for true in range(n_species):
                chance = 0.0
                for kind in range(n_species):
                    chance += found[draw, true, kind]
                chance = min(max(chance, 1e-6), 1.0)
                expected[true] = max(generator.standard_gamma(shape + detected[true]) / chance, 1e-9)
                missed = generator.poisson(expected[true] * (1.0 - chance)) if chance < 1.0 else 0
                animals[true] = detected[true] + missed
        for true in range(n_species):
            result[draw, true] = np.int64(animals[true])
    return result
