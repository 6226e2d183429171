"""The imported data set: built as COCO, and read as frames by the stages that follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podura.annotations.names import SpeciesEntry
from podura.annotations.problems import Box
from podura.slides.entries import ImageEntry
from podura.slides.reading import ImageHeader

_IMAGE_KEYS = ("slide", "sample", "site", "part")


@dataclass(frozen=True)
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
    boxes: Mapping[str, Sequence[SoundBox]],
    species: Sequence[SpeciesEntry],
) -> dict[str, Any]:
    """The COCO dictionary; ids count from 1 in the order of ``entries``, of boxes and of ``species``."""
    category = {entry.code: number for number, entry in enumerate(species, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, entry in enumerate(entries, start=1):
        for box in boxes[entry.image]:
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
    rows = [
        (
            annotation["id"],
            by_id[annotation["image_id"]]["file_name"],
            by_id[annotation["image_id"]]["slide"],
            species[annotation["category_id"]],
            x,
            y,
            x + width,
            y + height,
            bool(annotation["iscrowd"] or annotation["ignore"]),
        )
        for annotation in coco["annotations"]
        if annotation["image_id"] in by_id
        for x, y, width, height in [annotation["bbox"]]
    ]
    frame = pd.DataFrame(
        rows,
        columns=["id", "image", "slide", "species", "x_min", "y_min", "x_max", "y_max", "ignore"],
    )
    return frame.astype(
        {"id": "int64", "ignore": "bool"}
        | dict.fromkeys(("image", "slide", "species"), "string")
        | dict.fromkeys(("x_min", "y_min", "x_max", "y_max"), "float64")
    )
