"""Score one model × seed × species: average precision, threshold from calibration, report on test."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.scoring import FoldMatches, ScoreSettings, score_species
from podura.tables import MATCHES, PART_IMAGES, seed_number, write_json


def main(arguments: argparse.Namespace) -> None:
    score = score_species(
        model=arguments.model,
        seed=arguments.seed,
        species=arguments.species,
        folds=[
            FoldMatches(fold, MATCHES.read_parquet(calibration), MATCHES.read_parquet(test))
            for fold, calibration, test in zip(
                json.loads(arguments.folds), arguments.calibration, arguments.test, strict=True
            )
        ],
        test_slides=[slide for images in arguments.images for slide in PART_IMAGES.read_csv(images)["slide"]],
        settings=ScoreSettings(**json.loads(arguments.settings)),
    )
    write_json(score, arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=seed_number, required=True, help="a seed, or all")
    parser.add_argument("--species", required=True)
    parser.add_argument("--folds", default="[0]", help="numbers of the folds as JSON; [0] for none")
    parser.add_argument("--calibration", type=Path, nargs="+", required=True, help="matches of each fold")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="in the same order")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images of the test parts")
    parser.add_argument("--settings", required=True, help="target precision, IoU, resamples … as JSON")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
