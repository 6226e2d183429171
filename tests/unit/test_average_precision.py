"""Average precision is COCO's, and every known trap of evaluation is passed."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.cocoeval import Params

from evaluation_data import (
    SPECIES,
    coco_average_precision,
    coco_evaluated,
    coco_loaded,
    detection_rows,
    hostile_study,
    in_canonical_order,
    slide_study,
    truth_rows,
)
from podura.errors import UserError
from podura.evaluation.average_precision import (
    PrecisionRecall,
    average_precision,
    average_precision_all_point,
    average_precision_coco,
    mean_average_precision,
    precision_recall,
)
from podura.evaluation.matching import match
from podura.evaluation.ranking import ranking
from podura.evaluation.validation import validation_score
from podura.tables import BOX_COLUMNS, IOU_PERCENTS

A, B, C = SPECIES
UNIT = (0.0, 0.0, 10.0, 10.0)


def ours(truths, detections, images, species=SPECIES) -> np.ndarray:
    """Average precision (10 IoUs, species)."""
    matches = match(truths, detections, images=images, species=species)
    each = [ranking(matches, code) for code in species]
    return np.array(
        [[average_precision_coco(precision_recall(r, percent)) for r in each] for percent in IOU_PERCENTS]
    )


def theirs(truths, detections, images, species=SPECIES, **options) -> np.ndarray:
    evaluation = coco_loaded(truths, detections, images, species, **options)
    return coco_average_precision(coco_evaluated(evaluation))


def curve(right: list[int], n_truth: int) -> PrecisionRecall:
    is_right = np.array(right, dtype=int)
    return PrecisionRecall(
        scores=np.linspace(1, 0.5, len(right)),
        right=np.cumsum(is_right),
        wrong=np.cumsum(1 - is_right),
        n_truth=n_truth,
    )


def perfect_study(n: int, images: int = 1):
    """n animals of one species, all found with their own boxes."""
    names = {f"a{i}.png": "a" for i in range(images)}
    boxes = [(20.0 * i, 0.0, 20.0 * i + 10, 10.0) for i in range(n)]
    truths = truth_rows(*((i + 1, f"a{i % images}.png", A, box) for i, box in enumerate(boxes)))
    found = detection_rows(*((f"a{i % images}.png", A, 1.0, box) for i, box in enumerate(boxes)))
    return truths, found, names


# --- against pycocotools -------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(4))
def test_equal_to_pycocotools_on_hostile_studies(block: int) -> None:
    for seed in range(100):
        truths, detections, images = hostile_study(np.random.default_rng([17, block, seed]))
        expected = theirs(truths.sort_values("id"), in_canonical_order(detections), images)
        np.testing.assert_allclose(ours(truths, detections, images), expected, rtol=0, atol=1e-10)


def test_equal_to_pycocotools_with_hundreds_of_animals_in_an_image() -> None:
    truths, detections, images = slide_study(
        np.random.default_rng(5), n_images=5, n_truth=1200, n_detections=1700
    )
    expected = theirs(truths, in_canonical_order(detections), images)
    assert 0.1 < np.mean(expected) < 0.9
    np.testing.assert_allclose(ours(truths, detections, images), expected, rtol=0, atol=1e-10)


@given(
    right=st.lists(st.integers(0, 1), max_size=60),
    missed=st.integers(0, 20),
)
@settings(max_examples=200, deadline=None)
def test_both_definitions_by_the_book(right: list[int], missed: int) -> None:
    n_truth = sum(right) + missed
    if not n_truth:
        return
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    recall = np.cumsum(right) / n_truth
    by_recall = [max(precision[recall >= r], default=0.0) for r in np.linspace(0, 1, 101)]
    assert average_precision_coco(curve(right, n_truth)) == pytest.approx(np.mean(by_recall), abs=1e-12)
    area = sum(max(precision[i:]) / n_truth for i in range(len(right)) if right[i])
    assert average_precision_all_point(curve(right, n_truth)) == pytest.approx(area, abs=1e-12)


@given(right=st.lists(st.integers(0, 1), min_size=1, max_size=60), missed=st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_an_error_never_helps_and_a_last_error_never_harms(right: list[int], missed: int) -> None:
    n_truth = sum(right) + missed
    for definition in (average_precision_coco, average_precision_all_point):
        plain = definition(curve(right, n_truth))
        assert 0 <= plain <= 1
        assert definition(curve([0, *right], n_truth)) <= plain + 1e-12
        assert definition(curve([*right, 0], n_truth)) == pytest.approx(plain, abs=1e-12)
        assert definition(curve([*right, 1], n_truth)) >= plain - 1e-12


# --- missing is not zero -------------------------------------------------------------------------


def test_without_truth_missing_and_without_detections_zero() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT), (2, "a1.png", C, UNIT, True))
    detections = detection_rows(("a1.png", B, 0.9, UNIT), ("a1.png", C, 0.9, UNIT))
    matches = match(truths, detections, images={"a1.png": "a"}, species=SPECIES)
    found_none = average_precision(ranking(matches, A))
    assert (found_none.ap50, found_none.ap50_95, found_none.ap50_voc) == (0, 0, 0)
    for code in (B, C):  # C has only a truth that is to be ignored
        missing = average_precision(ranking(matches, code))
        assert all(map(math.isnan, (missing.ap50, missing.ap50_95, missing.ap50_voc)))
    assert mean_average_precision(matches, SPECIES) == (0, 0)


def test_the_mean_is_over_species_with_truth_and_missing_if_there_is_none() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT), (2, "a1.png", B, UNIT))
    detections = detection_rows(("a1.png", A, 0.9, UNIT), ("a1.png", C, 0.9, UNIT))
    arguments = {"images": {"a1.png": "a"}, "species": SPECIES}
    assert validation_score(truths, detections, **arguments) == pytest.approx((0.5, 0.5))
    assert all(map(math.isnan, validation_score(truth_rows(), detections, **arguments)))


def test_validation_score_is_the_mean_of_pycocotools() -> None:
    truths, detections, images = slide_study(
        np.random.default_rng(9), n_images=8, n_truth=90, n_detections=150
    )
    expected = theirs(truths, in_canonical_order(detections), images)
    score = validation_score(truths, detections, images=images, species=SPECIES)
    assert score == pytest.approx((expected[0].mean(), expected.mean()), abs=1e-10)


# --- the controls --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 99, 150])
def test_a_perfect_detector_has_1(n: int) -> None:
    # Frameworks' own figures give 0.995 here.
    score = average_precision(ranking(match(*perfect_study(n)[:2], images={"a0.png": "a"}, species=[A]), A))
    assert (score.ap50, score.ap50_95, score.ap50_voc) == pytest.approx((1, 1, 1), abs=1e-12)


# --- traps of pycocotools, each first shown in pycocotools itself ---------------------------------


def test_trap_ids_from_0() -> None:
    truths, detections, images = perfect_study(4, images=2)
    from_0 = truths.assign(id=truths["id"] - 1)
    assert theirs(truths, detections, images, [A]) == pytest.approx(1.0)
    # The match with truth 0 reads as "no match": a perfect detector does not get 1.
    assert theirs(from_0, detections, images, [A])[0, 0] < 0.8
    with pytest.raises(UserError, match="from 1"):
        ours(from_0, detections, images, [A])


def test_trap_ids_given_twice() -> None:
    truths, detections, images = perfect_study(4, images=2)
    with pytest.raises(UserError, match="its own id"):
        ours(truths.assign(id=1), detections, images, [A])


def test_trap_more_than_100_animals_in_an_image() -> None:
    truths, detections, images = perfect_study(300)
    # The default cap cuts recall at a third: 34 of the 101 recall points.
    assert theirs(truths, detections, images, [A], max_detections=100)[0, 0] == pytest.approx(34 / 101)
    assert ours(truths, detections, images, [A]) == pytest.approx(1.0)


def test_trap_a_cap_other_than_100() -> None:
    truths, detections, images = perfect_study(300)
    evaluation = coco_loaded(truths, detections, images, [A])
    usual = Params("bbox")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = usual.areaRng, usual.areaRngLbl
    evaluation.params.maxDets = [1, 10, 300]
    coco_evaluated(evaluation)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.summarize()
    # AP at IoU 0.5 is 1, but the primary figure looks for a cap of 100 and finds none.
    assert evaluation.stats[1] == pytest.approx(1.0)
    assert evaluation.stats[0] == -1
    assert ours(truths, detections, images, [A]).mean() == pytest.approx(1.0)


def test_trap_detections_of_an_unknown_species_vanish() -> None:
    truths, detections, images = perfect_study(4)
    unknown = detection_rows(*(("a0.png", "MARS", 1.0, UNIT) for _ in range(50)))
    both = pd.concat([detections, unknown], ignore_index=True)
    assert theirs(truths, both, images, [A]) == pytest.approx(1.0)
    with pytest.raises(UserError, match="MARS"):
        ours(truths, both, images, [A])


def test_trap_equal_scores_make_the_order_of_the_list_count() -> None:
    images = {"a1.png": "a", "a2.png": "a"}
    truths = truth_rows((1, "a2.png", A, UNIT))
    right, wrong = ("a2.png", A, 0.5, UNIT), ("a2.png", A, 0.5, (50, 50, 60, 60))
    first, last = detection_rows(right, wrong), detection_rows(wrong, right)
    assert theirs(truths, first, images, [A])[0, 0] == pytest.approx(1.0)
    assert theirs(truths, last, images, [A])[0, 0] == pytest.approx(0.5)
    assert ours(truths, first, images, [A])[0, 0] == ours(truths, last, images, [A])[0, 0]


def test_trap_scores_that_are_no_number_pass() -> None:
    truths, detections, images = perfect_study(3)
    detections["score"] = np.nan
    assert theirs(truths, detections, images, [A]) == pytest.approx(1.0)
    with pytest.raises(UserError, match="'score'"):
        ours(truths, detections, images, [A])


def test_trap_no_detections_at_all() -> None:
    truths, detections, images = perfect_study(3)
    assert (ours(truths, detections.iloc[:0], images, [A]) == 0).all()


def test_trap_area_bins_mean_nothing_on_slides() -> None:
    # COCO calls every body of more than 96 x 96 pixels large; here size changes no figure.
    truths, detections, images = slide_study(
        np.random.default_rng(4), n_images=3, n_truth=60, n_detections=80
    )
    small = [frame.assign(**{c: frame[c] / 64 for c in BOX_COLUMNS}) for frame in (truths, detections)]
    np.testing.assert_array_equal(ours(truths, detections, images), ours(*small, images))


# --- curves --------------------------------------------------------------------------------------


def test_points_of_a_curve() -> None:
    truths = truth_rows(
        (1, "a1.png", A, UNIT), (2, "a1.png", A, (50, 0, 60, 10)), (3, "a1.png", A, (90, 0, 99, 9), True)
    )
    detections = detection_rows(
        ("a1.png", A, 0.9, UNIT),
        ("a1.png", A, 0.8, UNIT),  # a second detection of one animal is an error
        ("a1.png", A, 0.7, (90, 0, 99, 9)),  # takes a truth that is to be ignored: no point
        ("a1.png", A, 0.6, (50, 0, 60, 10)),
    )
    points = precision_recall(ranking(match(truths, detections, images={"a1.png": "a"}, species=[A]), A), 50)
    assert points.scores.tolist() == [0.9, 0.8, 0.6]
    assert points.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert points.recall.tolist() == pytest.approx([0.5, 0.5, 1])
    assert points.n_truth == 2


def test_an_iou_that_was_not_matched_is_refused() -> None:
    matches = match(*perfect_study(2)[:2], images={"a0.png": "a"}, species=[A])
    with pytest.raises(ValueError, match="52"):
        precision_recall(ranking(matches, A), 52)
