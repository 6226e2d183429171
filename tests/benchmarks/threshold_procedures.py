"""Ways to set a threshold for 95 % precision, each on thousands of drawn studies at once.

Every procedure takes the validation and the calibration part of all repeats and returns a threshold for
each, NaN where it gives none. All but the naive one and MAPIE use the validation part only to fix
candidates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, stdtrit

from podura.evaluation.certification import MARGIN, fallback, starting_weights
from podura.evaluation.clustering import Counts, design_effect, slide_effect
from podura.evaluation.precision_tests import p_values
from simulated_studies import Draws

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

TARGET, DELTA, CANDIDATES = 0.95, 0.05, 20
#: Where the three starts of the common advice stand: shares of the detections kept.
STARTS = (0.2, 0.45, 0.7)
SEVEN = (0.1, 0.25, 0.4, 0.5, 0.65, 0.8, 0.95)


def certified(validation: Draws, calibration: Draws, margin: float = MARGIN) -> Floats:
    """Podura's procedure: the library's own functions (a test compares it with ``certify``)."""
    thresholds = validation.kept_quantiles(validation.right, CANDIDATES)
    seen, tested = validation.counts(thresholds), calibration.counts(thresholds)
    deff = design_effect(tested, slide_effect([tested, seen], margin), TARGET)
    p = p_values(tested.n, tested.wrong, deff, TARGET)
    return _last(fallback(p, starting_weights(seen, TARGET), DELTA), thresholds)


def korn_graubard(counts: Counts) -> Floats:
    """p-values of the exact binomial on n / deff, deff from the accepted detections alone."""
    n, errors = counts.n, counts.wrong
    slides = counts.accepted.shape[-1]
    with np.errstate(all="ignore"):
        rate = errors / n
        spread = ((counts.errors - rate[..., None] * counts.accepted) ** 2).sum(axis=-1)
        deff = slides / (slides - 1) * spread / (n * rate * (1 - rate))
        deff = np.where((errors > 0) & (errors < n), np.maximum(deff, 1), 1)
        few = counts.n_slides < 15
        ratio = stdtrit(np.maximum(n - 1, 1), 0.975) / stdtrit(np.maximum(counts.n_slides - 1, 1), 0.975)
        effective = n / deff * np.where(few, np.minimum(ratio**2, 1), 1)
        p = betainc(effective * (1 - rate), effective * rate + 1, TARGET)
    return np.where(n > 0, np.where(rate >= 1, 1.0, p), 1.0)


def three_starts(validation: Draws, calibration: Draws) -> Floats:
    """Fixed sequences from three starts at δ / 3 each, with Korn & Graubard's design effect."""
    thresholds = validation.kept_quantiles(np.ones(len(validation.score), bool), CANDIDATES)
    p = korn_graubard(calibration.counts(thresholds))
    passed = np.zeros(p.shape, dtype=bool)
    for share in STARTS:
        start = round(share * CANDIDATES) - 1
        below = p[:, start:] <= DELTA / len(STARTS)
        passed[:, start:] |= np.logical_and.accumulate(below, axis=1)
    return _last(passed, thresholds)


def seven_quantiles(validation: Draws, calibration: Draws) -> Floats:
    """Seven quantiles, Bonferroni, with Korn & Graubard's design effect."""
    fine = validation.kept_quantiles(np.ones(len(validation.score), bool), CANDIDATES)
    thresholds = fine[:, [round(share * CANDIDATES) - 1 for share in SEVEN]]
    p = korn_graubard(calibration.counts(thresholds))
    return _last(p <= DELTA / len(SEVEN), thresholds)


def naive(validation: Draws, calibration: Draws) -> Floats:
    """The lowest score at which the calibration detections reach 95 %: the empirical threshold."""
    return _lowest(calibration, lambda right, n: right >= TARGET * n)


def every_score(validation: Draws, calibration: Draws) -> Floats:
    """The lowest score at which Clopper and Pearson's 95 % bound of the calibration detections is 95 %."""
    return _lowest(calibration, lambda right, n: betainc(right, n - right + 1, TARGET) <= DELTA)


def one_threshold(validation: Draws, calibration: Draws) -> Floats:
    """The empirical threshold of the validation part, tested once by Clopper and Pearson's bound."""
    thresholds = np.nan_to_num(naive(validation, validation), nan=np.inf)[:, None]
    counts = calibration.counts(thresholds)
    with np.errstate(all="ignore"):
        p = betainc(counts.n - counts.wrong, counts.wrong + 1, TARGET)
    return _last((counts.n > 0) & (p <= DELTA), thresholds)


def mapie(validation: Draws, calibration: Draws) -> Floats | None:
    """MAPIE's controller of precision with its default candidates and family; None where it is absent."""
    try:
        from mapie.risk_control import BinaryClassificationController
    except ImportError:
        return None
    ends = np.searchsorted(calibration.repeat, np.arange(calibration.repeats + 1))
    found = np.full(calibration.repeats, np.nan)
    for repeat in range(calibration.repeats):
        mine = slice(ends[repeat], ends[repeat + 1])
        controller = BinaryClassificationController(
            lambda scores: np.column_stack([1 - scores, scores]),
            risk="precision",
            target_level=TARGET,
            confidence_level=1 - DELTA,
        )
        with warnings.catch_warnings():
            # Where it finds no threshold it warns; that is counted here.
            warnings.simplefilter("ignore")
            controller.calibrate(calibration.score[mine], calibration.right[mine].astype(int))
        if controller.best_predict_param is not None:
            found[repeat] = controller.best_predict_param
    return found


def _lowest(part: Draws, reached: Callable[[Floats, Floats], Booleans]) -> Floats:
    """The lowest score of each repeat whose detections at or above it fulfil the condition."""
    repeat, score, right = part.repeat, part.score, part.right
    first = np.searchsorted(repeat, np.arange(part.repeats))
    before = np.concatenate([[0], np.cumsum(right)])[first]
    rights = np.cumsum(right) - before[repeat]
    n = np.arange(len(score)) - first[repeat] + 1
    # Detections of equal score are accepted together.
    last = np.append((np.diff(score) != 0) | (np.diff(repeat) != 0), True)[: len(score)]
    good = np.flatnonzero(last & reached(rights.astype(float), n.astype(float)))
    found = np.full(part.repeats, np.nan)
    # Scores fall within a repeat, so that the last one written is the lowest.
    found[repeat[good]] = score[good]
    return found


def _last(passed: Booleans, thresholds: Floats) -> Floats:
    """The most lenient threshold that passed in each repeat."""
    place = passed.shape[1] - 1 - np.argmax(passed[:, ::-1], axis=1)
    return np.where(passed.any(axis=1), thresholds[np.arange(len(thresholds)), place], np.nan)


PROCEDURES: dict[str, Callable[[Draws, Draws], Floats | None]] = {
    "Podura": certified,
    "three starts": three_starts,
    "seven quantiles": seven_quantiles,
    "one threshold": one_threshold,
    "every score": every_score,
    "naive": naive,
    "MAPIE": mapie,
}
