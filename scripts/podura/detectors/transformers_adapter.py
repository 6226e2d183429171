"""Detection transformers (DETR) of Hugging Face's transformers, built from configurations of our own.

Nothing comes from the hub: neither configurations nor weights are looked up, and training needs no
trainer or processor of the library. Images are normalised as each publisher does.

No detection is suppressed, as published: a query is one place, and training gives each object one query.
Two boxes on one object are therefore two claims of the detector, and a box may come back under several
species, each with its score.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from podura.detectors import transformers_configurations as configurations
from podura.detectors.contract import Batch, Detector, ImageDetections, clip_and_cap
from podura.detectors.preprocessing import PADDING
from podura.detectors.transformers_offline import offline

with offline():
    import transformers
    from transformers import (
        DFineForObjectDetection,
        LwDetrForObjectDetection,
        RfDetrForObjectDetection,
        RTDetrV2ForObjectDetection,
    )

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

log = logging.getLogger(__name__)

#: Names of the parts of the loss, by how the library calls them.
_PARTS = {
    "vfl": "class",
    "ce": "class",
    "bbox": "box",
    "giou": "overlap",
    "fgl": "distribution",
    "ddf": "distillation",
}
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TransformersDetector(Detector):
    """A DETR with its own loss: set prediction by Hungarian matching (Carion et al. 2020).

    Padding is seen as part of the image, in training and detection alike.
    """

    def __init__(self, species: Sequence[str], model: Any) -> None:
        super().__init__(species)
        self.model = model
        self._told = False

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted parts of the loss, each summed over the layers of the decoder.

        Their sum is what the library minimises, auxiliary losses and denoising included.
        """
        images = self.prepare(batch.images)
        self.set_queries(images, max(len(boxes) for boxes in batch.boxes), training=True)
        height, width = images.shape[-2:]
        size = torch.tensor([width, height, width, height], device=images.device)
        targets = [
            {"class_labels": labels, "boxes": box_convert(boxes, "xyxy", "cxcywh") / size}
            for boxes, labels in zip(batch.boxes, batch.labels, strict=True)
        ]
        try:
            found: Mapping[str, Tensor] = self.model(images, labels=targets).loss_dict
        except ValueError:
            # Of boxes that are no numbers the library says only that they are none.
            with torch.no_grad():
                if torch.isfinite(self.model(images).pred_boxes).all():
                    raise
            return {"box": torch.full((), torch.nan, device=images.device)}
        parts: dict[str, Tensor] = {}
        for name, value in found.items():
            if name.startswith("loss_"):  # the rest is counted for information only
                kind = name.split("_")[1]
                part = _PARTS[kind]
                parts[part] = parts.get(part, 0) + self.loss_weights().get(kind, 1) * value
        return parts

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        images = self.prepare(images)
        self.set_queries(images, max_detections, training=False)
        output = self.model(images)
        height, width = images.shape[-2:]
        size = torch.tensor([width, height, width, height], device=images.device)
        found = []
        for logits, boxes, true_size in zip(output.logits, output.pred_boxes, sizes, strict=True):
            scores = logits.float().sigmoid()  # (queries, species)
            if len(scores) < max_detections and bool((scores >= score_floor).any(dim=1).all()):
                self._tell_full(true_size, len(scores))
            query, label = torch.nonzero(scores >= score_floor, as_tuple=True)
            found.append(
                clip_and_cap(
                    box_convert(boxes.float(), "cxcywh", "xyxy")[query] * size,
                    label,
                    scores[query, label],
                    true_size,
                    score_floor=score_floor,
                    max_detections=min(max_detections, self.most_detections or max_detections),
                )
            )
        return found

    def _tell_full(self, size: tuple[int, int], places: int) -> None:
        if not self._told:  # once: an untrained network takes all places in every image
            log.warning(
                "In an image of %d × %d px all %d places that this model has for animals are taken: there "
                "may be more. Tiles, a larger image_size or another model help. (Told for the first image.)",
                size[1],
                size[0],
                places,
            )
        self._told = True

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise images (n, 3, height, width) in 0..1 and pad them as far as the network needs."""
        return images

    def set_queries(self, images: Tensor, wanted: int, *, training: bool) -> None:
        """See to it that the network has a query for each of ``wanted`` objects, where it can."""

    def loss_weights(self) -> dict[str, float]:
        """Weights of the library's losses where it returns them unweighted."""
        return {}

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        """Take COCO weights as the Hugging Face hub names them; return how many tensors fit.

        What depends on the number of species (scores, embeddings of denoising) stays random. Raises
        LookupError for another kind: publishers of these models give no backbone alone.
        """
        if kind != "coco":
            raise LookupError(f"the publishers of this model give COCO weights only, not '{kind}'")
        # The library's loader knows the names of earlier versions; what it fills in at random must not
        # move the generator that seeds the training.
        with torch.random.fork_rng(devices=[]):
            library: Any = type(self.model)
            loaded, report = library.from_pretrained(
                None,
                config=copy.deepcopy(self.model.config),
                state_dict=self.published_names(tensors),
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                local_files_only=True,
            )
        absent = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
        own = self.model.state_dict()
        fitting = {
            name: tensor
            for name, tensor in loaded.state_dict().items()
            if name in own and name not in absent and not name.endswith("num_batches_tracked")
        }
        self.model.load_state_dict({**own, **fitting})
        return len(fitting)

    def published_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors under all names that the library may look for."""
        return dict(tensors)


class EncoderQueries(TransformersDetector):
    """D-FINE and RT-DETRv2, whose queries are the best places of the encoder, with no learned content.

    Published networks use 300. Here an image may have as many as the caller's cap (and never fewer than
    300), so that every animal of a dense image can be found; each query attends to the others, so scores
    vary slightly with their number. An image cannot have more queries than its feature maps have places.
    """

    def __init__(self, species: Sequence[str], model: Any, *, frozen_norms: bool = False) -> None:
        super().__init__(species, model)
        self._published = int(model.config.num_queries)
        self._denoising = int(model.config.num_denoising)
        self._may_freeze, self._frozen = frozen_norms, False
        # Copies of the decoder's heads, which nothing uses.
        del model.class_embed, model.bbox_embed

    def set_queries(self, images: Tensor, wanted: int, *, training: bool) -> None:
        configuration = self.model.config
        height, width = images.shape[-2:]
        places = sum((height // stride) * (width // stride) for stride in configuration.feat_strides)
        if training and places < wanted:
            log.warning(
                "An image of %d × %d px shows %d animals, but this model has %d places in it: the others are "
                "not learnt from. A larger image_size or tiles give more.",
                width,
                height,
                wanted,
                places,
            )
        configuration.num_queries = min(max(self._published, wanted), places)
        # Denoising takes at least two more queries for each animal: in crowds, memory rather than help.
        configuration.num_denoising = self._denoising if wanted <= self._published else 0

    def train(self, mode: bool = True) -> EncoderQueries:
        super().train(mode)
        if self._frozen:
            for norm in self._backbone_norms():
                norm.eval()
        return self

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        """As for all; afterwards the backbone's normalisation is fixed where the authors fix it."""
        count = super().take_pretrained(kind, tensors)
        if self._may_freeze:
            self._frozen = True
            for norm in self._backbone_norms():
                norm.requires_grad_(False)
            self.train(self.training)
        return count

    def published_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # Some files hold the heads of the decoder under their second name only.
        heads = {f"model.decoder.{n}": t for n, t in tensors.items() if n.startswith(("class_", "bbox_"))}
        return {**heads, **tensors}

    def _backbone_norms(self) -> list[nn.Module]:
        backbone: nn.Module = self.model.model.backbone
        return [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]


