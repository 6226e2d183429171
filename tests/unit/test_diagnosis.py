"""Confusion, reliability and suspects say what they promise; folds and thresholds are each fold's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagnosis_data import HEIGHT, WIDTH, make_run
from evaluation_data import SPECIES, detection_rows, hostile_study, slide_study, truth_rows
from podura.evaluation.confusion import BACKGROUND, MISSED, confusion, confusion_rows
from podura.evaluation.diagnosis import diagnose
from podura.evaluation.matching import match
from podura.evaluation.reliability import BINS, equal_mass_bins, reliability_rows
from podura.evaluation.runs import Thresholds, images_of, run_of, thresholds_of
from podura.evaluation.suspects import suspects_table
from podura.tables import BENCHMARK_RELIABILITY, DIAGNOSES

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "b1.png": "b"}
BOX = (100.0, 100.0, 200.0, 200.0)
FAR = (500.0, 500.0, 600.0, 600.0)


def test_the_surest_detection_of_any_species_takes_the_animal() -> None:
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", B, BOX))
    detections = detection_rows(
        ("a1.png", A, 0.6, BOX), ("a1.png", C, 0.9, BOX), ("b1.png", C, 0.7, FAR), ("b1.png", B, 0.2, BOX)
    )
    rows = pd.DataFrame(confusion_rows(make_run(truths, detections, IMAGES)))
    cells = {
        level: {(r.true_species, r.found_species): r.n for r in of_level.itertuples()}
        for level, of_level in rows.groupby("level")
    }
    accepted = {(A, C): 1, (BACKGROUND, A): 1, (BACKGROUND, C): 1, (B, MISSED): 1}
    assert cells["threshold"] == accepted
    floor = dict(accepted)
    del floor[(B, MISSED)]
    assert cells["floor"] == {**floor, (B, B): 1}


@pytest.mark.parametrize("seed", range(30))
def test_rows_and_columns_of_the_confusion_add_up(seed: int) -> None:
    run = make_run(*hostile_study(np.random.default_rng([31, seed])))
    counts = confusion(run, "floor")
    assert counts[:-1].sum(axis=1).tolist() == run.n_truth.tolist()
    # What takes an animal to be ignored is in no cell.
    assert (counts[:, :-1].sum(axis=0) <= np.bincount(run.found.species_number, minlength=3)).all()
    assert counts[-1, -1] == 0


def test_equal_scores_share_a_bin_and_bins_are_about_equal() -> None:
    scores = np.random.default_rng(1).random(1000)
    assert np.bincount(equal_mass_bins(scores, 10)).tolist() == [100] * 10
    tied = np.array([0.1] * 6 + [0.5] * 3 + [0.9])
    assert equal_mass_bins(tied, 5).tolist() == [0] * 6 + [3] * 3 + [4]
    assert equal_mass_bins(np.array([]), 5).tolist() == []


def calibrated_study(n: int, bend: float) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Detections that are right with a chance of score ** bend, on 20 slides."""
    generator = np.random.default_rng(8)
    images = {f"{'abcdefghijklmnopqrst'[i]}1.png": "abcdefghijklmnopqrst"[i] for i in range(20)}
    names = list(images)
    scores = generator.uniform(0.05, 1, n)
    right = generator.random(n) < scores**bend
    boxes = [(30.0 * (i // 20), 0.0, 30.0 * (i // 20) + 20, 20.0) for i in range(n)]
    truths = truth_rows(*((i + 1, names[i % 20], A, boxes[i]) for i in np.flatnonzero(right)))
    return truths, detection_rows(*((names[i % 20], A, scores[i], boxes[i]) for i in range(n))), images


def test_a_score_that_means_what_it_says_has_no_calibration_error() -> None:
    rows = BENCHMARK_RELIABILITY.frame(
        [{"model": "one", **row} for row in reliability_rows([make_run(*calibrated_study(6000, 1.0))], 0.95)]
    )
    together = rows[rows["species"].isna() & rows["seed"].isna()]
    assert len(together) == BINS
    assert together["n"].sum() == 6000
    assert together["calibration_error"].iloc[0] < 0.03
    assert (together["precision_low"] <= together["score_mean"]).sum() >= BINS - 1
    assert (together["precision_high"] >= together["score_mean"]).sum() >= BINS - 1
    assert set(rows["species"].dropna()) == {A}  # nothing to tell of the others


def test_the_calibration_error_is_the_weighed_difference() -> None:
    rows = pd.DataFrame(reliability_rows([make_run(*calibrated_study(6000, 3.0))], 0.95))
    one = rows[rows["species"].isna() & rows["seed"].isna()]
    by_hand = (one["n"] * (one["precision"] - one["score_mean"]).abs()).sum() / one["n"].sum()
    assert one["calibration_error"].to_numpy() == pytest.approx(by_hand)
    # The mean of s - s³ over scores from 0.05 to 1.
    assert by_hand == pytest.approx(0.262, abs=0.03)


def test_what_takes_an_animal_to_be_ignored_is_in_no_bin() -> None:
    truths = truth_rows((1, "a1.png", A, BOX, True), (2, "b1.png", A, BOX))
    detections = detection_rows(("a1.png", A, 0.9, BOX), ("b1.png", A, 0.8, BOX))
    rows = pd.DataFrame(reliability_rows([make_run(truths, detections, IMAGES)], 0.95))
    assert rows.loc[rows["species"].isna() & rows["seed"].notna(), "n"].sum() == 1


def suspects_of(*runs) -> pd.DataFrame:
    return suspects_table(runs)


def test_an_animal_without_a_label_is_listed_once_with_all_who_see_it() -> None:
    truths = truth_rows((1, "a1.png", A, BOX))
    beside = (510.0, 500.0, 610.0, 600.0)
    first = make_run(truths, detection_rows(("a1.png", A, 0.9, BOX), ("b1.png", A, 0.7, FAR)), IMAGES)
    second = make_run(
        truths, detection_rows(("a1.png", A, 0.9, BOX), ("b1.png", B, 0.8, beside)), IMAGES, seed=2
    )
    other = make_run(
        truths,
        detection_rows(("a1.png", A, 0.9, BOX), ("a1.png", C, 0.99, FAR), ("b1.png", A, 0.6, FAR)),
        IMAGES,
    )
    table = suspects_of(("one", first), ("one", second), ("two", other))
    assert table["kind"].tolist() == ["unlabelled"] * 2
    seen = table.iloc[0]
    assert (seen["image"], seen["species"], seen["model"], seen["seed"]) == ("b1.png", B, "one", 2)
    assert (seen["n_models"], seen["n_runs"], seen["of_runs"], seen["score"]) == (2, 3, 3, 0.8)
    assert seen["x_min"] == 510
    assert (table.iloc[1]["n_models"], table.iloc[1]["score"]) == (1, 0.99)


def test_poor_boxes_and_unsure_detections_are_no_suspects() -> None:
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", B, BOX, True))
    detections = detection_rows(
        ("a1.png", A, 0.9, BOX),
        ("a1.png", B, 0.9, (150.0, 100.0, 250.0, 200.0)),  # overlaps a truth by a third
        ("b1.png", A, 0.9, (150.0, 100.0, 250.0, 200.0)),  # one to be ignored
        ("a1.png", A, 0.49, FAR),  # below the threshold
    )
    assert suspects_of(("one", make_run(truths, detections, IMAGES))).empty


def test_a_label_that_no_run_finds_is_listed_with_what_they_say_instead() -> None:
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", A, BOX), (3, "b1.png", A, FAR))
    found_by_one = ("b1.png", A, 0.02, FAR)  # below the threshold, but found
    first = make_run(truths, detection_rows(("a1.png", B, 0.8, BOX)), IMAGES)
    second = make_run(truths, detection_rows(("a1.png", B, 0.9, BOX), found_by_one), IMAGES, seed=2)
    table = suspects_of(("one", first), ("one", second))
    assert table["truth"].tolist() == [1, 2]
    assert table["kind"].tolist() == ["not_found"] * 2
    said = table.iloc[0]
    assert (said["species"], said["found_species"], said["n_runs"], said["score"]) == (A, B, 2, 0.9)
    assert pd.isna(table.iloc[1]["found_species"])
    assert table.iloc[1]["n_runs"] == 0


def test_nothing_at_all_is_an_empty_table() -> None:
    assert suspects_table([]).empty
    empty = make_run(truth_rows(), detection_rows(), IMAGES)
    assert suspects_of(("one", empty)).empty
    tables = diagnose("one", [empty], confidence=0.95)
    assert tables["confusion"].empty
    assert tables["reliability"].empty
    assert (tables["errors"]["n"] == 0).all()


@pytest.mark.parametrize("seed", range(15))
def test_the_tables_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    truths, detections, images = hostile_study(np.random.default_rng([41, seed]))
    shuffled = (
        truths.sample(frac=1, random_state=seed),
        detections.sample(frac=1, random_state=seed),
        dict(reversed(images.items())),
    )
    one, other = make_run(truths, detections, images), make_run(*shuffled)
    first, second = (diagnose("one", [run], confidence=0.95) for run in (one, other))
    assert list(first) == list(DIAGNOSES)
    for name in DIAGNOSES:
        pd.testing.assert_frame_equal(first[name], second[name])
    pd.testing.assert_frame_equal(suspects_of(("one", one)), suspects_of(("one", other)))


def test_each_fold_uses_its_own_thresholds() -> None:
    folds = {1: {"a1.png": "a"}, 2: {"b1.png": "b"}}
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", A, BOX))
    detections = detection_rows(("a1.png", A, 0.6, BOX), ("b1.png", A, 0.6, BOX))
    matches = [
        match(
            truths[truths["image"].isin(images)],
            detections[detections["image"].isin(images)],
            images=images,
            species=SPECIES,
        )
        for images in folds.values()
    ]
    coco = {
        fold: {
            "images": [
                {"file_name": name, "slide": slide, "width": WIDTH, "height": HEIGHT}
                for name, slide in images.items()
            ]
        }
        for fold, images in folds.items()
    }
    scores = [
        {
            "folds": [
                {"fold": 1, "threshold": 0.5, "threshold_empirical": 0.1},
                {"fold": 2, "threshold": None, "threshold_empirical": 0.7},
            ]
        },
        {"folds": [{"fold": n, "threshold": None, "threshold_empirical": None} for n in (1, 2)]},
        {"folds": [{"fold": n, "threshold": 0.2, "threshold_empirical": None} for n in (1, 2)]},
    ]
    thresholds = thresholds_of(scores)
    assert thresholds.kinds == ("mixed", "none", "certified")
    run = run_of(
        seed=1,
        matches=matches,
        images=images_of(coco),
        species=SPECIES,
        thresholds=thresholds,
        iou_percent=50,
    )
    assert dict(zip(run.found.image, run.accepted, strict=True)) == {"a1.png": True, "b1.png": False}


def test_a_run_without_any_threshold_accepts_nothing() -> None:
    truths, detections, images = slide_study(
        np.random.default_rng(9), n_images=2, n_truth=20, n_detections=30
    )
    run = make_run(truths, detections, images, threshold=np.inf)
    assert not run.accepted.any()
    assert confusion(run, "threshold")[:-1, -1].tolist() == run.n_truth.tolist()
    assert Thresholds({0: np.full(3, np.inf)}, ("none",) * 3).value[0].tolist() == [np.inf] * 3
