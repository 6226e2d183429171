"""The loss of SSD, with negatives from images without animals too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from podura.detectors.torchvision_matching import matched

#: Negatives of an image without animals (min_negatives_per_image of TensorFlow's detection API). The
#: paper's three for each positive would be none, and slides without animals would teach nothing.
_FEWEST_NEGATIVES = 3


def single_shot_loss(model: Any, images: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the loss of torchvision's ``SSD`` (Liu et al. 2016, section 2.2) for a batch.

    Cross-entropy of the boxes that match an animal and of the hardest others, three for each (at least
    ``_FEWEST_NEGATIVES`` an image), and smooth L1 of their place; both by the number of matches.
    """
    given, _ = model.transform(images)
    features = list(model.backbone(given.tensors).values())
    outputs = model.head(features)
    anchors = model.anchor_generator(given, features)[0]  # those of all images, which are of one size
    animals = torch.stack([matched(model.proposal_matcher, target["boxes"], anchors) for target in targets])
    positive = animals >= 0
    labels = torch.zeros_like(animals)
    places, wanted = [], []
    for number, target in enumerate(targets):
        (found,) = torch.where(positive[number])
        animal = animals[number, found]
        labels[number, found] = target["labels"][animal]
        places.append(outputs["bbox_regression"][number, found])
        wanted.append(model.box_coder.encode_single(target["boxes"][animal], anchors[found]))

    each = functional.cross_entropy(outputs["cls_logits"].transpose(1, 2), labels, reduction="none")
    count = positive.sum(dim=1, keepdim=True)
    negatives = (model.neg_to_pos_ratio * count).clamp(min=_FEWEST_NEGATIVES)
    hardness = each.detach().masked_fill(positive, -torch.inf)
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    chosen = positive | (rank < negatives)
    matches = count.sum().clamp(min=1)
    distance = functional.smooth_l1_loss(torch.cat(places), torch.cat(wanted), reduction="sum")
    return {"bbox_regression": distance / matches, "classification": each[chosen].sum() / matches}
