"""How sure a figure is, as an interval; which kind serves which figure was chosen by simulation.

``tests/benchmarks/interval_coverage.py`` prints how often each kind holds the truth. The plain percentile
interval of resampled slides is too narrow with 15 to 60 slides and fails for precisions near 1, where few
slides hold all the errors, so:

* an average precision, between 0 and 1, takes Student's t on the logit scale, with the standard deviation
  of its resamples;
* a precision or recall at a threshold takes Wilson's interval with the effective number of detections
  (Korn & Graubard 1998; Kott, Andersson & Nerman 2001; compared by Franco et al. 2019,
  doi:10.1093/jssam/smy019), which also has a width where no error was seen;
* a difference takes Student's t with the standard deviation of its paired resamples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Interval = tuple[float, float]
NO_INTERVAL: Interval = (math.nan, math.nan)
# The spread between slides shows only where there are two.
_MIN_SLIDES = 2


def student(confidence: float, degrees: float) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit  # scipy costs a quarter of a second, which some jobs need not pay

    return float(stdtrit(degrees, (1 + confidence) / 2))


def logit_interval(
    estimate: float,
    draws: Floats,
    *,
    degrees: float,
    n_truth: int,
    confidence: float,
    n_slides: int | None = None,
) -> Interval:
    """The interval of an average precision from its resamples, NaN ones left out.

    degrees: of freedom, one less than the slides that can show a spread, unless seeds spread as well and
    ``n_slides`` is given. n_truth: specimens behind the
    figure; the logit is taken half a specimen away from 0 and 1. Missing without a spread to be seen
    between resamples unless all are equal to the estimate, which then is its own interval.
    """
    known = draws[~np.isnan(draws)]
    if not known.size or math.isnan(estimate) or degrees < 1:
        return NO_INTERVAL
    if np.all(known == estimate):
        return estimate, estimate
    edge = 0.5 / max(n_truth, 1)
    centre = float(_logit(np.clip(estimate, edge, 1 - edge)))
    spread = float(np.std(_logit(np.clip(known, edge, 1 - edge))))
    half = wider(student(confidence, degrees), n_slides or degrees + 1) * spread
    low, high = _logistic(centre - half), _logistic(centre + half)
    return min(low, estimate), max(high, estimate)


def proportion_interval(right: Integers | Floats, total: Integers | Floats, *, confidence: float) -> Interval:
    """The interval of a precision or recall: right (n,) of total (n,) things on each of n slides.

    Slides without a thing count as slides that were looked at. Missing where fewer than two slides
    hold things, since nothing is known then of how slides differ.
    """
    n_total = float(total.sum())
    if np.count_nonzero(total) < _MIN_SLIDES:
        return NO_INTERVAL
    share = float(right.sum()) / n_total
    n = effective_number(right, total)
    z = student(confidence, effective_slides(total) - 1)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def f1_interval(right: Integers, boxes: Integers, truths: Integers, *, confidence: float) -> Interval:
    """The interval of an F1: right of so many boxes, and of so many truths, on each of n slides.

    F1 is a share as well, F of the mean of boxes and truths, so its interval is made as that of a precision.
    A wrong box and a missed truth count half each, so independent ones make its variance 1 - F / 2 of that of
    a share of so many things.
    """
    things: Floats = np.asarray((boxes + truths) / 2, dtype=np.float64)
    share = float(right.sum()) / max(float(things.sum()), 1.0)
    more = 1 / (1 - share / 2)
    return proportion_interval(
        np.asarray(right * more, dtype=np.float64), things * more, confidence=confidence
    )


def effective_number(right: Integers | Floats, total: Integers | Floats) -> float:
    """How many independent things say as much as these, which cluster by slide; at most their number.

    The variance of the ratio, linearised by slide, over that of independent things (Korn & Graubard
    1998). Where all are right or all wrong no clustering can be seen, and the number itself is given.
    """
    n_total, n_slides = float(total.sum()), len(total)
    share = float(right.sum()) / n_total
    independent = share * (1 - share) / n_total
    if independent == 0 or n_slides < _MIN_SLIDES:
        return float(n_total)
    residual = right - share * total
    clustered = n_slides / (n_slides - 1) * float(residual @ residual) / n_total**2
    return n_total / max(1.0, clustered / independent)


def effective_slides(total: Integers | Floats) -> float:
    """How many slides of equal weight say as much of how slides differ as these (n,); at least two of two.

    Kish's number (1965), the squared sum of things over the sum of their squares. As many degrees of freedom
    as there are slides make intervals too narrow where a few full ones hold most things.
    """
    of_slides = np.asarray(total, dtype=np.float64)
    filled = np.count_nonzero(of_slides)
    if filled < _MIN_SLIDES:
        return float(filled)
    return max(float(_MIN_SLIDES), float(of_slides.sum() ** 2 / (of_slides @ of_slides)))


def difference_interval(
    estimate: float, draws: Floats, *, degrees: float, confidence: float, n_slides: int | None = None
) -> Interval:
    """The interval of a difference from its paired resamples, NaN ones left out, by Student's t."""
    known = draws[~np.isnan(draws)]
    if not known.size or math.isnan(estimate) or degrees < 1:
        return NO_INTERVAL
    half = wider(student(confidence, degrees), n_slides or degrees + 1) * float(np.std(known))
    return estimate - half, estimate + half


def degrees_of_freedom(*parts: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946, doi:10.2307/3002019).

    parts: each variance with the number of slides or seeds that it is known from. 0 where none tells.
    """
    known = [(variance, number - 1) for variance, number in parts if number > 1]
    whole = sum(variance for variance, _ in known)
    if whole == 0:
        return float(max((degrees for _, degrees in known), default=0))
    return whole**2 / sum(variance**2 / degrees for variance, degrees in known)


def wider(quantile: float, n_slides: float) -> float:
    """The quantile with what resampling n slides spreads too little, (n - 1) / n in its variance."""
    return quantile * math.sqrt(n_slides / (n_slides - 1))


def _logit(share: Floats | float) -> Floats:
    return np.log(share) - np.log1p(-np.asarray(share))


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
