"""What a detector is, whatever framework it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """Images with their truth, as a detector sees them.

    images: (n, 3, height, width) RGB in 0..1, height and width multiples of 32, padded at the right and
    bottom. boxes: n tensors (k, 4), x_min, y_min, x_max, y_max in pixels of these images. labels: n
    integer tensors (k,), index into the detector's species, from 0.
    """

    images: Tensor
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]

    def to(self, device: torch.device) -> Batch:
        return Batch(
            self.images.to(device),
            tuple(boxes.to(device) for boxes in self.boxes),
            tuple(labels.to(device) for labels in self.labels),
        )


@dataclass(frozen=True)
class ImageDetections:
    """Detections of one image: boxes (k, 4) in its pixels, labels (k,), scores (k,) descending."""

    boxes: Tensor
    labels: Tensor
    scores: Tensor


class Detector(nn.Module, ABC):
    """A trainable detector of the named species.

    An adapter implements ``loss`` and ``detect``; training, saving and inference know nothing else.
    """

    def __init__(self, species: Sequence[str]) -> None:
        super().__init__()
        self.species = tuple(species)

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the parts of the loss, each a scalar; their sum is minimised. In training mode."""

    @abstractmethod
    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        """Detect in padded images (n, 3, height, width).

        ``sizes`` gives the (height, width) of each image without its padding; boxes are clipped to it.
        No detection is below ``score_floor``, none beyond the ``max_detections`` best of an image. In
        evaluation mode.
        """

    def load_imagenet(self) -> None:
        """Take ImageNet weights where the architecture has them.

        Raises LookupError where there are none to be had without a download.
        """
        raise LookupError(f"{type(self).__name__} has no ImageNet weights here")

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        """Take weights of ``kind`` (imagenet or coco) as their publisher names them.

        Everything whose name and shape fit is taken; the rest, such as the last layers for other classes,
        stays as it is. Returns how many of this detector's tensors were taken. Raises LookupError where this
        architecture has no such kind.
        """
        raise LookupError(f"{type(self).__name__} has no {kind} weights")

    @property
    def most_detections(self) -> int | None:
        """How many detections an image can have at most, whatever is asked for; None for no limit."""
        return None

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def clip_and_cap(
    boxes: Tensor,
    labels: Tensor,
    scores: Tensor,
    size: tuple[int, int],
    *,
    score_floor: float,
    max_detections: int,
) -> ImageDetections:
    """Clip boxes to the image, drop empty ones and those below the floor, keep the best ones.

    Equal scores keep their order, so that the result does not depend on the sorting algorithm.
    """
    height, width = size
    limits = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (scores >= score_floor)
    boxes, labels, scores = boxes[kept], labels[kept], scores[kept]
    order = torch.argsort(scores, descending=True, stable=True)[:max_detections]
    return ImageDetections(boxes[order], labels[order], scores[order])
