"""Overlays show each specimen and each shown detection once, in its state."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from podura.evaluation.matching import match
from podura.report.overlays import choose_images, draw_overlay, shown_rows
from podura.tables import DETECTIONS


def box(left, top):
    return {"x_min": left, "y_min": top, "x_max": left + 20.0, "y_max": top + 10.0}


TRUTHS = pd.DataFrame(
    [
        {"id": 1, "image": "a", "slide": "s", "species": "A", "ignore": False, **box(0.0, 0.0)},
        {"id": 2, "image": "a", "slide": "s", "species": "A", "ignore": False, **box(50.0, 0.0)},
        {"id": 3, "image": "a", "slide": "s", "species": "B", "ignore": True, **box(0.0, 50.0)},
        {"id": 4, "image": "b", "slide": "s", "species": "B", "ignore": False, **box(0.0, 50.0)},
    ]
)
FOUND = DETECTIONS.frame(
    [
        {"image": "a", "slide": "s", "species": "A", "score": 0.9, **box(0.0, 0.0)},
        {"image": "a", "slide": "s", "species": "A", "score": 0.6, **box(50.0, 0.0)},
        {"image": "a", "slide": "s", "species": "B", "score": 0.7, **box(80.0, 80.0)},
        {"image": "a", "slide": "s", "species": "B", "score": 0.3, **box(40.0, 80.0)},
        {"image": "a", "slide": "s", "species": "B", "score": 0.9, **box(0.0, 50.0)},
    ]
)
MATCHES = match(TRUTHS, FOUND, images={"a": "s", "b": "s"}, species=["A", "B"])


def states(thresholds):
    rows = shown_rows(MATCHES[MATCHES["image"] == "a"], thresholds, 50)
    return sorted((row.species, row.state) for row in rows.itertuples())


def test_each_specimen_and_shown_detection_has_one_state():
    assert states({"A": 0.5, "B": 0.5}) == [("A", "right"), ("A", "right"), ("B", "wrong")]


def test_a_specimen_whose_detection_is_below_the_threshold_is_missed():
    assert states({"A": 0.8, "B": 0.99}) == [("A", "missed"), ("A", "right")]


def test_without_a_threshold_half_is_taken():
    assert states({"A": None, "B": float("nan")}) == [("A", "right"), ("A", "right"), ("B", "wrong")]


def test_images_with_most_specimens_come_first():
    assert choose_images(MATCHES, 5) == ["a", "b"]
    assert choose_images(MATCHES.iloc[:0], 5) == []


def test_the_picture_shows_the_boxes_and_leaves_the_rest():
    pixels = np.full((120, 160, 3), 200, dtype=np.uint8)
    rows = shown_rows(MATCHES[MATCHES["image"] == "a"], {"A": 0.8, "B": 0.5}, 50)
    picture = np.asarray(Image.open(io.BytesIO(draw_overlay(pixels, rows))).convert("RGB")).astype(int)
    assert picture.shape == (120, 160, 3)
    assert np.abs(picture[100:, 120:] - 200).max() < 12  # nothing is drawn there
    blue = (picture[..., 2] - picture[..., 0]) > 80
    assert blue[:25, :25].any()
