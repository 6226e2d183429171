"""Make the "detections" of a control from the truth of each part."""

from __future__ import annotations

import argparse
from pathlib import Path

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.detectors.controls import CONTROLS
from podura.seeds import generator
from podura.tables import DETECTIONS, PART_IMAGES, read_json, write_json


def main(arguments: argparse.Namespace) -> None:
    runs = {}
    for truth in arguments.truth:
        part = truth.parent.name
        images = PART_IMAGES.read_csv(truth.parent / "images.csv")
        found = CONTROLS[arguments.control](
            truth_frame(read_json(truth)), images, generator(arguments.seed, arguments.control, part)
        )
        DETECTIONS.write_parquet(found, arguments.output / f"{part}.parquet")
        runs[part] = {"images": len(images), "seconds": None, "capped": [], "failed": {}}
    write_json(runs, arguments.output / "run.json")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--control", choices=sorted(CONTROLS), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="truth.json of each part")
    parser.add_argument("--output", type=Path, required=True, help="folder for the detections")
    jobs.run(main, parser)
