"""Weighted boxes fusion: as published, whatever the order, and worth what it should be worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_data import SPECIES, detection_rows, slide_study, truth_rows
from podura.detectors import ensembles
from podura.detectors.controls import shuffled_control
from podura.detectors.ensembles import fuse, fuse_boxes
from podura.evaluation.validation import validation_score
from podura.tables import BOX_COLUMNS

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "a2.png": "a", "b1.png": "b"}
BOX, MOVED, FAR = (10.0, 10.0, 30.0, 30.0), (12.0, 10.0, 32.0, 30.0), (60.0, 60.0, 80.0, 90.0)


def fused(*members: pd.DataFrame, images=IMAGES, iou=0.55, floor=0.0, cap=1000):
    return fuse(members, images, SPECIES, iou=iou, score_floor=floor, max_detections=cap)


def rows(frame: pd.DataFrame) -> list[tuple]:
    columns = ["image", "species", "score", *BOX_COLUMNS]
    return list(frame[columns].itertuples(index=False, name=None))


def overlap(one, other) -> float:
    width = max(min(one[2], other[2]) - max(one[0], other[0]), 0.0)
    height = max(min(one[3], other[3]) - max(one[1], other[1]), 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def plainly_fused(boxes, scores, models: int, iou: float) -> list[tuple[float, ...]]:
    """The published algorithm, box by box: (score, box) of the fused boxes of one image and species."""
    clusters: list[list[int]] = []
    means: list[np.ndarray] = []
    for k in sorted(range(len(boxes)), key=lambda k: (-scores[k], *boxes[k])):
        overlaps = [overlap(mean, boxes[k]) for mean in means]
        best = max(range(len(means)), key=lambda m: (overlaps[m], -m), default=None)
        if best is None or overlaps[best] <= iou:
            clusters.append([k])
            means.append(np.array(boxes[k], float))
        else:
            clusters[best].append(k)
            of_cluster = clusters[best]
            means[best] = sum(scores[j] * np.array(boxes[j], float) for j in of_cluster) / sum(
                scores[j] for j in of_cluster
            )
    return sorted(
        (
            sum(scores[k] for k in cluster) / len(cluster) * min(len(cluster), models) / models,
            *mean,
        )
        for cluster, mean in zip(clusters, means, strict=True)
    )


# --- as published ----------------------------------------------------------------------------------


def test_boxes_that_overlap_become_their_mean_weighted_by_score():
    one = detection_rows(("a1.png", A, 0.9, BOX))
    other = detection_rows(("a1.png", A, 0.3, MOVED))
    ((image, species, score, *box),) = rows(fused(one, other).detections)
    assert (image, species) == ("a1.png", A)
    assert score == pytest.approx((0.9 + 0.3) / 2)
    assert box == pytest.approx([10 + 2 * 0.3 / 1.2, 10, 30 + 2 * 0.3 / 1.2, 30])


def test_what_one_model_of_three_finds_keeps_a_third_of_its_score():
    found = fused(detection_rows(("a1.png", A, 0.9, BOX)), detection_rows(), detection_rows())
    assert rows(found.detections) == [("a1.png", A, pytest.approx(0.3), *BOX)]


def test_two_boxes_of_one_model_at_one_place_do_not_count_as_more_models_than_there_are():
    twice = detection_rows(("a1.png", A, 0.8, BOX), ("a1.png", A, 0.4, MOVED))
    other = detection_rows(("a1.png", A, 0.6, BOX))
    ((_, _, score, *_),) = rows(fused(twice, other).detections)
    assert score == pytest.approx((0.8 + 0.6 + 0.4) / 3)


def test_species_and_images_are_fused_by_themselves():
    one = detection_rows(("a1.png", A, 0.9, BOX))
    other = detection_rows(("a1.png", B, 0.8, BOX), ("a2.png", A, 0.7, BOX))
    found = fused(one, other).detections
    assert rows(found) == [
        ("a1.png", A, 0.45, *BOX),
        ("a1.png", B, 0.4, *BOX),
        ("a2.png", A, 0.35, *BOX),
    ]
    assert list(found["slide"]) == ["a", "a", "a"]


def test_an_overlap_of_just_the_stated_iou_is_not_enough():
    # Half of each box: an IoU of exactly 1/3.
    half = (20.0, 10.0, 40.0, 30.0)
    members = [detection_rows(("a1.png", A, 0.9, box)) for box in (BOX, half)]
    assert len(fused(*members, iou=1 / 3).detections) == 2
    assert len(fused(*members, iou=0.33).detections) == 1


@st.composite
def box_lists(draw):
    side = st.integers(0, 12)
    box = st.tuples(side, side, st.integers(1, 8), st.integers(1, 8))
    score = st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.75, 1.0])
    found = draw(st.lists(st.tuples(st.integers(0, 3), box, score), max_size=40))
    boxes = [(x, y, x + w, y + h) for _, (x, y, w, h), _ in found]
    return [group for group, _, _ in found], boxes, [score for *_, score in found]


@given(box_lists(), st.integers(1, 6), st.sampled_from([0.3, 0.5, 0.55, 0.8]))
@settings(max_examples=200, deadline=None)
def test_many_groups_at_once_are_fused_as_each_is_by_the_plain_algorithm(lists, models, iou):
    groups, boxes, scores = lists
    found_groups, found_boxes, found_scores = fuse_boxes(
        np.array(groups, np.int64),
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        models=models,
        iou=iou,
    )
    assert set(found_groups) == set(groups)
    for group in set(groups):
        of_group = [k for k in range(len(groups)) if groups[k] == group]
        wanted = plainly_fused([boxes[k] for k in of_group], [scores[k] for k in of_group], models, iou)
        mine = found_groups == group
        found = sorted(
            (score, *box) for score, box in zip(found_scores[mine], found_boxes[mine], strict=True)
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_the_publications_own_package_says_the_same():
    """Numbers of ensemble-boxes 1.0.9, weighted_boxes_fusion(..., iou_thr=0.55), boxes divided by 100."""
    found = fused(*(detection_rows(*(("a1.png", A, *row) for row in member)) for member in PACKAGE_GIVEN))
    np.testing.assert_allclose(
        [[score, *box] for _, _, score, *box in rows(found.detections)], PACKAGE_FUSED, rtol=1e-5
    )


PACKAGE_GIVEN = (
    [
        (0.93, (10, 12, 42, 50)), (0.71, (55, 20, 80, 44)),
        (0.40, (12, 60, 30, 88)), (0.22, (57, 22, 83, 47)),
    ],
    [
        (0.88, (11, 10, 44, 49)), (0.65, (54, 23, 82, 45)),
        (0.35, (70, 70, 95, 96)), (0.30, (13, 58, 33, 85)),
    ],
    [
        (0.79, (9, 14, 40, 52)), (0.52, (14, 62, 31, 90)),
        (0.18, (60, 26, 86, 50)), (0.05, (68, 66, 93, 92)),
    ],
)  # fmt: skip
PACKAGE_FUSED = [
    [0.8666667, 10.03462, 11.93077, 42.06923, 50.26923],
    [0.5266666, 54.86709, 21.51266, 81.24051, 44.82911],
    [0.4066667, 13.09836, 60.36066, 31.16393, 88.11476],
    [0.1333333, 69.75001, 69.5, 94.75001, 95.5],
    [0.06, 60, 26, 86, 50],
]


# --- whatever the order ----------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_order_of_members_and_of_their_rows_is_of_no_importance(seed):
    generator = np.random.default_rng(seed)
    members = []
    for _ in range(3):
        count = int(generator.integers(0, 30))
        corner = generator.integers(0, 6, (count, 2)) * 5.0
        members.append(
            detection_rows(
                *(
                    (
                        list(IMAGES)[generator.integers(3)],
                        SPECIES[generator.integers(3)],
                        float(generator.choice([0.2, 0.5, 0.5, 0.9])),
                        (x, y, x + 20.0, y + 20.0),
                    )
                    for x, y in corner
                )
            )
        )
    first = fused(*members, floor=0.1, cap=7)
    shuffled = [member.sample(frac=1, random_state=int(generator.integers(100))) for member in members[::-1]]
    again = fused(*shuffled, floor=0.1, cap=7)
    pd.testing.assert_frame_equal(first.detections, again.detections, check_exact=True)
    assert first.capped == again.capped


def test_work_in_pieces_changes_nothing(monkeypatch):
    _, detections, images = slide_study(
        np.random.default_rng(3), n_images=20, n_truth=100, n_detections=600, species=SPECIES
    )
    members = [detections.sample(frac=0.8, random_state=seed) for seed in (1, 2)]
    whole = fused(*members, images=images)
    monkeypatch.setattr(ensembles, "_BOXES_AT_ONCE", 37)
    pd.testing.assert_frame_equal(
        whole.detections, fused(*members, images=images).detections, check_exact=True
    )


# --- floor, cap, nothing ---------------------------------------------------------------------------


def test_a_fused_box_below_the_floor_is_left_out():
    members = [detection_rows(("a1.png", A, 0.15, BOX)), detection_rows(("a1.png", A, 0.9, FAR))]
    assert [score for _, _, score, *_ in rows(fused(*members, floor=0.1).detections)] == [0.45]


def test_the_best_of_an_image_are_kept_and_a_hit_cap_is_told():
    many = [
        ("a2.png", SPECIES[k % 3], 0.9 - 0.01 * k, (30.0 * k, 0.0, 30.0 * k + 20, 20.0)) for k in range(9)
    ]
    found = fused(detection_rows(*many), detection_rows(("a1.png", A, 0.9, BOX)), cap=5)
    of_image = found.detections[found.detections["image"] == "a2.png"]
    assert list(of_image["score"]) == pytest.approx([(0.9 - 0.01 * k) / 2 for k in range(5)])
    assert found.capped == ["a2.png"]


def test_nothing_fused_is_an_empty_table_with_its_columns():
    found = fused(detection_rows(), detection_rows())
    assert len(found.detections) == 0
    assert list(found.detections.columns) == ["image", "slide", "species", "score", *BOX_COLUMNS]
    assert found.capped == []


def test_scores_of_zero_and_boxes_without_area_divide_by_nothing():
    flat = (10.0, 10.0, 30.0, 10.0)
    given = detection_rows(("a1.png", A, 0.0, BOX), ("a1.png", A, 0.0, MOVED), ("a1.png", A, 0.5, flat))
    found = fused(given, given).detections
    assert np.isfinite(found[["score", *BOX_COLUMNS]].to_numpy()).all()
    assert ("a1.png", A, 0.0, *BOX) in rows(found)


def test_an_image_that_is_not_of_the_part_is_a_fault():
    with pytest.raises(ValueError, match="c9"):
        fused(detection_rows(("c9.png", A, 0.5, BOX)), detection_rows())


# --- worth -----------------------------------------------------------------------------------------


def mean_ap(truths, detections, images) -> float:
    return validation_score(truths, detections, images=images, species=[A, B])[1]


@pytest.fixture(scope="module")
def study():
    generator = np.random.default_rng(5)
    images = {f"{'ab'[k % 2]}{k}.png": "ab"[k % 2] for k in range(20)}
    truths = truth_rows(
        *(
            (1 + 6 * number + k, image, [A, B][k % 2], (x := 60.0 * k, 10.0, x + 40, 50.0))
            for number, image in enumerate(images)
            for k in range(6)
        )
    )
    return truths, images, generator


def perfect(truths: pd.DataFrame, scores) -> pd.DataFrame:
    return truths.drop(columns=["id", "ignore"]).assign(score=scores)


def test_the_truth_fused_with_itself_is_the_truth(study):
    truths, images, _ = study
    exact = perfect(truths, 1.0)
    fusion = fused(exact, exact, exact, images=images).detections
    assert (fusion["score"] == 1).all()
    assert mean_ap(truths, fusion, images) == pytest.approx(1)
    found, wanted = (frame.sort_values(["image", "x_min"])[list(BOX_COLUMNS)] for frame in (fusion, truths))
    np.testing.assert_array_equal(found, wanted)


def test_what_one_detector_misses_the_other_finds(study):
    truths, images, _ = study
    generator = np.random.default_rng(1)
    members = []
    for turn in range(2):
        # Each misses another third, and is wrong at places of its own.
        kept = truths[np.arange(len(truths)) % 3 != turn]
        right = perfect(kept, generator.uniform(0.4, 0.9, len(kept)))
        wrong = perfect(kept, generator.uniform(0.3, 0.7, len(kept)))
        wrong[["y_min", "y_max"]] += 100.0 * (1 + turn)
        members.append(pd.concat([right, wrong]))
    alone = [mean_ap(truths, member, images) for member in members]
    assert mean_ap(truths, fused(*members, images=images).detections, images) > max(alone) + 0.1


def test_a_shuffled_member_lowers_the_result(study):
    truths, images, _ = study
    generator = np.random.default_rng(2)
    listed = pd.DataFrame(
        {"image": list(images), "slide": list(images.values()), "width": 400, "height": 200}
    )
    good = [perfect(truths, generator.uniform(0.1, 0.6, len(truths))) for _ in range(2)]
    noise = shuffled_control(truths, listed, generator)
    with_noise = fused(*good, noise, images=images).detections
    without = fused(*good, images=images).detections
    assert mean_ap(truths, without, images) > mean_ap(truths, with_noise, images) + 0.01
