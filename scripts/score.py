"""Score one model × seed × species: average precision, threshold from calibration, report on test."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.benchmark import ScoreSettings, score_species
from podura.tables import MATCHES, PART_IMAGES, write_json


def main(arguments: argparse.Namespace) -> None:
    score = score_species(
        model=arguments.model,
        seed=arguments.seed,
        species=arguments.species,
        calibration_matches=MATCHES.read_parquet(arguments.calibration),
        test_matches=MATCHES.read_parquet(arguments.test),
        test_slides=sorted(set(PART_IMAGES.read_csv(arguments.images)["slide"])),
        settings=ScoreSettings(**json.loads(arguments.settings)),
    )
    write_json(score, arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--species", required=True)
    parser.add_argument("--calibration", type=Path, required=True, help="matches of the calibration part")
    parser.add_argument("--test", type=Path, required=True, help="matches of the test part")
    parser.add_argument("--images", type=Path, required=True, help="images of the test part")
    parser.add_argument("--settings", required=True, help="target precision, IoU, resamples … as JSON")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
