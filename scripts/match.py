"""Match one run's detections with the truth, part by part."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.evaluation.matching import match
from podura.tables import DETECTIONS, MATCHES, read_json

log = logging.getLogger("match")


def main(arguments: argparse.Namespace) -> None:
    for detections, truth in zip(arguments.detections, arguments.truth, strict=True):
        coco = read_json(truth)
        matches = match(
            truth_frame(coco),
            DETECTIONS.read_parquet(detections),
            images={image["file_name"]: image["slide"] for image in coco["images"]},
            species=[category["name"] for category in coco["categories"]],
            sizes={image["file_name"]: (image["width"], image["height"]) for image in coco["images"]},
        )
        MATCHES.write_parquet(matches, arguments.output / detections.name)
        log.info("%s: %d rows", detections.stem, len(matches))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--detections", type=Path, nargs="+", required=True, help="a file for each part")
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="in the same order")
    parser.add_argument("--output", type=Path, required=True, help="folder for the matches")
    jobs.run(main, parser)
