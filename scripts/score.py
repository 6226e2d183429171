"""Score each species of one model × seed: average precision, certified threshold, report on test."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from podura import jobs
from podura.evaluation.certification import PIPELINE, pipeline_digest
from podura.evaluation.judging import FoldMatches
from podura.evaluation.scoring import ScoreSettings, score_species
from podura.tables import MATCHES, PART_IMAGES, read_json, seed_number, write_json


def pipelines(models: list[Path], terms: dict[str, Any], folds: int) -> list[str | None]:
    """Digest of each fold's pipeline, of one model or of all that are fused; None for controls."""
    if not models:
        return [None] * folds
    facts = [read_json(model) for model in models]
    named = [{key: fact.get(key) for key in PIPELINE} for fact in facts]
    each = len(named) // folds
    return [
        pipeline_digest({**terms, "models": named[each * fold : each * (fold + 1)]}) for fold in range(folds)
    ]


def main(arguments: argparse.Namespace) -> None:
    settings = ScoreSettings(**json.loads(arguments.settings))
    folds = json.loads(arguments.folds)
    terms = {**json.loads(arguments.detection), "iou_percent": settings.iou_percent}
    parts = zip(
        *(
            [MATCHES.read_parquet(path) for path in paths]
            for paths in (arguments.validation, arguments.calibration, arguments.test)
        ),
        strict=True,
    )
    matches_of_folds = [
        FoldMatches(fold, *matches, pipeline=pipeline)
        for fold, matches, pipeline in zip(
            folds, parts, pipelines(arguments.models, terms, len(folds)), strict=True
        )
    ]
    slides = [slide for images in arguments.images for slide in PART_IMAGES.read_csv(images)["slide"]]
    for species in json.loads(arguments.species):
        score = score_species(
            model=arguments.model,
            seed=arguments.seed,
            species=species,
            folds=matches_of_folds,
            test_slides=slides,
            settings=settings,
        )
        write_json(score, arguments.output / f"{species}.json")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=seed_number, required=True, help="a seed, or all")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--folds", default="[0]", help="numbers of the folds as JSON; [0] for none")
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="model.json of each fold")
    parser.add_argument("--validation", type=Path, nargs="+", required=True, help="matches of each fold")
    parser.add_argument("--calibration", type=Path, nargs="+", required=True, help="in the same order")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="in the same order")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images of the test parts")
    parser.add_argument("--settings", required=True, help="target precision, IoU, resamples … as JSON")
    parser.add_argument("--detection", required=True, help="score floor and cap as JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder for a file of each species")
    jobs.run(main, parser)
