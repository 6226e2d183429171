"""Truths and detections of made-up studies, and what pycocotools says of them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from podura.tables import BOX_COLUMNS, DETECTIONS

SPECIES = ("CER-DEN", "ISO-MIN", "LEP-CYA")
TRUTH_COLUMNS = ("id", "image", "slide", "species", *BOX_COLUMNS, "ignore")
NO_CAP = 1_000_000


def truth_rows(*rows: Sequence[Any]) -> pd.DataFrame:
    """Truths from rows (id, image, species, box[, ignore]); the slide is the image's first letter."""
    return pd.DataFrame(
        [(i, image, image[0], code, *box, bool(rest and rest[0])) for i, image, code, box, *rest in rows],
        columns=list(TRUTH_COLUMNS),
    )


def detection_rows(*rows: Sequence[Any]) -> pd.DataFrame:
    """Detections from rows (image, species, score, box)."""
    columns = ["image", "slide", "species", "score", *BOX_COLUMNS]
    return DETECTIONS.frame(
        pd.DataFrame(
            [(image, image[0], code, score, *box) for image, code, score, box in rows], columns=columns
        )
    )


def hostile_study(generator: Generator) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """A small study full of traps: truths, detections and the slide of each image.

    Boxes lie on a coarse grid, so that overlaps tie and equal thresholds; scores tie; some truths are
    to be ignored; images are empty; a species may be without truth or without detections.
    """
    images = {f"{'abcd'[i % 4]}{i}.png": "abcd"[i % 4] for i in range(int(generator.integers(1, 7)))}
    names = list(images)
    n_truth, n_detections = generator.integers(0, 40, size=2)
    ids = 1 + generator.permutation(3 * int(n_truth))[:n_truth]
    crowd_share = generator.choice([0.0, 0.2, 0.6])
    truths = truth_rows(
        *(
            (
                int(i),
                names[generator.integers(len(names))],
                SPECIES[generator.integers(3) * generator.integers(2)],
                _box(generator),
                generator.random() < crowd_share,
            )
            for i in ids
        )
    )
    levels = int(generator.choice([2, 5, 1000]))
    rows = []
    for _ in range(n_detections):
        box, image, code = _box(generator), names[generator.integers(len(names))], SPECIES[0]
        if len(truths) and generator.random() < 0.7:
            near = truths.iloc[int(generator.integers(len(truths)))]
            image, code = near["image"], near["species"]
            box = near[list(BOX_COLUMNS)].to_numpy(float) + generator.integers(-1, 2, 4)
            box[2:] = np.maximum(box[2:], box[:2])
        if generator.random() < 0.2:
            code = SPECIES[generator.integers(3)]
        rows.append((image, code, generator.integers(levels + 1) / levels, box))
    return truths, detection_rows(*rows), images


def _box(generator: Generator) -> NDArray[np.float64]:
    corner, size = generator.integers(0, 9, 2), generator.integers(0, 8, 2)
    return np.concatenate([corner, corner + size]).astype(float)


def slide_study(
    generator: Generator,
    *,
    n_images: int,
    n_truth: int,
    n_detections: int,
    species: Sequence[str] = SPECIES,
    images_per_slide: int = 2,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """A study like a real one: animals all over the images, detections near most of them, and errors."""
    images = {f"image-{i:05d}.png": f"slide-{i // images_per_slide:04d}" for i in range(n_images)}
    names, codes = np.array(list(images), dtype=object), np.array(species, dtype=object)
    slides = np.array(list(images.values()), dtype=object)
    place, kind = generator.integers(n_images, size=n_truth), generator.integers(len(species), size=n_truth)
    corner, size = generator.uniform(0, 9000, (n_truth, 2)), generator.uniform(60, 400, (n_truth, 2))
    truth_boxes = np.hstack([corner, corner + size])
    truths = _frame(names[place], slides[place], codes[kind], truth_boxes)
    truths.insert(0, "id", np.arange(1, n_truth + 1))
    truths["ignore"] = generator.random(n_truth) < 0.03
    near = generator.integers(n_truth, size=n_detections)
    boxes = truth_boxes[near] + generator.normal(0, 0.08, (n_detections, 4)) * np.tile(size[near], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    wrong = generator.random(n_detections) < 0.1
    kinds = np.where(wrong, generator.integers(len(species), size=n_detections), kind[near])
    detections = _frame(names[place[near]], slides[place[near]], codes[kinds], boxes)
    detections["score"] = np.round(generator.beta(2, np.where(wrong, 4, 1.5)), 3)
    return truths, DETECTIONS.frame(detections), images


def _frame(image: NDArray, slide: NDArray, species: NDArray, boxes: NDArray) -> pd.DataFrame:
    columns = {name: boxes[:, place] for place, name in enumerate(BOX_COLUMNS)}
    return pd.DataFrame({"image": image, "slide": slide, "species": species, **columns})


def coco_loaded(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    images: Mapping[str, str],
    species: Sequence[str],
    max_detections: int = NO_CAP,
) -> COCOeval:
    """pycocotools before its work, detections in the order of the frame and with ids from 1 in that order."""
    image_id = {name: number for number, name in enumerate(sorted(images), start=1)}
    category_id = {code: number for number, code in enumerate(species, start=1)}
    listed = {
        "images": [{"id": number} for number in image_id.values()],
        "categories": [{"id": number} for number in category_id.values()],
    }
    true, found = COCO(), COCO()
    true.dataset = {**listed, "annotations": _annotations(truths, image_id, category_id)}
    numbered = detections.assign(id=range(1, len(detections) + 1), ignore=False)
    found.dataset = {**listed, "annotations": _annotations(numbered, image_id, category_id)}
    with contextlib.redirect_stdout(io.StringIO()):
        true.createIndex()
        found.createIndex()
        evaluation = COCOeval(true, found, "bbox")
        evaluation.params.maxDets = [max_detections]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    return evaluation


def coco_evaluated(evaluation: COCOeval) -> COCOeval:
    """Let pycocotools work, without its prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def coco_average_precision(evaluation: COCOeval) -> NDArray[np.float64]:
    """Average precision (10 IoUs, species), NaN without truth.

    Read from ``eval["precision"]``, as ``stats[0]`` is -1 where the cap is not 100.
    """
    precision = evaluation.eval["precision"][:, :, :, 0, 0]
    return np.where((precision < 0).any(axis=1), np.nan, precision.mean(axis=1))


def in_canonical_order(detections: pd.DataFrame) -> pd.DataFrame:
    """Falling score, then image, then box: the order that matching puts detections in."""
    by = ["score", "image", *BOX_COLUMNS]
    return detections.sort_values(by, ascending=[False, *[True] * 5], kind="stable").reset_index(drop=True)


def _annotations(
    frame: pd.DataFrame, image_id: Mapping[str, int], category_id: Mapping[str, int]
) -> list[dict[str, Any]]:
    return [
        {
            "id": int(row["id"]),
            "image_id": image_id[row["image"]],
            # A species that nobody listed gets a category that nobody listed.
            "category_id": category_id.get(row["species"], len(category_id) + 1),
            "bbox": [row["x_min"], row["y_min"], row["x_max"] - row["x_min"], row["y_max"] - row["y_min"]],
            "area": (row["x_max"] - row["x_min"]) * (row["y_max"] - row["y_min"]),
            "iscrowd": int(row["ignore"]),
            "score": row.get("score"),
        }
        for row in frame.to_dict("records")
    ]
