"""Precision-recall curves and average precision, by COCO's definition and by that of VOC 2010."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.ranking import Ranking, iou_index, ranking
from podura.tables import IOU_PERCENTS

#: COCO's recall points, written as in pycocotools.
RECALL_POINTS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve: one point a detection, scores falling; detections to ignore left out.

    right and wrong (n,) count the detections up to each point; n_truth the specimens that count.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    n_truth: int

    @property
    def precision(self) -> NDArray[np.float64]:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the truths found; NaN where there are none."""
        if not self.n_truth:
            return np.full(len(self.right), np.nan)
        return self.right / self.n_truth


@dataclass(frozen=True)
class AveragePrecision:
    """Average precisions of one species, 0 to 1; NaN where it has no truth."""

    ap50: float
    ap50_95: float
    ap50_voc: float


def precision_recall(ranked: Ranking, iou_percent: int) -> PrecisionRecall:
    """The curve of a species at one IoU."""
    row = iou_index(iou_percent)
    right, wrong = ranked.right[row], ranked.wrong[row]
    counted = right | wrong
    return PrecisionRecall(
        scores=ranked.scores[counted],
        right=np.cumsum(right[counted]),
        wrong=np.cumsum(wrong[counted]),
        n_truth=ranked.n_truth,
    )


def average_precision_coco(curve: PrecisionRecall) -> float:
    """COCO's average precision: mean over 101 recalls of the best precision at that recall or more.

    Equal to pycocotools 2.0.11, ``COCOeval.accumulate``. NaN without truth; 0 with truth and no
    detections.
    """
    if not curve.n_truth:
        return float("nan")
    # pycocotools adds the smallest step to the denominator, so a single right detection gives 1 - 2e-16.
    envelope = _envelope(curve.right / (curve.right + curve.wrong + np.spacing(1)))
    place = np.searchsorted(curve.recall, RECALL_POINTS, side="left")
    # A recall that is never reached has precision 0.
    return float(np.append(envelope, 0.0)[place].mean())


def average_precision_all_point(curve: PrecisionRecall) -> float:
    """The area under the monotone precision-recall curve, all points (VOC 2010 and later).

    Everingham et al. 2015, doi:10.1007/s11263-014-0733-5. NaN without truth.
    """
    if not curve.n_truth:
        return float("nan")
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * _envelope(curve.precision)))


def average_precision(ranked: Ranking) -> AveragePrecision:
    """AP50 and AP50:95 by COCO's definition, and AP50 by that of VOC 2010, of one species."""
    curves = [precision_recall(ranked, percent) for percent in IOU_PERCENTS]
    by_iou = [average_precision_coco(curve) for curve in curves]
    return AveragePrecision(
        ap50=by_iou[0],
        ap50_95=float(np.mean(by_iou)),
        ap50_voc=average_precision_all_point(curves[0]),
    )


def mean_average_precision(matches: pd.DataFrame, species: Sequence[str]) -> tuple[float, float]:
    """mAP at IoU 0.5 and at 0.50:0.95: means over the species that have truth; NaN if none has."""
    each = [average_precision(ranking(matches, code)) for code in species]
    with_truth = [one for one in each if not np.isnan(one.ap50)]
    if not with_truth:
        return float("nan"), float("nan")
    return (
        float(np.mean([one.ap50 for one in with_truth])),
        float(np.mean([one.ap50_95 for one in with_truth])),
    )


def _envelope(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """At each point the best precision there or later."""
    return np.maximum.accumulate(precision[::-1])[::-1]
