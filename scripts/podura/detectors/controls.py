"""Two detectors that prove the benchmark: the truth itself, and the truth shuffled.

They go through the same matching, scoring and figures as any model. The truth must score 1; the
shuffled one, which has the right number and size of boxes at places and under names that mean
nothing, must score about 0. They are the only "detectors" that are shown held-out truth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.random import Generator

from podura.tables import BOX_COLUMNS, DETECTIONS


def truth_control(truth: pd.DataFrame, images: pd.DataFrame, generator: Generator) -> pd.DataFrame:
    """Detections equal to the truth (ignored specimens left out), each with the score 1."""
    found = truth.loc[~truth["ignore"], ["image", "slide", "species", *BOX_COLUMNS]]
    return DETECTIONS.frame(found.assign(score=1.0))


def shuffled_control(truth: pd.DataFrame, images: pd.DataFrame, generator: Generator) -> pd.DataFrame:
    """The truth's boxes in random images at random places, with shuffled species and random scores.

    ``images`` has the columns of the table part_images.
    """
    found = truth.loc[~truth["ignore"]].reset_index(drop=True)
    count = len(found)
    place = images.iloc[generator.integers(0, max(len(images), 1), size=count)].reset_index(drop=True)
    width = np.minimum(found["x_max"] - found["x_min"], place["width"].astype(float))
    height = np.minimum(found["y_max"] - found["y_min"], place["height"].astype(float))
    left = generator.random(count) * (place["width"].astype(float) - width)
    top = generator.random(count) * (place["height"].astype(float) - height)
    return DETECTIONS.frame(
        pd.DataFrame(
            {
                "image": place["image"],
                "slide": place["slide"],
                "species": found["species"].to_numpy()[generator.permutation(count)],
                "score": generator.random(count),
                "x_min": left,
                "y_min": top,
                "x_max": left + width,
                "y_max": top + height,
            }
        )
    )


Control = Callable[[pd.DataFrame, pd.DataFrame, Generator], pd.DataFrame]

CONTROLS: dict[str, Control] = {
    "control_truth": truth_control,
    "control_shuffled": shuffled_control,
}
