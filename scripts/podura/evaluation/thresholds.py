"""The score from which on detections of a species are trusted, and precision and recall there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.average_precision import precision_recall
from podura.evaluation.ranking import Ranking, iou_index

NOT_CERTIFIED = "not_certified"


@dataclass(frozen=True)
class Threshold:
    """A score threshold and the calibration detections behind it; None throughout where there is none.

    n: calibration detections at or above the threshold, of which errors are wrong.
    precision_lower: exact one-sided 95 % lower bound of their precision. It takes every detection for
    independent and the threshold for given beforehand; neither is so, hence the status.
    """

    threshold: float | None
    status: str
    n: int | None
    errors: int | None
    precision_lower: float | None


@dataclass(frozen=True)
class Accepted:
    """What a threshold accepts, detections to ignore left out.

    slides (n,): the slide of each accepted detection; errors of them are wrong.
    """

    slides: NDArray[np.object_]
    errors: int
    n_truth: int

    @property
    def n(self) -> int:
        return len(self.slides)

    @property
    def precision(self) -> float:
        """NaN where nothing is accepted."""
        return (self.n - self.errors) / self.n if self.n else float("nan")

    @property
    def recall(self) -> float:
        """NaN without truth."""
        return (self.n - self.errors) / self.n_truth if self.n_truth else float("nan")


def empirical_threshold(ranked: Ranking, *, iou_percent: int, target_precision: float) -> Threshold:
    """The lowest score at which the detections at or above it reach the target precision.

    A second detection of one specimen and a detection of another species' animal are errors;
    detections that took a truth to be ignored do not count. Detections of equal score are accepted
    together or not at all. This is the common practice, which does not keep its promise on new
    slides in about half of all cases: it is never called certified.
    """
    curve = precision_recall(ranked, iou_percent)
    is_last_of_score = np.append(np.diff(curve.scores) != 0, True)[: len(curve.scores)]
    reached = np.flatnonzero(is_last_of_score & (curve.precision >= target_precision))
    if not reached.size:
        return Threshold(None, NOT_CERTIFIED, None, None, None)
    lowest = reached[-1]
    right, wrong = int(curve.right[lowest]), int(curve.wrong[lowest])
    return Threshold(
        threshold=float(curve.scores[lowest]),
        status=NOT_CERTIFIED,
        n=right + wrong,
        errors=wrong,
        precision_lower=clopper_pearson_lower(right, right + wrong),
    )


def accepted_at(ranked: Ranking, threshold: float, *, iou_percent: int) -> Accepted:
    """What the threshold accepts: scores at or above it."""
    row = iou_index(iou_percent)
    above = ranked.scores >= threshold
    return Accepted(
        slides=ranked.detection_slides[(ranked.right[row] | ranked.wrong[row]) & above],
        errors=int(np.count_nonzero(ranked.wrong[row] & above)),
        n_truth=ranked.n_truth,
    )


def precision_and_recall_at(ranked: Ranking, threshold: float, *, iou_percent: int) -> tuple[float, float]:
    """Precision (NaN if nothing is accepted) and recall (NaN without truth) at a threshold."""
    accepted = accepted_at(ranked, threshold, iou_percent=iou_percent)
    return accepted.precision, accepted.recall


def clopper_pearson_lower(right: int, n: int, confidence: float = 0.95) -> float:
    """Exact one-sided lower bound of a proportion (Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404)."""
    # Costs a quarter of a second, which jobs that only match need not pay.
    from scipy.special import betaincinv

    return float(betaincinv(right, n - right + 1, 1 - confidence)) if right else 0.0
