"""The score by which training chooses an epoch: the benchmark's own, on the validation part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from podura.evaluation.average_precision import mean_average_precision
from podura.evaluation.matching import match


def validation_score(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    images: Mapping[str, str] | pd.DataFrame,
    species: Sequence[str],
) -> tuple[float, float]:
    """mAP at IoU 0.5 and at 0.50:0.95 over the species with truth; NaN where none has any.

    Arguments and errors as for ``podura.evaluation.matching.match``.
    """
    return mean_average_precision(match(truths, detections, images=images, species=species), species)
