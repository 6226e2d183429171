"""Evaluate one model in every resample of the test slides: what intervals and comparisons need."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.draws import draws_of, save_draws
from podura.evaluation.scoring import ScoreSettings, pooled
from podura.tables import MATCHES, PART_IMAGES


def main(arguments: argparse.Namespace) -> None:
    seeds = json.loads(arguments.seeds)
    n_folds = len(arguments.matches) // len(seeds)
    by_seed = [arguments.matches[n_folds * place : n_folds * (place + 1)] for place in range(len(seeds))]
    images = [PART_IMAGES.read_csv(file) for file in arguments.images]
    slides = sorted({slide for of_fold in images for slide in of_fold["slide"]})
    settings = ScoreSettings(**json.loads(arguments.settings))
    draws = draws_of(
        [
            (seed, pooled([MATCHES.read_parquet(file) for file in files]))
            for seed, files in zip(seeds, by_seed, strict=True)
        ],
        species=json.loads(arguments.species),
        slides=slides,
        weights=settings.slide_weights(slides),
    )
    save_draws(draws, arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--seeds", required=True, help="seeds of the runs as a JSON list")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--matches", type=Path, nargs="+", required=True, help="by seed, then by fold")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images of the test parts")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
