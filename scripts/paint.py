"""Paint the slides of a study whose annotations are ``painted``: images and their boxes as COCO."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from podura import jobs
from podura.configuration.run import load_run
from podura.slides.painting import ImageRow, PaintSettings, load_traits, paint_study
from podura.tables import write_json

log = logging.getLogger("paint")


def main(arguments: argparse.Namespace) -> None:
    study = load_run(arguments.config, painted_folder=arguments.slides)
    painted = study.painted
    rows = [
        ImageRow(image.image, image.slide, image.site or "", image.um_per_pixel or painted.um_per_pixel)
        for image in study.images
    ]
    coco = paint_study(
        rows=rows,
        folder=arguments.slides,
        species=[species.code for species in study.species],
        species_names={species.code: species.name for species in study.species},
        settings=PaintSettings(**asdict(painted)),
        traits=load_traits(arguments.traits),
        seed=study.random_seed,
        processes=arguments.threads,
        progress=lambda done, all_: log.info("%d of %d images", done, all_) if done % 20 == 0 else None,
    )
    write_json(coco, arguments.annotations)
    log.info("Painted %d images with %d specimens.", len(coco["images"]), len(coco["annotations"]))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--traits", type=Path, required=True, help="table of species traits")
    parser.add_argument("--slides", type=Path, required=True, help="folder for the painted images")
    parser.add_argument("--annotations", type=Path, required=True, help="COCO file for their boxes")
    parser.add_argument("--threads", type=int, default=1)
    jobs.run(main, parser)
