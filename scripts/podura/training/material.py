"""What a training is given: the labelled images of a part, and the score by which it chooses an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podura.annotations.dataset import truth_frame
from podura.configuration.study import ModelSpecification
from podura.detectors.contract import Detector
from podura.detectors.inference import detect_files
from podura.tables import BOX_COLUMNS, DETECTIONS, PART_IMAGES, read_json
from podura.training.loop import TrainingStopped, Validation
from podura.training.sources import LabelledImage

#: Judges detections on terms that training need not know: ``podura.evaluation.validation.validation_score``.
Score = Callable[..., tuple[float, float]]


def labelled_images(truth: Path, images: Path, species: Sequence[str]) -> list[LabelledImage]:
    """Read a part's images with their boxes; ignored specimens are left out of training."""
    frame = truth_frame(read_json(truth))
    frame = frame[~frame["ignore"]]
    by_image = dict(tuple(frame.groupby("image")))
    index = {code: number for number, code in enumerate(species)}
    labelled = []
    for row in PART_IMAGES.read_csv(images).to_dict("records"):
        boxes = by_image.get(row["image"], frame.iloc[:0])
        labelled.append(
            LabelledImage(
                row["image"],
                Path(row["path"]),
                boxes[list(BOX_COLUMNS)].to_numpy(np.float64),
                boxes["species"].map(index).to_numpy(np.int64),
            )
        )
    return labelled


def validation_on(
    truth: Path,
    images: Path,
    species: Sequence[str],
    model: ModelSpecification,
    evaluation: Mapping[str, Any],
    *,
    score: Score,
    should_stop: Callable[[], bool] = lambda: False,
) -> Validation:
    """Return the function that scores a detector on the validation part, on the benchmark's own terms.

    ``evaluation`` holds ``score_floor`` and ``max_detections``. The function raises TrainingStopped between
    two images when asked to stop.
    """
    truths = truth_frame(read_json(truth))
    rows = PART_IMAGES.read_csv(images)
    slides = dict(zip(rows["image"], rows["slide"], strict=True))

    def files() -> Iterator[tuple[str, Path, str]]:
        for row in rows.to_dict("records"):
            if should_stop():
                raise TrainingStopped("stopped in validation")
            yield row["image"], Path(row["path"]), row["slide"]

    def validate(detector: Detector) -> tuple[float, float]:
        run = detect_files(
            detector,
            files(),
            image_size=model.image_size,
            score_floor=evaluation["score_floor"],
            max_detections=evaluation["max_detections"],
            device=next(detector.parameters()).device,
            tiling=model.tiling,
        )
        found: pd.DataFrame = DETECTIONS.frame(run.rows)
        return score(truths, found, images=slides, species=species)

    return validate
