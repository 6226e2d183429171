"""AP and recall by size and at the edge are those of COCO's evaluation by area."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagnosis_data import make_run
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
from podura.evaluation.subsets import by_edge, by_size, subset_scores
from podura.tables import BENCHMARK_BY_EDGE, BENCHMARK_BY_SIZE

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "b1.png": "b"}


def areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def assert_as_pycocotools(study, limits: tuple[float, float]) -> None:
    truths, detections, images = study
    evaluation = coco_loaded(truths.sort_values("id"), in_canonical_order(detections), images, SPECIES)
    low, high = limits
    evaluation.params.areaRng = [[-1, low], [np.nextafter(low, 1e9), high], [np.nextafter(high, 1e9), 1e10]]
    evaluation.params.areaRngLbl = ["small", "medium", "large"]
    coco_evaluated(evaluation)
    run = make_run(truths, detections, images)
    found, true = (
        (areas(boxes)[:, None] > np.array(limits)).sum(axis=1) for boxes in (run.found.boxes, run.true.boxes)
    )
    rows = subset_scores(run, found, true, ("small", "medium", "large"))
    for place, row in enumerate(rows):
        species, size = divmod(place, 3)
        precision = evaluation.eval["precision"][0, :, species, size, 0]
        recall = evaluation.eval["recall"][0, species, size, 0]
        if row["n_truth"] == 0:
            assert np.all(precision == -1)
            assert np.isnan(row["ap50"])
            assert np.isnan(row["recall"])
        else:
            assert row["ap50"] == pytest.approx(precision.mean(), abs=1e-10)
            assert row["recall"] == pytest.approx(recall, abs=1e-12)


@pytest.mark.parametrize("block", range(4))
def test_every_range_is_that_of_pycocotools(block: int) -> None:
    for seed in range(40):
        generator = np.random.default_rng([11, block, seed])
        # Areas on the coarse grid tie with these limits.
        limits = tuple(sorted(generator.choice([4.0, 6.0, 9.0, 12.0, 20.0, 30.0], 2, replace=False)))
        assert_as_pycocotools(hostile_study(generator), limits)


def test_ranges_of_a_dense_study_are_those_of_pycocotools() -> None:
    study = slide_study(np.random.default_rng(5), n_images=5, n_truth=400, n_detections=900)
    assert_as_pycocotools(study, (30_000.0, 60_000.0))


def test_thirds_hold_a_third_each_and_every_specimen_once() -> None:
    study = slide_study(np.random.default_rng(6), n_images=8, n_truth=600, n_detections=700)
    run = make_run(*study)
    table = BENCHMARK_BY_SIZE.frame([{"model": "one", **row} for row in by_size(run)])
    for number, code in enumerate(SPECIES):
        rows = table[table["species"] == code]
        assert rows["range"].tolist() == ["small", "medium", "large"]
        assert rows["n_truth"].sum() == run.n_truth[number]
        assert rows["n_truth"].max() - rows["n_truth"].min() <= 1
        assert rows["size_low"].iloc[1:].tolist() == rows["size_high"].iloc[:2].tolist()
    assert (table["threshold_recall"] <= table["recall"]).all()
    assert set(table["unit"]) == {"px"}


def test_sizes_are_in_micrometres_where_every_image_has_a_scale() -> None:
    truths = truth_rows(
        (1, "a1.png", A, (0, 0, 30, 30)),
        (2, "a1.png", A, (100, 0, 120, 20)),
        (3, "b1.png", A, (0, 0, 10, 10)),
    )
    none = detection_rows()
    scales = {"a1.png": 1.0, "b1.png": 5.0}
    micrometres = by_size(make_run(truths, none, IMAGES, um_per_pixel=scales))
    assert micrometres[0]["unit"] == "µm"
    # 30, 20 and 10 pixels are 30, 20 and 50 µm.
    assert micrometres[0]["size_high"] == pytest.approx(20 + 10 * 2 / 3)
    pixels = by_size(make_run(truths, none, IMAGES, um_per_pixel={"a1.png": 1.0}))
    assert pixels[0]["unit"] == "px"
    assert pixels[0]["size_high"] == pytest.approx(10 + 10 * 2 / 3)
    assert [row["n_truth"] for row in pixels[:3]] == [1, 1, 1]
    assert [row["recall"] for row in pixels[:3]] == [0, 0, 0]


def test_a_species_without_truth_has_missing_values() -> None:
    truths = truth_rows((1, "a1.png", A, (0, 0, 30, 30)))
    run = make_run(truths, detection_rows(("a1.png", B, 0.9, (0, 0, 30, 30))), IMAGES)
    for row in [*by_size(run)[3:6], *by_edge(run)[3:6]]:
        assert row["species"] == B
        assert row["n_truth"] == 0
        assert np.isnan(row["ap50"])


def test_distance_to_the_edge_is_measured_in_body_lengths() -> None:
    # The images are 1000 × 800; every box is 50 long.
    touching = (1, "a1.png", A, (950, 300, 1000, 330))
    near = (2, "a1.png", A, (400, 702, 430, 752))
    inside = (3, "a1.png", A, (400, 300, 450, 340))
    truths = truth_rows(touching, near, inside)
    detections = detection_rows(
        ("a1.png", A, 0.9, inside[3]), ("a1.png", A, 0.4, near[3]), ("a1.png", A, 0.8, (600, 1, 650, 40))
    )
    table = pd.DataFrame(by_edge(make_run(truths, detections, IMAGES)))
    BENCHMARK_BY_EDGE.frame(table.assign(model="one"))
    of_a = table[table["species"] == A].set_index("range")
    assert of_a["n_truth"].to_dict() == {"touching": 1, "near": 1, "inside": 1}
    assert of_a["recall"].to_dict() == {"touching": 0, "near": 1, "inside": 1}
    assert of_a["threshold_recall"].to_dict() == {"touching": 0, "near": 0, "inside": 1}
    # The detection at the upper edge is wrong among those that touch it, and counts nowhere else.
    assert of_a["ap50"]["inside"] == pytest.approx(1)
    assert of_a["ap50"]["near"] == pytest.approx(1)
