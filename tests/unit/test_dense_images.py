"""Equal terms: every one of 500 animals comes back, the cap takes the best, and is told of when reached."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dense_images import COUNT, HEIGHT, LABEL, WIDTH, dense_boxes, dense_scores, see
from podura.detectors import torchvision_adapter
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Detector, ImageDetections
from podura.detectors.inference import detect_files

#: One of each kind of head, on its smallest backbone; make test-models has them all.
ARCHITECTURES = [
    "fasterrcnn_lite0",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "retinanet_lite0",
    "fcos_resnet50_fpn",
    "ssdlite320_mobilenet_v3_large",
]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def seeing(request: pytest.FixtureRequest) -> Detector:
    return see(build_detector("torchvision", request.param, ["A", "B", "C"])).eval()


def found_by(detector: Detector, *, cap: int) -> ImageDetections:
    with torch.inference_mode():
        (found,) = detector.detect(
            torch.full((1, 3, HEIGHT, WIDTH), 0.5), [(HEIGHT, WIDTH)], score_floor=0.01, max_detections=cap
        )
    return found


@pytest.mark.parametrize("cap", [1000, 500, 300, 1])
def test_the_best_of_500_animals_come_back_up_to_the_cap(seeing: Detector, cap: int) -> None:
    found = found_by(seeing, cap=cap)
    best = dense_scores().argsort(descending=True)[:cap]
    assert len(found.scores) == min(cap, COUNT)
    assert torch.allclose(found.boxes, dense_boxes()[best], atol=0.01)
    assert torch.allclose(found.scores, dense_scores()[best], atol=1e-4)
    assert set(found.labels.tolist()) == {LABEL}


def test_what_was_asked_before_changes_nothing(seeing: Detector) -> None:
    first = found_by(seeing, cap=20)
    found_by(seeing, cap=1000)
    again = found_by(seeing, cap=20)
    assert torch.equal(first.boxes, again.boxes)
    assert torch.equal(first.scores, again.scores)


def test_the_floor_is_the_callers_and_itself_kept(seeing: Detector) -> None:
    floor = found_by(seeing, cap=COUNT).scores[99].item()
    with torch.inference_mode():
        (found,) = seeing.detect(
            torch.full((1, 3, HEIGHT, WIDTH), 0.5), [(HEIGHT, WIDTH)], score_floor=floor, max_detections=1000
        )
    assert len(found.scores) == 100


def test_boxes_in_the_padding_take_no_place_under_the_cap(seeing: Detector) -> None:
    size = (HEIGHT // 2, WIDTH)
    with torch.inference_mode():
        (found,) = seeing.detect(
            torch.full((1, 3, HEIGHT, WIDTH), 0.5), [size], score_floor=0.01, max_detections=120
        )
    assert len(found.scores) == 120, "250 lie within the image"


@pytest.mark.parametrize(("cap", "capped"), [(300, ["dense"]), (500, ["dense"]), (501, [])])
def test_a_cap_that_was_reached_is_told(
    seeing: Detector, cap: int, capped: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "dense.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)).save(file)
    run = detect_files(
        seeing,
        [("dense", file, "slide")],
        image_size=WIDTH,
        score_floor=0.01,
        max_detections=cap,
        device=torch.device("cpu"),
    )
    assert len(run.rows) == min(cap, COUNT)
    assert run.capped == capped


@pytest.mark.parametrize("architecture", ["retinanet_lite0", "ssdlite320_mobilenet_v3_large"])
def test_the_test_bites_with_torchvisions_own_limit_of_candidates(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision_adapter, "_CANDIDATES", 0)
    detector = see(build_detector("torchvision", architecture, ["A", "B", "C"])).eval()
    assert len(found_by(detector, cap=1000).scores) < COUNT
