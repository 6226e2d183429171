"""Pairs of boxes at almost the same place, as a comparison of every two of them finds them."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podura.annotations.overlaps import DOUBTFUL_IOU, SAME_PLACE_IOU, close_pairs, intersection_over_union


def brute_force(boxes, above):
    """IoU of each pair by NumPy, as the matrix of all of them."""
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    iou = shared / (area[:, None] + area[None, :] - shared)
    return [(i, j, iou[i, j]) for i, j in itertools.combinations(range(len(boxes)), 2) if iou[i, j] > above]


@st.composite
def clusters(draw):
    """Boxes anywhere, and others that differ a little from them."""
    boxes = []
    for _ in range(draw(st.integers(0, 6))):
        x, y = draw(st.floats(0, 10_000)), draw(st.floats(0, 10_000))
        width, height = draw(st.floats(0.01, 3_000)), draw(st.floats(0.01, 3_000))
        for _ in range(draw(st.integers(1, 4))):
            moves = [draw(st.floats(-0.06, 0.06)) for _ in range(4)]
            left, upper = x + moves[0] * width, y + moves[1] * height
            boxes.append((left, upper, left + width * (1 + moves[2]), upper + height * (1 + moves[3])))
    return draw(st.permutations(boxes))


@given(clusters(), st.sampled_from([DOUBTFUL_IOU, SAME_PLACE_IOU, 0.5]))
def test_the_sweep_finds_what_comparing_all_finds(boxes, above):
    assert close_pairs(boxes, above) == brute_force(boxes, above)


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2), max_size=12))
def test_the_sweep_finds_equal_and_touching_boxes(extents):
    boxes = [(x, y, x + width, y + height) for x, y, width, height in extents]
    assert close_pairs(boxes, DOUBTFUL_IOU) == brute_force(boxes, DOUBTFUL_IOU)


def test_overlap():
    assert intersection_over_union((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert intersection_over_union((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert intersection_over_union((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert intersection_over_union((0, 0, 10, 10), (20, 20, 30, 30)) == 0


@pytest.mark.parametrize("arrangement", ["anywhere", "in a column", "in a row"])
def test_thousands_of_boxes_take_about_as_much_longer_as_they_are_more(arrangement):
    generator = np.random.default_rng(1)

    def seconds(n):
        low = generator.uniform(0, 100 * np.sqrt(n), (n, 2))
        if arrangement != "anywhere":
            low[:, 0 if arrangement == "in a column" else 1] = 5
            low[:, 1 if arrangement == "in a column" else 0] *= np.sqrt(n)
        boxes = [tuple(box) for box in np.hstack([low, low + generator.uniform(20, 60, (n, 2))]).tolist()]
        start = time.process_time()
        close_pairs(boxes, DOUBTFUL_IOU)
        return time.process_time() - start

    seconds(100)
    # Comparing all of them would take a hundred times as long.
    assert seconds(20_000) < 40 * max(seconds(2_000), 0.002)
