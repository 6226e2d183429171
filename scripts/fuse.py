"""Fuse the detections of an ensemble's members; it is told images and species only."""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

from podura import jobs
from podura.detectors.ensembles import fuse
from podura.tables import DETECTIONS, PART_IMAGES, read_json, write_json

log = logging.getLogger("fuse")


def main(arguments: argparse.Namespace) -> None:
    evaluation, species = json.loads(arguments.evaluation), json.loads(arguments.species)
    # Of one member the run, of several both: model and run.
    of_members = {run.as_posix(): read_json(run / "run.json") for run in arguments.runs}
    runs: dict[str, Any] = {}
    for images in arguments.images:
        part = images.parent.name
        of_part = [run[part] for run in of_members.values()]
        # An image that one of them could not read is no image with few detections.
        failed = {image: why for run in of_part for image, why in run["failed"].items()}
        rows = PART_IMAGES.read_csv(images)
        slides = dict(zip(rows["image"], rows["slide"], strict=True))
        started = time.perf_counter()
        members = [DETECTIONS.read_parquet(run / f"{part}.parquet") for run in arguments.runs]
        fused = fuse(
            [member[~member["image"].isin(list(failed))] for member in members],
            slides,
            species,
            iou=arguments.iou,
            **evaluation,
        )
        DETECTIONS.write_parquet(fused.detections, arguments.output / f"{part}.parquet")
        log.info(
            "%s: %s detections of %d runs fused into %d",
            part,
            " + ".join(str(len(member)) for member in members),
            len(members),
            len(fused.detections),
        )
        if fused.capped:
            log.warning(
                "%s: %d images reach the cap of %d detections (%s ...), so weaker ones are cut off. Raise "
                "evaluation.max_detections if an image may hold that many animals.",
                part,
                len(fused.capped),
                evaluation["max_detections"],
                ", ".join(fused.capped[:3]),
            )
        times = [run["seconds"] for run in of_part]
        runs[part] = {
            "images": len(rows),
            "seconds": sum(times) + time.perf_counter() - started,
            "capped": fused.capped,
            "failed": failed,
            "capped_members": {
                place: run["capped"] for place, run in zip(of_members, of_part, strict=True) if run["capped"]
            },
        }
    write_json(runs, arguments.output / "run.json")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, help="folders of the members' detections"
    )
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="image list of each part")
    parser.add_argument("--iou", type=float, required=True, help="overlap above which boxes are one")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--evaluation", required=True, help="score floor and cap as JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder for the detections")
    jobs.run(main, parser)
