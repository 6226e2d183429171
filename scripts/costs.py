"""Put together what each detector cost: benchmark/costs.csv."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from podura import jobs
from podura.evaluation.costs import RunCost, costs_table
from podura.tables import ALL_SEEDS, BENCHMARK_COSTS, PART_IMAGES, part_folder, read_json, run_folder


def runs_of(
    results: Path, model: str, runs: dict[str, dict[str, Any]], fold: int, megapixels: dict[str, float]
) -> list[RunCost]:
    """What each seed of a model cost in a fold; megapixels of the fold's test images by name."""
    found = []
    for seed in runs[model]["seeds"]:
        fused = [
            (member, run_folder(each, fold))
            for member in runs[model]["members"] or [model]
            for each in (runs[member]["seeds"] if seed == ALL_SEEDS else [seed])
        ]
        own = read_json(results / f"detections/{model}/{run_folder(seed, fold)}/run.json")["test"]
        found.append(
            RunCost(
                trainings=[read_json(results / f"models/{one}/{run}/model.json") for one, run in fused],
                weights_bytes=[
                    (results / f"models/{one}/{run}/weights.safetensors").stat().st_size for one, run in fused
                ],
                detection=own,
                detections=[
                    read_json(results / f"detections/{one}/{run}/run.json")["test"] for one, run in fused
                ],
                megapixels=sum(size for image, size in megapixels.items() if image not in own["failed"]),
            )
        )
    return found


def main(arguments: argparse.Namespace) -> None:
    runs, folds = json.loads(arguments.runs), json.loads(arguments.folds)
    by_model: dict[str, list[RunCost]] = {model: [] for model in json.loads(arguments.models)}
    for fold in folds:
        place = arguments.results / "dataset/parts" / part_folder("test", fold) / "images.csv"
        images = PART_IMAGES.read_csv(place)
        sizes = dict(zip(images["image"], images["width"] * images["height"] / 1e6, strict=True))
        for model, of_model in by_model.items():
            of_model += runs_of(arguments.results, model, runs, fold, sizes)
    BENCHMARK_COSTS.write_csv(costs_table(by_model), arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--models", required=True, help="names of the detectors as a JSON list")
    parser.add_argument("--runs", required=True, help="seeds and members of each model as JSON")
    parser.add_argument("--folds", required=True, help="numbers of the folds as a JSON list; [0] for none")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
