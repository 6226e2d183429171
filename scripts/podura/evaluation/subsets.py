"""Average precision and recall of small and large specimens, and of those at the edge of the image.

As in COCO's evaluation by area (Lin et al. 2014; pycocotools 2.0.11): of a range, truths outside it are
to be ignored, and so are detections outside it that take no truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.kernels import average_precisions
from podura.evaluation.matching import outcomes
from podura.evaluation.runs import Run

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIZES = ("small", "medium", "large")
EDGES = ("touching", "near", "inside")
#: A box touches the edge of the image if it ends nearer than this share of its longer side.
TOUCHING = 0.02


def subset_scores(
    run: Run, found_place: Integers, true_place: Integers, names: Sequence[str]
) -> list[dict[str, Any]]:
    """AP50 and recall of each species in each subset, by species and then by subset.

    found_place and true_place: the subset of each detection and truth, as a place in ``names``.
    """
    found, true = run.found, run.true
    start = np.searchsorted(found.species_number, np.arange(run.n_species + 1))
    rows: list[list[dict[str, Any]]] = [[] for _ in run.species]
    for place, name in enumerate(names):
        outcome = outcomes(
            found, true, truths_aside=true_place != place, detections_aside=found_place != place
        )
        counted = true.species_number[~true.ignore & (true_place == place)]
        n_truth = np.bincount(counted, minlength=run.n_species)
        scores = average_precisions(start, outcome, n_truth, RECALL_POINTS)
        right = outcome[run.iou] == 1
        recall = _shares(np.bincount(found.species_number[right], minlength=run.n_species), n_truth)
        of_accepted = found.species_number[right & run.accepted]
        accepted = _shares(np.bincount(of_accepted, minlength=run.n_species), n_truth)
        for number, species in enumerate(run.species):
            rows[number].append(
                {
                    "seed": run.seed,
                    "species": species,
                    "range": name,
                    "n_truth": int(n_truth[number]),
                    "ap50": scores[0, number],
                    "recall": recall[number],
                    "threshold_recall": accepted[number],
                }
            )
    return [row for of_species in rows for row in of_species]


def by_size(run: Run) -> list[dict[str, Any]]:
    """Rows of the table by_size: terciles of the truths that count, species by species.

    The size is the square root of the area of the box, in µm where the size of a pixel is known of all
    images, else in pixels. A specimen as large as a boundary belongs to the smaller ones.
    """
    found_size, true_size = (
        np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * run.images.scale[image]
        for boxes, image in ((run.found.boxes, run.found_image), (run.true.boxes, run.true_image))
    )
    limits = np.full((run.n_species, len(SIZES) - 1), np.nan)
    for number in np.flatnonzero(run.n_truth):
        counted = true_size[~run.true.ignore & (run.true.species_number == number)]
        limits[number] = np.quantile(counted, np.arange(1, len(SIZES)) / len(SIZES))
    found_place, true_place = (
        (size[:, None] > limits[species]).sum(axis=1)
        for size, species in (
            (found_size, run.found.species_number),
            (true_size, run.true.species_number),
        )
    )
    rows = subset_scores(run, found_place, true_place, SIZES)
    ends = np.column_stack([np.full(run.n_species, np.nan), limits, np.full(run.n_species, np.nan)])
    for place, row in enumerate(rows):
        species, size = divmod(place, len(SIZES))
        row.update(unit=run.images.unit, size_low=ends[species, size], size_high=ends[species, size + 1])
    return rows


def by_edge(run: Run) -> list[dict[str, Any]]:
    """Rows of the table by_edge: how far the box is from the nearest edge of the image.

    touching: nearer than 2 % of the longer side of the box; near: nearer than the longer side; inside.
    """
    found_place, true_place = (
        _edge_place(boxes, run.images.size[image])
        for boxes, image in ((run.found.boxes, run.found_image), (run.true.boxes, run.true_image))
    )
    return subset_scores(run, found_place, true_place, EDGES)


def _edge_place(boxes: Floats, size: Floats) -> Integers:
    distance = np.minimum(boxes[:, :2], size - boxes[:, 2:]).min(axis=1)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return (distance > TOUCHING * longer).astype(np.int64) + (distance > longer)


def _shares(part: Integers, whole: Integers) -> Floats:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
