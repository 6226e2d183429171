"""Boxes follow the animals through every change of a training image, and nothing is changed in place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podura.configuration.study import AugmentationSettings
from podura.seeds import generator
from podura.slides.painting import load_traits
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.springtails import draw_length_mm, paint_springtail
from podura.training.augmentation import disturbed, reoriented
from podura.training.geometry import (
    LEAST_VISIBLE,
    Sample,
    areas,
    cut,
    ellipse_bounds,
    mirrored,
    quarter_turned,
    turned_and_scaled,
)
from podura.training.mosaic import mosaic
from podura.training.photometry import blurred, noisy, recoloured

EXACT = AugmentationSettings()
GEOMETRY = AugmentationSettings(rotation=180, scale=0.5)
EVERYTHING = replace(GEOMETRY, brightness=0.3, contrast=0.3, colour=0.2, blur=1, noise=1)
WIDTH, HEIGHT = 120, 90


def colour_of(number: int) -> np.ndarray:
    """Colours that a mixture with black cannot be taken for one another."""
    return np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)][number], dtype=np.uint8)


@st.composite
def pictures(draw, width=WIDTH, height=HEIGHT):
    """A black picture of up to four ellipses that do not overlap, each filling its box, of its own colour."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    cells = draw(st.permutations([(0, 0), (1, 0), (0, 1), (1, 1)]))[: draw(st.integers(0, 4))]
    boxes = []
    for number, (column, row) in enumerate(cells):
        half_x, half_y = draw(st.integers(4, width // 4 - 1)), draw(st.integers(4, height // 4 - 1))
        x, y = width // 4 + column * width // 2, height // 4 + row * height // 2
        pixels[_ellipse(x, y, half_x, half_y, pixels.shape)] = colour_of(number)
        boxes.append([x - half_x, y - half_y, x + half_x, y + half_y])
    boxes = np.array(boxes, dtype=float).reshape(-1, 4)
    return Sample(pixels, boxes, np.arange(len(boxes)), np.ones(len(boxes)))


def _ellipse(x, y, half_x, half_y, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return ((columns - x) / half_x) ** 2 + ((rows - y) / half_y) ** 2 <= 1


def shown(pixels: np.ndarray, number: int) -> np.ndarray:
    """Where an animal shows, as a mask; half mixed with the background counts as shown."""
    wanted = colour_of(number) > 0
    return (pixels[..., wanted] > 127).all(axis=-1) & (pixels[..., ~wanted] <= 90).all(axis=-1)


def assert_boxes_fit(sample: Sample, slack: float) -> None:
    width, height = sample.size
    n = len(sample.boxes)
    assert sample.boxes.shape == (n, 4)
    assert sample.labels.shape == sample.visible.shape == (n,)
    assert (sample.boxes >= 0).all()
    assert (sample.boxes[:, [0, 2]] <= width).all()
    assert (sample.boxes[:, [1, 3]] <= height).all()
    assert (sample.visible >= LEAST_VISIBLE - 1e-6).all()
    for box, label, visible in zip(sample.boxes, sample.labels, sample.visible, strict=True):
        rows, columns = np.nonzero(shown(sample.pixels, label))
        assert len(rows), "an animal that is lost keeps no box"
        edges = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        beyond = (edges - box) * [-1, -1, 1, 1]
        assert beyond.max() <= slack, (box, edges)
        # An ellipse of which the corner of the picture cuts a part away may not fill what is left of its box.
        assert beyond.min() >= -slack or visible < 1, (box, edges)


@given(sample=pictures(), seed=st.integers(0, 10_000), turned=st.booleans())
@settings(max_examples=60, deadline=None)
def test_flips_and_quarter_turns_move_pixels_and_keep_boxes_exact(sample, seed, turned):
    changed = reoriented(sample, EXACT, generator(seed), turned=turned)
    assert changed.size == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    assert changed.pixels.sum() == sample.pixels.sum()
    assert changed.labels.tolist() == sample.labels.tolist()
    assert_boxes_fit(changed, 0.0)


@given(sample=pictures(), seed=st.integers(0, 10_000), turned=st.booleans())
@settings(max_examples=60, deadline=None)
def test_boxes_bound_ellipses_through_turns_and_scales_by_any_amount(sample, seed, turned):
    before = sample.pixels.copy()
    sample.pixels.setflags(write=False)
    chance = generator(seed)
    changed = disturbed(reoriented(sample, GEOMETRY, chance, turned=turned), GEOMETRY, chance)
    assert changed.size == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    # Whether a pixel at the rim counts as shown is a matter of one or two pixels of a zoomed ellipse.
    assert_boxes_fit(replace(changed, pixels=_on_black(changed.pixels)), 2.6)
    assert np.array_equal(sample.pixels, before)


def _on_black(pixels: np.ndarray) -> np.ndarray:
    """Grey canvas made black, as the background of these pictures is."""
    grey = np.ptp(pixels.astype(int), axis=-1) < 20
    return np.where(grey[..., None], 0, pixels).astype(np.uint8)


@given(
    samples=st.tuples(pictures(), pictures(90, 120), pictures(), pictures(40, 200)),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_a_mosaic_keeps_boxes_on_what_is_left_of_their_animals(samples, seed):
    made = mosaic(samples, generator(seed))
    assert made.size == (WIDTH, HEIGHT)
    assert len(made.boxes) == len(made.labels) == len(made.visible)
    assert len(made.boxes) <= sum(len(sample.boxes) for sample in samples)
    for box, label, visible in zip(made.boxes, made.labels, made.visible, strict=True):
        x_min, y_min, x_max, y_max = box.astype(int)
        assert np.array_equal(box, [x_min, y_min, x_max, y_max])
        inside = shown(made.pixels[y_min:y_max, x_min:x_max], label)
        assert inside.any()
        # An ellipse fills 0.785 of its box; of a part of it less may show, but nothing of another.
        assert inside.mean() > 0.3
        others = [shown(made.pixels[y_min:y_max, x_min:x_max], n).any() for n in range(4) if n != label]
        assert not any(others)
        assert LEAST_VISIBLE - 1e-6 <= visible <= 1


def test_a_mosaic_draws_quarters_of_all_four_in_any_place():
    flat = [
        Sample(np.full((60, 80, 3), value, np.uint8), np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
        for value in (10, 20, 30, 40)
    ]
    meetings = set()
    for seed in range(20):
        pixels = mosaic(flat, generator(seed)).pixels[..., 0]
        assert [pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]] == [10, 20, 30, 40]
        meetings.add((int((pixels[0] == 10).sum()), int((pixels[:, 0] == 10).sum())))
    assert len(meetings) > 15


def test_visible_shares_multiply_from_cut_to_cut():
    pixels = np.zeros((100, 100, 3), np.uint8)
    sample = Sample(pixels, np.array([[10.0, 10, 90, 90]]), np.array([0]), np.ones(1))
    once = cut(sample, 0, 0, 70, 100)
    assert once.visible == pytest.approx([0.75])
    twice = cut(once, 0, 0, 70, 60)
    assert twice.visible == pytest.approx([0.75 * 0.625])
    assert len(cut(twice, 0, 0, 40, 60).boxes) == 0, "less than 40 % of the whole animal is left"
    assert cut(sample, 0, 0, 42, 100).visible == pytest.approx([0.4]), "the least share itself is kept"
    assert once.pixels.base is not None, "a cut is a view"


def test_mirroring_twice_and_four_turns_change_nothing():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    sample = Sample(pixels, np.array([[1.0, 2.0, 4.0, 5.0]]), np.array([3]), np.ones(1))
    for change in (
        lambda s: mirrored(mirrored(s)),
        lambda s: quarter_turned(quarter_turned(s, 3), 1),
        lambda s: turned_and_scaled(s, 0, 1, (0, 0)),
    ):
        same = change(sample)
        assert np.array_equal(same.pixels, sample.pixels)
        assert np.array_equal(same.boxes, sample.boxes)


def test_a_free_turn_by_a_quarter_is_the_exact_one():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    sample = Sample(pixels, np.array([[10.0, 20.0, 40.0, 50.0]]), np.array([0]), np.ones(1))
    exact, free = quarter_turned(sample, 1), turned_and_scaled(sample, 90, 1, (0, 0))
    assert np.abs(exact.pixels.astype(int) - free.pixels)[1:-1, 1:-1].max() <= 1
    assert free.boxes == pytest.approx(exact.boxes)


def painted_masks() -> list[np.ndarray]:
    """Outlines of painted springtails of every species, each in its tight box."""
    traits = load_traits(Path(__file__).parents[2] / "resources" / "springtail_traits.tsv")
    preparation = Preparation(clearing=1.0, stain=(0.0, 0.0, 0.0), contrast=1.0, blur_um=4.0)
    rng = np.random.default_rng(0)
    masks = []
    for one in traits.values():
        for _ in range(5):
            mask = paint_springtail(one, draw_length_mm(one, rng), 60, preparation, rng, 1).mask
            rows, columns = np.nonzero(mask)
            masks.append(mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    return masks


def iou(first, second):
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / (np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - shared)


@pytest.mark.parametrize(("degrees", "least", "better"), [(5, 0.88, 0.05), (10, 0.78, 0.07), (45, 0.58, 0.1)])
def test_turned_boxes_are_nearer_to_turned_animals_than_corners_are(degrees, least, better):
    """What the manual says of free turns, measured on animals whose outline is known."""
    ellipses, corners = [], []
    for number, mask in enumerate(painted_masks()):
        height, width = mask.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * (-1) ** number, 1)
        outline = (np.argwhere(mask)[:, ::-1] + 0.5) @ matrix[:, :2].T + matrix[:, 2]
        true = np.concatenate([outline.min(axis=0) - 0.5, outline.max(axis=0) + 0.5])
        box = np.array([[0.0, 0.0, width, height]])
        ellipses.append(iou(true, ellipse_bounds(box, matrix)[0]))
        ends = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ matrix[:, :2].T + matrix[:, 2]
        corners.append(iou(true, np.concatenate([ends.min(axis=0), ends.max(axis=0)])))
    assert np.mean(ellipses) >= least
    assert np.mean(ellipses) >= np.mean(corners) + better


def test_each_key_changes_only_what_it_is_about():
    rng = np.random.default_rng(1)
    pixels = rng.integers(60, 200, (64, 64, 3), dtype=np.uint8)
    sample = Sample(pixels, np.array([[10.0, 10, 50, 50]]), np.array([0]), np.ones(1))
    nothing = AugmentationSettings()
    assert np.array_equal(disturbed(sample, nothing, generator(1)).pixels, pixels)
    for key, value in {"brightness": 0.3, "contrast": 0.3, "colour": 0.3, "blur": 1.0, "noise": 1.0}.items():
        changed = disturbed(sample, replace(nothing, **{key: value}), generator(1))
        assert not np.array_equal(changed.pixels, pixels), key
        assert np.array_equal(changed.boxes, sample.boxes), key
    for key, value in {"rotation": 40.0, "scale": 0.5}.items():
        assert not np.array_equal(
            disturbed(sample, replace(nothing, **{key: value}), generator(1)).boxes, sample.boxes
        ), key
    # Adding one key leaves what another one draws as it is.
    brighter = replace(nothing, brightness=0.3)
    first = disturbed(sample, brighter, generator(5)).pixels.mean(axis=(0, 1))
    second = disturbed(sample, replace(brighter, blur=1.0), generator(5)).pixels.mean(axis=(0, 1))
    assert first == pytest.approx(second, abs=1)


def test_shares_of_blurred_and_noisy_images_are_those_asked_for():
    pixels = np.random.default_rng(1).integers(60, 200, (24, 24, 3), dtype=np.uint8)
    sample = Sample(pixels, np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    for key in ("blur", "noise"):
        settings_ = AugmentationSettings(**{key: 0.3})
        changed = [
            not np.array_equal(disturbed(sample, settings_, generator(n)).pixels, pixels) for n in range(400)
        ]
        assert np.mean(changed) == pytest.approx(0.3, abs=0.07)


def test_the_given_pixels_are_never_written_to():
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    before = pixels.copy()
    sample = Sample(pixels, np.array([[10.0, 10, 40, 40]]), np.array([0]), np.ones(1))
    for seed in range(30):
        chance = generator(seed)
        changed = disturbed(reoriented(sample, EVERYTHING, chance, turned=seed % 2 == 0), EVERYTHING, chance)
        changed = mosaic([changed, sample, sample, sample], chance)
        changed.pixels[:] = 0
    assert np.array_equal(pixels, before)
    assert np.array_equal(sample.boxes, [[10.0, 10, 40, 40]])


def test_the_same_seed_gives_the_same_image_and_another_one_another():
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    sample = Sample(pixels, np.array([[10.0, 10, 40, 40]]), np.array([0]), np.ones(1))
    first, again, other = (disturbed(sample, EVERYTHING, generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.pixels, other.pixels)


def test_colours_are_what_the_arithmetic_says():
    pixels = np.random.default_rng(1).integers(0, 255, (8, 9, 3), dtype=np.uint8)[:, ::-1]
    gains = np.array([1.1, 0.9, 1.0])
    wanted = np.clip(np.rint(((pixels.astype(float) - 127.5) * 1.2 + 127.5) * gains), 0, 255)
    assert np.array_equal(recoloured(pixels, 1.2, gains), wanted)
    assert recoloured(pixels, 1.0, np.ones(3)) is pixels


def test_noise_grows_with_light_and_has_no_bias():
    dark, bright = (np.full((200, 200, 3), value, np.uint8) for value in (40, 210))
    found = [noisy(pixels, 0.5, generator(1)).astype(float) for pixels in (dark, bright)]
    assert [one.mean() for one in found] == pytest.approx([40, 210], abs=0.1)
    # Strength 0.5 is 6 grey levels at 255: 6 · √(0.1 + 0.9 · v / 255), and rounding's 1/12.
    wanted = [np.sqrt(36 * (0.1 + 0.9 * v / 255) + 1 / 12) for v in (40, 210)]
    assert [one.std() for one in found] == pytest.approx(wanted, rel=0.02)


def test_blur_spreads_light_and_keeps_its_sum():
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[18:23, 18:23] = 200
    weak, strong = blurred(pixels, 0.0), blurred(pixels, 1.0)
    assert strong.max() < weak.max() <= 200
    assert strong.astype(int).sum() == pytest.approx(pixels.astype(int).sum(), rel=0.02)


def test_boxes_of_ellipses_have_the_right_area_when_only_scaled():
    boxes = np.array([[10.0, 10, 30, 20]])
    matrix = np.array([[2.0, 0, 5], [0, 2.0, 7]])
    assert ellipse_bounds(boxes, matrix).tolist() == [[25, 27, 65, 47]]
    assert areas(ellipse_bounds(boxes, matrix)) == pytest.approx(4 * areas(boxes))
