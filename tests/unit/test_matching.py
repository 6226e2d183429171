"""Matching is COCO's, its input is checked, and the order of rows does not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_data import (
    SPECIES,
    coco_evaluated,
    coco_loaded,
    detection_rows,
    hostile_study,
    in_canonical_order,
    slide_study,
    truth_rows,
)
from podura.errors import UserError
from podura.evaluation.matching import match, overlaps
from podura.tables import IOU_PERCENTS, MATCHES

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "a2.png": "a", "b1.png": "b"}
UNIT = (0.0, 0.0, 10.0, 10.0)


def detections_of(matches: pd.DataFrame) -> pd.DataFrame:
    return matches[matches["kind"] == "detection"].reset_index(drop=True)


def truths_of(matches: pd.DataFrame) -> pd.DataFrame:
    return matches[matches["kind"] == "truth"].reset_index(drop=True)


def run(truths: pd.DataFrame, detections: pd.DataFrame, images=IMAGES) -> pd.DataFrame:
    return match(truths, detections, images=images, species=SPECIES)


def assert_matches_as_pycocotools(truths, detections, images) -> None:
    listed = in_canonical_order(detections)
    evaluation = coco_evaluated(coco_loaded(truths.sort_values("id"), listed, images, SPECIES))
    took = np.zeros((len(IOU_PERCENTS), len(listed)))
    ignored = np.zeros_like(took, dtype=bool)
    found = {}
    for image in filter(None, evaluation.evalImgs):
        place = np.array(image["dtIds"], dtype=int) - 1
        took[:, place] = image["dtMatches"]
        ignored[:, place] = image["dtIgnore"]
        found.update(zip(image["gtIds"], np.asarray(image["gtMatches"]).T > 0, strict=True))
    result = run(truths, detections, images)
    # Ours stand by species; each species in the same order as in the list.
    by_species = np.argsort([SPECIES.index(code) for code in listed["species"]], kind="stable")
    ours, true = detections_of(result), truths_of(result)
    for row, percent in enumerate(IOU_PERCENTS):
        assert ours[f"match_{percent}"].tolist() == took[row, by_species].astype(int).tolist()
        assert ours[f"ignored_{percent}"].tolist() == ignored[row, by_species].tolist()
        assert true[f"match_{percent}"].tolist() == [int(found[i][row]) for i in true["truth"]]


@pytest.mark.parametrize("block", range(4))
def test_every_match_is_that_of_pycocotools(block: int) -> None:
    for seed in range(100):
        study = hostile_study(np.random.default_rng([block, seed]))
        assert_matches_as_pycocotools(*study)


def test_matches_of_a_dense_study_are_those_of_pycocotools() -> None:
    study = slide_study(np.random.default_rng(3), n_images=6, n_truth=600, n_detections=900)
    assert_matches_as_pycocotools(*study)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_and_of_images_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truths, detections, images = hostile_study(generator)
    shuffled = run(
        truths.sample(frac=1, random_state=seed % 2**31),
        detections.sample(frac=1, random_state=seed % 2**31),
        dict(reversed(images.items())),
    )
    pd.testing.assert_frame_equal(run(truths, detections, images), shuffled)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_truth_that_counts_is_taken_at_most_once_and_only_where_they_overlap(seed: int) -> None:
    result = run(*hostile_study(np.random.default_rng(seed)))
    ours, true = detections_of(result), truths_of(result).set_index("truth")
    for percent in IOU_PERCENTS:
        taken = ours[ours[f"match_{percent}"] > 0]
        counted = taken[~taken[f"ignored_{percent}"]]
        assert not counted[f"match_{percent}"].duplicated().any()
        partner = true.loc[taken[f"match_{percent}"]]
        assert taken["species"].tolist() == partner["species"].tolist()
        assert taken["image"].tolist() == partner["image"].tolist()
        assert set(taken[f"match_{percent}"]) == set(true.index[true[f"match_{percent}"] > 0])


def test_table_has_the_declared_columns_and_holds_every_row() -> None:
    truths, detections, images = hostile_study(np.random.default_rng(1))
    result = run(truths, detections, images)
    assert list(result.columns) == MATCHES.names
    assert len(truths_of(result)) == len(truths)
    assert len(detections_of(result)) == len(detections)
    assert truths_of(result)["truth"].tolist() == sorted(truths["id"])


def test_nothing_at_all_gives_an_empty_table() -> None:
    empty = run(truth_rows(), detection_rows())
    assert list(empty.columns) == MATCHES.names
    assert empty.empty


def test_images_may_be_a_frame() -> None:
    frame = pd.DataFrame({"image": list(IMAGES), "slide": list(IMAGES.values())})
    truths = truth_rows((1, "a1.png", A, UNIT))
    detections = detection_rows(("a1.png", A, 0.5, UNIT))
    pd.testing.assert_frame_equal(run(truths, detections, frame), run(truths, detections))


def test_the_better_score_takes_the_truth_even_if_the_other_fits_better() -> None:
    truths = truth_rows((7, "a1.png", A, UNIT))
    result = detections_of(
        run(truths, detection_rows(("a1.png", A, 0.6, UNIT), ("a1.png", A, 0.9, (0, 0, 10, 8))))
    )
    assert result["score"].tolist() == [0.9, 0.6]
    assert result["match_50"].tolist() == [7, 0]
    # An overlap of exactly 0.8 is enough at 0.80 and not at 0.85.
    assert result["match_80"].tolist() == [7, 0]
    assert result["match_85"].tolist() == [0, 7]


def test_a_chain_of_refusals_ends_as_one_after_the_other_would() -> None:
    # Each detection prefers the truth that the one before it takes.
    n = 30
    truths = truth_rows(*((i + 1, "a1.png", A, (10 * i, 0, 10 * i + 100, 10)) for i in range(n)))
    detections = detection_rows(
        *(("a1.png", A, 1 - i / 100, (10 * max(i - 1, 0), 0, 10 * max(i - 1, 0) + 100, 10)) for i in range(n))
    )
    assert_matches_as_pycocotools(truths, detections, IMAGES)
    assert (detections_of(run(truths, detections))["match_50"] > 0).sum() == n


def test_a_truth_to_be_ignored_takes_any_number_and_only_what_no_other_wants() -> None:
    truths = truth_rows((1, "a1.png", A, (0, 0, 100, 100), True), (2, "a1.png", A, UNIT))
    result = detections_of(
        run(
            truths,
            detection_rows(
                ("a1.png", A, 0.9, UNIT),
                ("a1.png", A, 0.8, UNIT),
                ("a1.png", A, 0.7, (50, 50, 60, 60)),
                ("a1.png", A, 0.6, (200, 200, 210, 210)),
            ),
        )
    )
    assert result["match_50"].tolist() == [2, 1, 1, 0]
    assert result["ignored_50"].tolist() == [False, True, True, False]


def test_overlap_of_a_truth_to_be_ignored_is_of_the_detection_alone() -> None:
    detections = np.array([[0.0, 0, 10, 10], [10, 0, 20, 10], [5, 5, 5, 5]])
    truths = np.array([[0.0, 0, 10, 20], [0, 0, 10, 20]])
    result = overlaps(detections, truths, np.array([False, True]))
    # Half the union, but all of the detection; touching or having no area is no overlap.
    np.testing.assert_array_equal(result, [[0.5, 1.0], [0, 0], [0, 0]])


def test_another_species_animal_and_another_image_are_never_taken() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT))
    detections = detection_rows(("a1.png", B, 0.9, UNIT), ("a2.png", A, 0.9, UNIT))
    assert (detections_of(run(truths, detections))["match_50"] == 0).all()


def test_equal_scores_go_by_image_and_box() -> None:
    detections = detection_rows(
        ("b1.png", A, 0.5, UNIT), ("a1.png", A, 0.5, (1, 0, 11, 10)), ("a1.png", A, 0.5, UNIT)
    )
    result = detections_of(run(truth_rows(), detections))
    assert list(zip(result["image"], result["x_min"], strict=True)) == [
        ("a1.png", 0.0),
        ("a1.png", 1.0),
        ("b1.png", 0.0),
    ]


def test_the_slide_of_every_row_is_kept() -> None:
    truths = truth_rows((1, "b1.png", A, UNIT))
    result = run(truths, detection_rows(("a2.png", A, 0.5, UNIT)))
    assert result["slide"].tolist() == ["a", "b"]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("a1.png", "MARS", 0.5, UNIT), ["row 2", "'species'", "'MARS'", "CER-DEN, ISO-MIN, LEP-CYA"]),
        (("z9.png", A, 0.5, UNIT), ["row 2", "'image'", "'z9.png'"]),
        (("a1.png", A, NAN, UNIT), ["row 2", "'score'", "'nan'", "0 to 1"]),
        (("a1.png", A, INFINITE, UNIT), ["row 2", "'score'", "'inf'"]),
        (("a1.png", A, 1.5, UNIT), ["row 2", "'score'", "'1.5'"]),
        (("a1.png", A, -0.1, UNIT), ["row 2", "'score'", "'-0.1'"]),
        (("a1.png", A, 0.5, (0, NAN, 10, 10)), ["row 2", "'y_min'", "'nan'"]),
        (("a1.png", A, 0.5, (0, 0, INFINITE, 10)), ["row 2", "'x_max'", "'inf'"]),
        (("a1.png", A, 0.5, (10, 0, 9, 10)), ["row 2", "'x_max'", "x_min"]),
        (("a1.png", A, 0.5, (0, 10, 10, 9)), ["row 2", "'y_max'", "y_min"]),
        ((pd.NA, A, 0.5, UNIT), ["row 2", "'image'"]),
    ],
)
def test_a_detection_that_cannot_be_right_is_an_error_that_names_it(row, told) -> None:
    good = ("a1.png", A, 0.5, UNIT)
    detections = detection_rows(good, ("a1.png", *row[1:]))
    detections.loc[1, "image"] = row[0]
    with pytest.raises(UserError) as error:
        run(truth_rows(), detections)
    for words in ["detections", *told]:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(0, "a1.png", A, UNIT)], ["row 1", "'id'", "'0'", "from 1"]),
        ([(-3, "a1.png", A, UNIT)], ["row 1", "'id'", "'-3'"]),
        ([(4, "a1.png", A, UNIT), (4, "a2.png", B, UNIT)], ["row 2", "'id'", "'4'", "its own id"]),
        ([(1, "a1.png", "MARS", UNIT)], ["'species'", "'MARS'"]),
        ([(1, "a1.png", A, (5, 0, 1, 1))], ["'x_max'"]),
    ],
)
def test_a_truth_that_cannot_be_right_is_an_error_that_names_it(rows, told) -> None:
    with pytest.raises(UserError) as error:
        run(truth_rows(*rows), detection_rows())
    for words in ["truth", *told]:
        assert words in str(error.value)


def test_a_slide_that_contradicts_the_list_of_images_is_an_error() -> None:
    with pytest.raises(UserError, match="'slide'"):
        run(truth_rows(), detection_rows(("a1.png", A, 0.5, UNIT)), {"a1.png": "elsewhere"})


def test_an_image_listed_twice_is_an_error() -> None:
    frame = pd.DataFrame({"image": ["a1.png", "a1.png"], "slide": ["a", "b"]})
    with pytest.raises(UserError, match=r"'a1\.png' is listed twice"):
        run(truth_rows(), detection_rows(), frame)


def test_many_faults_are_told_at_once_without_a_flood() -> None:
    detections = detection_rows(*(("a1.png", "MARS", 2.0, UNIT) for _ in range(40)))
    with pytest.raises(UserError) as error:
        run(truth_rows(), detections)
    told = str(error.value).splitlines()
    assert len(told) == 12
    assert sum("35 more like these" in line for line in told) == 2
