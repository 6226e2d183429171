"""Data sets built by code, as the pages of a data set receive them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura import tables
from podura.annotations.dataset import image_frame, truth_frame
from podura.inventory import site_counts, size_table, slide_counts, specimen_sizes
from podura.report.dataset import Dataset
from podura.report.gallery import picture_name
from podura.splits import split_report

SPECIES = (
    {"code": "CER-DEN", "name": "Ceratophysella denticulata", "authority": "(Bagnall, 1941)", "family": ""},
    {"code": "ISO-MIN", "name": "Isotomiella minor", "authority": "(Schäffer, 1896)", "family": ""},
    {"code": "FOL-SP", "name": "Folsomia sp. 2", "authority": "", "family": "Isotomidae"},
    {"code": "MAS", "name": "Mast cell", "authority": "", "family": ""},
)
FRACTIONS = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}
SIZE = (320, 240)

#: One row an image: its name, slide, sample, site, µm per pixel, and boxes as (species, x, y, w, h, ignore).
Row = tuple[
    str, str, str | None, str | None, float | None, Sequence[tuple[str, float, float, float, float, bool]]
]


def rows(n_slides: int = 10, per_slide: int = 2) -> list[Row]:
    """Slides at two sites; CER-DEN on all, ISO-MIN at the first site only, FOL-SP once, MAS never."""
    found: list[Row] = []
    for number in range(n_slides):
        site = ("meadow", "hedge")[number % 2]
        for field in range(per_slide):
            boxes = [("CER-DEN", 20.0, 30.0, 60.0, 40.0, False)]
            if site == "meadow":
                boxes += [
                    ("ISO-MIN", 150.0, 90.0, 30.0, 50.0, False),
                    ("ISO-MIN", 200.0, 90.0, 30.0, 50.0, True),
                ]
            if number == 3 and field == 0:
                boxes.append(("FOL-SP", 5.0, 200.0, 20.0, 20.0, False))
            if number == 4 and field == 1:
                boxes = []
            name = f"slide {number:02d}/field {field}.png"
            found.append((name, f"slide {number:02d}", f"core {number // 2}", site, 2.5, boxes))
    return found


def coco_of(images: Sequence[Row], species: Sequence[Mapping[str, str]] = SPECIES) -> dict[str, Any]:
    category = {one["code"]: number for number, one in enumerate(species, start=1)}
    coco: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": code} for code, number in category.items()],
    }
    for number, (name, slide, sample, site, scale, boxes) in enumerate(images, start=1):
        facts = {"slide": slide, "sample": sample, "site": site, "um_per_pixel": scale}
        coco["images"].append(
            {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            | {key: value for key, value in facts.items() if value is not None}
        )
        for code, x, y, width, height, ignore in boxes:
            coco["annotations"].append(
                {
                    "id": len(coco["annotations"]) + 1,
                    "image_id": number,
                    "category_id": category[code],
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": int(ignore),
                    "ignore": int(ignore),
                }
            )
    return coco


def split_of(coco: Mapping[str, Any], folds: int = 1) -> pd.DataFrame:
    """Slides dealt to parts in turn; with folds, from 1, one row an image and fold."""
    images = image_frame(coco)
    slides = sorted(images["slide"].unique())
    frames = []
    for fold in range(1, folds + 1) if folds > 1 else [0]:
        part = {slide: tables.PARTS[(place + fold) % 4] for place, slide in enumerate(slides)}
        frames.append(images[["image", "slide"]].assign(part=images["slide"].map(part), fold=fold))
    return tables.SPLIT.frame(pd.concat(frames))


def make_dataset(
    images: Sequence[Row] | None = None,
    *,
    folds: int = 1,
    dropped: Sequence[tuple[str, str]] = (),
    problems: Sequence[Mapping[str, Any]] = (),
    species: Sequence[Mapping[str, str]] = SPECIES,
    **replaced: Any,
) -> Dataset:
    """A data set; ``dropped`` gives name and slide of images that the import could not use."""
    images = rows() if images is None else images
    coco = coco_of(images, species)
    codes = [one["code"] for one in species]
    truth, split = truth_frame(coco), split_of(coco, folds)
    counts = split_report(split, truth, codes, FRACTIONS)
    of_study = [(*row[:5], None, True) for row in images]
    of_study += [(name, slide, None, None, None, None, False) for name, slide in dropped]
    columns = ["image", "slide", "sample", "site", "um_per_pixel", "date", "used"]
    frame = pd.DataFrame(of_study, columns=columns).astype(
        dict.fromkeys(["image", "slide", "sample", "site", "date"], "string") | {"um_per_pixel": "float64"}
    )
    fields: dict[str, Any] = {
        "study": "demo",
        "images": frame,
        "boxes": truth,
        "sizes": specimen_sizes(coco),
        "split": split,
        "counts": counts,
        "slides": slide_counts(coco, split, codes),
        "sites": site_counts(coco, codes),
        "quantiles": size_table(specimen_sizes(coco), codes),
        "problems": tables.PROBLEMS.frame(list(problems)),
        "pictures": pictures_of(frame["image"]),
        "leakage": None,
        "species_list": species,
        "card": dict.fromkeys(["title", "description", "source", "licence", "citation", "contact"]),
        "facts": {
            "format": "coco",
            "split_by": "slide",
            "others_by": "slide",
            "random_seed": 7,
            "files": {"annotations.json": "a" * 64, "split.csv": "b" * 64},
        },
    }
    return Dataset(**{**fields, **replaced})


def pictures_of(images: Sequence[str]) -> pd.DataFrame:
    return tables.PICTURES.frame(
        [
            {
                "image": image,
                "file": picture_name(image),
                "width": 960,
                "height": 780,
                "thumbnail_width": 320,
                "thumbnail_height": 240,
                "n_unlabelled": 0,
                "fault": None,
            }
            for image in images
        ]
    )


def problem(
    image: str | None, kind: str, severity: str = "warning", message: str = "a fault"
) -> dict[str, Any]:
    return {
        "image": image,
        "row": "line 3",
        "kind": kind,
        "severity": severity,
        "treatment": "kept",
        "value": None,
        "message": message,
    }


def grey_pixels(width: int = SIZE[0], height: int = SIZE[1], value: int = 200) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, dtype=np.uint8)
