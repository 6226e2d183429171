"""Cut the errors that are worth a look out of the test slides: a picture each, with the boxes on it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from podura import jobs
from podura.report.crops import LONGEST, Region, write_crops
from podura.slides.reading import open_slide
from podura.slides.slide import Pixels
from podura.slides.views import read_view
from podura.tables import BENCHMARK_EXAMPLES, CROPS, PART_IMAGES, whole_folder

log = logging.getLogger("gallery")


def read_regions(path: str, asked: Callable[[tuple[int, int]], Sequence[Region]]) -> list[Pixels]:
    with open_slide(path) as slide:
        return [read_view(slide, *region, max_side=LONGEST) for region in asked(slide.size)]


def main(arguments: argparse.Namespace) -> None:
    examples = BENCHMARK_EXAMPLES.read_csv(arguments.examples)
    # Controls make up their errors.
    examples = examples[examples["model"].isin(arguments.models)].reset_index(drop=True)
    images = pd.concat([PART_IMAGES.read_csv(path) for path in arguments.images], ignore_index=True)
    paths = dict(zip(images["image"], images["path"], strict=True))
    with whole_folder(arguments.output) as folder:
        crops = write_crops(examples, paths, folder, read=read_regions, threads=arguments.threads)
        CROPS.write_csv(crops, folder / "crops.csv")
    for image, fault in crops.loc[crops["fault"].notna(), ["image", "fault"]].drop_duplicates().to_numpy():
        log.warning("%s cannot be shown: %s", image, fault)
    log.info("%d pictures are in %s", int(crops["file"].notna().sum()), arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--examples", type=Path, required=True, help="benchmark/examples.csv")
    parser.add_argument("--models", nargs="*", default=[], help="the detectors whose errors are shown")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images.csv of the test parts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    jobs.run(main, parser)
