"""Releases and surveys for tests, built by code: untrained detectors on small images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image

from podura.configuration.structure import load_schema, with_defaults
from podura.configuration.surveys import SurveySettings, survey_from_json
from podura.detectors.catalogue import build_detector
from podura.detectors.weights import save_model
from podura.release.contents import (
    CARD,
    CHECK,
    EVIDENCE_FILES,
    FORMAT,
    FORMAT_VERSION,
    SPECIES,
    THRESHOLDS,
    Member,
    Release,
    Terms,
    pipeline_of,
)
from podura.release.detecting import ReleasedDetector
from podura.release.loading import read_release
from podura.release.writing import copy_member, write_detector
from podura.tables import (
    EVIDENCE_DETECTIONS,
    EVIDENCE_IMAGES,
    EVIDENCE_LOOKS,
    EVIDENCE_TRUTHS,
    RELEASE_THRESHOLDS,
    read_json,
    write_json,
    write_text,
)

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = ROOT / "workflow" / "schemas"
CODES = ("CER-DEN", "ISO-MIN")
TERMS = Terms(score_floor=0.001, max_detections=30, iou=0.5)


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A bright RGB image (height, width, 3) with a few dark, coloured blots."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), 225, np.float64) + rng.normal(0, 3, (size[1], size[0], 3))
    for _ in range(4):
        centre = (int(rng.integers(8, size[0] - 8)), int(rng.integers(8, size[1] - 8)))
        colour = [float(value) for value in rng.uniform(30, 160, 3)]
        cv2.ellipse(pixels, centre, (9, 4), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_picture(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path)
    return path


def trained(folder: Path, seed: int, *, species: Sequence[str] = CODES) -> Path:
    """A model as ``train`` leaves it; its weights are random."""
    torch.manual_seed(seed)
    detector = build_detector("ultralytics", "yolov5n", species)
    facts = {
        "model": "yolov5n",
        "seed": seed,
        "adapter": "ultralytics",
        "architecture": "yolov5n",
        "image_size": 96,
        "tiling": None,
        "species": list(species),
    }
    save_model(detector.state_dict(), facts, folder)
    return folder


def make_release(
    folder: Path, work: Path, seeds: Sequence[int] = (1,), thresholds: Mapping[str, float] = {}
) -> Release:
    """A whole release of untrained models; ``thresholds`` are certified ones."""
    folder.mkdir(parents=True)
    places = {
        copy_member(trained(work / f"seed-{seed}", seed), folder, "yolov5n", seed): seed for seed in seeds
    }
    of_members = [read_json(folder / place / "model.json") for place in places]
    keys = ("adapter", "architecture", "image_size", "tiling")
    fusion = 0.55 if len(places) > 1 else None
    facts: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "study": "tiny",
        "model": "yolov5n",
        "label": "YOLOv5n",
        "licence": "AGPL-3.0-or-later",
        "seeds": list(seeds),
        "fold": 0,
        "pipeline": pipeline_of(of_members, TERMS, fusion),
        "members": [
            {"model": "yolov5n", "seed": seed, "folder": place, **{key: one[key] for key in keys}}
            for (place, seed), one in zip(places.items(), of_members, strict=True)
        ],
        "fusion": None if fusion is None else {"method": "weighted boxes fusion", "iou": fusion},
        "terms": vars(TERMS),
        "species": list(CODES),
        "code": {"podura": "0.1.0"},
        "versions": {},
    }
    RELEASE_THRESHOLDS.write_csv(
        [
            {
                **dict.fromkeys(RELEASE_THRESHOLDS.names),
                "species": code,
                "threshold": thresholds.get(code),
                "threshold_status": "certified" if code in thresholds else "needs_more",
                "target_precision": 0.95,
                "delta": 0.05,
                "calibration_n": 0,
                "calibration_errors": 0,
                "calibration_slides": 0,
            }
            for code in CODES
        ],
        folder / THRESHOLDS,
    )
    write_text(
        "code\tname\n" + "".join(f"{code}\tGenus {code.lower()}\n" for code in CODES), folder / SPECIES
    )
    write_text("# Card\n", folder / CARD)
    EVIDENCE_DETECTIONS.write_parquet([], folder / EVIDENCE_FILES["detections"])
    EVIDENCE_TRUTHS.write_parquet([], folder / EVIDENCE_FILES["truths"])
    EVIDENCE_IMAGES.write_csv([], folder / EVIDENCE_FILES["images"])
    EVIDENCE_LOOKS.write_parquet([], folder / EVIDENCE_FILES["looks"])
    write_picture(folder / "check/image.png", seed=99)
    members = tuple(Member(**member) for member in facts["members"])
    made = Release(folder, "tiny", "yolov5n", facts["pipeline"], members, fusion, TERMS, CODES, facts)
    found = ReleasedDetector(made, torch.device("cpu")).detect(folder / "check/image.png")
    write_json({"image": "check/image.png", "detections": found.rows}, folder / CHECK)
    write_detector(folder, facts)
    return read_release(folder)


def survey_of(images: Path, **entry: Any) -> SurveySettings:
    """The settings of a survey named after a folder or table, defaults filled in."""
    schema = load_schema(SCHEMAS, "survey")
    filled = with_defaults({"images": str(images), **entry}, schema)
    return survey_from_json({"name": "meadow", **filled})


def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
    """The CSVs of a folder by name, for comparing them."""
    return {path.name: pd.read_csv(path) for path in sorted(folder.glob("*.csv"))}
