"""Run one trained model on the images of the held-out parts; it is told images and species only."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.detectors.devices import choose_device
from podura.detectors.inference import detect_files
from podura.detectors.weights import load_model
from podura.tables import DETECTIONS, PART_IMAGES, write_json
from podura.training.seeds import be_deterministic

log = logging.getLogger("detect")


def main(arguments: argparse.Namespace) -> None:
    device = choose_device(arguments.device)
    be_deterministic(device, arguments.threads)
    detector, facts = load_model(arguments.model)
    evaluation = json.loads(arguments.evaluation)
    runs = {}
    for images in arguments.images:
        part = images.parent.name
        rows = PART_IMAGES.read_csv(images)
        run = detect_files(
            detector,
            [(row.image, Path(row.path), row.slide) for row in rows.itertuples()],
            image_size=facts["image_size"],
            score_floor=evaluation["score_floor"],
            max_detections=evaluation["max_detections"],
            device=device,
        )
        log.info(
            "%s: %d detections in %d images, %.2f s an image",
            part,
            len(run.rows),
            run.images,
            run.seconds / max(run.images, 1),
        )
        if run.capped:
            log.warning(
                "%s: %d images reach the cap of %d detections (%s ...), so weaker ones are cut off. Raise "
                "evaluation.max_detections if an image may hold that many animals.",
                part,
                len(run.capped),
                evaluation["max_detections"],
                ", ".join(run.capped[:3]),
            )
        DETECTIONS.write_parquet(run.rows, arguments.output / f"{part}.parquet")
        runs[part] = {
            "images": run.images,
            "seconds": run.seconds,
            "capped": run.capped,
            "failed": run.failed,
        }
    write_json(runs, arguments.output / "run.json")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="image list of each part")
    parser.add_argument("--evaluation", required=True, help="score floor and cap as JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for the detections")
    jobs.run(main, parser)
