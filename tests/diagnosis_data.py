"""Runs on made-up studies, for the tests of what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation_data import SPECIES
from podura.evaluation.matching import match
from podura.evaluation.runs import Run, Thresholds, images_of, run_of

WIDTH, HEIGHT = 1000, 800


def make_run(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    images: Mapping[str, str],
    *,
    species: Sequence[str] = SPECIES,
    threshold: float = 0.5,
    seed: int = 1,
    iou_percent: int = 50,
    um_per_pixel: Mapping[str, float] | None = None,
) -> Run:
    """One run without folds, with the same empirical threshold for every species."""
    matches = match(truths, detections, images=images, species=species)
    listed = [
        {
            "file_name": name,
            "slide": slide,
            "width": WIDTH,
            "height": HEIGHT,
            **({"um_per_pixel": um_per_pixel[name]} if um_per_pixel and name in um_per_pixel else {}),
        }
        for name, slide in images.items()
    ]
    return run_of(
        seed=seed,
        matches=[matches],
        images=images_of({0: {"images": listed}}),
        species=species,
        thresholds=Thresholds({0: np.full(len(species), threshold)}, ("empirical",) * len(species)),
        iou_percent=iou_percent,
    )
