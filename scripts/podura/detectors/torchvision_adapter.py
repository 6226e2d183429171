"""Detectors of torchvision behind the contract: images as given, floor and cap of the caller alone.

Non-maximum suppression within a species is at the IoU that torchvision publishes for each architecture:
0.5 for Faster R-CNN and RetinaNet, 0.6 for FCOS, 0.45 for SSD300, 0.55 for SSDlite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from podura.detectors import torchvision_families as families
from podura.detectors.contract import Batch, Detector, ImageDetections, clip_and_cap
from podura.detectors.torchvision_lite0 import Lite0Pyramid, load_lite0_imagenet
from podura.detectors.torchvision_matching import overlaps, retinanet_loss
from podura.detectors.torchvision_pooling import GatheringRoIAlign
from podura.detectors.torchvision_single_shot import single_shot_loss

#: The cap is applied after boxes are clipped to the image, so torchvision must not apply it before.
_NO_CAP = 1 << 30
#: Candidates a level (or species) before suppression, for each detection that the caller may want.
#: Several anchors see each animal; with fewer, those of a dense image would be cut off in secret.
_CANDIDATES = 10
#: The same of proposals, each of which costs a pass of the second stage.
_PROPOSALS = 4


class _AsGiven(nn.Module):
    """Stands in for torchvision's own resizing: images arrive at size and padded; they are normalised.

    Channels last: convolutions and batch norms of a CPU are a quarter faster so, those of a GPU no slower.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(
        self, images: Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if images.device.type != "mps":
            images = images.contiguous(memory_format=torch.channels_last)
        return ImageList((images - self.mean) / self.deviation, [size] * len(images)), targets

    def postprocess(self, result: list[dict[str, Tensor]], *_sizes: object) -> list[dict[str, Tensor]]:
        return result


def _in_float32(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.float()
    if isinstance(output, dict):
        return {name: values.float() for name, values in output.items()}
    return type(output)(_in_float32(_module, _inputs, part) for part in output)


def _shapes_in_float32(_module: nn.Module, inputs: tuple[Any, list[Tensor]]) -> tuple[Any, list[Tensor]]:
    images, maps = inputs
    one = torch.ones((), device=maps[0].device)
    return images, [one.expand(values.shape) for values in maps]


def keep_places_precise(model: Any) -> None:
    """Keep anchors, boxes and losses in float32 where the network runs in shorter numbers (autocast).

    torchvision makes anchors in the numbers of the feature maps: beyond 256 pixels those of bfloat16 are
    off by a pixel and more.
    """
    for module in model.modules():
        if isinstance(module, AnchorGenerator | DefaultBoxGenerator):
            module.register_forward_pre_hook(_shapes_in_float32)
    two_stages = hasattr(model, "roi_heads")
    for head in (model.rpn.head, model.roi_heads.box_predictor) if two_stages else (model.head,):
        head.register_forward_hook(_in_float32)


class TorchvisionDetector(Detector):
    """A detector of torchvision.

    With pre-trained weights its first layers and, for Faster R-CNN, RetinaNet and FCOS, the batch norms
    of its backbone are held, as in torchvision's reference: a batch here is a few images, too few for
    statistics better than those of ImageNet or COCO. From random weights everything is trained, since a
    network cannot learn under batch norms that know nothing. Both have the same tensors: the flag
    ``backbone_held`` among them tells which it is.
    """

    #: Label of the first species; torchvision's classifiers by softmax keep 0 for the background.
    first_label = 0
    #: Layers that tell classes; they are never taken from COCO's, even where their shapes fit.
    class_layers: tuple[str, ...]
    backbone_held: Tensor

    def __init__(
        self,
        species: Sequence[str],
        build: Callable[[int], nn.Module],
        pretraining: families.Pretraining,
    ) -> None:
        super().__init__(species)
        model: Any = build(len(self.species))
        model.transform = _AsGiven(model.transform.image_mean, model.transform.image_std)
        keep_places_precise(model)
        self.model, self.pretraining = model, pretraining
        if pretraining.held:
            self.register_buffer("backbone_held", torch.tensor(False))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """See the contract. Boxes without width or height, which torchvision refuses, are left out."""
        targets = []
        for boxes, labels in zip(batch.boxes, batch.labels, strict=True):
            real = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
            targets.append({"boxes": boxes[real], "labels": labels[real] + self.first_label})
        losses = self._losses(batch.images, targets)
        return {name.removeprefix("loss_"): value for name, value in losses.items()}

    def _losses(self, images: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.model(images, targets)
        return losses

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        # torchvision keeps what is above its threshold; the floor itself is to be kept as well.
        below = torch.nextafter(torch.tensor(score_floor), torch.tensor(-1.0)).item()
        self._set_terms(below, max_detections)
        return [
            clip_and_cap(
                found["boxes"],
                found["labels"] - self.first_label,
                found["scores"],
                size,
                score_floor=score_floor,
                max_detections=max_detections,
            )
            for found, size in zip(self.model(images), sizes, strict=True)
        ]

    def backbone_parameters(self) -> Iterable[nn.Parameter]:
        backbone: nn.Module = self.model.backbone
        body: nn.Module = getattr(backbone, "body", backbone)
        return body.parameters()

    def _set_terms(self, threshold: float, max_detections: int) -> None:
        self.model.score_thresh, self.model.detections_per_img = threshold, _NO_CAP
        self.model.topk_candidates = max(1000, _CANDIDATES * max_detections)

    def load_imagenet(self) -> None:
        if not isinstance(self.model.backbone, Lite0Pyramid):
            super().load_imagenet()
        load_lite0_imagenet(self.model.backbone.body)

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        """See the contract. COCO weights are taken but for the last layers, which know other classes."""
        own = self.model.state_dict()
        if kind == "imagenet" and self.pretraining.imagenet:
            named = {self.pretraining.imagenet(name): tensor for name, tensor in tensors.items()}
        elif kind == "coco" and self.pretraining.coco:
            named = {
                name if name in own else families.published_name(name): tensor
                for name, tensor in tensors.items()
                if not name.startswith(self.class_layers)
            }
        else:
            raise LookupError(f"torchvision has no {kind} weights for this architecture")
        fitting = {
            name: tensor for name, tensor in named.items() if name in own and tensor.shape == own[name].shape
        }
        self.model.load_state_dict({**own, **fitting})
        if kind == "coco" and self.pretraining.coco_without_epsilon:
            for norm in self._norms():
                # The weights were made with an epsilon of 0 (torchvision's overwrite_eps).
                norm.running_var -= norm.eps
        if self.pretraining.held:
            self.backbone_held.fill_(True)
            self._hold()
        return len(fitting)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        result = super().load_state_dict(state_dict, strict, assign)
        self._hold()
        return result

    def train(self, mode: bool = True) -> TorchvisionDetector:
        super().train(mode)
        self._hold()
        return self

    def _hold(self) -> None:
        """Hold what is held of a pre-trained backbone."""
        if not self.pretraining.held or not self.backbone_held:
            return
        norms = self._norms() if self.pretraining.norms_held else []
        for norm in norms:
            norm.eval()
        held = [p for norm in norms for p in norm.parameters()]
        held += [p for n, p in self.model.named_parameters() if n.startswith(self.pretraining.held)]
        for parameter in held:
            parameter.requires_grad_(False)

    def _norms(self) -> list[Any]:
        return [module for module in self.model.backbone.body.modules() if isinstance(module, nn.BatchNorm2d)]


class FasterRCNNDetector(TorchvisionDetector):
    """Faster R-CNN (Ren et al. 2015). Proposals after suppression at IoU 0.7."""

    first_label = 1
    class_layers = ("roi_heads.box_predictor.",)

    def __init__(
        self,
        species: Sequence[str],
        build: Callable[[int], nn.Module],
        pretraining: families.Pretraining,
    ) -> None:
        super().__init__(species, build, pretraining)
        self.model.rpn.box_similarity = overlaps
        pool = self.model.roi_heads.box_roi_pool
        self.model.roi_heads.box_roi_pool = GatheringRoIAlign(
            pool.featmap_names, pool.output_size, pool.sampling_ratio
        )

    def _set_terms(self, threshold: float, max_detections: int) -> None:
        heads, proposals = self.model.roi_heads, self.model.rpn
        heads.score_thresh, heads.detections_per_img = threshold, _NO_CAP
        # Every detection needs a proposal, and levels of the pyramid propose the same animal again: with
        # as many proposals as detections, some animals of a dense image would be cut off in secret.
        for limits in (proposals._pre_nms_top_n, proposals._post_nms_top_n):
            limits["testing"] = max(1000, _PROPOSALS * max_detections)


class DenseDetector(TorchvisionDetector):
    """RetinaNet (Lin et al. 2017) or FCOS (Tian et al. 2019): a score for each species at each place."""

    class_layers = ("head.classification_head.cls_logits.",)

    def __init__(
        self,
        species: Sequence[str],
        build: Callable[[int], nn.Module],
        pretraining: families.Pretraining,
    ) -> None:
        super().__init__(species, build, pretraining)
        if isinstance(self.model, RetinaNet):
            self.model.compute_loss = partial(retinanet_loss, self.model)


class SingleShotDetector(TorchvisionDetector):
    """SSD (Liu et al. 2016) or SSDlite (Sandler et al. 2018)."""

    first_label = 1
    class_layers = ("head.classification_head.module_list.",)

    def _losses(self, images: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return single_shot_loss(self.model, images, targets)


ARCHITECTURES: dict[str, Callable[[Sequence[str]], Detector]] = {
    name: partial(detector, build=build, pretraining=pretraining)
    for detector, family in (
        (FasterRCNNDetector, families.TWO_STAGE),
        (DenseDetector, families.DENSE),
        (SingleShotDetector, families.SINGLE_SHOT),
    )
    for name, (build, pretraining) in family.items()
}
