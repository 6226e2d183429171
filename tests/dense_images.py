"""Five hundred animals in one image, and detectors of torchvision whose heads see exactly these.

Only what the network says is replaced; candidates, suppression, floor and cap are the detector's own.
For another framework write a function like ``see`` that makes its raw outputs say the same.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

COUNT = 500
HEIGHT, WIDTH = 512, 640
#: The one species that all of them are: the hardest case for a cap within a species.
LABEL = 1
#: Anchors that see each animal, as in a trained network.
WITNESSES = 3
_NOTHING = -12.0  # a logit: a score below any floor


def dense_boxes() -> Tensor:
    """(500, 4): separate boxes on a grid of 25 × 20, of 14 to 20 px."""
    number = torch.arange(COUNT)
    left, top = (number % 25) * 25.6 + 2, torch.div(number, 25, rounding_mode="floor") * 25.6 + 3
    width, height = 14.0 + number % 7, 20.0 - number % 5
    return torch.stack([left, top, left + width, top + height], dim=1)


def dense_scores() -> Tensor:
    """(500,): all different, from 0.95 down to 0.02, in an order that has nothing to do with the place."""
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))
    return torch.linspace(0.95, 0.02, COUNT)[order]


def see(detector: Any) -> Any:
    """Make a detector of torchvision see the dense image in whatever image of that size it is given."""
    model = detector.model
    _remember(model, "backbone")  # what it says of the image does not count
    if hasattr(model, "roi_heads"):
        _see_in_two_stages(model, len(detector.species))
    else:

        def forward(_self: nn.Module, features: list[Tensor]) -> dict[str, Tensor]:
            return _dense_outputs(detector, _anchors(model.anchor_generator, features))

        model.head.forward = MethodType(forward, model.head)
        _remember(model, "head")
    return detector


def _remember(model: Any, part: str) -> None:
    original, answers = getattr(model, part).forward, []

    def forward(_self: nn.Module, given: Any) -> Any:
        if not answers:
            answers.append(original(given))
        return answers[0]

    getattr(model, part).forward = MethodType(forward, getattr(model, part))


def _anchors(generator: Any, features: list[Tensor]) -> Tensor:
    images = ImageList(torch.zeros(1, 3, HEIGHT, WIDTH), [(HEIGHT, WIDTH)])
    return generator(images, features)[0]


def _witnesses(anchors: Tensor) -> Tensor:
    """(500, 3): for each animal the anchors whose centres are nearest to its own, none of them twice."""
    boxes = dense_boxes()
    centres = [(some[:, :2] + some[:, 2:]) / 2 for some in (boxes, anchors)]
    sides = [(some[:, 2:] - some[:, :2]).log2() for some in (boxes, anchors)]
    distance = torch.cdist(*centres) + 3 * torch.cdist(*sides)
    chosen = torch.empty(COUNT, WITNESSES, dtype=torch.long)
    for number in range(COUNT):
        nearest = distance[number].topk(WITNESSES, largest=False).indices
        chosen[number] = nearest
        distance[:, nearest] = torch.inf
    return chosen


def _dense_outputs(detector: Any, anchors: Tensor) -> dict[str, Tensor]:
    chosen = _witnesses(anchors)
    columns = {"cls_logits": len(detector.species) + detector.first_label, "bbox_regression": 4}
    if hasattr(detector.model, "center_sampling_radius"):
        columns["bbox_ctrness"] = 1
    outputs = {name: torch.zeros(1, len(anchors), count) for name, count in columns.items()}
    scores, boxes = dense_scores()[:, None], dense_boxes()[:, None].expand(-1, WITNESSES, -1)
    logits, label = outputs["cls_logits"], LABEL + detector.first_label
    logits.fill_(_NOTHING)
    if detector.first_label:  # softmax: 0 is the background
        logits[..., 0] = 0
        logits[0, chosen, label] = scores.logit().expand(-1, WITNESSES)
    elif "bbox_ctrness" in outputs:  # the score is the root of class times centre-ness
        outputs["bbox_ctrness"].fill_(20.0)
        logits[0, chosen, label] = scores.square().logit().expand(-1, WITNESSES)
    else:
        logits[0, chosen, label] = scores.logit().expand(-1, WITNESSES)
    coder, flat = detector.model.box_coder, (boxes.reshape(-1, 4), anchors[chosen].reshape(-1, 4))
    encode = coder.encode_single if hasattr(coder, "encode_single") else lambda to, at: coder.encode(at, to)
    outputs["bbox_regression"][0, chosen] = encode(*flat).view(COUNT, WITNESSES, 4)
    return outputs


def _see_in_two_stages(model: Any, species: int) -> None:
    """The proposals are the animals, by objectness; the second stage knows a proposal by its place."""
    generator = model.rpn.anchor_generator

    def propose(_self: nn.Module, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        anchors = _anchors(generator, features)
        chosen = _witnesses(anchors).flatten()
        logits = torch.full((len(anchors),), _NOTHING)
        logits[chosen] = dense_scores().repeat_interleave(WITNESSES).logit()
        deltas = torch.zeros_like(anchors)
        boxes = dense_boxes().repeat_interleave(WITNESSES, dim=0)
        deltas[chosen] = model.rpn.box_coder.encode_single(boxes, anchors[chosen])
        objectness, places, start = [], [], 0
        for level, each in zip(features, generator.num_anchors_per_location(), strict=True):
            height, width = level.shape[-2:]
            part = slice(start, start + each * height * width)
            objectness.append(logits[part].view(height, width, each).permute(2, 0, 1)[None])
            place = deltas[part].view(height, width, each, 4).permute(2, 3, 0, 1)
            places.append(place.reshape(1, each * 4, height, width))
            start = part.stop
        return objectness, places

    class Places(nn.Module):
        def forward(self, _features: Any, proposals: list[Tensor], _shapes: Any) -> Tensor:
            return torch.cat(proposals)

    class Judge(nn.Module):
        def forward(self, proposals: Tensor) -> tuple[Tensor, Tensor]:
            distance, animal = torch.cdist(
                proposals, dense_boxes(), compute_mode="donot_use_mm_for_euclid_dist"
            ).min(dim=1)
            logits = torch.full((len(proposals), species + 1), _NOTHING)
            logits[:, 0] = 0
            seen = distance < 0.1
            logits[seen, LABEL + 1] = dense_scores()[animal[seen]].logit()
            return logits, torch.zeros(len(proposals), 4 * (species + 1))

    model.rpn.head.forward = MethodType(propose, model.rpn.head)
    _remember(model.rpn, "head")
    model.roi_heads.box_roi_pool, model.roi_heads.box_head = Places(), nn.Identity()
    model.roi_heads.box_predictor = Judge()
