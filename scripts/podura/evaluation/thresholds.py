"""The plain empirical threshold, and what any threshold accepts. certification.py has the certified one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.average_precision import precision_recall
from podura.evaluation.ranking import Ranking, iou_index


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


def empirical_threshold(ranked: Ranking, *, iou_percent: int, target_precision: float) -> float | None:
    """The lowest score at which the detections at or above it reach the target precision; None without any.

    A second detection of one specimen and a detection of another species' animal are errors;
    detections that took a truth to be ignored do not count. Detections of equal score are accepted
    together or not at all. This is the common practice, which does not keep its promise on new
    slides in about half of all cases: it is shown beside the certified threshold and never called so.
    """
    curve = precision_recall(ranked, iou_percent)
    is_last_of_score = np.append(np.diff(curve.scores) != 0, True)[: len(curve.scores)]
    reached = np.flatnonzero(is_last_of_score & (curve.precision >= target_precision))
    return float(curve.scores[reached[-1]]) if reached.size else None


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
