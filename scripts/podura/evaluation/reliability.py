"""Whether a score means what it says: precision of the detections of each range of scores.

Küppers, Kronenberger, Shantia & Haselhoff 2020, "Multivariate confidence calibration for object
detection", doi:10.1109/CVPRW50498.2020.00171, with bins that hold about equally many detections (Nguyen &
O'Connor 2015, doi:10.18653/v1/D15-1182), since most scores of a detector lie near the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.intervals import proportion_interval
from podura.evaluation.runs import Run

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

BINS = 10


def equal_mass_bins(scores: Floats, n_bins: int) -> Integers:
    """The bin, from 0, of each score; equal scores share one, so that bins may differ or be empty."""
    below = np.searchsorted(np.sort(scores), scores, side="left")
    return np.asarray(below * n_bins // max(1, len(scores)), dtype=np.int64)


def reliability_rows(runs: Sequence[Run], confidence: float) -> list[dict[str, Any]]:
    """Rows of the table reliability: of each seed and of all (None), each species and all (None).

    Every detection at or above the floor counts that takes a truth that counts, or none. A duplicate is
    wrong. Intervals are those of ``proportion_interval``, over the slides of the test part.
    """
    slides, slide_of_image = np.unique(runs[0].images.slides.astype(str), return_inverse=True)
    parts = []
    for run in runs:
        took = run.taken >= 0
        counts = ~took
        counts[took] = ~run.true.ignore[run.taken[took]]
        parts.append(
            (
                run.found.scores[counts],
                took[counts],
                slide_of_image[run.found_image[counts]],
                run.found.species_number[counts],
            )
        )
    of_seeds: list[tuple[int | None, tuple[NDArray, ...]]] = [
        (run.seed, part) for run, part in zip(runs, parts, strict=True)
    ]
    of_seeds.append((None, tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))))
    rows = []
    for seed, (scores, right, slide, species) in of_seeds:
        for number, name in [*enumerate(runs[0].species), (None, None)]:
            chosen = np.ones(len(species), dtype=bool) if number is None else species == number
            rows += [
                {"seed": seed, "species": name, **row}
                for row in _bins(scores[chosen], right[chosen], slide[chosen], len(slides), confidence)
            ]
    return rows


def _bins(
    scores: Floats, right: Booleans, slide: Integers, n_slides: int, confidence: float
) -> list[dict[str, Any]]:
    place = equal_mass_bins(scores, BINS)
    cell = place * n_slides + slide
    total = np.bincount(cell, minlength=BINS * n_slides).reshape(BINS, n_slides)
    of_right = np.bincount(cell[right], minlength=BINS * n_slides).reshape(BINS, n_slides)
    n = total.sum(axis=1)
    mean_score = np.bincount(place, weights=scores, minlength=BINS) / np.maximum(n, 1)
    precision = of_right.sum(axis=1) / np.maximum(n, 1)
    error = float(n @ np.abs(precision - mean_score) / max(1, n.sum()))
    rows = []
    for number in np.flatnonzero(n):
        low, high = proportion_interval(of_right[number], total[number], confidence=confidence)
        inside = scores[place == number]
        rows.append(
            {
                "bin": int(number) + 1,
                "n": int(n[number]),
                "score_low": inside.min(),
                "score_high": inside.max(),
                "score_mean": mean_score[number],
                "precision": precision[number],
                "precision_low": low,
                "precision_high": high,
                "calibration_error": error,
            }
        )
    return rows
