"""Cut the pictures that a reviewer looks at: queued detections with their surroundings, and whole images."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.survey.pictures import planned_pictures, write_pictures
from podura.tables import REVIEW_PICTURES, REVIEW_QUEUE, SURVEY_DETECTIONS, SURVEY_IMAGES, whole_folder

log = logging.getLogger("review_pictures")


def main(arguments: argparse.Namespace) -> None:
    images = SURVEY_IMAGES.read_csv(arguments.images)
    plan = planned_pictures(
        REVIEW_QUEUE.read_csv(arguments.queue), SURVEY_DETECTIONS.read_parquet(arguments.detections), images
    )
    paths = dict(zip(images["image"], map(Path, images["path"]), strict=True))
    with whole_folder(arguments.output) as folder:
        pictures = write_pictures(
            plan,
            paths,
            folder,
            threads=arguments.threads,
            progress=lambda done, all_: log.info("%d of %d images", done, all_) if done % 200 == 0 else None,
        )
        REVIEW_PICTURES.write_csv(pictures, folder / "pictures.csv")
    for fault in pictures["fault"].dropna().unique():
        log.warning("%s", fault)
    log.info("%d pictures are in %s.", len(pictures), arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--queue", type=Path, required=True, help="queue.csv")
    parser.add_argument("--detections", type=Path, required=True, help="machine/detections.parquet")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures")
    jobs.run(main, parser)
