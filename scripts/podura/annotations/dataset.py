"""The imported data set: built as COCO, and read as frames by the stages that follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from podura.annotations.names import SpeciesEntry
from podura.annotations.problems import Box
from podura.slides.entries import ImageEntry
from podura.slides.reading import ImageHeader
from podura.tables import BOX_COLUMNS

_IMAGE_KEYS = ("slide", "sample", "site", "part")


@dataclass(frozen=True, slots=True)
class SoundBox:
    """A checked box in pixels, its species code, and where and how the annotation file gave it."""

    box: Box
    species: str
    ignore: bool
    where: str
    given: str


def coco_dataset(
    entries: Sequence[ImageEntry],
    headers: Mapping[str, ImageHeader],
    boxes: MutableMapping[str, list[SoundBox]],
    species: Sequence[SpeciesEntry],
) -> dict[str, Any]:
    """The COCO dictionary; ids count from 1 in the order of ``entries``, of boxes and of ``species``.

    ``boxes`` holds those of each image by its name, and is emptied, since there may be a million.
    """
    category = {entry.code: number for number, entry in enumerate(species, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, entry in enumerate(entries, start=1):
        for box in boxes.pop(entry.image):
            x_min, y_min, x_max, y_max = box.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category[box.species],
                    "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
                    "area": (x_max - x_min) * (y_max - y_min),
                    # COCO's evaluators know "ignore" only as iscrowd.
                    "iscrowd": int(box.ignore),
                    "ignore": int(box.ignore),
                }
            )
    return {
        "info": {"description": "Imported by Podura; boxes in pixels after EXIF orientation"},
        "images": [
            _coco_image(image_id, entry, headers[entry.image])
            for image_id, entry in enumerate(entries, start=1)
        ],
        "categories": [
            {"id": category[entry.code], "name": entry.code, "scientific_name": entry.name}
            for entry in species
        ],
        "annotations": annotations,
    }


def _coco_image(image_id: int, entry: ImageEntry, header: ImageHeader) -> dict[str, Any]:
    known = {
        key: value
        for key in ("sample", "site", "um_per_pixel", "part")
        if (value := getattr(entry, key)) is not None
    }
    return {
        "id": image_id,
        "file_name": entry.image,
        "width": header.width,
        "height": header.height,
        "slide": entry.slide,
        **known,
    }


def image_frame(coco: Mapping[str, Any]) -> pd.DataFrame:
    """One row an image: ``id, image, slide, sample, site, part, width, height`` (pixels).

    ``sample``, ``site`` and the fixed ``part`` are missing where the study does not tell them.
    """
    frame = pd.DataFrame(
        {
            "id": [image["id"] for image in coco["images"]],
            "image": [image["file_name"] for image in coco["images"]],
            **{key: [image.get(key) for image in coco["images"]] for key in _IMAGE_KEYS},
            "width": [image["width"] for image in coco["images"]],
            "height": [image["height"] for image in coco["images"]],
        }
    )
    return frame.astype(
        {"id": "int64", "width": "int64", "height": "int64"}
        | dict.fromkeys(("image", *_IMAGE_KEYS), "string")
    )


def truth_frame(coco: Mapping[str, Any], images: Collection[str] | None = None) -> pd.DataFrame:
    """One row an annotation: ``id, image, slide, species, x_min, y_min, x_max, y_max, ignore``.

    Boxes in pixels of the EXIF-oriented image; ``ignore`` marks truths that count neither for nor
    against a detector. ``images`` restricts to these image names; None: all.
    """
    wanted = None if images is None else set(images)
    by_id = {image["id"]: image for image in coco["images"] if wanted is None or image["file_name"] in wanted}
    species = {category["id"]: category["name"] for category in coco["categories"]}
    rows = [annotation for annotation in coco["annotations"] if annotation["image_id"] in by_id]
    # Column by column: a tuple for each of a million rows would fill memory.
    of_row = [by_id[row["image_id"]] for row in rows]
    corners = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    columns: dict[str, Any] = {
        "id": np.array([row["id"] for row in rows], dtype=np.int64),
        "image": pd.array([image["file_name"] for image in of_row], dtype="string"),
        "slide": pd.array([image["slide"] for image in of_row], dtype="string"),
        "species": pd.array([species[row["category_id"]] for row in rows], dtype="string"),
        **{name: corners[:, place] for place, name in enumerate(BOX_COLUMNS)},
        "ignore": np.array([bool(row["iscrowd"] or row["ignore"]) for row in rows], dtype=bool),
    }
    return pd.DataFrame(columns)
