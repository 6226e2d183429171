"""Draw the detections of every image of a survey on it; pictures of images that did not change are kept."""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

from podura import jobs
from podura.release.contents import SPECIES as SPECIES_FILE
from podura.release.loading import read_release
from podura.report.gallery import Subject, write_gallery
from podura.report.pens import box_style
from podura.report.specimens import LONGEST, Legend
from podura.slides.reading import read_reduced
from podura.survey.overlays import Kept, shown_boxes
from podura.tables import PICTURES, SPECIES, SURVEY_DETECTIONS, SURVEY_IMAGES, whole_folder

log = logging.getLogger("survey_overlays")


def main(arguments: argparse.Namespace) -> None:
    release = read_release(arguments.release)
    names = SPECIES.read_user_tsv(release.file(SPECIES_FILE)).set_index("code")["name"]
    boxes = shown_boxes(SURVEY_DETECTIONS.read_parquet(arguments.detections))
    images = SURVEY_IMAGES.read_csv(arguments.images)
    legend = Legend(
        {code: box_style(place) for place, code in enumerate(release.species)},
        {code: str(names[code]) for code in release.species},
        aside="not accepted",
    )
    kept = Kept(arguments.output, images, boxes, style=arguments.code)
    subjects = [
        Subject(row.image, row.path, row.slide, () if row.status == "ok" else (row.reason,))
        for row in images.itertuples()
        if row.image not in kept.pictures
    ]
    # Written beside the pictures that are kept, and moved once they are whole.
    with whole_folder(arguments.output / ".new") as folder:
        drawn = write_gallery(
            subjects,
            boxes,
            legend,
            folder,
            read=partial(read_reduced, max_side=LONGEST),
            threads=arguments.threads,
            progress=lambda done, all_: (
                log.info("%d of %d pictures", done, all_) if done % 200 == 0 else None
            ),
        )
    pictures = kept.take(arguments.output / ".new", drawn)
    PICTURES.write_csv(pictures, arguments.output / "pictures.csv")
    log.info("%d pictures are in %s, of which %d are new.", len(pictures), arguments.output, len(drawn))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--detections", type=Path, required=True, help="what was detected in them")
    parser.add_argument("--code", default="", help="digest of the code that draws")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    jobs.run(main, parser)
