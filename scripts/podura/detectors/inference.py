"""Detections of whole images, in their own pixels, for any detector on equal terms."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from podura.detectors.contract import Detector
from podura.detectors.preprocessing import Pixels, resize, to_tensor
from podura.errors import UserError
from podura.slides.reading import read_image
from podura.tables import BOX_COLUMNS

log = logging.getLogger(__name__)


@dataclass
class DetectionRun:
    """Rows of the table ``detections`` and what there is to say of the run."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0
    seconds: float = 0.0
    capped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def detect_pixels(
    detector: Detector,
    images: Sequence[Pixels],
    *,
    image_size: int,
    score_floor: float,
    max_detections: int,
    device: torch.device,
) -> list[list[dict[str, Any]]]:
    """Detect in decoded images (height, width, 3): for each a list of species, score and box."""
    resized = [resize(pixels, image_size) for pixels in images]
    with torch.inference_mode():
        found = detector.detect(
            to_tensor([pixels for pixels, _, _ in resized]).to(device),
            [(pixels.shape[0], pixels.shape[1]) for pixels, _, _ in resized],
            score_floor=score_floor,
            max_detections=max_detections,
        )
    rows = []
    for detections, (_, x_factor, y_factor) in zip(found, resized, strict=True):
        factors = torch.tensor([x_factor, y_factor, x_factor, y_factor], dtype=torch.float64)
        boxes = detections.boxes.double().cpu() / factors
        rows.append(
            [
                {
                    "species": detector.species[label],
                    "score": score,
                    **dict(zip(BOX_COLUMNS, box, strict=True)),
                }
                for box, label, score in zip(
                    boxes.tolist(),
                    detections.labels.tolist(),
                    detections.scores.double().tolist(),
                    strict=True,
                )
            ]
        )
    return rows


def detect_files(
    detector: Detector,
    images: Iterable[tuple[str, Path, str]],
    *,
    image_size: int,
    score_floor: float,
    max_detections: int,
    device: torch.device,
) -> DetectionRun:
    """Detect in files, given as (image, path, slide).

    An unreadable file is told of and passed over. ``capped`` names the images in which the cap on
    detections, or the detector's own, was reached, so that weaker ones may have been cut off.
    """
    run = DetectionRun()
    detector.to(device).eval()
    limit = min(max_detections, detector.most_detections or max_detections)
    for image, path, slide in images:
        run.images += 1
        started = time.perf_counter()
        try:
            pixels = read_image(path)
        except UserError as error:
            run.failed[image] = str(error)
            log.warning("%s", error)
            continue
        (found,) = detect_pixels(
            detector,
            [pixels],
            image_size=image_size,
            score_floor=score_floor,
            max_detections=max_detections,
            device=device,
        )
        run.seconds += time.perf_counter() - started
        run.rows += [{"image": image, "slide": slide, **row} for row in found]
        if len(found) >= limit:
            run.capped.append(image)
    return run
