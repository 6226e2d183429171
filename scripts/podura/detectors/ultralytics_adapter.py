"""Ultralytics' YOLO and RT-DETR models without Ultralytics' trainer, settings, downloads or telemetry.

``yolov5*`` are built from Ultralytics' present ``yolov5.yaml``: the YOLOv5 backbone and neck with the later
anchor-free head ("YOLOv5u"), not the original anchor-based YOLOv5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert

from podura.detectors.contract import Batch, Detector, ImageDetections, clip_and_cap
from podura.detectors.preprocessing import PADDING
from podura.detectors.ultralytics_import import quiet_import

with quiet_import():
    from ultralytics.cfg import get_cfg
    from ultralytics.models.utils.loss import RTDETRDetectionLoss
    from ultralytics.nn.tasks import DetectionModel, RTDETRDetectionModel, yaml_model_load

#: Overlap at which Ultralytics' own validation suppresses boxes of one class.
_SUPPRESSION_IOU = 0.7
#: Classes of COCO, for which Ultralytics' checkpoints are made.
_COCO_CLASSES = 80
#: Queries of RT-DETR as published.
_QUERIES = 300
#: Score that an untrained classifier gives to everything (Lin et al. 2017, "Focal loss").
_PRIOR = 0.01


class _UltralyticsDetector(Detector):
    """What YOLO and RT-DETR share: a model of Ultralytics, its batches, and weights by its names."""

    model: Any

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        """Take the tensors of a COCO checkpoint that fit; all but the layers that name species do.

        ``tensors`` has the names of Ultralytics' state dict, as ``read_ultralytics_checkpoint`` gives it.
        Returns how many were taken. Raises LookupError for another kind of weights.
        """
        if kind != "coco":
            raise LookupError(f"Ultralytics publishes no {kind} weights of detectors")
        self.widen_for({f"model.{name}": tensor for name, tensor in tensors.items()})
        own = self.model.state_dict()
        fitting = {
            name: tensor.to(own[name].dtype)
            for name, tensor in tensors.items()
            if name in own and own[name].shape == tensor.shape
        }
        self.model.load_state_dict({**own, **fitting})
        return len(fitting)

    def backbone_parameters(self) -> Iterable[nn.Parameter]:
        depth = len(self.model.yaml["backbone"])
        layers: nn.Sequential = self.model.model[:depth]
        return layers.parameters()

    def widen_for(self, state: Mapping[str, Tensor]) -> None:
        """Let hidden layers have the width that they have in a state dict of this detector."""

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        self.widen_for(state_dict)
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

    def _padded(self, images: Tensor) -> Tensor:
        """Pad to a multiple of the coarsest stride: P6 models halve the image once more than others."""
        stride = int(self.model.stride.max())
        height, width = images.shape[-2:]
        missing = (0, -width % stride, 0, -height % stride)
        return nn.functional.pad(images, missing, value=PADDING / 255) if any(missing) else images

    def _batch(self, batch: Batch) -> dict[str, Tensor]:
        """The batch as Ultralytics' losses want it, boxes as shares of the padded image."""
        images = self._padded(batch.images)
        count, _, height, width = images.shape
        size = torch.tensor([width, height, width, height], device=images.device)
        lengths = torch.tensor([len(boxes) for boxes in batch.boxes], device=images.device)
        return {
            "img": images,
            "cls": torch.cat(batch.labels).float().unsqueeze(1),
            "bboxes": box_convert(torch.cat(batch.boxes), "xyxy", "cxcywh") / size,
            "batch_idx": torch.repeat_interleave(torch.arange(count, device=images.device), lengths).float(),
        }


class YoloDetector(_UltralyticsDetector):
    """A YOLO of Ultralytics' ``DetectionModel`` with its own loss.

    Detections: every species above the floor at every location, suppression within a species at IoU
    0.7 as in Ultralytics' validation; floor and cap are the caller's.

    Of YOLO26's two branches the one-to-many branch is built, trained and used, with the same suppression.
    The other, which needs none, keeps only the best 300 locations unless told otherwise, is trained on
    features that it does not shape (so that leaving it out changes nothing of the rest), shares the loss
    by a schedule of epochs that a step of training does not know, and is the weaker one in Ultralytics'
    own figures (COCO AP 40.1 against 40.9 for the smallest model).
    """

    def __init__(self, species: Sequence[str], configuration: str) -> None:
        super().__init__(species)
        self.configuration = configuration
        model = _yolo(configuration, len(self.species))
        model.args = get_cfg()  # gains of the loss: Ultralytics' defaults
        self.model = model
        last = "distribution" if model.model[-1].reg_max > 1 else "distance"
        self._parts = ("box", "class", last)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        parts, _ = self.model.loss(self._batch(batch))
        # Ultralytics sums over images; all detectors here use the mean, so that rates are comparable.
        return dict(zip(self._parts, parts / len(batch.images), strict=True))

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        predictions: Tensor = self.model(self._padded(images))[0]  # (n, 4 + species, locations)
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

    def widen_for(self, state: Mapping[str, Tensor]) -> None:
        """Give the class branches the width of COCO checkpoints where the state dict has it.

        Ultralytics makes them narrower for fewer classes in its smallest models; it likewise rebuilds
        them when it starts from a checkpoint.
        """
        head = self.model.model[-1]
        name = f"model.model.{head.i}.cv3.0.2.weight"
        given = state[name].shape[1] if name in state else None
        if given is None or given == head.cv3[0][-1].in_channels:
            return
        wide = _yolo(self.configuration, _COCO_CLASSES).model[-1].cv3
        if given != wide[0][-1].in_channels:
            return  # of another architecture: whoever loads it will say so
        for branch in wide:
            branch[-1] = nn.Conv2d(branch[-1].in_channels, len(self.species), 1)
        head.cv3 = wide.to(head.cv3[0][-1].weight.device)
        head.bias_init()


