"""Tiles cover an image exactly, and their cores divide it; detections of tiles become those of the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podura.detectors.merging import TileDetections, merge
from podura.slides.tiling import grid

SIZES = st.integers(1, 300)


@given(width=SIZES, height=SIZES, size=st.integers(1, 120), overlap=st.floats(0, 0.75))
@example(width=1000, height=1000, size=100, overlap=0.0)
@example(width=1001, height=100, size=100, overlap=0.5)
@settings(max_examples=100, deadline=None)
def test_tiles_cover_exactly_overlap_enough_and_cores_divide_the_image(width, height, size, overlap):
    tiles = grid(width, height, size, overlap)
    covered = np.zeros((height, width), dtype=np.uint8)
    centres = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1).reshape(-1, 2)
    owners = np.zeros(len(centres), dtype=int)
    if len(tiles) * len(centres) > 1_000_000:
        return
    for tile in tiles:
        assert (tile.width, tile.height) == (min(size, width), min(size, height))
        x_min, y_min, x_max, y_max = tile.box
        assert x_min >= 0
        assert y_min >= 0
        assert x_max <= width
        assert y_max <= height
        covered[y_min:y_max, x_min:x_max] = 1
        owned = tile.owns(centres)
        owners += owned
        inside = (centres >= [x_min, y_min]).all(axis=1) & (centres <= [x_max, y_max]).all(axis=1)
        assert inside[owned].all(), "a tile shows its core"
    assert covered.all()
    assert (owners == 1).all()
    for places in ({tile.x for tile in tiles}, {tile.y for tile in tiles}):
        starts = sorted(places)
        steps = np.diff(starts)
        assert (steps <= max(1, size * (1 - overlap) + 1e-3)).all(), "neighbours share enough"
        assert len(steps) == 0 or steps.max() - steps.min() <= 1, "tiles are spread evenly"


@pytest.mark.parametrize(
    ("width", "height", "size", "overlap", "starts"),
    [
        (1000, 1000, 1024, 0.2, [0]),
        (1024, 500, 1024, 0.2, [0]),
        (1025, 500, 1024, 0.2, [0, 1]),
        (1000, 400, 400, 0.25, [0, 300, 600]),
        (10_000, 900, 1000, 0.2, [0, 750, 1500, 2250, 3000, 3750, 4500, 5250, 6000, 6750, 7500, 8250, 9000]),
    ],
)
def test_small_images_are_one_tile_and_no_tile_is_too_many(width, height, size, overlap, starts):
    assert [tile.x for tile in grid(width, height, size, overlap)] == starts


def test_inner_sides_are_those_with_a_neighbour():
    left, right = grid(150, 80, 100, 0.2)
    assert left.inner == (False, False, True, False)
    assert right.inner == (True, False, False, False)


@pytest.mark.parametrize(("size", "overlap"), [(0, 0.2), (10, 1.0), (10, -0.1)])
def test_what_gives_no_grid_is_refused(size, overlap):
    with pytest.raises(ValueError, match="no tiles"):
        grid(100, 100, size, overlap)


def seen_perfectly(tiles, boxes, labels, *, least=0.0, jitter=0.0, seed=0, scores=None):
    """What a perfect detector finds in each tile: the part of every animal that shows in it."""
    rng = np.random.default_rng(seed)
    found = []
    for tile in tiles:
        x_min, y_min, x_max, y_max = tile.box
        clipped = np.clip(boxes, [x_min, y_min] * 2, [x_max, y_max] * 2)
        areas = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1)
        there = areas > np.maximum(least * np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 0)
        inner = clipped[there] + rng.uniform(-jitter, jitter, (int(there.sum()), 4))
        inner = np.clip(inner, [x_min, y_min] * 2, [x_max, y_max] * 2)
        given_scores = rng.uniform(0.3, 1, len(inner)) if scores is None else scores[there]
        found.append(TileDetections(inner, labels[there], given_scores))
    return found


def sorted_rows(boxes, labels):
    return sorted([*box, int(label)] for box, label in zip(boxes.tolist(), labels.tolist(), strict=True))


@st.composite
def crowds(draw):
    """Animals up to the size of the overlap, many touching and lying over each other, most on seams."""
    overlap = 30
    tiles = grid(draw(st.integers(60, 260)), draw(st.integers(60, 260)), 90, overlap / 90)
    width, height = tiles[-1].box[2:]
    boxes = []
    for _ in range(draw(st.integers(0, 25))):
        w, h = draw(st.integers(3, overlap)), draw(st.integers(3, overlap))
        tile = draw(st.sampled_from(tiles))
        near = tile.box[draw(st.sampled_from([0, 2]))], tile.box[draw(st.sampled_from([1, 3]))]
        x = np.clip(near[0] + draw(st.integers(-45, 45)), 0, width - w)
        y = np.clip(near[1] + draw(st.integers(-45, 45)), 0, height - h)
        boxes.append([x, y, x + w, y + h])
    boxes = np.unique(np.array(boxes, dtype=float).reshape(-1, 4), axis=0)
    labels = np.array([draw(st.integers(0, 1)) for _ in boxes], dtype=np.int64)
    return tiles, boxes, labels


@given(crowd=crowds(), least=st.sampled_from([0.0, 0.4]))
@settings(max_examples=250, deadline=None)
def test_a_perfect_detector_finds_every_animal_once_and_whole_however_dense(crowd, least):
    tiles, boxes, labels = crowd
    merged = merge(tiles, seen_perfectly(tiles, boxes, labels, least=least), edge=0.0)
    assert sorted_rows(merged.boxes, merged.labels) == sorted_rows(boxes, labels)
    assert (np.diff(merged.scores) <= 0).all()


@given(crowd=crowds(), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_boxes_that_differ_from_tile_to_tile_neither_lose_nor_double_an_animal(crowd, seed):
    """A pixel to and fro moves centres over seams, so that both tiles or none would own an animal."""
    tiles, boxes, labels = crowd
    large = (boxes[:, 2:] - boxes[:, :2] >= 12).all(axis=1) & (boxes[:, 2:] - boxes[:, :2] <= 26).all(axis=1)
    boxes, labels = boxes[large], labels[large]
    # Touching is allowed, lying on top of each other is not: then it would be unclear who is who.
    apart = [i for i in range(len(boxes)) if all(shared(boxes[i], boxes[j]) < 0.3 for j in range(i))]
    boxes, labels = boxes[apart], labels[apart]
    merged = merge(tiles, seen_perfectly(tiles, boxes, labels, jitter=1.0, seed=seed, least=0.2), edge=2.0)
    assert len(merged.boxes) == len(boxes)
    for box, label in zip(boxes, labels, strict=True):
        near = (np.abs(merged.boxes - box).max(axis=1) <= 1.0 + 1e-9) & (merged.labels == label)
        assert near.sum() >= 1


def shared(first, second):
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    inner = np.prod(np.clip(high - low, 0, None))
    return inner / min(np.prod(first[2:] - first[:2]), np.prod(second[2:] - second[:2]))


def test_two_animals_that_lie_mostly_over_each_other_on_a_seam_stay_two():
    """Suppression of overlaps over the whole image takes them for one: their IoU is 0.67."""
    tiles = grid(180, 90, 100, 0.2)
    boxes = np.array([[82.0, 30, 98, 50], [85.0, 30, 103, 50], [82.0, 34, 98, 54]])
    labels = np.zeros(3, dtype=np.int64)
    merged = merge(tiles, seen_perfectly(tiles, boxes, labels), edge=1.0)
    assert sorted_rows(merged.boxes, merged.labels) == sorted_rows(boxes, labels)
    assert not merged.cut.any()


def test_an_animal_larger_than_the_overlap_is_one_bounded_by_its_parts_and_told_of():
    tiles = grid(180, 100, 100, 0.2)
    boxes = np.array([[20.0, 30, 160, 70], [2.0, 2, 12, 12]])
    found = seen_perfectly(tiles, boxes, np.array([0, 0]), scores=np.array([0.7, 0.9]))
    merged = merge(tiles, found, edge=1.0)
    assert merged.boxes.tolist() == [[2, 2, 12, 12], [20, 30, 160, 70]]
    assert merged.cut.tolist() == [False, True]
    assert merged.scores.tolist() == [0.9, 0.7]


def test_what_ends_at_the_edge_of_the_image_is_not_cut():
    tiles = grid(180, 100, 100, 0.2)
    boxes = np.array([[0.0, 0, 20, 100], [170.0, 90, 180, 100]])
    merged = merge(tiles, seen_perfectly(tiles, boxes, np.array([0, 1])), edge=1.0)
    assert not merged.cut.any()


def test_the_owner_of_an_animal_is_believed_not_the_best_score():
    """Else animals near seams had two draws of a score, and so higher ones than others."""
    tiles = grid(180, 100, 100, 0.2)
    box = np.array([[82.0, 30, 96, 44]])  # its centre, 89, belongs to the first tile
    one, two = (TileDetections(box, np.array([0]), np.array([score])) for score in (0.4, 0.9))
    assert merge(tiles, [one, two], edge=1.0).scores.tolist() == [0.4]


def test_what_its_own_tile_does_not_report_is_dropped():
    tiles = grid(180, 100, 100, 0.2)
    nothing = TileDetections(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0))
    box = TileDetections(np.array([[82.0, 30, 96, 44]]), np.array([0]), np.array([0.9]))
    assert len(merge(tiles, [nothing, box], edge=1.0).scores) == 0
    assert len(merge(tiles, [box, nothing], edge=1.0).scores) == 1


def test_two_species_at_one_place_are_two_detections_as_within_a_tile():
    tiles = grid(180, 100, 100, 0.2)
    boxes = np.array([[82.0, 30, 96, 44], [82.0, 30, 96, 44]])
    merged = merge(tiles, seen_perfectly(tiles, boxes, np.array([0, 1])), edge=1.0)
    assert merged.labels.tolist() in ([0, 1], [1, 0])


def test_a_plate_of_ten_thousand_detections_is_merged_in_seconds():
    rng = np.random.default_rng(0)
    tiles = grid(10_000, 10_000, 1000, 0.2)
    corners = rng.uniform(0, 9900, (10_000, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 100, (10_000, 2))], axis=1)
    labels = rng.integers(0, 10, 10_000)
    merged = merge(tiles, seen_perfectly(tiles, boxes, labels), edge=1.0)
    assert sorted_rows(merged.boxes, merged.labels) == sorted_rows(boxes, labels)
