"""What evaluation says of bad or scant input: a stated result or a clear refusal, from rule to rule."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation_data import detection_rows, truth_rows
from podura.errors import UserError, UserErrors
from podura.evaluation.comparison import ComparisonSettings, comparisons_table, ranks_table
from podura.evaluation.draws import draws_of
from podura.evaluation.matching import match
from podura.evaluation.scoring import ScoreSettings
from podura.tables import (
    BENCHMARK_COMPARISONS,
    BENCHMARK_COSTS,
    BENCHMARK_MODELS,
    BENCHMARK_RANKS,
    BENCHMARK_SPECIES,
    DETECTIONS,
    MATCHES,
    PART_IMAGES,
    read_json,
    write_json,
)

ROOT = Path(__file__).parents[2]
SPECIES = ["A", "B"]
BOX, OTHER = (10.0, 10.0, 40.0, 40.0), (50.0, 50.0, 90.0, 90.0)
SETTINGS = ScoreSettings(iou_percent=50, target_precision=0.95, resamples=60, confidence=0.95, random_seed=3)
MODELS = [
    {"model": name, "label": name.upper(), "role": "detector", "framework": "none", "licence": "MIT"}
    for name in ("one", "two")
]


def script(name: str) -> Callable[[argparse.Namespace], None]:
    specification = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    main: Callable[[argparse.Namespace], None] = module.main
    return main


class Results:
    """A results folder from truth and detections of each part to the tables, rule by rule, as scripts run.

    Images are named by their slide's letter and a number, 100 × 100 pixels.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def part(self, part: str, images: Sequence[str], truths: Sequence[tuple[Any, ...]]) -> None:
        place = self.folder / "dataset/parts" / part
        place.mkdir(parents=True)
        listed = [
            {"id": n, "file_name": name, "slide": name[0], "width": 100, "height": 100}
            for n, name in enumerate(images, start=1)
        ]
        number = {name: n for n, name in enumerate(images, start=1)}
        boxes = [
            {
                "id": n,
                "image_id": number[image],
                "category_id": 1 + SPECIES.index(code),
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "iscrowd": 0,
                "ignore": 0,
            }
            for n, (image, code, box) in enumerate(truths, start=1)
        ]
        categories = [{"id": n, "name": code} for n, code in enumerate(SPECIES, start=1)]
        write_json({"images": listed, "categories": categories, "annotations": boxes}, place / "truth.json")
        rows = [
            {"image": name, "path": name, "slide": name[0], "width": 100, "height": 100} for name in images
        ]
        PART_IMAGES.write_csv(rows, place / "images.csv")

    def detections(self, part: str, *rows: Sequence[Any], model: str = "one") -> None:
        place = self.folder / "detections" / model / "seed-1"
        place.mkdir(parents=True, exist_ok=True)
        DETECTIONS.write_parquet(detection_rows(*rows), place / f"{part}.parquet")
        facts = {"seconds": 0.0, "images": 0}
        write_json({"test": facts}, place / "run.json")

    def match(self, *parts: str, model: str = "one") -> None:
        output = self.folder / "matches" / model / "seed-1"
        output.mkdir(parents=True, exist_ok=True)
        script("match")(
            argparse.Namespace(
                detections=[self.folder / f"detections/{model}/seed-1/{part}.parquet" for part in parts],
                truth=[self.folder / f"dataset/parts/{part}/truth.json" for part in parts],
                output=output,
            )
        )

    def score(self, species: str, model: str = "one") -> dict[str, Any]:
        output = self.folder / f"scores/{model}/seed-1"
        output.mkdir(parents=True, exist_ok=True)
        places = {
            part: [self.folder / f"matches/{model}/seed-1/{part}.parquet"]
            for part in ("validation", "calibration", "test")
        }
        script("score")(
            argparse.Namespace(
                model=model,
                seed=1,
                species=json.dumps([species]),
                folds="[0]",
                models=[],
                images=[self.folder / "dataset/parts/test/images.csv"],
                settings=json.dumps(asdict(SETTINGS)),
                detection="{}",
                output=output,
                **places,
            )
        )
        score: dict[str, Any] = read_json(output / f"{species}.json")
        return score

    def resample(self, model: str = "one") -> Path:
        output = self.folder / f"benchmark/draws/{model}.npz"
        output.parent.mkdir(parents=True, exist_ok=True)
        script("resample")(
            argparse.Namespace(
                seeds="[1]",
                species=json.dumps(SPECIES),
                matches=[self.folder / f"matches/{model}/seed-1/test.parquet"],
                images=[self.folder / "dataset/parts/test/images.csv"],
                settings=json.dumps(asdict(SETTINGS)),
                output=output,
            )
        )
        return output

    def compare_and_merge(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """comparisons.csv, ranks.csv and models.csv of the models one and two."""
        tables = {name: self.folder / f"benchmark/{name}.csv" for name in ("comparisons", "ranks", "models")}
        images = [self.folder / "dataset/parts/test/images.csv"]
        settings = json.dumps(asdict(SETTINGS))
        draws = [self.resample(model["model"]) for model in MODELS]
        script("compare")(
            argparse.Namespace(
                models=json.dumps(MODELS),
                draws=draws,
                images=images,
                settings=settings,
                comparisons=tables["comparisons"],
                ranks=tables["ranks"],
            )
        )
        for model in MODELS:
            for code in SPECIES:
                self.score(code, model["model"])
            facts = {"parameters": 1, "training_seconds": 1.0, "peak_memory_mb": 1.0}
            place = self.folder / f"models/{model['model']}/seed-1"
            place.mkdir(parents=True)
            write_json(facts, place / "model.json")
        costs = self.folder / "benchmark/costs.csv"
        BENCHMARK_COSTS.write_csv([], costs)
        script("merge")(
            argparse.Namespace(
                costs=costs,
                results=self.folder,
                models=json.dumps(MODELS),
                species=json.dumps(SPECIES),
                runs=json.dumps({model["model"]: {"seeds": [1], "members": []} for model in MODELS}),
                folds="[0]",
                settings=settings,
                ranks=tables["ranks"],
                species_table=self.folder / "benchmark/species.csv",
                folds_table=self.folder / "benchmark/folds.csv",
                models_table=tables["models"],
                curves=self.folder / "benchmark/curves.parquet",
            )
        )
        return (
            BENCHMARK_COMPARISONS.read_csv(tables["comparisons"]),
            BENCHMARK_RANKS.read_csv(tables["ranks"]),
            BENCHMARK_MODELS.read_csv(tables["models"]),
        )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def full(results: Results, *, empty: str = "", slides: str = "st", model: str = "one") -> None:
    """Both species on two slides of each part; the part ``empty`` has no image."""
    for part in ("validation", "calibration", "test"):
        images = [] if part == empty else [f"{slide}1" for slide in slides]
        truths = [(image, code, box) for image in images for code, box in (("A", BOX), ("B", OTHER))]
        if not (results.folder / "dataset/parts" / part).is_dir():
            results.part(part, images, truths)
        found = [(image, code, 0.9, box) for image, code, box in truths]
        results.detections(part, *found, model=model)
    results.match("validation", "calibration", "test", model=model)


class TestScoresAndBoxes:
    @pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 1.01, -0.01])
    def test_a_score_that_is_none_is_refused_with_its_place(self, results: Results, score: float) -> None:
        results.part("test", ["s1"], [("s1", "A", BOX)])
        results.detections("test", ("s1", "A", 0.5, BOX), ("s1", "A", score, BOX))
        with pytest.raises(UserErrors, match=r"row 2 \(image s1\), column 'score': .* from 0 to 1"):
            results.match("test")
        assert not list((results.folder / "matches").rglob("*.parquet"))

    @pytest.mark.parametrize("edge", [float("nan"), float("inf")])
    def test_an_edge_that_is_no_number_is_refused(self, results: Results, edge: float) -> None:
        results.part("test", ["s1"], [("s1", "A", BOX)])
        results.detections("test", ("s1", "A", 0.5, (10, 10, edge, 40)))
        with pytest.raises(UserErrors, match=r"column 'x_max'.*edge of the box in pixels"):
            results.match("test")

    @pytest.mark.parametrize(
        ("box", "column"),
        [
            ((-3, 10, 40, 40), "x_min"),
            ((10, -3, 40, 40), "y_min"),
            ((10, 10, 103, 40), "x_max"),
            ((10, 10, 40, 1000), "y_max"),
            ((500, 10, 600, 40), "x_min"),
        ],
    )
    def test_a_box_beyond_its_image_is_refused(
        self, results: Results, box: tuple[float, ...], column: str
    ) -> None:
        results.part("test", ["s1"], [("s1", "A", BOX)])
        results.detections("test", ("s1", "A", 0.5, box))
        with pytest.raises(UserErrors, match=f"column '{column}'.*beyond its image"):
            results.match("test")

    def test_what_rounding_puts_beyond_an_image_is_taken(self, results: Results) -> None:
        results.part("test", ["s1"], [("s1", "A", (0, 0, 100, 100))])
        results.detections("test", ("s1", "A", 0.5, (-0.2, 0.0, 100.3, 100.0)))
        results.match("test")
        matches = MATCHES.read_parquet(results.folder / "matches/one/seed-1/test.parquet")
        assert matches.loc[matches["kind"] == "detection", "match_95"].item() == 1

    def test_many_bad_rows_are_a_short_message(self, results: Results) -> None:
        results.part("test", ["s1"], [])
        results.detections("test", *[("s1", "A", 0.5, (0, 0, 200, 40))] * 1000)
        with pytest.raises(UserErrors) as caught:
            results.match("test")
        assert len(caught.value.messages) == 6
        assert "995 more" in caught.value.messages[-1]

    def test_a_detection_of_another_part_or_species_is_refused(self, results: Results) -> None:
        results.part("test", ["s1"], [])
        results.detections("test", ("z1", "A", 0.5, BOX), ("s1", "C", 0.5, BOX))
        with pytest.raises(UserErrors) as caught:
            results.match("test")
        assert "z1" in caught.value.messages[0]
        assert "'C'" in caught.value.messages[1]


