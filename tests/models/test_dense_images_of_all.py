"""Every detector of torchvision returns all of 500 animals; the small ones are tried in make test, too."""

from __future__ import annotations

import pytest
import torch

from dense_images import COUNT, HEIGHT, WIDTH, dense_boxes, dense_scores, see
from podura.detectors.catalogue import build_detector
from podura.detectors.torchvision_adapter import ARCHITECTURES

pytestmark = pytest.mark.models


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_best_of_500_animals_come_back_up_to_the_cap(architecture: str) -> None:
    detector = see(build_detector("torchvision", architecture, ["A", "B", "C"])).eval()
    for cap in (1000, 300):
        with torch.inference_mode():
            (found,) = detector.detect(
                torch.full((1, 3, HEIGHT, WIDTH), 0.5),
                [(HEIGHT, WIDTH)],
                score_floor=0.01,
                max_detections=cap,
            )
        best = dense_scores().argsort(descending=True)[:cap]
        assert len(found.scores) == min(cap, COUNT)
        assert torch.allclose(found.boxes, dense_boxes()[best], atol=0.01)
