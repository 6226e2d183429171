"""Draw the boxes of every image of the data set on it: a picture and a thumbnail each."""

from __future__ import annotations

import argparse
import json
import logging
from functools import partial
from pathlib import Path

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.configuration.run import load_run
from podura.report.gallery import Subject, write_gallery
from podura.report.pens import box_style
from podura.report.results import full_names
from podura.report.specimens import LONGEST, Legend
from podura.report.wording import faults_by_image
from podura.slides.reading import read_reduced
from podura.tables import PICTURES, PROBLEMS, read_json, whole_folder

log = logging.getLogger("overlays")


def main(arguments: argparse.Namespace) -> None:
    species = json.loads(arguments.species)
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    faults = faults_by_image(PROBLEMS.read_csv(arguments.problems))
    # Images that the import dropped are shown as well, as far as they can be.
    subjects = [
        Subject(image.image, str(image.path), image.slide, faults.get(image.image, ()))
        for image in study.images
    ]
    codes = [one["code"] for one in species]
    legend = Legend({code: box_style(place) for place, code in enumerate(codes)}, full_names(species))
    with whole_folder(arguments.output) as folder:
        pictures = write_gallery(
            subjects,
            truth_frame(read_json(arguments.annotations)),
            legend,
            folder,
            read=partial(read_reduced, max_side=LONGEST),
            threads=arguments.threads,
            progress=lambda done, all_: log.info("%d of %d images", done, all_) if done % 200 == 0 else None,
        )
        PICTURES.write_csv(pictures, folder / "pictures.csv")
    for picture in pictures[pictures["fault"].notna()].itertuples():
        log.warning("%s cannot be shown: %s", picture.image, picture.fault)
    log.info("%d pictures are in %s", len(pictures), arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--annotations", type=Path, required=True, help="COCO file of the data set")
    parser.add_argument("--problems", type=Path, required=True, help="problems.csv of the data set")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    jobs.run(main, parser)
