"""One species' detections in the order of their scores, with what each turned out to be."""

from __future__ import annotations

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
    of_species = matches[(matches["species"] == species).to_numpy(bool)]
    is_truth = (of_species["kind"] == "truth").to_numpy(bool)
    truths, detections = of_species[is_truth], of_species[~is_truth]
    scores = detections["score"].to_numpy(np.float64)
    order = np.argsort(-scores, kind="stable")
    matched = _columns(detections, "match", np.int64)[:, order] > 0
    ignored = _columns(detections, "ignored", bool)[:, order]
    counts = ~truths["ignore"].to_numpy(bool)
    return Ranking(
        scores=scores[order],
        detection_slides=detections["slide"].to_numpy(object)[order],
        right=matched & ~ignored,
        wrong=~matched & ~ignored,
        truth_slides=truths["slide"].to_numpy(object)[counts],
    )


def iou_index(iou_percent: int) -> int:
    """The row of ``Ranking.right`` for this IoU. Raises ValueError for one that is not matched."""
    if iou_percent not in IOU_PERCENTS:
        raise ValueError(f"matching knows the IoUs {IOU_PERCENTS} percent, not {iou_percent}")
    return IOU_PERCENTS.index(iou_percent)


def _columns(frame: pd.DataFrame, prefix: str, kind: type) -> NDArray:
    return np.stack([frame[f"{prefix}_{percent}"].to_numpy(kind) for percent in IOU_PERCENTS])
