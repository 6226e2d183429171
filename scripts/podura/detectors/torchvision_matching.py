"""Which anchor stands for which animal, in memory that an image of a thousand animals leaves free."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_iou

#: Animals at a time. torchvision's box_iou holds six numbers for each of its results while it works.
_AT_A_TIME = 64


def overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Intersection over union of boxes (n, 4) and anchors (m, 4) in pixels: (n, m)."""
    if len(boxes) <= _AT_A_TIME:
        return box_iou(boxes, anchors)
    found = anchors.new_empty(len(boxes), len(anchors))
    for part, rows in zip(boxes.split(_AT_A_TIME), found.split(_AT_A_TIME), strict=True):
        rows.copy_(box_iou(part, anchors))
    return found


def matched(matcher: Any, boxes: Tensor, anchors: Tensor) -> Tensor:
    """Return for each anchor (m,) its animal, or what torchvision's ``matcher`` gives where it has none."""
    if not len(boxes):
        return torch.full((len(anchors),), -1, dtype=torch.long, device=anchors.device)
    found: Tensor = matcher(overlaps(boxes, anchors))
    return found


def retinanet_loss(
    model: Any, targets: list[dict[str, Tensor]], head_outputs: dict[str, Tensor], anchors: list[Tensor]
) -> dict[str, Tensor]:
    """``compute_loss`` of torchvision's ``RetinaNet``, whose matching takes several times the memory."""
    found = [
        matched(model.proposal_matcher, target["boxes"], own)
        for target, own in zip(targets, anchors, strict=True)
    ]
    losses: dict[str, Tensor] = model.head.compute_loss(targets, head_outputs, anchors, found)
    return losses
