"""Write the page on which people check a survey, and the same as tasks for Label Studio and CVAT."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.report.review_page import Review, render_review
from podura.survey.exports.annotations import as_text, cvat, label_studio, label_studio_config, machine_boxes
from podura.survey.release_species import release_species
from podura.survey.tasks import shown_detections
from podura.tables import (
    REVIEW_DECISIONS,
    REVIEW_PICTURES,
    REVIEW_QUEUE,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    read_json,
    write_text,
)

log = logging.getLogger("review_page")


def main(arguments: argparse.Namespace) -> None:
    detector = read_json(arguments.release / "detector.json")
    species = release_species(arguments.release / "species.tsv")
    queue = REVIEW_QUEUE.read_csv(arguments.queue)
    shown = shown_detections(SURVEY_DETECTIONS.read_parquet(arguments.detections), queue)
    images = SURVEY_IMAGES.read_csv(arguments.images)
    page = render_review(
        Review(
            survey=arguments.survey,
            key=f"{detector['study']}/{arguments.survey}/{detector['pipeline']}",
            queue=queue,
            shown=shown,
            decisions=REVIEW_DECISIONS.read_csv(arguments.decisions),
            pictures=REVIEW_PICTURES.read_csv(arguments.pictures / "pictures.csv"),
            species=species,
        )
    )
    queued = images[images["image"].isin(queue["image"])]
    boxes = machine_boxes(shown)
    model = f"{detector['model']} ({detector['pipeline']})"
    folder = arguments.output
    write_text(as_text(label_studio(boxes, queued, predictions=model)), folder / "label_studio.json")
    write_text(label_studio_config(species), folder / "label_studio_labels.xml")
    write_text(cvat(boxes, queued, species, name=arguments.survey, review=True), folder / "cvat.xml")
    write_text(page, folder / "index.html")
    log.info("%d detections and images wait for you in %s", len(queue), folder / "index.html")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="name of the survey")
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--queue", type=Path, required=True, help="queue.csv")
    parser.add_argument("--decisions", type=Path, required=True, help="decisions.csv")
    parser.add_argument("--detections", type=Path, required=True, help="machine/detections.parquet")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--output", type=Path, required=True, help="folder of the review")
    jobs.run(main, parser)
