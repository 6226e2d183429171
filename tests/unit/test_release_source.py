"""What is released of a finished study, with folds, seeds and ensembles: detections, thresholds, figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from podura.annotations.dataset import truth_frame
from podura.detectors.ensembles import fuse
from podura.evaluation.judging import FoldMatches
from podura.evaluation.matching import match
from podura.evaluation.scoring import ScoreSettings, score_species
from podura.release.contents import Terms
from podura.release.study import FUSION_IOU, Candidate, Results, Source
from podura.tables import DETECTIONS, MATCHES, PART_IMAGES, part_folder, run_folder, write_json
from release_data import CODES

PARTS = ("validation", "calibration", "test")
SETTINGS = ScoreSettings(50, 0.9, resamples=20, confidence=0.95, random_seed=1, pooled=True)
TERMS = Terms(0.01, 50, 0.5)
# How much the boxes of a run miss by: the second fold and the second seed are the best.
ERROR = {(1, 1): 4.0, (1, 2): 3.0, (2, 1): 2.0, (2, 2): 0.5}


def coco(rng: np.random.Generator, part: str) -> dict[str, Any]:
    images = [
        {"id": n + 1, "file_name": f"{part}-{n}.png", "slide": f"{part}-{n}", "width": 200, "height": 200}
        for n in range(6)
    ]
    annotations: list[dict[str, Any]] = []
    for image in images:
        for place in range(4):
            corner = [40.0 * place, float(rng.integers(0, 150))]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": int(rng.integers(1, 3)),
                    "bbox": [*corner, 20.0, 20.0],
                    "iscrowd": 0,
                    "ignore": 0,
                }
            )
    categories = [{"id": n + 1, "name": code} for n, code in enumerate(CODES)]
    return {"images": images, "categories": categories, "annotations": annotations}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A study of two folds, two seeds of a model, and an ensemble of them."""
    folder, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(1)
    for fold in (1, 2):
        for part in PARTS:
            truth = coco(rng, f"{part}-{fold}")
            place = folder / "dataset/parts" / part_folder(part, fold)
            write_json(truth, place / "truth.json")
            PART_IMAGES.write_csv(
                [
                    {"image": one["file_name"], "path": one["file_name"], "slide": one["slide"]}
                    | {"width": 200, "height": 200}
                    for one in truth["images"]
                ],
                place / "images.csv",
            )
            slides = {one["file_name"]: one["slide"] for one in truth["images"]}
            frames = []
            for seed in (1, 2):
                found = truth_frame(truth)
                boxes = ["x_min", "y_min", "x_max", "y_max"]
                found[boxes] += rng.normal(0, ERROR[fold, seed], (len(found), 4))
                found["score"] = rng.uniform(0.3, 1, len(found))
                frames.append(DETECTIONS.frame(found[["image", "slide", "species", "score", *boxes]]))
                frames[-1].to_parquet(made(folder / f"detections/m/{run_folder(seed, fold)}/{part}.parquet"))
            fused = fuse(frames, slides, CODES, iou=0.7, **TERMS.detection()).detections
            for model, seed, detections in (("m", 1, frames[0]), ("m", 2, frames[1]), ("e", 0, fused)):
                matches = match(truth_frame(truth), detections, images=slides, species=CODES)
                MATCHES.write_parquet(
                    matches, folder / f"matches/{model}/{run_folder(seed, fold)}/{part}.parquet"
                )
    runs = tuple((fold, seed) for fold in (1, 2) for seed in (1, 2))
    alone = {1: (("m", 1),), 2: (("m", 2),)}
    return Results(
        folder=folder,
        candidates={
            "m": Candidate("M", "MIT", runs, alone, None),
            "e": Candidate("E", "MIT", ((1, 0), (2, 0)), {0: (("m", 1), ("m", 2))}, 0.7),
        },
        species=[{"code": code} for code in CODES],
        settings=SETTINGS,
        terms=TERMS,
    )


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_fold_of_the_best_run_on_validation_is_released(results: Results) -> None:
    chosen = results.choose("m", "best")
    assert (chosen.fold, chosen.seeds) == (2, (2,))
    source = Source(results, chosen)
    assert source.members == [("m", 2)]
    assert source.fusion_iou is None
    found = DETECTIONS.read_parquet(results.folder / "detections/m/fold-2/seed-2/test.parquet")
    pd.testing.assert_frame_equal(source.detections("test"), found)


def test_thresholds_are_those_that_the_study_would_certify_for_the_run(results: Results) -> None:
    source = Source(results, results.choose("m", "best"))
    place = results.folder / "matches/m/fold-2/seed-2"
    parts = [MATCHES.read_parquet(place / f"{part}.parquet") for part in PARTS]
    expected = [
        score_species(
            model="m",
            seed=2,
            species=code,
            folds=[FoldMatches(2, *parts, pipeline="p")],
            test_slides=[f"test-2-{n}" for n in range(6)],
            settings=ScoreSettings(50, 0.9, resamples=20, confidence=0.95, random_seed=1),
        )
        for code in CODES
    ]
    assert source.scores("p") == expected


def test_an_ensemble_is_released_with_all_of_its_members(results: Results) -> None:
    source = Source(results, results.choose("e", "best"))
    assert source.members == [("m", 1), ("m", 2)]
    assert source.fusion_iou == 0.7
    fold = source.chosen.fold
    matches = MATCHES.read_parquet(results.folder / f"matches/e/fold-{fold}/seed-all/test.parquet")
    expected = matches[matches["kind"] == "detection"]["score"].sort_values().to_numpy()
    np.testing.assert_array_equal(source.detections("test")["score"].sort_values().to_numpy(), expected)


def test_all_seeds_of_a_model_are_fused_though_the_study_did_not(results: Results) -> None:
    source = Source(results, results.choose("m", "all"))
    assert source.members == [("m", 1), ("m", 2)]
    assert source.fusion_iou == FUSION_IOU
    found = source.detections("calibration")
    assert len(found) < 2 * 24, "two boxes of one animal are one"
    assert source.scores("p")[0]["seed"] == 0
