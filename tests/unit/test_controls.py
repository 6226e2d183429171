"""The controls: one perfect, one worthless, both made from the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from podura.detectors.controls import shuffled_control, truth_control

IMAGES = pd.DataFrame(
    {
        "image": [f"i{n}" for n in range(20)],
        "slide": [f"s{n // 2}" for n in range(20)],
        "width": 640,
        "height": 480,
    }
)


def truth(count=100):
    random = np.random.default_rng(0)
    left, top = random.uniform(0, 500, count), random.uniform(0, 380, count)
    image = random.integers(0, 20, count)
    return pd.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "image": [f"i{n}" for n in image],
            "slide": [f"s{n // 2}" for n in image],
            "species": random.choice(["A", "B"], count),
            "x_min": left,
            "y_min": top,
            "x_max": left + random.uniform(20, 100, count),
            "y_max": top + random.uniform(20, 80, count),
            "ignore": random.random(count) < 0.1,
        }
    )


def test_the_truth_control_is_the_truth_without_what_is_ignored():
    found = truth_control(truth(), IMAGES, np.random.default_rng(1))
    wanted = truth()[~truth()["ignore"]]
    assert len(found) == len(wanted)
    assert (found["score"] == 1).all()
    assert np.array_equal(found["x_min"], wanted["x_min"])


def test_the_shuffled_control_keeps_sizes_and_counts_but_no_place():
    given = truth()[~truth()["ignore"]]
    found = shuffled_control(truth(), IMAGES, np.random.default_rng(1))
    assert sorted(found["species"]) == sorted(given["species"])
    widths = (given["x_max"] - given["x_min"]).sort_values().to_numpy()
    assert np.allclose(np.sort(found["x_max"] - found["x_min"]), widths)
    assert (found["x_min"] >= 0).all()
    assert (found["x_max"] <= 640).all()
    assert (found["y_max"] <= 480).all()
    assert found["score"].is_unique
    slides = dict(zip(IMAGES["image"], IMAGES["slide"], strict=True))
    assert (found["image"].map(slides) == found["slide"]).all()


def test_the_shuffle_follows_its_generator():
    first, again = (shuffled_control(truth(), IMAGES, np.random.default_rng(1)) for _ in range(2))
    other = shuffled_control(truth(), IMAGES, np.random.default_rng(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_part_without_specimens_gives_no_detections():
    assert len(shuffled_control(truth().iloc[:0], IMAGES, np.random.default_rng(1))) == 0
    assert len(truth_control(truth().iloc[:0], IMAGES, np.random.default_rng(1))) == 0
