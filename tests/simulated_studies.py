"""Studies drawn from a known population: slides, detections, truths, with the precision that is true.

A detection has a rank u, uniform on 0 to 1, and is right with odds exp(curve(u) + effect of its slide). Its
score is u, or u rounded down where scores tie; a monotone change of scores would change no procedure. The
expected precision and recall of a threshold over all slides are integrals, which ``Population`` holds.
Many repeats are drawn at once as flat arrays, so that procedures can be judged on thousands of studies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, gammaincinv, ndtri

from podura.evaluation.clustering import Counts
from podura.evaluation.ranking import Ranking
from podura.tables import IOU_PERCENTS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_RANKS, _SLIDES = 1000, 2000


@dataclass(frozen=True)
class Setting:
    """A population and the size of the studies drawn from it.

    slides, validation_slides: of the two parts. detections: mean number a slide. sigma: standard deviation
    of the slides' effect on the log odds (effect normal), coefficient of variation of their rates of error
    (debris: error-rich slides have more detections), or how much worse the bad ones are (bad, a share of
    bad_share). top, slope, knee: log odds are top down to the rank knee, then fall by slope. sizes: spread of
    the logarithm of the slides' numbers of detections; informative: that part of the spread which goes
    with the slide's effect, large slides being worse. levels: number of different scores, 0 for no
    ties. steep: how much larger the effect is at high scores than at low ones, -1 to 1. missed: specimens
    that no detection finds, for each detection.
    """

    name: str
    slides: int
    detections: float
    sigma: float = 0.0
    effect: str = "normal"
    bad_share: float = 0.15
    top: float = 3.9
    slope: float = 8.0
    knee: float = 0.5
    sizes: float = 0.0
    informative: float = 0.0
    levels: int = 0
    steep: float = 0.0
    missed: float = 0.1

    @property
    def validation_slides(self) -> int:
        """As the default split has it: 15 % of the slides, where calibration has 20 %."""
        return max(3, round(0.75 * self.slides))

    def log_odds(self, rank: Floats) -> Floats:
        return self.top - self.slope * np.maximum(self.knee - rank, 0.0)

    def slide_effects(self, quantile: Floats) -> Floats:
        """The effect of the slide at this quantile of quality, 0 to 1: higher is better."""
        if self.effect == "debris":
            shape = self.sigma**-2
            return -np.log(np.maximum(gammaincinv(shape, 1 - quantile) / shape, 1e-12))
        if self.effect == "bad":
            return np.where(quantile < self.bad_share, -self.sigma, 0.0)
        return self.sigma * ndtri(quantile)

    def probability(self, rank: Floats, effect: Floats) -> Floats:
        """That a detection of this rank on such a slide is right."""
        return expit(self.log_odds(rank) + effect * (1 + self.steep * (2 * rank - 1)))

    def scores(self, rank: Floats) -> Floats:
        return np.floor(rank * self.levels) / self.levels if self.levels else rank

    def relative_density(self, rank: Floats, effect: Floats) -> Floats:
        """Detections of this rank on such a slide, in proportion to a slide without effect."""
        if self.effect != "debris":
            return np.ones(np.broadcast(rank, effect).shape)
        right = expit(self.log_odds(rank))
        return right + (1 - right) * np.exp(-effect)

    def sizes_of(self, quantile: Floats) -> Floats:
        """Mean number of detections on a slide of this quality, before the spread that has other causes."""
        return self.detections * np.exp(-self.informative * ndtri(quantile) - self.informative**2 / 2)


class Population:
    """Expected precision and share of right detections kept, at any threshold."""

    def __init__(self, setting: Setting, ranks: int = _RANKS) -> None:
        rank = (np.arange(ranks) + 0.5) / ranks
        quantile = (np.arange(_SLIDES) + 0.5) / _SLIDES
        effect, sizes = setting.slide_effects(quantile), setting.sizes_of(quantile)
        density = sizes * setting.relative_density(rank[:, None], effect)
        right = (density * setting.probability(rank[:, None], effect)).mean(axis=1)
        above = np.cumsum(density.mean(axis=1)[::-1])[::-1]
        right_above = np.cumsum(right[::-1])[::-1]
        self._edges = np.arange(ranks) / ranks
        self._precision, self._kept = right_above / above, right_above / right_above[0]
        self._levels = setting.levels
        missed = setting.missed * setting.detections
        self.highest_recall = float(right_above[0] / ranks / (right_above[0] / ranks + missed))

    def _least_rank(self, threshold: Floats) -> Floats:
        """The lowest rank whose score reaches the threshold."""
        if not self._levels:
            return threshold
        return np.ceil(threshold * self._levels - 1e-9) / self._levels

    def precision(self, threshold: Floats) -> Floats:
        return np.interp(self._least_rank(threshold), self._edges, self._precision)

    def kept(self, threshold: Floats) -> Floats:
        """Share of all right detections at or above the threshold."""
        return np.interp(self._least_rank(threshold), self._edges, self._kept, right=0.0)

    def recall(self, threshold: Floats) -> Floats:
        return self.kept(threshold) * self.highest_recall


@dataclass(frozen=True)
class Draws:
    """One part of many studies: flat arrays of detections, by repeat and falling score.

    Slides are numbered through all repeats. truths (repeats, slides): specimens of each slide, found or
    not.
    """

    repeats: int
    slides: int
    slide: Integers
    score: Floats
    right: Booleans
    truths: Integers

    @property
    def repeat(self) -> Integers:
        return self.slide // self.slides

    def first(self, repeats: int) -> Draws:
        """The first studies alone."""
        if repeats == self.repeats:
            return self
        kept = self.slide < repeats * self.slides
        return Draws(
            repeats, self.slides, self.slide[kept], self.score[kept], self.right[kept], self.truths[:repeats]
        )

    def counts(self, thresholds: Floats) -> Counts:
        """What thresholds (repeats, candidates) accept: (repeats, candidates, slides)."""
        repeat, number = self.repeat, thresholds.shape[1]
        # The first candidate that accepts each detection; those after it do so, too.
        first = np.zeros(len(self.score), dtype=np.int64)
        for of_candidate in thresholds.T:
            first += self.score < of_candidate[repeat]
        cell = self.slide * (number + 1) + first
        shape = (self.repeats, self.slides, number + 1)
        accepted, errors = (
            np.bincount(of, minlength=self.repeats * self.slides * (number + 1)).reshape(shape)
            for of in (cell, cell[~self.right])
        )
        return Counts(
            *(
                np.moveaxis(one[..., :number].cumsum(axis=-1), -1, 1).astype(np.float64)
                for one in (accepted, errors)
            )
        )

    def ranking(self, repeat: int) -> Ranking:
        """One study's part as the evaluator sees it; alike at every IoU."""
        mine = np.flatnonzero(self.repeat == repeat)
        names = np.array([f"slide-{number:03d}" for number in range(self.slides)], dtype=object)
        right = np.tile(self.right[mine], (len(IOU_PERCENTS), 1))
        return Ranking(
            scores=self.score[mine],
            detection_slides=names[self.slide[mine] % self.slides],
            right=right,
            wrong=~right,
            truth_slides=np.repeat(names, self.truths[repeat]),
        )

    def kept_quantiles(self, kept: Booleans, number: int) -> Floats:
        """``certification.kept_quantiles`` of the chosen detections of every repeat; inf where none is."""
        falling = self.score[kept]
        n = np.bincount(self.repeat[kept], minlength=self.repeats)
        places = -(-np.arange(1, number + 1) * n[:, None] // number) - 1 + (np.cumsum(n) - n)[:, None]
        inside = np.clip(places, 0, max(len(falling) - 1, 0))
        return np.where(n[:, None] > 0, falling[inside] if len(falling) else np.inf, np.inf)


def draw(setting: Setting, slides: int, repeats: int, generator: Generator) -> Draws:
    """Draw a part of this many slides, many times over."""
    quantile = generator.random((repeats, slides))
    effect = setting.slide_effects(quantile).ravel()
    spread = np.exp(setting.sizes * generator.standard_normal((repeats, slides)) - setting.sizes**2 / 2)
    size = (setting.sizes_of(quantile) * spread).ravel()
    # Where error-rich slides hold more detections, more are drawn and thinned to the density.
    most = np.maximum(1.0, np.exp(-effect)) if setting.effect == "debris" else np.ones(len(effect))
    slide = np.repeat(np.arange(repeats * slides), generator.poisson(size * most))
    rank = generator.random(len(slide))
    if setting.effect == "debris":
        stays = generator.random(len(slide)) * most[slide] < setting.relative_density(rank, effect[slide])
        slide, rank = slide[stays], rank[stays]
        odds = np.exp(setting.log_odds(rank) + effect[slide])
        right = generator.random(len(slide)) < odds / (1 + odds)
    else:
        right = generator.random(len(slide)) < setting.probability(rank, effect[slide])
    found = np.bincount(slide[right], minlength=repeats * slides)
    truths = (found + generator.poisson(setting.missed * size)).reshape(repeats, slides)
    score = setting.scores(rank)
    order = np.argsort(slide // slides - score, kind="stable")
    return Draws(repeats, slides, slide[order], score[order], right[order], truths)


def least_favourable(setting: Setting, precision: float = 0.9495) -> Setting:
    """The same with one precision at every score, just below the target: nothing deserves a certificate."""

    def off(top: float) -> float:
        population = Population(replace(setting, top=top, slope=0.0), ranks=100)
        return float(population.precision(np.array(0.0)) - precision)

    return replace(setting, name=f"{setting.name}, flat", top=brentq(off, -2, 15, xtol=1e-4), slope=0.0)
