"""How sure a figure is: whole slides are drawn again and again, and the figure made from each draw.

A slide is what was sampled, so slides are resampled, with replacement, and never images or boxes. A
draw is the number of times that each slide is in it. Matching is done once; a draw only weights its
results. Every model, seed and species gets the same draws, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from podura.errors import UserError
from podura.evaluation import kernels
from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.ranking import Ranking, iou_index

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def slide_weights(slides: Sequence[str], *, resamples: int, generator: Generator) -> Integers:
    """How often each slide is in each resample: (resamples, n_slides), each row adds up to n_slides.

    slides: all slides of the part, also those without animals. Raises ValueError unless they are
    sorted, each once: draws are only paired where the columns mean the same; UserError without slides.
    """
    if not slides:
        raise UserError(
            "The test part has no slide, so nothing can be scored. Give it a share under split.fractions, or "
            "put slides there in the column part of the table of images."
        )
    if list(slides) != sorted(set(slides)):
        raise ValueError("slides must be sorted by name, each given once")
    share = np.full(len(slides), 1 / len(slides))
    return generator.multinomial(len(slides), share, size=resamples)


def resampled_average_precisions(ranked: Ranking, slides: Sequence[str], weights: Integers) -> Floats:
    """COCO's average precision of one species in each resample, at each IoU: (resamples, 10).

    weights: (resamples, n_slides), columns as ``slides``. Equal to evaluating, from the start, a data
    set that holds each slide as often as its weight says (copies of a detection stand together, which
    between detections of equal score is one order of several). NaN where a resample draws no truth.
    """
    outcome = np.where(ranked.right, 1, np.where(ranked.wrong, 0, -1)).astype(np.int8)
    return kernels.resampled_average_precisions(
        _positions(ranked.detection_slides, slides),
        outcome,
        weights @ slide_counts(ranked.truth_slides, slides),
        weights.astype(np.int32),
        RECALL_POINTS,
    )


@dataclass(frozen=True)
class SlideCounts:
    """What lies on each slide, (n_slides,): detections accepted, right ones among them, and truths."""

    accepted: Integers
    right: Integers
    truths: Integers


def counts_at_thresholds(
    folds: Sequence[tuple[Ranking, float | None]], iou_percent: int, slides: Sequence[str]
) -> SlideCounts:
    """What thresholds accept on each slide, detections to ignore left out.

    ``folds``: the ranking of each fold and its threshold; one without a threshold accepts nothing.
    """
    row = iou_index(iou_percent)
    right, wrong, truths = (np.zeros(len(slides), dtype=np.int64) for _ in range(3))
    for ranked, threshold in folds:
        truths += slide_counts(ranked.truth_slides, slides)
        if threshold is not None:
            above = ranked.scores >= threshold
            right += slide_counts(ranked.detection_slides[ranked.right[row] & above], slides)
            wrong += slide_counts(ranked.detection_slides[ranked.wrong[row] & above], slides)
    return SlideCounts(right + wrong, right, truths)


def nan_mean(values: Floats) -> Floats:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))


def slide_counts(names: NDArray[np.object_], slides: Sequence[str]) -> Integers:
    """How many of the names are each slide: (n_slides,)."""
    return np.bincount(_positions(names, slides), minlength=len(slides))


def _positions(names: NDArray[np.object_], slides: Sequence[str]) -> Integers:
    positions = pd.Index(slides, dtype=object).get_indexer(names)
    if (positions < 0).any():
        unknown = sorted({str(name) for name in names[positions < 0]})
        raise ValueError(f"matches of slides that are not of this part: {', '.join(unknown)}")
    return positions


def _share(part: NDArray, whole: NDArray) -> Floats:
    result = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
