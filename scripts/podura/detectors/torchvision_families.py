"""torchvision's detectors, built as it publishes them, and what its published weights are to them.

Every network is built by torchvision's own function where it has one, so that its checkpoints fit by
name and shape. Two liberties are taken with SSD, which torchvision ties to one square size: see
``_AnySizeBoxes`` and ``_room_for_kernel``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.ssd import SSD
from torchvision.ops import MultiScaleRoIAlign

from podura.detectors.torchvision_lite0 import Lite0Pyramid

_NO_WEIGHTS = {"weights": None, "weights_backbone": None}


@dataclass(frozen=True)
class Pretraining:
    """How a network takes weights that torchvision publishes, and what of it is then held.

    ``imagenet`` maps the name of a tensor in torchvision's classifier to its name in the detector (a
    name that the detector lacks, such as the classifier's last layer, is passed over); None where there
    is no such classifier. ``coco`` tells whether torchvision publishes COCO weights of this detector;
    ``coco_without_epsilon`` that its batch norms had an epsilon of 0 then. ``held`` are beginnings of
    names of parameters that keep their pre-trained values, ``norms_held`` that all batch norms of the
    backbone do, as torchvision's reference has it.
    """

    imagenet: Callable[[str], str] | None = None
    coco: bool = False
    coco_without_epsilon: bool = False
    held: tuple[str, ...] = ()
    norms_held: bool = False


def _resnet(name: str) -> str:
    return f"backbone.body.{name}"


def _mobilenet(name: str) -> str:
    return name.replace("features.", "backbone.body.", 1)


def _ssdlite_mobilenet(name: str) -> str:
    """SSDlite cuts MobileNetV3 within block 13, after its expansion, to take the features there."""
    found = re.fullmatch(r"features\.(\d+)\.(.+)", name)
    if not found:
        return name
    block, rest = int(found[1]), found[2]
    if block < 13 or (block == 13 and rest.startswith("block.0.")):
        return f"backbone.features.0.{block}.{rest.removeprefix('block.0.') if block == 13 else rest}"
    if block == 13:
        return f"backbone.features.1.0.{rest.removeprefix('block.')}"
    return f"backbone.features.1.{block - 13}.{rest}"


def _vgg(name: str) -> str:
    """SSD300 takes features after conv4_3, layer 22 of VGG-16."""
    found = re.fullmatch(r"features\.(\d+)\.(.+)", name)
    if not found:
        return name
    layer, rest = int(found[1]), found[2]
    return f"backbone.features.{layer}.{rest}" if layer < 23 else f"backbone.extra.0.{layer - 23}.{rest}"


_RESNET_STEM = tuple(f"backbone.body.{part}." for part in ("conv1", "bn1", "layer1"))
_RESNET = Pretraining(_resnet, coco=True, held=_RESNET_STEM, norms_held=True)
_RESNET_OLD = Pretraining(_resnet, coco=True, coco_without_epsilon=True, held=_RESNET_STEM, norms_held=True)
_MOBILENET = Pretraining(
    _mobilenet, coco=True, held=tuple(f"backbone.body.{block}." for block in range(7)), norms_held=True
)
_SSDLITE = Pretraining(_ssdlite_mobilenet, coco=True)
_VGG = Pretraining(_vgg, coco=True, held=("backbone.features.0.", "backbone.features.2."))


def _faster_rcnn(build: Callable[..., FasterRCNN], species: int) -> FasterRCNN:
    """One of torchvision's own; class 0 is the background.

    The MobileNet ones drop proposals below an objectness of 0.05 and the small one all but 150 of them:
    floors and caps of their own, which are not wanted here.
    """
    return build(
        **_NO_WEIGHTS,
        num_classes=species + 1,
        rpn_score_thresh=0.0,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_test=1000,
    )


def _faster_rcnn_lite0(species: int) -> FasterRCNN:
    backbone, head_width = Lite0Pyramid(channels=96), 256
    return FasterRCNN(
        backbone,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        rpn_anchor_generator=AnchorGenerator(
            sizes=((24, 34), (48, 68), (96, 136), (192, 272)),
            aspect_ratios=((0.5, 1.0, 2.0),) * 4,
        ),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(backbone.out_channels * 7 * 7, head_width),
        box_predictor=FastRCNNPredictor(head_width, species + 1),
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_test=500,
        rpn_batch_size_per_image=128,
        box_batch_size_per_image=128,
    )


def _dense(build: Callable[..., nn.Module], species: int) -> nn.Module:
    """RetinaNet or FCOS of torchvision: a score for each species, no background."""
    return build(**_NO_WEIGHTS, num_classes=species)


def _retinanet_lite0(species: int) -> RetinaNet:
    """RetinaNet on Lite0, with the later head of torchvision's second version (group norm, GIoU)."""
    backbone = Lite0Pyramid(channels=64)
    anchors = AnchorGenerator(
        sizes=tuple((side, round(side * 2 ** (1 / 3)), round(side * 2 ** (2 / 3))) for side in _LITE0_SIDES),
        aspect_ratios=((0.5, 1.0, 2.0),) * len(_LITE0_SIDES),
    )
    head = RetinaNetHead(
        backbone.out_channels,
        anchors.num_anchors_per_location()[0],
        species,
        norm_layer=partial(nn.GroupNorm, 16),
    )
    head.regression_head._loss_type = "giou"
    return RetinaNet(
        backbone, species, image_mean=[0.5] * 3, image_std=[0.5] * 3, anchor_generator=anchors, head=head
    )


