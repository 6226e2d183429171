"""What people checked of a survey as training data of a next study: annotations and a table of images.

Only images that a person has searched as a whole are taken: in others animals without a box would be taught
as background. On these, what a person confirmed, corrected or added is annotated; what nobody has decided on,
or was unsure of, is a region to be ignored; what was rejected is nothing.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from podura.configuration.study import StudyImage
from podura.tables import BOX_COLUMNS, IMAGES, TRAINING_LEFT_OUT

#: Images of a survey belong to the part that is trained on, so that what is held out stays as it was.
PART = "train"
_LINE_BREAKS = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class TrainingData:
    """``coco``: annotations. ``images``: as tables.IMAGES. ``left_out``: image and reason, in words."""

    coco: dict[str, Any]
    images: pd.DataFrame
    left_out: pd.DataFrame


def training_data(
    survey: str,
    detections: pd.DataFrame,
    decisions: pd.DataFrame,
    images: pd.DataFrame,
    samples: pd.DataFrame,
    species: Sequence[Mapping[str, str]],
    folder: Path,
    study: tuple[Mapping[str, Any], Sequence[StudyImage]] | None = None,
) -> TrainingData:
    """The searched images of a survey, behind those of a study where one is given.

    detections: as machine/detections. decisions: as tables.REVIEW_DECISIONS. images and samples: those of the
    survey. species: code and name. folder: where the table of images will lie; its paths are relative to it.
    study: its COCO data set and images. Slides of the survey are named after it, so that they are never taken
    for slides of the study.
    """
    counting = decisions[~decisions["superseded"].astype(bool)]
    searched = set(counting.loc[counting["action"].eq("image_done"), "image"])
    known = {one.path.resolve() for one in study[1]} if study is not None else set()
    twice = {
        one
        for one, path in zip(images["image"], images["path"], strict=True)
        if Path(path).resolve() in known
    }
    usable = images[images["image"].isin(searched - twice) & images["status"].eq("ok")]
    building = _Building(folder, [dict(one) for one in species])
    if study is not None:
        building.add_study(*study)
    of_sample = samples.set_index("sample")
    boxes = _boxes(detections, counting, set(usable["image"]))
    for row in usable.itertuples(index=False):
        facts = of_sample.loc[row.sample] if row.sample in of_sample.index else {}
        building.add_image(
            Path(row.path),
            {
                "slide": f"{survey}: {row.slide}",
                "sample": None if pd.isna(row.sample) else f"{survey}: {row.sample}",
                "site": facts.get("site"),
                "date": facts.get("date"),
                "um_per_pixel": row.um_per_pixel,
                "part": PART,
            },
            (int(row.width), int(row.height)),
            boxes.get(row.image, []),
        )
    return TrainingData(building.coco(), building.table(), _left_out(images, searched, twice))


def images_text(images: pd.DataFrame) -> str:
    """A table of images as people write it: tab-separated, with a header."""
    handle = io.StringIO()
    writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
    writer.writerow(IMAGES.names)
    for row in images[IMAGES.names].astype("object").itertuples(index=False, name=None):
        writer.writerow(["" if pd.isna(value) else _cell(value) for value in row])
    return handle.getvalue()


def _cell(value: Any) -> str:
    # A path keeps its spaces: with others it would be the path of no file.
    return f"{value:.10g}" if isinstance(value, float) else _LINE_BREAKS.sub(" ", str(value))


def _left_out(images: pd.DataFrame, searched: set[str], twice: set[str]) -> pd.DataFrame:
    rows = []
    for one in images.itertuples(index=False):
        if one.status != "ok":
            rows.append((one.image, "the image could not be read"))
        elif one.image in twice:
            rows.append((one.image, "it is an image of the study, whose annotations are kept"))
        elif one.image not in searched:
            rows.append((one.image, "nobody has searched the whole image"))
    return TRAINING_LEFT_OUT.frame(pd.DataFrame(rows, columns=TRAINING_LEFT_OUT.names, dtype="object"))


Drawn = tuple[str, list[float], bool]


def _boxes(detections: pd.DataFrame, counting: pd.DataFrame, images: set[str]) -> dict[str, list[Drawn]]:
    """By image: species, box (corners) and whether it is to be ignored."""
    found: dict[str, list[Drawn]] = {}
    decided = counting[counting["detection"].notna()].set_index("detection")
    places = decided[list(BOX_COLUMNS)].astype("float64")
    for row in detections[detections["image"].isin(images)].itertuples(index=False):
        corners = [float(getattr(row, name)) for name in BOX_COLUMNS]
        species, ignore = row.species, True
        if row.detection in decided.index:
            action = decided.at[row.detection, "action"]
            if action == "reject":
                continue
            if action in ("accept", "species"):
                species, ignore = decided.at[row.detection, "species"], False
            moved = places.loc[row.detection].tolist()
            corners = corners if pd.isna(moved[0]) else moved
        elif not row.accepted:
            # A person who searched the image saw no animal there that lacks a box of its own.
            continue
        found.setdefault(row.image, []).append((species, corners, ignore))
    added = counting[counting["action"].eq("add") & counting["image"].isin(images)]
    for row in added.itertuples(index=False):
        corners = [float(getattr(row, name)) for name in BOX_COLUMNS]
        found.setdefault(row.image, []).append((row.species, corners, False))
    return found


class _Building:
    def __init__(self, folder: Path, species: list[dict[str, Any]]) -> None:
        self._folder = folder
        self._species = {str(one["code"]): str(one["name"]) for one in species}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []

    def add_study(self, coco: Mapping[str, Any], images: Sequence[StudyImage]) -> None:
        known = {one["file_name"]: one for one in coco["images"]}
        code = {one["id"]: str(one["name"]) for one in coco["categories"]}
        for one in coco["categories"]:
            self._species.setdefault(str(one["name"]), str(one.get("scientific_name", one["name"])))
        boxes: dict[int, list[Drawn]] = {}
        for one in coco["annotations"]:
            x, y, width, height = one["bbox"]
            ignore = bool(one.get("iscrowd") or one.get("ignore"))
            drawn = (code[one["category_id"]], [x, y, x + width, y + height], ignore)
            boxes.setdefault(one["image_id"], []).append(drawn)
        for image in images:
            if image.image not in known:
                continue  # the import has left it out, and said why
            entry = known[image.image]
            facts = {key: getattr(image, key) for key in IMAGES.names if key != "image"}
            size = (int(entry["width"]), int(entry["height"]))
            self.add_image(image.path, facts, size, boxes.get(entry["id"], []))

    def add_image(
        self, path: Path, facts: Mapping[str, Any], size: tuple[int, int], boxes: Sequence[Drawn]
    ) -> None:
        name = Path(os.path.relpath(path, self._folder)).as_posix()
        # A row that began so would be a comment of the table, or lose its spaces.
        name = f"./{name}" if name.startswith(("#", " ")) else name
        number = len(self._images) + 1
        self._rows.append({"image": name, **facts})
        self._images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        for species, (x_min, y_min, x_max, y_max), ignore in boxes:
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": list(self._species).index(species) + 1,
                    "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
                    "area": (x_max - x_min) * (y_max - y_min),
                    "iscrowd": int(ignore),
                    "ignore": int(ignore),
                }
            )

    def coco(self) -> dict[str, Any]:
        return {
            "info": {"description": "Training data by Podura, from images that people have searched"},
            "images": self._images,
            "categories": [
                {"id": number, "name": code, "scientific_name": name}
                for number, (code, name) in enumerate(self._species.items(), start=1)
            ],
            "annotations": self._annotations,
        }

    def table(self) -> pd.DataFrame:
        return IMAGES.frame(pd.DataFrame(self._rows, columns=IMAGES.names, dtype="object"))
