"""The inner loops of evaluation, compiled by Numba: matching, average precision, resampling.

Loading Numba and the compiled code costs a job a quarter of a second.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from podura.compiled import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@compiled()
def assign(
    detection_start: Integers,
    truth_start: Integers,
    detection_boxes: Floats,
    truth_boxes: Floats,
    ignore: Booleans,
    crowd: Booleans,
    thresholds: Floats,
) -> Integers:
    """The truth that each detection takes at each IoU, -1 for none: (thresholds, detections).

    Group g holds the detections detection_start[g] to detection_start[g + 1], best score first, and
    likewise truths: in a group those that count before those to be ignored. The rules are pycocotools'
    (``COCOeval.evaluateImg``): a detection takes the free truth that it overlaps most, of equal ones
    the later; one to be ignored only where no other is left. Of those to be ignored, a crowd stays free,
    and its overlap is the share of the detection that lies in it.
    """
    n_groups, n_thresholds = len(detection_start) - 1, len(thresholds)
    taken = np.full((n_thresholds, len(detection_boxes)), -1, dtype=np.int64)
    lowest = thresholds.min()
    widest = 1
    for group in range(n_groups):
        widest = max(widest, truth_start[group + 1] - truth_start[group])
    near, near_overlap = np.empty(widest, dtype=np.int64), np.empty(widest)
    free = np.ones((n_thresholds, widest), dtype=np.bool_)
    for group in range(n_groups):
        first, last = truth_start[group], truth_start[group + 1]
        if first == last:
            continue
        free[:, : last - first] = True
        for detection in range(detection_start[group], detection_start[group + 1]):
            n_near = 0
            x_min, y_min, x_max, y_max = detection_boxes[detection]
            area = (x_max - x_min) * (y_max - y_min)
            for truth in range(first, last):
                width = min(x_max, truth_boxes[truth, 2]) - max(x_min, truth_boxes[truth, 0])
                if width <= 0:
                    continue
                height = min(y_max, truth_boxes[truth, 3]) - max(y_min, truth_boxes[truth, 1])
                if height <= 0:
                    continue
                shared = width * height
                whole = area
                if not crowd[truth]:
                    whole = (
                        area
                        + (truth_boxes[truth, 2] - truth_boxes[truth, 0])
                        * (truth_boxes[truth, 3] - truth_boxes[truth, 1])
                        - shared
                    )
                overlap = shared / whole
                if overlap >= lowest:
                    near[n_near], near_overlap[n_near] = truth, overlap
                    n_near += 1
            for level in range(n_thresholds):
                best, best_overlap = -1, thresholds[level]
                for place in range(n_near):
                    truth, overlap = near[place], near_overlap[place]
                    if not crowd[truth] and not free[level, truth - first]:
                        continue
                    if best >= 0 and ignore[truth] and not ignore[best]:
                        break
                    if overlap >= best_overlap:
                        best, best_overlap = truth, overlap
                if best >= 0:
                    taken[level, detection] = best
                    free[level, best - first] = False
    return taken


@compiled()
def average_precisions(
    species_start: Integers, outcome: NDArray[np.int8], n_truth: Integers, recall_points: Floats
) -> Floats:
    """COCO's average precision of each species at each IoU: (IoUs, species); NaN without truth.

    outcome (IoUs, detections): 1 right, 0 wrong, -1 neither; detections of species s, best first, are
    species_start[s] to species_start[s + 1].
    """
    n_levels, n_species = outcome.shape[0], len(n_truth)
    found = np.full((n_levels, n_species), np.nan)
    one = np.ones(outcome.shape[1], dtype=np.int64)
    needed = np.empty(len(recall_points), dtype=np.int64)
    for species in range(n_species):
        if n_truth[species] == 0:
            continue
        first, last = species_start[species], species_start[species + 1]
        _needed(n_truth[species], recall_points, needed)
        right = np.empty(last - first, dtype=np.int64)
        precision = np.empty(last - first)
        for level in range(n_levels):
            found[level, species] = _average(
                outcome[level, first:last], one[first:last], needed, right, precision
            )
    return found


@compiled(parallel=True)
def resampled_average_precisions(
    slide: Integers, outcome: NDArray[np.int8], truths: Integers, weights: NDArray[np.int32], points: Floats
) -> Floats:
    """COCO's average precision of one species in each resample: (resamples, IoUs); NaN without truth.

    slide (n,): the slide of each detection, best score first. outcome (IoUs, n): as above. truths
    (resamples,): how many the resample holds. weights (resamples, slides): how often it holds each slide.
    """
    n_resamples, n_levels, n = len(weights), outcome.shape[0], len(slide)
    found = np.full((n_resamples, n_levels), np.nan)
    for resample in prange(n_resamples):
        if truths[resample] > 0:
            copies = np.empty(n, dtype=np.int64)
            for detection in range(n):
                copies[detection] = weights[resample, slide[detection]]
            needed = np.empty(len(points), dtype=np.int64)
            _needed(truths[resample], points, needed)
            right, precision = np.empty(n, dtype=np.int64), np.empty(n)
            for level in range(n_levels):
                found[resample, level] = _average(outcome[level], copies, needed, right, precision)
    return found


@compiled()
def _needed(n_truth: int, points: Floats, needed: Integers) -> None:
    """How many right detections reach each recall point, by the comparison of floating point numbers."""
    for place in range(len(points)):
        count = int(np.ceil(points[place] * n_truth))
        if (count - 1) / n_truth >= points[place]:
            count -= 1
        elif count / n_truth < points[place]:
            count += 1
        needed[place] = count


@compiled()
def _average(
    outcome: NDArray[np.int8], copies: Integers, needed: Integers, right: Integers, precision: Floats
) -> float:
    """Mean of the best precision at or beyond each recall; ``right`` and ``precision`` are work space."""
    n_right, n_wrong, n_points = 0, 0, 0
    for detection in range(len(outcome)):
        if copies[detection] == 0 or outcome[detection] < 0:
            continue
        if outcome[detection] == 1:
            n_right += copies[detection]
            right[n_points] = n_right
            # pycocotools adds the smallest step to the denominator.
            precision[n_points] = n_right / (n_right + n_wrong + 2.220446049250313e-16)
            n_points += 1
        else:
            n_wrong += copies[detection]
    best, total = 0.0, 0.0
    place = n_points - 1
    for point in range(len(needed) - 1, -1, -1):
        while place >= 0 and right[place] >= needed[point]:
            best = max(best, precision[place])
            place -= 1
        total += best
    return total / len(needed)
