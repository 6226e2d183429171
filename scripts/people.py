"""Score people who annotated the test images as detectors are scored, and detectors beside them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.evaluation.people import DetectorRun, GivenTruth, People, PeopleSettings, people_table
from podura.tables import (
    BENCHMARK_FOLDS,
    BENCHMARK_PEOPLE,
    DETECTIONS,
    EXPERT_BOXES,
    EXPERT_IMAGES,
    PEOPLE_CURVES,
    read_json,
    run_folder,
)


def test_part(files: list[Path]) -> GivenTruth:
    """The truth of all folds together, ids counted through."""
    every = [read_json(file) for file in files]
    truths = pd.concat([truth_frame(coco) for coco in every], ignore_index=True)
    return GivenTruth(
        truths.assign(id=range(1, len(truths) + 1)),
        [{image["file_name"]: image["slide"] for image in coco["images"]} for coco in every],
    )


def thresholds(folds: pd.DataFrame) -> Mapping[str, Mapping[str, float | None]]:
    """Of one run in one fold the thresholds of each species, as the table of folds has them."""
    columns = {"certified": "threshold", "empirical": "threshold_empirical"}
    return {
        kind: {
            str(code): None if pd.isna(value) else float(value)
            for code, value in zip(folds["species"], folds[column], strict=True)
        }
        for kind, column in columns.items()
    }


def runs(results: Path, models: list[dict[str, Any]], table: pd.DataFrame) -> Iterator[DetectorRun]:
    """Every run of every detector."""
    for model in models:
        of_model = table[table["model"] == model["model"]]
        for seed in sorted(of_model["seed"].unique()):
            of_run = of_model[of_model["seed"] == seed]
            folds = sorted(of_run["fold"].unique())
            places = [results / "detections" / model["model"] / run_folder(int(seed), int(f)) for f in folds]
            yield DetectorRun(
                model=model["model"],
                label=model["label"],
                seed=int(seed),
                detections=[DETECTIONS.read_parquet(place / "test.parquet") for place in places],
                thresholds=[thresholds(of_run[of_run["fold"] == fold]) for fold in folds],
            )


def main(arguments: argparse.Namespace) -> None:
    images = EXPERT_IMAGES.read_parquet(arguments.images)
    people = People(
        EXPERT_BOXES.read_parquet(arguments.boxes),
        images,
        list(dict.fromkeys(images["round"].fillna(""))),
        test_part(arguments.truth),
        json.loads(arguments.species),
        PeopleSettings(**json.loads(arguments.settings)),
    )
    models = [model for model in json.loads(arguments.models) if model["role"] == "detector"]
    table, curves = people_table(
        people, list(runs(arguments.results, models, BENCHMARK_FOLDS.read_csv(arguments.folds)))
    )
    BENCHMARK_PEOPLE.write_csv(table, arguments.people)
    PEOPLE_CURVES.write_parquet(curves, arguments.curves)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--boxes", type=Path, required=True, help="boxes of the experts")
    parser.add_argument("--images", type=Path, required=True, help="images that the experts looked at")
    parser.add_argument(
        "--truth", type=Path, nargs="+", required=True, help="truth of the test part of each fold"
    )
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv, for the thresholds")
    parser.add_argument("--models", required=True, help="what the tables say of each model, as JSON")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--settings", required=True, help="IoU, confidence and reference as JSON")
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    jobs.run(main, parser)