class TestEmptyParts:
    def test_a_test_part_without_images_is_refused(self, results: Results) -> None:
        full(results, empty="test")
        for run in (lambda: results.score("A"), results.resample):
            with pytest.raises(UserError, match="test part has no slide"):
                run()

    @pytest.mark.parametrize("empty", ["calibration", "validation"])
    def test_without_calibration_or_validation_nothing_is_certified(
        self, results: Results, empty: str
    ) -> None:
        full(results, empty=empty)
        score = results.score("A")
        assert score["ap50"] == pytest.approx(1)
        assert score["threshold_status"] == "needs_more"
        assert score["threshold"] is None
        assert score["calibration_n"] == 0
        assert (score["threshold_empirical"] is None) == (empty == "calibration")

    def test_images_without_animals_and_detections_are_scored_as_nothing(self, results: Results) -> None:
        for part in ("validation", "calibration", "test"):
            results.part(part, ["s1", "t1"], [])
            results.detections(part)
        results.match("validation", "calibration", "test")
        score = results.score("A")
        assert (score["ap50"], score["n_truth"], score["n_detections"]) == (None, 0, 0)
        assert score["curve"]["recall"] == []


class TestScantParts:
    def test_a_species_that_calibration_lacks_has_no_threshold_and_keeps_its_precision(
        self, results: Results
    ) -> None:
        full(results)
        place = results.folder / "dataset/parts/calibration"
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
        results.part("calibration", ["s1", "t1"], [("s1", "B", OTHER)])
        results.detections("calibration", ("s1", "B", 0.9, OTHER))
        results.match("calibration")
        score = results.score("A")
        assert score["ap50"] == pytest.approx(1)
        assert (score["threshold"], score["threshold_status"]) == (None, "needs_more")
        assert score["needs_about"] > 50, "what it would take is told"
        assert (score["test_precision"], score["test_recall"]) == (None, None)

    def test_one_slide_gives_figures_without_intervals(self, results: Results) -> None:
        full(results, slides="s")
        full(results, slides="s", model="two")
        score = results.score("A")
        assert score["ap50"] == pytest.approx(1)
        assert score["ap50_low"] is score["ap50_high"] is None
        assert score["test_precision_low"] is None
        comparisons, ranks, models = results.compare_and_merge()
        assert (
            comparisons["statement"].item()
            == "ONE and TWO score the same here, on too few slides to tell more."
        )
        assert comparisons[["difference_low", "joint_low", "chance_better"]].isna().all(axis=None)
        assert comparisons["verdict"].item() == "undecided"
        assert ranks["chance"].isna().all(), "one slide makes no ranking certain"
        assert models[["map50_low", "map50_95_low", "chance_best"]].isna().all(axis=None)
        assert (models["rank"] == 1).all()

    def test_a_difference_that_one_slide_shows_is_no_verdict(self, results: Results) -> None:
        for part in ("validation", "calibration", "test"):
            results.part(part, ["s1", "t1", "u1"], [("s1", "A", BOX)])
            results.detections(part, ("s1", "A", 0.9, BOX))
            results.detections(part, ("s1", "A", 0.9, OTHER), model="two")
        for model in ("one", "two"):
            results.match("validation", "calibration", "test", model=model)
        comparisons, _, _ = results.compare_and_merge()
        row = comparisons.iloc[0]
        assert (row["model"], row["difference"]) == ("one", pytest.approx(1))
        assert row["verdict"] == "undecided"
        assert "too few slides" in row["statement"]
        assert pd.isna(row["chance_better"])

    def test_without_truth_on_test_nothing_is_ranked_and_that_is_said(self, results: Results) -> None:
        for part in ("validation", "calibration", "test"):
            results.part(part, ["s1", "t1"], [])
            for model in ("one", "two"):
                results.detections(part, ("s1", "A", 0.9, BOX), model=model)
        for model in ("one", "two"):
            results.match("validation", "calibration", "test", model=model)
        comparisons, ranks, models = results.compare_and_merge()
        assert "no species has a specimen" in comparisons["statement"].item()
        assert models[["rank", "map50", "map50_95", "chance_best"]].isna().all(axis=None)
        assert ranks["chance"].isna().all()
        species = BENCHMARK_SPECIES.read_csv(results.folder / "benchmark/species.csv")
        assert species["ap50"].isna().all()