class RtDetrDetector(_UltralyticsDetector):
    """RT-DETR (Zhao et al. 2024, "DETRs beat YOLOs on real-time object detection"), with its own loss.

    Detections: every species above the floor at every query; nothing is suppressed, since the loss wants
    one query an object. Queries are not learnt but the places of the image that look most like an
    object: 300 as published, and more where the cap on detections or the densest image of a training
    batch asks for it. The decoder then weighs more queries against each other than in training.
    """

    def __init__(self, species: Sequence[str], configuration: str) -> None:
        super().__init__(species)
        model: Any = RTDETRDetectionModel(configuration, nc=len(self.species), verbose=False)
        model.criterion = RTDETRDetectionLoss(nc=len(self.species), use_vfl=True)  # as it would itself
        self.model = model
        # Ultralytics scales the bias with the number of classes, which for ten is a prior of 0.36; the
        # authors' own code has 0.01 for any number.
        for layer in (self._head.enc_score_head, *self._head.dec_score_head):
            nn.init.constant_(layer.bias, -math.log((1 - _PRIOR) / _PRIOR))

    @property
    def _head(self) -> Any:
        return self.model.model[-1]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self._head.num_queries = max(_QUERIES, *(len(boxes) for boxes in batch.boxes))
        parts: dict[str, Tensor] = {}
        hook = self.model.criterion.register_forward_hook(lambda _module, _given, made: parts.update(made))
        try:
            self.model.loss(self._batch(batch))
        finally:
            hook.remove()
        named = {"class": "loss_class", "box": "loss_bbox", "overlap": "loss_giou"}
        sums = {
            name: torch.stack([part for key, part in parts.items() if key in (start, f"{start}_aux")]).sum()
            for name, start in named.items()
        }
        denoising = torch.stack([part for key, part in parts.items() if key.endswith("_dn")]).sum()
        return {**sums, "denoising": denoising}

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        self._head.num_queries = max(_QUERIES, max_detections)
        _, (boxes, logits, *_rest) = self.model(
            images
        )  # (1, n, queries, 4) as shares, (1, n, queries, species)
        # What is kept of a size of image was made without gradients and must not meet a training step.
        self._head.shapes = []
        height, width = images.shape[-2:]
        scale = torch.tensor([width, height, width, height], device=images.device)
        found = []
        for of_image, scores, size in zip(boxes[0], logits[0].sigmoid(), sizes, strict=True):
            query, label = torch.nonzero(scores >= score_floor, as_tuple=True)
            found.append(
                clip_and_cap(
                    box_convert(of_image[query], "cxcywh", "xyxy") * scale,
                    label,
                    scores[query, label],
                    size,
                    score_floor=score_floor,
                    max_detections=max_detections,
                )
            )
        return found


def _yolo(configuration: str, classes: int) -> Any:
    described = yaml_model_load(configuration)
    if described.get("end2end"):
        described["end2end"] = False  # YOLO26: the one-to-many branch alone
    return DetectionModel(described, nc=classes, verbose=False)


_SIZES = "nsmlx"
_YOLO = {
    **{f"yolov5{size}": f"yolov5{size}.yaml" for size in _SIZES},
    **{f"yolov5{size}6": f"yolov5{size}-p6.yaml" for size in _SIZES},
    **{f"yolov8{size}": f"yolov8{size}.yaml" for size in _SIZES},
    **{f"yolo11{size}": f"yolo11{size}.yaml" for size in _SIZES},
    **{f"yolo12{size}": f"yolo12{size}.yaml" for size in _SIZES},
    **{f"yolo26{size}": f"yolo26{size}.yaml" for size in _SIZES},
    **{f"yolo26{size}-p2": f"yolo26{size}-p2.yaml" for size in _SIZES},
}
_RTDETR = {f"rtdetr-{size}": f"rtdetr-{size}.yaml" for size in "lx"}

ARCHITECTURES: dict[str, Callable[[Sequence[str]], Detector]] = {
    **{name: partial(YoloDetector, configuration=file) for name, file in _YOLO.items()},
    **{name: partial(RtDetrDetector, configuration=file) for name, file in _RTDETR.items()},
}
