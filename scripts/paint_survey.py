"""Paint the images of a demonstration's survey; the truth is kept apart from what a survey sees."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.configuration.run import SCHEMAS
from podura.configuration.structure import load_schema
from podura.configuration.surveys import survey_from_json
from podura.slides.painting import PaintSettings, load_traits
from podura.survey.painting import paint_survey
from podura.survey.samples import read_survey
from podura.tables import PAINTED_TRUTH, write_json

log = logging.getLogger("paint_survey")


def main(arguments: argparse.Namespace) -> None:
    settings = survey_from_json(json.loads(arguments.survey))
    survey = read_survey(settings, load_schema(SCHEMAS, "survey_images"), arguments.images)
    assert settings.painted is not None
    species: list[dict[str, Any]] = json.loads(arguments.species)
    coco = paint_survey(
        survey,
        settings.painted,
        folder=arguments.images,
        species={one["code"]: one["name"] for one in species},
        settings=PaintSettings(**json.loads(arguments.paint)),
        traits=load_traits(arguments.traits),
        study_seed=arguments.study_seed,
        processes=arguments.threads,
    )
    codes = [one["code"] for one in species]
    counts = truth_counts(coco, {image.image: image.sample for image in survey.images}, codes)
    write_json(coco, arguments.truth / "truth.json")
    PAINTED_TRUTH.write_csv(counts, arguments.truth / "counts.csv")
    log.info("Painted %d images with %d specimens.", len(coco["images"]), len(coco["annotations"]))


def truth_counts(coco: dict[str, Any], samples: dict[str, str], species: list[str]) -> pd.DataFrame:
    """How many animals of each species each sample shows, zeros included."""
    image = {one["id"]: samples[one["file_name"]] for one in coco["images"]}
    code = {one["id"]: one["name"] for one in coco["categories"]}
    found = [(image[one["image_id"]], code[one["category_id"]]) for one in coco["annotations"]]
    return pd.DataFrame(
        [
            {"sample": sample, "species": one, "n_truth": found.count((sample, one))}
            for sample in sorted(set(samples.values()))
            for one in species
        ]
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="the survey's settings as JSON")
    parser.add_argument("--paint", required=True, help="section 'painted' of the study as JSON")
    parser.add_argument("--species", required=True, help="the species as JSON")
    parser.add_argument(
        "--study-seed", type=int, required=True, help="random_seed of the study, for its sites"
    )
    parser.add_argument("--traits", type=Path, required=True, help="table of species traits")
    parser.add_argument("--images", type=Path, required=True, help="folder for the painted images")
    parser.add_argument("--truth", type=Path, required=True, help="folder for what they show")
    parser.add_argument("--threads", type=int, default=1)
    jobs.run(main, parser)
