"""One species' detections in the order of their scores, with what each turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.tables import IOU_PERCENTS


@dataclass(frozen=True)
class Ranking:
    """All that average precision, thresholds and resampling need to know of one species.

    scores (n,) falling, and detection_slides (n,): the detections, of equal scores in the order in
    which matching put them. right and wrong (10, n): what a detection is at each of IOU_PERCENTS;
    neither where it took a truth that is to be ignored. truth_slides (n_truth,): the slide of each
    truth that counts.
    """

    scores: NDArray[np.float64]
    detection_slides: NDArray[np.object_]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    truth_slides: NDArray[np.object_]

    @property
    def n_truth(self) -> int:
        return len(self.truth_slides)


def ranking(matches: pd.DataFrame, species: str) -> Ranking:
    """The ranking of one species from the table matches, rows as matching wrote them."""
    of_species = (matches["species"] == species).to_numpy(bool)
    is_truth = (matches["kind"] == "truth").to_numpy(bool)
    truths, detections = np.flatnonzero(of_species & is_truth), np.flatnonzero(of_species & ~is_truth)
    scores = _values(matches, "score", detections, np.float64)
    order = np.argsort(-scores, kind="stable")
    detections = detections[order]
    matched = np.stack([_values(matches, f"match_{p}", detections, np.int64) > 0 for p in IOU_PERCENTS])
    ignored = np.stack([_values(matches, f"ignored_{p}", detections, bool) for p in IOU_PERCENTS])
    counting = truths[~_values(matches, "ignore", truths, bool)]
    return Ranking(
        scores=scores[order],
        detection_slides=_values(matches, "slide", detections, object),
        right=matched & ~ignored,
        wrong=~matched & ~ignored,
        truth_slides=_values(matches, "slide", counting, object),
    )


def joined(rankings: Sequence[Ranking]) -> Ranking:
    """Rankings of several models as one, by falling score; of equal ones those of the first ranking first."""
    scores = np.concatenate([one.scores for one in rankings])
    order = np.argsort(-scores, kind="stable")
    return Ranking(
        scores=scores[order],
        detection_slides=np.concatenate([one.detection_slides for one in rankings])[order],
        right=np.concatenate([one.right for one in rankings], axis=1)[:, order],
        wrong=np.concatenate([one.wrong for one in rankings], axis=1)[:, order],
        truth_slides=np.concatenate([one.truth_slides for one in rankings]),
    )


def without_slides(ranked: Ranking, slides: set[str]) -> Ranking:
    """The ranking without what lies on these slides."""
    kept = np.array([slide not in slides for slide in ranked.detection_slides], dtype=bool)
    truths = np.array([slide not in slides for slide in ranked.truth_slides], dtype=bool)
    return Ranking(
        scores=ranked.scores[kept],
        detection_slides=ranked.detection_slides[kept],
        right=ranked.right[:, kept],
        wrong=ranked.wrong[:, kept],
        truth_slides=ranked.truth_slides[truths],
    )


def iou_index(iou_percent: int) -> int:
    """The row of ``Ranking.right`` for this IoU. Raises ValueError for one that is not matched."""
    if iou_percent not in IOU_PERCENTS:
        raise ValueError(f"matching knows the IoUs {IOU_PERCENTS} percent, not {iou_percent}")
    return IOU_PERCENTS.index(iou_percent)


def _values(frame: pd.DataFrame, column: str, rows: NDArray[np.int64], kind: type) -> NDArray:
    # Of each column only its rows: a selection of whole rows would copy all 35 columns.
    return frame[column].array[rows].to_numpy(kind)
