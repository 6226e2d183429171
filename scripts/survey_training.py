"""Put what people checked of a survey beside the annotations of the study, as data of a next study."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.configuration.run import load_run
from podura.errors import UserError
from podura.survey.release_species import release_species
from podura.survey.training_data import images_text, training_data
from podura.tables import (
    REVIEW_DECISIONS,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_SAMPLES,
    TRAINING_LEFT_OUT,
    read_json,
    write_json_records,
    write_text,
)

log = logging.getLogger("survey_training")


def main(arguments: argparse.Namespace) -> None:
    study = None
    if arguments.annotations:
        run = load_run(arguments.config, painted_folder=arguments.painted_folder)
        study = read_json(arguments.annotations[0]), run.images
    folder = arguments.output
    made = training_data(
        arguments.survey,
        SURVEY_DETECTIONS.read_parquet(arguments.detections),
        REVIEW_DECISIONS.read_csv(arguments.decisions),
        SURVEY_IMAGES.read_csv(arguments.images),
        SURVEY_SAMPLES.read_csv(arguments.samples),
        release_species(arguments.species),
        folder,
        study,
    )
    n_study = 0 if study is None else len(study[0]["images"])
    n_survey = len(made.images) - n_study
    if not n_survey:
        raise UserError(
            f"No image of the survey {arguments.survey} has been searched as a whole, so there is nothing to "
            f"train on. Open {folder.parent / 'review' / 'index.html'}, mark images as searched, save the "
            f"decisions, and name the file under surveys.{arguments.survey}.decisions."
        )
    TRAINING_LEFT_OUT.write_csv(made.left_out, folder / "left_out.csv")
    write_json_records(made.coco, folder / "annotations.json")
    write_text(images_text(made.images), folder / "images.tsv")
    log.info(
        "%d images of the survey and %d of the study, with %d boxes. For a next study write:\n"
        "dataset:\n  images: %s\n  annotations: {format: coco, path: %s}",
        n_survey,
        n_study,
        len(made.coco["annotations"]),
        folder / "images.tsv",
        folder / "annotations.json",
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="name of the survey")
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument(
        "--annotations",
        type=Path,
        nargs="*",
        default=[],
        help="annotations of the study, if they are to go along",
    )
    parser.add_argument("--detections", type=Path, required=True, help="machine/detections.parquet")
    parser.add_argument("--decisions", type=Path, required=True, help="decisions.csv")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--samples", type=Path, required=True, help="samples.csv of the survey")
    parser.add_argument("--species", type=Path, required=True, help="species.tsv of the release")
    parser.add_argument("--output", type=Path, required=True, help="folder of the data")
    jobs.run(main, parser)
