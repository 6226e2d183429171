"""Deal whole slides to train, validation, calibration and test, and write each part apart."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.annotations.dataset import image_frame, truth_frame
from podura.errors import UserError
from podura.splits import (
    asked_fractions,
    part_images,
    part_truth,
    split_folds,
    split_report,
    split_slides,
)
from podura.splits.sealed import check_settings, read_seal, write_seal
from podura.tables import (
    PART_IMAGES,
    PARTS,
    SPLIT,
    SPLIT_REPORT,
    part_folder,
    read_json,
    write_json,
    write_json_records,
)

log = logging.getLogger("split")


def check_cap(truth: pd.DataFrame, max_detections: int) -> None:
    """Refuse a cap that the truth itself would exceed: no detector could find all animals then."""
    counts = truth.groupby("image").size()
    if len(counts) and counts.max() > max_detections:
        raise UserError(
            f"{counts.idxmax()} shows {counts.max()} specimens, more than evaluation.max_detections "
            f"({max_detections}) lets a detector find. Raise it to {2 * int(counts.max())} or more."
        )


def dealt(
    images: pd.DataFrame, truth: pd.DataFrame, settings: dict[str, Any], seed: int, keep: pd.DataFrame | None
) -> pd.DataFrame:
    """Make the split that the settings ask for."""
    common = {"by": settings["by"], "fractions": settings["fractions"], "random_seed": seed, "keep": keep}
    if settings["folds"] is None:
        return split_slides(images, truth, **common)
    return split_folds(images, truth, folds=settings["folds"], others_by=settings["others_by"], **common)


def write_parts(coco: dict[str, Any], split: pd.DataFrame, paths: dict[str, str], folder: Path) -> None:
    """Write what a job may know of each part (images.csv) and what it may not (truth.json), apart."""
    for fold, of_fold in split.groupby("fold"):
        for part in PARTS:
            place = folder / part_folder(part, int(fold))
            PART_IMAGES.write_csv(part_images(coco, of_fold, part, paths), place / "images.csv")
            write_json_records(part_truth(coco, of_fold, part), place / "truth.json")
            here = of_fold[of_fold["part"] == part]
            where = f"fold {fold}, {part}" if fold else part
            log.info("%s: %d images of %d slides", where, len(here), here["slide"].nunique())


def main(arguments: argparse.Namespace) -> None:
    coco = read_json(arguments.annotations)
    settings = json.loads(arguments.split)
    results = arguments.output.parent
    images, truth = image_frame(coco), truth_frame(coco)
    check_cap(truth, arguments.max_detections)
    sealed_settings = {**settings, "random_seed": arguments.seed}
    check_settings(results, sealed_settings)
    sealed = read_seal(results)
    split = dealt(images, truth, settings, arguments.seed, sealed.split if sealed else None)

    fractions = asked_fractions(settings["fractions"], split["fold"].max())
    report = split_report(split, truth, [category["name"] for category in coco["categories"]], fractions)
    for message in report["message"].dropna().unique():
        log.warning("%s", message)
    files = PART_IMAGES.read_csv(arguments.images)
    write_parts(
        coco, split, dict(zip(files["image"], files["path"], strict=True)), arguments.output / "parts"
    )
    SPLIT_REPORT.write_csv(report, arguments.output / "counts.csv")
    digest = write_seal(results, sealed_settings, split)
    write_json(
        {
            "split_sha256": digest,
            **sealed_settings,
            "images": int(split["image"].nunique()),
            "slides": int(split["slide"].nunique()),
            "images_with_given_part": int(images["part"].notna().sum()),
        },
        arguments.output / "split.json",
    )
    # Last: a table that stands beside its digest is whole, whoever looks at it meanwhile.
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
