"""An image with 500 animals: Ultralytics' detectors give every one of them, and exactly the best at a cap.

Only the last convolutions are replaced, by ones that "see" 500 animals; all behind them, where a framework
may keep fewer than asked for, is the real thing.
"""

from __future__ import annotations

import math

import pytest
import torch

from podura.detectors.catalogue import build_detector
from podura.training.seeds import seed_torch

SPECIES = ["A", "B", "C", "D"]
SIDE, STRIDE, ANIMALS = 512, 8, 500
#: Cells of the finest map that show an animal: every second one, so that no two boxes of YOLO overlap.
CELLS = [(row, column) for row in range(3, 60, 2) for column in range(3, 60, 2)][:ANIMALS]
SCORES = torch.linspace(0.95, 0.02, ANIMALS)
LABELS = torch.arange(ANIMALS) % len(SPECIES)
IMAGE = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def places():
    """Centres of the animals in pixels."""
    return torch.tensor([[(column + 0.5) * STRIDE, (row + 0.5) * STRIDE] for row, column in CELLS])


def numbers():
    """Their numbers among the locations of the finest map."""
    return torch.tensor([row * (SIDE // STRIDE) + column for row, column in CELLS])


def logits(locations):
    """What a classifier would give: (1, locations, species), all but the animals near nothing."""
    values = torch.full((1, locations, len(SPECIES)), -20.0)
    values[0, numbers(), LABELS] = torch.logit(SCORES)
    return values


def dense_yolo(architecture):
    detector = build_detector("ultralytics", architecture, SPECIES).eval()
    head = detector.model.model[-1]

    def seen(maps, box_head=None, cls_head=None):
        locations = sum(level.shape[-2] * level.shape[-1] for level in maps)
        # Half a stride to each side: as the distance itself, or as a distribution over whole distances.
        if head.reg_max == 1:
            boxes = torch.full((1, 4, locations), 0.5)
        else:
            boxes = torch.full((1, 4, head.reg_max, locations), -30.0)
            boxes[:, :, :2] = 10.0
            boxes = boxes.flatten(1, 2)
        return {"boxes": boxes, "scores": logits(locations).transpose(1, 2), "feats": maps}

    head.forward_head = seen
    return detector


def dense_rtdetr():
    detector = build_detector("ultralytics", "rtdetr-l", SPECIES).eval()
    head = detector.model.model[-1]
    table = {}

    def score(features):
        values = logits(features.shape[1])
        table["all"] = values
        return values

    def decode(embedded, reference, *_given, **_named):
        boxes = reference.sigmoid()
        column, row = ((boxes[0, :, axis] * SIDE / STRIDE).floor().long() for axis in (0, 1))
        finest = (boxes[0, :, 2] - 0.05).abs() < 1e-4
        scores = torch.full((1, boxes.shape[1], len(SPECIES)), -20.0)
        scores[0, finest] = table["all"][0, (row * (SIDE // STRIDE) + column)[finest]]
        return boxes[None], scores[None]

    head.enc_score_head.forward = score
    head.enc_bbox_head.forward = lambda features: torch.zeros(*features.shape[:2], 4)
    head.decoder.forward = decode
    return detector


def found(detector, cap):
    with torch.inference_mode():
        (detections,) = detector.detect(IMAGE, [(SIDE, SIDE)], score_floor=0.01, max_detections=cap)
    return detections


@pytest.fixture(scope="module", params=["yolov5n", "yolo26n", "rtdetr-l"])
def detector(request):
    seed_torch(1)
    return dense_rtdetr() if request.param.startswith("rtdetr") else dense_yolo(request.param)


def test_every_animal_is_given_below_the_cap(detector):
    detections = found(detector, 1000)
    assert len(detections.scores) == ANIMALS
    assert torch.allclose(detections.scores, SCORES, atol=1e-5)
    assert torch.equal(detections.labels, LABELS)
    centres = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
    assert torch.allclose(centres, places(), atol=0.01)


def test_at_a_cap_exactly_the_best_are_given(detector):
    detections = found(detector, 300)
    assert torch.allclose(detections.scores, SCORES[:300], atol=1e-5)
    assert torch.equal(detections.labels, LABELS[:300])


def test_the_floor_is_the_callers(detector):
    with torch.inference_mode():
        (detections,) = detector.detect(IMAGE, [(SIDE, SIDE)], score_floor=0.5, max_detections=1000)
    assert len(detections.scores) == int((SCORES >= 0.5).sum())
    assert math.isclose(detections.scores.min(), SCORES[SCORES >= 0.5].min(), abs_tol=1e-5)


def test_no_detector_here_has_a_limit_of_its_own(detector):
    assert getattr(detector, "most_detections", None) is None
