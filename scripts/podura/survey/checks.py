"""How many more checks would bring a count's interval to a wished width."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.intervals import student
from podura.survey.checked import CheckedSample
from podura.survey.correction import SHAPE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """About how many more detections and images of a sample, at random, for each species."""

    detections: NDArray[np.int64]
    images: NDArray[np.int64]


def checks_wanted(
    sample: CheckedSample,
    estimate: Floats,
    low: Floats,
    high: Floats,
    *,
    composition: Floats,
    missed: Floats,
    wished_width: float,
    confidence: float,
) -> Wanted:
    """More checks of detections and of images, for each species of a sample; 0 where the width is reached.

    composition (species, bins, species + 1): expected kinds of unchecked detections. missed (species,):
    share of animals that no detection shows. wished_width: as a share of the estimate, or of one animal.

    Half of the wished variance is left to unchecked detections, half to images not searched. Detections are
    drawn with chances that follow their spread (Neyman's allocation: n = (sum of spreads)² over variance plus
    sum of variances; Cochran 1977, Sampling Techniques, 5.5), images alike, what is missed on them by
    chance. So it is a plan and no promise.
    """
    half = wished_width * np.maximum(estimate, 1.0) / 2
    variance = (half / student(confidence, math.inf)) ** 2 / 2
    wide = high - low > 2 * half * (1 + 1e-9)
    there = sample.unchecked.sum(axis=0).astype(np.float64)
    each = composition[:, :, :-1] * (1 - composition[:, :, :-1])
    spread = np.tensordot(there, np.sqrt(each), axes=([0, 1], [0, 1]))
    variances = np.tensordot(there, each, axes=([0, 1], [0, 1]))
    detections = np.minimum(np.ceil(spread**2 / (variance + variances + 1e-12)), there.sum())
    left = sample.images - sample.searched
    # Where nothing was found an animal may have been missed all the same.
    lost = (estimate + SHAPE) * missed * left / max(sample.images, 1)
    images = np.ceil(left * lost / (lost + variance))
    return Wanted(np.where(wide, detections, 0).astype(np.int64), np.where(wide, images, 0).astype(np.int64))
