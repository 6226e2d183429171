"""Writing a release: the files of its members, its thresholds and evidence, and the digest of each."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.release.contents import DETECTOR
from podura.tables import RELEASE_THRESHOLDS, write_json

#: A larger check image would make a release heavy; then a smaller copy of it is shipped.
MOST_CHECK_BYTES = 20 << 20


def copy_member(source: Path, folder: Path, model: str, seed: int) -> str:
    """Copy a trained model into a release; returns its folder in there."""
    place = f"members/{model}/seed-{seed}"
    target = folder / place
    target.mkdir(parents=True)
    for name in ("weights.safetensors", "model.json"):
        if not (source / name).is_file():
            raise UserError(f"{source / name}: the file is missing. Train the model again.")
        shutil.copyfile(source / name, target / name)
    return place


def thresholds(scores: Iterable[Mapping[str, Any]], delta: float, target_precision: float) -> pd.DataFrame:
    """The table RELEASE_THRESHOLDS from the results of ``score_species``, one a species."""
    return RELEASE_THRESHOLDS.frame(
        [
            {
                "species": score["species"],
                "threshold": score["threshold"],
                "threshold_status": score["threshold_status"],
                "threshold_empirical": score["threshold_empirical"],
                "target_precision": target_precision,
                "delta": delta,
                "calibration_n": score["calibration_n"],
                "calibration_errors": score["calibration_errors"],
                "calibration_slides": score["calibration_slides"],
                "precision_lower": score["precision_lower"],
                "design_effect": score["deff"],
                "needed_detections": score["needs_about"],
                "needed_slides": score["needs_slides"],
            }
            for score in scores
        ]
    )


def check_image(detections: pd.DataFrame, paths: Mapping[str, Path]) -> str:
    """The image that is shipped for the self-check: that with the most likely detections, of equals the
    first.

    ``detections`` is the table EVIDENCE_DETECTIONS. Without any detection the first image by name.
    """
    likely = detections[detections["score"] >= 0.5]
    counts = likely["image"].value_counts()
    return min(paths, key=lambda image: (-int(counts.get(image, 0)), image))


def write_detector(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``detector.json`` over a folder in which everything else lies."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
    write_json({**facts, "files": digests}, folder / DETECTOR)


def parts_table(cocos: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Slides, images and specimens (ignored ones aside) of each part."""
    rows: Sequence[Mapping[str, Any]] = [
        {
            "part": part,
            "slides": len({image["slide"] for image in coco["images"]}),
            "images": len(coco["images"]),
            "specimens": sum(not (one["iscrowd"] or one["ignore"]) for one in coco["annotations"]),
        }
        for part, coco in cocos.items()
    ]
    return pd.DataFrame(rows)