class LearnedQueries(TransformersDetector):
    """LW-DETR and RF-DETR, whose queries are learned: no more detections than queries, as published.

    Images are padded with grey: to as many places as there are queries, to whole windows of attention,
    and for RF-DETR to squares, since the library's windows are right for squares only.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, species: Sequence[str], model: Any, *, square: bool) -> None:
        super().__init__(species, model)
        configuration = model.config
        backbone = configuration.backbone_config
        windows = backbone.num_windows if square else backbone.num_windows_side
        self._multiple, self._square = windows * backbone.patch_size, square
        self._smallest = backbone.patch_size * int(configuration.num_queries**0.5 + 0.999)
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)

    @property
    def most_detections(self) -> int:
        return int(self.model.config.num_queries)

    def prepare(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if self._square:
            height = width = max(height, width)
        down, right = (
            -(-max(length, self._smallest) // self._multiple) * self._multiple - given
            for length, given in zip((height, width), images.shape[-2:], strict=True)
        )
        padded = nn.functional.pad(images, (0, right, 0, down), value=PADDING / 255)
        return (padded - self.mean) / self.deviation

    def set_queries(self, images: Tensor, wanted: int, *, training: bool) -> None:
        if training and wanted > self.most_detections:
            log.warning(
                "An image shows %d animals, but this model has %d places: the others are not learnt from. "
                "Train on tiles, or take D-FINE or RT-DETRv2.",
                wanted,
                self.most_detections,
            )

    def loss_weights(self) -> dict[str, float]:
        configuration = self.model.config
        return {
            "ce": configuration.class_loss_coefficient,
            "bbox": configuration.bbox_loss_coefficient,
            "giou": configuration.giou_loss_coefficient,
        }


def _dfine(species: Sequence[str], size: str) -> Detector:
    model = DFineForObjectDetection(configurations.dfine(size, len(species)))
    return EncoderQueries(species, model, frozen_norms=size in ("l", "x"))


def _rtdetrv2(species: Sequence[str], depth: str) -> Detector:
    model = RTDetrV2ForObjectDetection(configurations.rtdetrv2(depth, len(species)))
    return EncoderQueries(species, model, frozen_norms=depth in ("r50", "r101"))


def _lwdetr(species: Sequence[str], size: str) -> Detector:
    model = LwDetrForObjectDetection(configurations.lwdetr(size, len(species)))
    return LearnedQueries(species, model, square=False)


def _rfdetr(species: Sequence[str], size: str) -> Detector:
    model = RfDetrForObjectDetection(configurations.rfdetr(size, len(species)))
    return LearnedQueries(species, model, square=True)


ARCHITECTURES: dict[str, Callable[[Sequence[str]], Detector]] = {
    **{f"dfine_{size}": partial(_dfine, size=size) for size in ("n", "s", "m", "l", "x")},
    **{f"rtdetrv2_{depth}": partial(_rtdetrv2, depth=depth) for depth in ("r18", "r34", "r50", "r101")},
    **{
        f"lwdetr_{size}": partial(_lwdetr, size=size)
        for size in ("tiny", "small", "medium", "large", "xlarge")
    },
    **{f"rfdetr_{size}": partial(_rfdetr, size=size) for size in ("nano", "small", "medium", "large")},
}
