"""Deal whole slides to train, validation, calibration and test, and write each part apart."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.annotations.dataset import image_frame, truth_frame
from podura.errors import UserError
from podura.splits import part_images, part_truth, split_report, split_slides
from podura.tables import PART_IMAGES, PARTS, SPLIT, SPLIT_REPORT, read_json, write_json

log = logging.getLogger("split")


def check_cap(truth, max_detections: int) -> None:
    """Refuse a cap that the truth itself would exceed: no detector could find all animals then."""
    counts = truth.groupby("image").size()
    if len(counts) and counts.max() > max_detections:
        raise UserError(
            f"{counts.idxmax()} shows {counts.max()} specimens, more than evaluation.max_detections "
            f"({max_detections}) lets a detector find. Raise it to {2 * int(counts.max())} or more."
        )


def main(arguments: argparse.Namespace) -> None:
    coco = read_json(arguments.annotations)
    settings = json.loads(arguments.split)
    truth = truth_frame(coco)
    check_cap(truth, arguments.max_detections)
    split = split_slides(
        image_frame(coco),
        truth,
        by=settings["by"],
        fractions=settings["fractions"],
        random_seed=arguments.seed,
    )
    species = [category["name"] for category in coco["categories"]]
    report = split_report(split, truth, species, settings["fractions"])
    for message in report["message"].dropna():
        log.warning("%s", message)
    files = PART_IMAGES.read_csv(arguments.images)
    paths = dict(zip(files["image"], files["path"], strict=True))
    for part in PARTS:
        folder = arguments.output / "parts" / part
        PART_IMAGES.write_csv(part_images(coco, split, part, paths), folder / "images.csv")
        write_json(part_truth(coco, split, part), folder / "truth.json")
        here = split[split["part"] == part]
        log.info("%s: %d images of %d slides", part, len(here), here["slide"].nunique())
    SPLIT_REPORT.write_csv(report, arguments.output / "counts.csv")
    SPLIT.write_csv(split, arguments.output / "split.csv")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--annotations", type=Path, required=True, help="COCO file of the data set")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the data set")
    parser.add_argument("--split", required=True, help="section 'split' of the configuration as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--max-detections", type=int, required=True, help="cap on detections in an image")
    parser.add_argument("--output", type=Path, required=True, help="folder of the data set")
    jobs.run(main, parser)
