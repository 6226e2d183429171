"""Animals of a sample when people have checked a random part: an estimate that holds for unusual samples too.

The detections nobody checked are drawn from what random checks of the like found (same species and range of
scores): in the sample itself, in others of its site as far as samples are alike, and a little in what the
annotated slides and other sites show. Checks that were aimed at certain detections count for these alone.
Missed animals come from images that were searched as a whole, in the same manner. This is inference for a
finite population (Ericson 1969, J. R. Stat. Soc. B 31:195; Ghosh & Meeden 1997, Bayesian Methods for
Finite Population Sampling), with weights for unequal chances of being checked: all that is checked
has no uncertainty left, and few checks leave wide intervals. By simulation its intervals hold with fewer
checks than those of the Horvitz-Thompson and the difference estimator (prediction-powered inference:
Angelopoulos et al. 2023, Science 382:669), which have no width where the checks find no error
(resources/survey_counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from podura.survey.checked import N_BINS, CheckedSample, bins_of
from podura.survey.correction import Estimated
from podura.survey.evidence import Evidence
from podura.survey.parameters import Spread, draw_parameters, mean_parameters, spread_between_slides

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Checks, and animals on searched images, that the annotated slides are worth against other sites' reviews.
_WORTH_ABROAD = 10.0
#: The same against the reviews of the sample's own site.
_WORTH_AT_HOME = 3.0
#: Likeness of checks of the like within a sample before any is known, and pairs of checks that it is worth.
_PRIOR_LIKENESS, _PRIOR_PAIRS = 0.05, 30.0
_LEAST_LIKENESS = 0.005
#: Gamma prior of the expected number of animals of a species, as in the correction.
_SHAPE = 0.5
_TINY = 1e-9


@dataclass(frozen=True)
class Expectations:
    """What the annotated slides let expect of a detection and of an animal.

    composition (species, bins, species + 1): shares of what detections are, nothing last. missed (species,):
    share of animals that no detection shows; missed_draws (draws, species): of the same.
    """

    composition: Floats
    missed: Floats
    missed_draws: Floats
    spread: Spread


def expectations(
    evidence: Evidence | None,
    detections: pd.DataFrame | None,
    edges: Floats,
    species: Sequence[str],
    draws: int,
    generator: Generator,
) -> Expectations:
    """From the evidence with every detection counted (thresholds of 0); weak ones without evidence."""
    size = len(species)
    counts = np.zeros((size, N_BINS, size + 1))
    if detections is not None and len(detections):
        place = {name: index for index, name in enumerate(species)}
        kept = detections[detections["species"].isin(place)]
        code = kept["species"].map(place).to_numpy(dtype=np.int64)
        # Animals of species that are not in the list are nothing of what is counted.
        truth = kept["truth_species"].map(place).fillna(size).to_numpy(dtype=np.int64)
        np.add.at(counts, (code, bins_of(code, kept["score"].to_numpy(dtype=np.float64), edges), truth), 1)
    # A weak start at the kinds of all species together, in each range of scores.
    right, nothing, whole = (
        np.einsum("sbs->b", counts[:, :, :size]),
        counts[:, :, size].sum(axis=0),
        counts.sum(axis=(0, 2)),
    )
    start = np.zeros_like(counts)
    own = (right + 0.5 * (1 + np.arange(N_BINS)) / N_BINS) / (whole + 1)
    background = np.minimum((nothing + 0.5 * (1 - np.arange(N_BINS) / N_BINS)) / (whole + 1), 1 - own)
    start[np.arange(size), :, np.arange(size)] = own
    start[:, :, size] = background
    if size > 1:
        others = (1 - own - background) / (size - 1)
        start[:, :, :size] += others[None, :, None] * (1 - np.eye(size))[:, None, :]
    composition = counts + start
    composition /= composition.sum(axis=2, keepdims=True)
    if evidence is None or not len(evidence.slides):
        missed = np.full(size, 0.2)
        return Expectations(
            composition,
            missed,
            generator.beta(0.5, 1.0, size=(draws, size)),
            Spread(np.full(size, _PRIOR_LIKENESS), np.ones(size)),
        )
    mean = mean_parameters(evidence)
    drawn = draw_parameters(evidence, draws, generator)
    return Expectations(
        composition,
        _bounded(1 - mean.found.sum(axis=1)),
        _bounded(1 - drawn.found.sum(axis=2)),
        spread_between_slides(evidence),
    )


class Reviewed:
    """Estimates of all samples of one survey from its review."""

    def __init__(self, samples: Sequence[CheckedSample], expected: Expectations) -> None:
        self.samples = list(samples)
        self.expected = expected
        self.likeness = _likeness_of_checks(self.samples)
        #: Whether any image was searched as a whole: else what is missed is taken from the annotated slides.
        self.searched = any(one.searched_random for one in self.samples)
        #: Found animals on searched images, (samples, species).
        self._shown = np.array([self._shown_on_searched(one) for one in self.samples])
        self._missed = np.array([one.missed_random for one in self.samples], dtype=np.float64)

    @property
    def n_random(self) -> int:
        return sum(one.n_random for one in self.samples)

    def estimated(self, index: int, draws: int, generator: Generator) -> Estimated:
        """Estimate and draws for the sample at this place."""
        sample = self.samples[index]
        if sample.complete:
            known = (sample.known + sample.added).astype(np.float64)
            return Estimated(known, np.tile(known, (draws, 1)))
        abroad, at_home = self._pool(index)
        mean = _updated(abroad, _WORTH_AT_HOME, at_home)
        concentration = (1 - self.likeness) / self.likeness
        own = _normalised(concentration * mean + sample.checked)
        site = _dirichlet(_WORTH_AT_HOME * abroad + at_home, draws, generator)
        drawn = _dirichlet(concentration * site + sample.checked, 1, generator)[0]
        kinds = [_composed(one, drawn, generator) for one in sample.unchecked]
        means = np.tensordot(sample.unchecked, own, axes=([1, 2], [0, 1]))[:, :-1]
        # Missed animals of searched images are added already.
        known_rest = sample.known - sample.confirmed_searched
        rate_mean, rate = self._missed_per_shown(index, draws, generator)
        prior = _SHAPE * (sample.images - sample.searched) / max(sample.images, 1)
        rest = known_rest + kinds[0]
        lost = generator.poisson(generator.gamma(rest + prior + _TINY) * rate)
        certain = sample.known + sample.added_searched
        drawn_animals = certain + kinds[0] + kinds[1] + lost
        estimate = certain + means.sum(axis=0) + (known_rest + means[0]) * rate_mean
        least = sample.known + sample.added
        return Estimated(np.maximum(estimate, least), np.maximum(drawn_animals, least))

    def _pool(self, index: int) -> tuple[Floats, Floats]:
        """Expected composition with other sites' checks, and the checks of the site's other samples."""
        site = self.samples[index].site
        abroad = self.expected.composition
        other = [one.checked for one in self.samples if one.site != site]
        if other:
            abroad = _updated(abroad, _WORTH_ABROAD, np.sum(other, axis=0, dtype=np.float64))
        home = [one.checked for k, one in enumerate(self.samples) if one.site == site and k != index]
        return abroad, np.sum(home, axis=0) if home else np.zeros_like(abroad)

    def _missed_per_shown(self, index: int, draws: int, generator: Generator) -> tuple[Floats, Floats]:
        """Missed animals per animal that a detection shows: mean (species,) and draws (draws, species)."""
        sample = self.samples[index]
        likeness = np.maximum(self.expected.spread.likeness * sample.evenness, _LEAST_LIKENESS)
        concentration = (1 - likeness) / likeness
        if not self.searched:
            share = self.expected.missed_draws[np.arange(draws) % len(self.expected.missed_draws)]
            mean = self.expected.missed
            drawn = _beta(concentration * share, concentration * (1 - share), generator)
            return mean / (1 - mean), drawn / (1 - drawn)
        at_home = np.array([one.site == sample.site for one in self.samples])
        others = at_home & (np.arange(len(self.samples)) != index)
        expected = self.expected.missed
        typical = float(np.average(expected, weights=self._shown.sum(axis=0) + 1.0))
        m_far, f_far = self._missed[~at_home].sum(), self._shown[~at_home].sum()
        start = (_WORTH_ABROAD * typical + m_far) / (_WORTH_ABROAD + m_far + f_far)
        m_all, f_all = self._missed[at_home].sum(), self._shown[at_home].sum()
        # Of all species together at this site; each species keeps its odds against the others.
        common = _beta(
            np.full(draws, _WORTH_AT_HOME * start + m_all),
            np.full(draws, _WORTH_AT_HOME * (1 - start) + f_all),
            generator,
        )
        mean_common = (_WORTH_AT_HOME * start + m_all) / (_WORTH_AT_HOME + m_all + f_all)
        odds = expected / (1 - expected) * (1 - typical) / typical
        m_site, f_site = self._missed[others].sum(axis=0), self._shown[others].sum(axis=0)
        m_own, f_own = self._missed[index], self._shown[index]

        def of_species(share: Floats) -> Floats:
            moved = share / (1 - share) * odds
            return moved / (1 + moved)

        prior = of_species(common[:, None])
        of_site = _beta(_WORTH_AT_HOME * prior + m_site, _WORTH_AT_HOME * (1 - prior) + f_site, generator)
        drawn = _beta(concentration * of_site + m_own, concentration * (1 - of_site) + f_own, generator)
        mean_site = (_WORTH_AT_HOME * of_species(np.array(mean_common)) + m_site) / (
            _WORTH_AT_HOME + m_site + f_site
        )
        mean = (concentration * mean_site + m_own) / (concentration + m_own + f_own)
        mean = _bounded(mean)
        return mean / (1 - mean), drawn / (1 - drawn)

    def _shown_on_searched(self, sample: CheckedSample) -> Floats:
        """Animals that detections show on images searched at random: confirmed, and expected of the rest."""
        composition = _updated(self.expected.composition, _WORTH_ABROAD, sample.checked)
        rest = np.tensordot(sample.unchecked_random, composition, axes=([0, 1], [0, 1]))[:-1]
        return np.asarray(sample.confirmed_random + rest)


def _likeness_of_checks(samples: Sequence[CheckedSample]) -> float:
    """Intraclass correlation, within samples of a site, of checks of the like to confirm the species."""
    excess, pairs, whole, varied = 0.0, 0.0, 0.0, 0.0
    for site in sorted({one.site for one in samples}):
        checked = np.array([one.checked for one in samples if one.site == site])
        n = checked.sum(axis=3)
        right = np.einsum("ksbs->ksb", checked[:, :, :, :-1])
        total = n.sum(axis=0)
        share = np.divide(right.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
        varies = share * (1 - share)
        free = total - np.divide((n**2).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
        excess += float((((right - n * share) ** 2).sum(axis=0) - varies * free).sum())
        pairs += float((np.maximum(n * (n - 1), 0).sum(axis=0) * varies).sum())
        whole += float(total.sum())
        varied += float((varies * total).sum())
    unit = max(varied / max(whole, 1.0), 0.02)
    likeness = (excess + _PRIOR_LIKENESS * _PRIOR_PAIRS * unit) / (pairs + _PRIOR_PAIRS * unit)
    return float(np.clip(likeness, _LEAST_LIKENESS, 0.5))


def _composed(unchecked: Integers, composition: Floats, generator: Generator) -> Integers:
    """Species of the unchecked detections (species, bins), drawn: (draws, species)."""
    there = np.argwhere(unchecked > 0)
    result = np.zeros((len(composition), composition.shape[-1]), dtype=np.int64)
    for kind, place in there:
        result += generator.multinomial(unchecked[kind, place], composition[:, kind, place])
    return np.asarray(result[:, :-1])


def _updated(composition: Floats, worth: float, counts: Floats) -> Floats:
    return _normalised(worth * composition + counts)


def _normalised(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _dirichlet(shape: Floats, draws: int, generator: Generator) -> Floats:
    drawn = generator.gamma(shape + _TINY, size=(draws, *shape.shape)) + 1e-300
    return _normalised(drawn)


def _beta(one: Floats, other: Floats, generator: Generator) -> Floats:
    return _bounded(generator.beta(one + _TINY, other + _TINY))


def _bounded(share: Floats) -> Floats:
    """Shares that odds can be made of."""
    return np.clip(share, 1e-6, 1 - 1e-3)