@pytest.mark.filterwarnings("error")
def test_resamples_that_draw_no_truth_are_left_out_without_a_warning() -> None:
    slides = ["s", "t", "u", "v"]
    images = {f"{slide}1": slide for slide in slides}
    truths = truth_rows((1, "s1", "A", BOX), (2, "t1", "A", BOX))
    runs = {
        "one": detection_rows(("s1", "A", 0.9, BOX), ("t1", "A", 0.8, BOX)),
        "two": detection_rows(("s1", "A", 0.9, BOX), ("u1", "A", 0.95, BOX)),
    }
    weights = SETTINGS.slide_weights(slides)
    assert (weights[:, :2].sum(axis=1) == 0).any()
    draws = {
        name: draws_of(
            [(1, match(truths, found, images=images, species=SPECIES))],
            species=SPECIES,
            slides=slides,
            weights=weights,
        )
        for name, found in runs.items()
    }
    settings = ComparisonSettings(0.95, 3, len(slides))
    row = comparisons_table(draws, {"one": "One", "two": "Two"}, settings).iloc[0]
    assert row["joint_low"] <= row["difference"] <= row["joint_high"]
    assert ranks_table(draws, settings).groupby("model")["chance"].sum().to_numpy() == pytest.approx(
        np.ones(2)
    )
