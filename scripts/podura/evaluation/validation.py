"""Average precision straight from truth and detections, without the table of matches in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.checks import CheckedInput, checked_input
from podura.evaluation.kernels import average_precisions
from podura.evaluation.matching import outcomes


def average_precisions_of(checked: CheckedInput, n_species: int) -> NDArray[np.float64]:
    """COCO's average precision at each IoU of each species, in its order: (10, n_species).

    NaN where a species has no truth. Equal to pycocotools' evaluate and accumulate.
    """
    found, true = checked.detections, checked.truths
    return average_precisions(
        np.searchsorted(found.species_number, np.arange(n_species + 1)),
        outcomes(found, true),
        np.bincount(true.species_number[~true.ignore], minlength=n_species),
        RECALL_POINTS,
    )


def validation_score(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    images: Mapping[str, str] | pd.DataFrame,
    species: Sequence[str],
) -> tuple[float, float]:
    """mAP at IoU 0.5 and at 0.50:0.95 over the species with truth; NaN where none has any.

    It is the score by which training chooses an epoch. Arguments and errors as for
    ``podura.evaluation.matching.match``.
    """
    checked = checked_input(truths, detections, images, species)
    found = average_precisions_of(checked, len(species))
    with_truth = found[:, ~np.isnan(found[0])]
    if not with_truth.size:
        return float("nan"), float("nan")
    return float(with_truth[0].mean()), float(with_truth.mean())
