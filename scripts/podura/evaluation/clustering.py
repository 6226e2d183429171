"""How much less a detection tells because errors cluster by slide.

A slide with odd stain or much debris makes errors on many of its animals at once, so 50 detections on
one slide tell less than 50 on 50 slides. The share of variance that is lost is the design effect (Kish
1965; Korn & Graubard 1998, Survey Methodology 24, 193), and n detections count as n / design effect.

Estimated from the accepted detections alone, as Korn and Graubard do, it fails where it matters: a
sample that happens to show few errors shows little clustering as well, and both flatter the threshold.
So the clustering is estimated from everything at hand, the errors at lower scores and on the validation
slides among them, and then applied to the accepted detections at the error rate that is tested. All of
it needs counts only. Arrays may have any leading axes, which the simulation of this procedure uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# From so many slides on (of equal weight), the spread between them is taken for known: Korn & Graubard.
_MANY_SLIDES = 15
# Of a slide that holds nearly all detections, the residual says nothing; its leverage stays below this.
_LARGEST_LEVERAGE = 0.9


@dataclass(frozen=True)
class Counts:
    """Detections accepted at each candidate threshold, and errors among them, by slide.

    Both (..., candidates, slides), candidates from the strictest to the most lenient, so that counts
    grow along that axis.
    """

    accepted: Floats
    errors: Floats

    @property
    def n(self) -> Floats:
        """Accepted detections of all slides (..., candidates)."""
        return self.accepted.sum(axis=-1)

    @property
    def wrong(self) -> Floats:
        """Errors of all slides (..., candidates)."""
        return self.errors.sum(axis=-1)

    @property
    def n_slides(self) -> NDArray[np.int64]:
        """Slides with any accepted detection (..., candidates)."""
        return np.count_nonzero(self.accepted, axis=-1)


def slide_effect(parts: Sequence[Counts], standard_errors: float = 1.0) -> Floats:
    """Variance between slides of the log odds of an error, (...), so many standard errors above its estimate.

    Detections are taken in the bands between candidates, each with its own error rate e. With a slide
    effect of variance s², errors i and j of one slide have, to first order, the covariance
    e_i (1 − e_i) e_j (1 − e_j) s², whence a moment estimator from the slides' residuals, pooled over the
    parts. A residual is divided by one minus the slide's share, as in the jackknife (CR3 of MacKinnon,
    Nielsen & Webb 2023, doi:10.1016/j.jeconom.2022.04.001): a large slide draws the rate towards itself.
    At least 0; 0 where no part shows an error.
    """
    moments = [_moments(part) for part in parts]
    excess, expected, slides = (sum(one) for one in zip(*moments, strict=True))
    effect = np.maximum(_ratio(excess, expected), 0.0)
    return effect * (1 + standard_errors * np.sqrt(2 / np.maximum(slides - len(parts), 1)))


def _moments(part: Counts) -> tuple[Floats, Floats, Floats]:
    """Sum of squared residuals beyond chance; the same for an effect of variance 1; slides."""
    accepted = np.diff(part.accepted, axis=-2, prepend=0)
    errors = np.diff(part.errors, axis=-2, prepend=0)
    rate = _ratio(errors.sum(axis=-1), accepted.sum(axis=-1))[..., None]
    spread = rate * (1 - rate)
    residual = (errors - rate * accepted).sum(axis=-2)
    chance = (spread * accepted).sum(axis=-2)
    alone = (spread**2 * accepted).sum(axis=-2)
    all_chance = chance.sum(axis=-1)
    leverage = np.minimum(_ratio(chance, all_chance[..., None]), _LARGEST_LEVERAGE)
    slides = np.count_nonzero(part.accepted[..., -1, :], axis=-1).astype(np.float64)
    jackknifed = ((residual / (1 - leverage)) ** 2).sum(axis=-1) * _ratio(slides - 1, slides)
    return jackknifed - all_chance, (chance**2 - alone).sum(axis=-1), slides


def design_effect(counts: Counts, effect: Floats, target_precision: float) -> Floats:
    """Design effect of the accepted detections (..., candidates), at least 1, at most n.

    effect (...): ``slide_effect``. At the error rate that is tested, 1 − target precision, a slide with
    k detections adds k (k − 1) covariances. Where the slides are few, counting a slide as often as its
    weight allows (Kish: (Σk)² / Σk²), the effect grows by the squared ratio of Student's quantile to the
    normal one (Korn & Graubard 1998), to infinity for one slide.
    """
    spread = target_precision * (1 - target_precision)
    n, squares = counts.n, (counts.accepted**2).sum(axis=-1)
    clustered = 1 + effect[..., None] * spread * _ratio(squares - n, n)
    result: Floats = np.minimum(clustered, np.maximum(n, 1)) * _few_slides(n, _ratio(n**2, squares))
    return result


def _few_slides(n: Floats, slides: Floats) -> Floats:
    """How much worse the variance is known from few slides than from all the detections: 1 or more."""
    from scipy.special import stdtrit

    few = (slides < _MANY_SLIDES) & (n > 1)
    result = np.ones(np.shape(n))
    # Of one slide (up to rounding) nothing is known: no degree of freedom is left.
    freedom = np.maximum(slides[few] - 1, 1e-9)
    with np.errstate(over="ignore"):
        ratio = stdtrit(freedom, 0.975) / stdtrit(n[few] - 1, 0.975)
        result[few] = np.where(freedom < 1e-6, np.inf, np.maximum(ratio**2, 1.0))
    result[n <= 1] = np.inf
    return result


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """The ratio, 0 where the denominator is 0."""
    shape = np.broadcast(numerator, denominator).shape
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0)
