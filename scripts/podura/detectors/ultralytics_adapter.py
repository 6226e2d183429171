"""Ultralytics' YOLO models without Ultralytics' trainer, settings, downloads or telemetry.

``yolov5n`` is built from Ultralytics' present ``yolov5.yaml``: the YOLOv5 backbone and neck with the later
anchor-free head ("YOLOv5u"), not the original anchor-based YOLOv5.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_convert

from podura.detectors.contract import Batch, Detector, ImageDetections, clip_and_cap

#: Overlap at which Ultralytics' own validation suppresses boxes of one class.
_SUPPRESSION_IOU = 0.7


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Keep Ultralytics from writing settings into the home folder, from the network and from threads.

    Importing it asks two name servers whether there is a network, creates a settings file, and sets
    OMP_NUM_THREADS for the process.
    """
    wanted = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
    before = {name: os.environ.get(name) for name in (*wanted, "YOLO_CONFIG_DIR", "OMP_NUM_THREADS")}
    folder = tempfile.mkdtemp(prefix="podura-ultralytics-")
    os.environ.update(wanted, YOLO_CONFIG_DIR=folder)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


with _quiet_import():
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel


class YoloDetector(Detector):
    """A YOLO of Ultralytics' ``DetectionModel`` with its own loss.

    Detections: every species above the floor at every location, suppression within a species at IoU
    0.7 as in Ultralytics' validation; floor and cap are the caller's.
    """

    def __init__(self, species: Sequence[str], configuration: str) -> None:
        super().__init__(species)
        model: Any = DetectionModel(configuration, nc=len(self.species), verbose=False)
        model.args = get_cfg()  # gains of the loss: Ultralytics' defaults
        self.model = model

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        count, _, height, width = batch.images.shape
        size = torch.tensor([width, height, width, height], device=batch.images.device)
        lengths = torch.tensor([len(boxes) for boxes in batch.boxes], device=batch.images.device)
        parts, _ = self.model.loss(
            {
                "img": batch.images,
                "cls": torch.cat(batch.labels).float().unsqueeze(1),
                "bboxes": box_convert(torch.cat(batch.boxes), "xyxy", "cxcywh") / size,
                "batch_idx": torch.repeat_interleave(
                    torch.arange(count, device=batch.images.device), lengths
                ).float(),
            }
        )
        # Ultralytics sums over images; all detectors here use the mean, so that rates are comparable.
        return dict(zip(("box", "class", "distribution"), parts / count, strict=True))

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        predictions: Tensor = self.model(images)[0]  # (n, 4 + species, locations)
        found = []
        for prediction, size in zip(predictions, sizes, strict=True):
            scores = prediction[4:].T
            location, label = torch.nonzero(scores >= score_floor, as_tuple=True)
            boxes = box_convert(prediction[:4].T[location], "cxcywh", "xyxy")
            confidence = scores[location, label]
            kept = batched_nms(boxes, confidence, label, _SUPPRESSION_IOU)
            found.append(
                clip_and_cap(
                    boxes[kept],
                    label[kept],
                    confidence[kept],
                    size,
                    score_floor=score_floor,
                    max_detections=max_detections,
                )
            )
        return found


ARCHITECTURES: dict[str, Callable[[Sequence[str]], Detector]] = {
    name: partial(YoloDetector, configuration=f"{name}.yaml") for name in ("yolov5n",)
}