#: Of the anchors of each level in pixels: half of the usual ones, since Lite0 is for small images.
_LITE0_SIDES = (16, 32, 64, 128)


class _AnySizeBoxes(DefaultBoxGenerator):
    """Default boxes of SSD for images of any size and shape; for square ones of ``side`` as published.

    torchvision gives them as shares of the width and of the height, which in an oblong image would
    distort them and in a large one would leave small animals without any. Here they have their published
    size in pixels; where the image's longer side is below ``side``, they shrink with it. So a larger
    image finds smaller animals, as with the other detectors' anchors.
    """

    def __init__(self, published: DefaultBoxGenerator, side: int) -> None:
        # The centres stand evenly on each feature map: the published steps are those of one size.
        super().__init__(published.aspect_ratios, scales=published.scales, clip=published.clip)
        self.side = side

    def _grid_default_boxes(
        self, grid_sizes: list[list[int]], image_size: list[int], dtype: torch.dtype = torch.float32
    ) -> Tensor:
        boxes = super()._grid_default_boxes(grid_sizes, image_size, dtype)
        height, width = image_size
        unit = min(self.side, max(height, width))
        return boxes * torch.tensor([1.0, 1.0, unit / width, unit / height], dtype=dtype)


def _room_for_kernel(convolution: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Pad a map that is smaller than the kernel of an unpadded convolution: the image is small or narrow."""
    assert isinstance(convolution, nn.Conv2d)
    (values,) = inputs
    lacking = [
        max(0, side - have) for side, have in zip(convolution.kernel_size, values.shape[-2:], strict=True)
    ]
    return (nn.functional.pad(values, (0, lacking[1], 0, lacking[0])),) if any(lacking) else inputs


class _LoneNorm(nn.BatchNorm2d):
    """A batch norm that takes its running statistics where a batch has one value of a channel.

    The last map of SSDlite is one pixel; with one image a batch it has no spread, and torch refuses.
    """

    def forward(self, values: Tensor) -> Tensor:
        if self.training and values.numel() == values.shape[1]:
            return nn.functional.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(values)


def _ssd(build: Callable[..., SSD], side: int, species: int) -> SSD:
    """SSD300 or SSDlite320 of torchvision; class 0 is the background."""
    model = build(**_NO_WEIGHTS, num_classes=species + 1)
    model.anchor_generator = _AnySizeBoxes(model.anchor_generator, side)
    for layer in model.backbone.extra.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding == (0, 0) and layer.kernel_size != (1, 1):
            layer.register_forward_pre_hook(_room_for_kernel)
    return model


TWO_STAGE: dict[str, tuple[Callable[[int], nn.Module], Pretraining]] = {
    "fasterrcnn_resnet50_fpn": (partial(_faster_rcnn, detection.fasterrcnn_resnet50_fpn), _RESNET_OLD),
    "fasterrcnn_resnet50_fpn_v2": (partial(_faster_rcnn, detection.fasterrcnn_resnet50_fpn_v2), _RESNET),
    "fasterrcnn_mobilenet_v3_large_fpn": (
        partial(_faster_rcnn, detection.fasterrcnn_mobilenet_v3_large_fpn),
        _MOBILENET,
    ),
    "fasterrcnn_mobilenet_v3_large_320_fpn": (
        partial(_faster_rcnn, detection.fasterrcnn_mobilenet_v3_large_320_fpn),
        _MOBILENET,
    ),
    "fasterrcnn_lite0": (_faster_rcnn_lite0, Pretraining()),
}
DENSE: dict[str, tuple[Callable[[int], nn.Module], Pretraining]] = {
    "retinanet_resnet50_fpn": (partial(_dense, detection.retinanet_resnet50_fpn), _RESNET_OLD),
    "retinanet_resnet50_fpn_v2": (partial(_dense, detection.retinanet_resnet50_fpn_v2), _RESNET),
    "retinanet_lite0": (_retinanet_lite0, Pretraining()),
    "fcos_resnet50_fpn": (partial(_dense, detection.fcos_resnet50_fpn), _RESNET),
}
SINGLE_SHOT: dict[str, tuple[Callable[[int], nn.Module], Pretraining]] = {
    "ssd300_vgg16": (partial(_ssd, detection.ssd300_vgg16, 300), _VGG),
    "ssdlite320_mobilenet_v3_large": (
        # Epsilon and momentum as torchvision sets them for this network.
        partial(
            _ssd,
            partial(
                detection.ssdlite320_mobilenet_v3_large,
                norm_layer=partial(_LoneNorm, eps=0.001, momentum=0.03),
            ),
            320,
        ),
        _SSDLITE,
    ),
}


def published_name(name: str) -> str:
    """The present name of a tensor that torchvision's older checkpoints name otherwise."""
    name = re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", name)
    return re.sub(
        r"^(head\.\w+_head\.conv)\.([0246])\.(weight|bias)$",
        lambda found: f"{found[1]}.{int(found[2]) // 2}.0.{found[3]}",
        name,
    )
