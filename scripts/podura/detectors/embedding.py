"""Vectors that lie near each other where images look alike, from a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import timm
import torch
from numpy.typing import NDArray

from podura.detectors.torchvision_lite0 import load_lite0_imagenet
from podura.errors import UserError

_SIDE = 224
# Generalised mean (Radenović, Tolias & Chum 2019, "Fine-tuning CNN image retrieval with no human
# annotation"): between the mean and the maximum of a feature over the image.
_POWER = 3.0


def lite0_embedding() -> Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]:
    """Return a function from RGB images (height, width, 3) to vectors (images, 432).

    They are the last two feature maps of EfficientNet-Lite0, pooled by a generalised mean. One thread is
    used, so that the same images give the same bytes. Raises UserError where the weights are missing.
    """
    body: Any = timm.create_model(
        "tf_efficientnet_lite0", pretrained=False, features_only=True, out_indices=(3, 4)
    )
    try:
        load_lite0_imagenet(body)
    except LookupError as error:
        raise UserError(f"dataset.leakage.network: {error}. Write 'network: false'.") from error
    body.eval()
    torch.set_num_threads(1)

    @torch.inference_mode()
    def embed(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        size = (_SIDE, _SIDE)
        small = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
        batch = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1
        pooled = [maps.clamp(min=1e-6).pow(_POWER).mean(dim=(2, 3)).pow(1 / _POWER) for maps in body(batch)]
        return torch.cat(pooled, dim=1).numpy()

    return embed
