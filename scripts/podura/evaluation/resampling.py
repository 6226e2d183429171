"""How sure a figure is: whole slides are drawn again and again, and the figure made from each draw.

A slide is what was sampled, so slides are resampled, with replacement, and never images or boxes. A
draw is the number of times that each slide is in it. Matching is done once; a draw only weights its
results. Every model, seed and species gets the same draws, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.ranking import Ranking, iou_index, ranking
from podura.tables import IOU_PERCENTS

# Numbers held in memory at once by the resampling of one curve, in each of a few arrays.
_MAX_CELLS = 2_000_000

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def slide_weights(slides: Sequence[str], *, resamples: int, generator: Generator) -> Integers:
    """How often each slide is in each resample: (resamples, n_slides), each row adds up to n_slides.

    slides: all slides of the part, also those without animals. Raises ValueError unless they are
    sorted, each once: draws are only paired where the columns mean the same.
    """
    if not slides or list(slides) != sorted(set(slides)):
        raise ValueError("slides must be sorted by name, each given once, and at least one")
    share = np.full(len(slides), 1 / len(slides))
    return generator.multinomial(len(slides), share, size=resamples)


def resampled_average_precision(
    ranked: Ranking, iou_percent: int, slides: Sequence[str], weights: Integers
) -> Floats:
    """COCO's average precision of one species in each resample; NaN where it draws no truth.

    weights: (resamples, n_slides), columns as ``slides``. Equal to evaluating, from the start, a data
    set that holds each slide as often as its weight says (copies of a detection stand together, which
    between detections of equal score is one order of several). Time and memory grow with resamples ×
    right detections.
    """
    row = iou_index(iou_percent)
    n_slides = len(slides)
    detection_slide = _positions(ranked.detection_slides, slides)
    is_right, is_wrong = ranked.right[row], ranked.wrong[row]
    # Precision is best and recall grows only at right detections, so only those become columns.
    n_right = int(is_right.sum())
    place = np.cumsum(is_right) - is_right
    right = _cumulative(detection_slide[is_right], place[is_right], n_slides, n_right)
    wrong = _cumulative(detection_slide[is_wrong], place[is_wrong], n_slides, n_right)
    truths = weights @ slide_counts(ranked.truth_slides, slides)
    step = max(1, _MAX_CELLS // max(1, n_right))
    results = []
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        # Products of whole numbers as floating point: exact, and many times faster.
        draws = weights[rows].astype(np.float64)
        results.append(_average_precision_of_rows(draws @ right, draws @ wrong, truths[rows]))
    return np.concatenate(results)


def resampled_average_precisions(
    ranked: Ranking, slides: Sequence[str], weights: Integers
) -> tuple[Floats, Floats]:
    """AP50 and AP50:95 of one species in each resample; NaN where it draws no truth."""
    by_iou = [resampled_average_precision(ranked, percent, slides, weights) for percent in IOU_PERCENTS]
    return by_iou[0], np.mean(by_iou, axis=0)


def resampled_mean_average_precision(
    matches: pd.DataFrame, species: Sequence[str], slides: Sequence[str], weights: Integers
) -> tuple[Floats, Floats]:
    """mAP at IoU 0.5 and at 0.50:0.95 in each resample, over the species of which it draws a truth."""
    each = [resampled_average_precisions(ranking(matches, code), slides, weights) for code in species]
    nothing = np.zeros((0, len(weights)))
    return (
        nan_mean(np.array([one[0] for one in each]) if each else nothing),
        nan_mean(np.array([one[1] for one in each]) if each else nothing),
    )


def resampled_precision_and_recall(
    folds: Sequence[tuple[Ranking, float | None]],
    iou_percent: int,
    slides: Sequence[str],
    weights: Integers,
) -> tuple[Floats, Floats]:
    """Precision and recall in each resample; NaN where it accepts or holds nothing.

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
    return _share(weights @ right, weights @ (right + wrong)), _share(weights @ right, weights @ truths)


def interval(values: Floats, confidence: float) -> tuple[float, float]:
    """The percentile interval of resampled values; NaN resamples aside, NaN if all are."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


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


def _cumulative(slide: Integers, place: Integers, n_slides: int, n_places: int) -> Floats:
    """How many detections of each slide stand at or before each place: (n_slides, n_places)."""
    # Wrong detections after the last right one change nothing any more.
    kept = place < n_places
    flat = np.bincount(slide[kept] * n_places + place[kept], minlength=n_slides * n_places)
    return flat.reshape(n_slides, n_places).cumsum(axis=1).astype(np.float64)


def _average_precision_of_rows(right: Floats, wrong: Floats, truths: Integers) -> Floats:
    """COCO's average precision of each row, from counts up to each right detection: (rows, n_right)."""
    n_rows, n_right = right.shape
    precision = right / (right + wrong + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # A recall that is never reached has precision 0.
    envelope = np.concatenate([envelope, np.zeros((n_rows, 1))], axis=1)
    # One search serves all rows: counts of whole numbers, each row lifted above the row before.
    counts = right.astype(np.int64)
    lift = np.arange(n_rows)[:, None] * (counts.max(initial=0) + 1)
    needed = np.minimum(_right_needed(truths), counts.max(initial=0) + 1)
    place = np.searchsorted((counts + lift).ravel(), (needed + lift).ravel(), side="left")
    place = place.reshape(n_rows, -1) - np.arange(n_rows)[:, None] * n_right
    result = np.take_along_axis(envelope, place, axis=1).mean(axis=1)
    return np.where(truths > 0, result, np.nan)


def _right_needed(truths: Integers) -> Integers:
    """How many right detections reach each of COCO's recalls: (rows, 101).

    The smallest count whose quotient by the number of truths, as floating point has it, is not below
    the recall point: the same comparison as that of one curve.
    """
    of_row = np.maximum(truths, 1)[:, None]
    needed = np.ceil(RECALL_POINTS * of_row).astype(np.int64)
    needed -= (needed - 1) / of_row >= RECALL_POINTS
    return needed + (needed / of_row < RECALL_POINTS)


def _share(part: NDArray, whole: NDArray) -> Floats:
    result = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
