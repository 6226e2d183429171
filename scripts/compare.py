"""Compare the detectors of a study with each other: comparisons.csv and ranks.csv."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.comparison import ComparisonSettings, comparisons_table, ranks_table
from podura.evaluation.draws import load_draws
from podura.tables import BENCHMARK_COMPARISONS, BENCHMARK_RANKS, PART_IMAGES


def main(arguments: argparse.Namespace) -> None:
    detectors = [model for model in json.loads(arguments.models) if model["role"] == "detector"]
    draws = {model["model"]: load_draws(file) for model, file in zip(detectors, arguments.draws, strict=True)}
    given = json.loads(arguments.settings)
    slides = {slide for images in arguments.images for slide in PART_IMAGES.read_csv(images)["slide"]}
    settings = ComparisonSettings(given["confidence"], given["random_seed"], len(slides))
    labels = {model["model"]: model["label"] for model in detectors}
    BENCHMARK_COMPARISONS.write_csv(comparisons_table(draws, labels, settings), arguments.comparisons)
    BENCHMARK_RANKS.write_csv(ranks_table(draws, settings), arguments.ranks)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--models", required=True, help="what the tables say of each model, as JSON")
    parser.add_argument("--draws", type=Path, nargs="+", required=True, help="of each detector, in order")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images of the test parts")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--comparisons", type=Path, required=True)
    parser.add_argument("--ranks", type=Path, required=True)
    jobs.run(main, parser)
