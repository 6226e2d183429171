"""The images of a part with their truth, as training takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from podura.annotations.dataset import truth_frame
from podura.tables import BOX_COLUMNS, PART_IMAGES, read_json
from podura.training.sources import LabelledImage


def labelled_images(truth: Path, images: Path, species: Sequence[str]) -> list[LabelledImage]:
    """Read a part's images with their boxes; ignored specimens are left out of training."""
    frame = truth_frame(read_json(truth))
    frame = frame[~frame["ignore"]]
    by_image = dict(tuple(frame.groupby("image")))
    index = {code: number for number, code in enumerate(species)}
    labelled = []
    for row in PART_IMAGES.read_csv(images).itertuples():
        boxes = by_image.get(row.image, frame.iloc[:0])
        labelled.append(
            LabelledImage(
                row.image,
                Path(row.path),
                boxes[list(BOX_COLUMNS)].to_numpy(np.float64),
                boxes["species"].map(index).to_numpy(np.int64),
            )
        )
    return labelled
