"""Run one trained model on the images of the held-out parts; it is told images and species only."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from pathlib import Path

from podura import jobs
from podura.configuration.study import TilingSettings
from podura.detectors.devices import choose_device, device_name, gpu_identity
from podura.detectors.inference import DetectionRun, detect_files
from podura.detectors.journal import Journal
from podura.detectors.weights import load_model
from podura.energy import EnergyMeter, energy_facts
from podura.fingerprints import file_digest
from podura.tables import DETECTIONS, PART_IMAGES, write_json
from podura.training.memory import peak_gpu_memory_mb, peak_memory_mb
from podura.training.seeds import be_deterministic

log = logging.getLogger("detect")


def main(arguments: argparse.Namespace) -> None:
    device = choose_device(arguments.device)
    be_deterministic(device, arguments.threads)
    detector, facts = load_model(arguments.model)
    evaluation = json.loads(arguments.evaluation)
    tiling = facts.get("tiling")
    journal = Journal(arguments.output / ".journal.jsonl", identity(arguments))
    runs = {}
    for images in arguments.images:
        part = images.parent.name
        rows = PART_IMAGES.read_csv(images)
        with EnergyMeter(str(device), gpu_identity(device)) as meter:
            run = detect_files(
                detector,
                [(row.image, Path(row.path), row.slide) for row in rows.itertuples()],
                image_size=facts["image_size"],
                score_floor=evaluation["score_floor"],
                max_detections=evaluation["max_detections"],
                device=device,
                tiling=tiling and TilingSettings(**tiling),
                journal=journal,
            )
            # What an earlier process detected nothing here has metered.
            energy = None if journal.continued else meter.watt_hours()
        log.info(
            "%s: %d detections in %d images, %.2f s an image",
            part,
            len(run.rows),
            run.images,
            run.seconds / max(run.images, 1),
        )
        tell(part, run, evaluation["max_detections"])
        DETECTIONS.write_parquet(run.rows, arguments.output / f"{part}.parquet")
        runs[part] = {
            **run.facts(),
            "device": device_name(device),
            "peak_memory_mb": peak_memory_mb(),
            "peak_gpu_memory_mb": peak_gpu_memory_mb(device),
            **energy_facts(energy, meter),
        }
    write_json(runs, arguments.output / "run.json")
    journal.remove()


def tell(part: str, run: DetectionRun, max_detections: int) -> None:
    """Warn of what may be missing or incomplete."""
    if run.capped:
        log.warning(
            "%s: %d images reach the cap of %d detections (%s ...), so weaker ones are cut off. Raise "
            "evaluation.max_detections if an image may hold that many animals.",
            part,
            len(run.capped),
            max_detections,
            ", ".join(run.capped[:3]),
        )
    if run.capped_tiles:
        log.warning(
            "%s: %d tiles of %d images reach the cap by themselves (%s ...). Make tiling.size of the model "
            "smaller, or raise evaluation.max_detections.",
            part,
            sum(run.capped_tiles.values()),
            len(run.capped_tiles),
            ", ".join(list(run.capped_tiles)[:3]),
        )
    if run.cut:
        log.warning(
            "%s: %d detections in %d images (%s ...) end at the edge of a tile within the image, as those of "
            "animals do that are larger than the overlap of tiles. If they are animals, raise tiling.overlap "
            "or tiling.size of the model.",
            part,
            sum(run.cut.values()),
            len(run.cut),
            ", ".join(list(run.cut)[:3]),
        )


def identity(arguments: argparse.Namespace) -> str:
    """Digest of all that decides the detections in an image, so that no other detection continues this one.

    model.json holds the digest of the weights.
    """
    parts = [
        file_digest(arguments.model / "model.json"),
        arguments.evaluation,
        arguments.device,
        str(arguments.threads),
        arguments.code,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="image list of each part")
    parser.add_argument("--evaluation", required=True, help="score floor and cap as JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--code", default="", help="digest of the code that detects")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder for the detections")
    jobs.run(main, parser)
