"""List the places where the truth itself may be wrong, from all runs of the detectors that are trained."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.evaluation.runs import images_of, read_runs
from podura.evaluation.suspects import suspects_table
from podura.tables import BENCHMARK_SUSPECTS, read_json, run_folder, seed_folder

log = logging.getLogger("suspects")


def main(arguments: argparse.Namespace) -> None:
    settings, folds = json.loads(arguments.settings), json.loads(arguments.folds)
    species, seeds = json.loads(arguments.species), json.loads(arguments.seeds)
    images = images_of(dict(zip(folds, map(read_json, arguments.truth), strict=True)))
    results = arguments.results
    runs = [
        (model, run)
        for model, of_model in seeds
        for run in read_runs(
            seeds=of_model,
            folds=folds,
            species=species,
            matches=[
                results / "matches" / model / run_folder(seed, fold) / "test.parquet"
                for seed in of_model
                for fold in folds
            ],
            scores=[
                results / "scores" / model / seed_folder(seed) / f"{code}.json"
                for seed in of_model
                for code in species
            ],
            images=images,
            iou_percent=settings["iou_percent"],
        )
    ]
    table = suspects_table(runs)
    BENCHMARK_SUSPECTS.write_csv(table, arguments.output)
    for kind, number in table["kind"].value_counts(sort=False).items():
        log.info("%s: %d places", kind, number)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--seeds", required=True, help="models with the seeds of their runs as a JSON list")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--folds", required=True, help="numbers of the folds as a JSON list; [0] for none")
    # Not the files themselves: ten thousand names are more than a command may hold.
    parser.add_argument("--results", type=Path, required=True, help="folder with matches/ and scores/")
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="of the test parts, by fold")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
