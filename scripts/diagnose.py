"""Tell what goes wrong in the runs of one model: by size and edge, errors, confusion, reliability."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.diagnosis import diagnose
from podura.evaluation.runs import images_of, read_runs
from podura.tables import DIAGNOSES, read_json


def main(arguments: argparse.Namespace) -> None:
    settings, folds = json.loads(arguments.settings), json.loads(arguments.folds)
    runs = read_runs(
        seeds=json.loads(arguments.seeds),
        folds=folds,
        species=json.loads(arguments.species),
        matches=arguments.matches,
        scores=arguments.scores,
        images=images_of(dict(zip(folds, map(read_json, arguments.truth), strict=True))),
        iou_percent=settings["iou_percent"],
    )
    found = diagnose(arguments.model, runs, confidence=settings["confidence"])
    for name, table in DIAGNOSES.items():
        table.write_csv(found[name], arguments.output / f"{name}.csv")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seeds", required=True, help="seeds of the runs as a JSON list")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--folds", required=True, help="numbers of the folds as a JSON list; [0] for none")
    parser.add_argument("--matches", type=Path, nargs="+", required=True, help="by seed, then by fold")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="by seed, then by species")
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="of the test parts, by fold")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the tables of the model")
    jobs.run(main, parser)
