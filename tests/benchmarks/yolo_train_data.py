"""The same labelled images for Podura's training and for ``yolo train``."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import yaml

from builders import bccd_folder
from podura.annotations.voc import read_voc
from podura.slides.painting import ImageRow, PaintSettings, load_traits, paint_study
from podura.tables import BOX_COLUMNS
from podura.training.samples import LabelledImage

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("train", "val", "test")
#: Five of the demo study's species.
PAINTED_SPECIES = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
BCCD_SPECIES = ("RBC", "WBC", "Platelets")


@dataclass(frozen=True)
class Image:
    """An image below the folder of images of its part, and its boxes (x_min, y_min, x_max, y_max)."""

    name: str
    boxes: list[tuple[float, float, float, float]]
    labels: list[int]


@dataclass(frozen=True)
class DataSet:
    """A data set as Ultralytics wants it (``images/<part>``, ``labels/<part>``), read by both sides."""

    folder: Path
    species: tuple[str, ...]
    parts: dict[str, list[Image]]

    def path(self, part: str, image: Image) -> Path:
        return self.folder / "images" / part / image.name

    def labelled(self, part: str) -> list[LabelledImage]:
        return [
            LabelledImage(
                image.name,
                self.path(part, image),
                np.array(image.boxes, dtype=np.float64).reshape(-1, 4),
                np.array(image.labels, dtype=np.int64),
            )
            for image in self.parts[part]
        ]

    def truth(self, part: str) -> pd.DataFrame:
        rows = [
            {"image": image.name, "slide": image.name, "species": self.species[label], "ignore": False}
            | dict(zip(BOX_COLUMNS, box, strict=True))
            for image in self.parts[part]
            for box, label in zip(image.boxes, image.labels, strict=True)
        ]
        return pd.DataFrame(rows).assign(id=range(1, len(rows) + 1))

    def write(self) -> None:
        """Write Ultralytics' labels and ``data.yaml``, and ``data.json`` for ``load``."""
        for part, images in self.parts.items():
            labels = self.folder / "labels" / part
            labels.mkdir(parents=True, exist_ok=True)
            for image in images:
                height, width = cv2.imread(str(self.path(part, image))).shape[:2]
                lines = [
                    f"{label} {(left + right) / 2 / width:.8f} {(top + bottom) / 2 / height:.8f} "
                    f"{(right - left) / width:.8f} {(bottom - top) / height:.8f}\n"
                    for (left, top, right, bottom), label in zip(image.boxes, image.labels, strict=True)
                ]
                (labels / f"{Path(image.name).stem}.txt").write_text("".join(lines))
        described = {"path": str(self.folder), **{part: f"images/{part}" for part in self.parts}}
        described["names"] = dict(enumerate(self.species))
        (self.folder / "data.yaml").write_text(yaml.safe_dump(described))
        parts = {part: [asdict(image) for image in images] for part, images in self.parts.items()}
        (self.folder / "data.json").write_text(json.dumps({"species": self.species, "parts": parts}))

    @classmethod
    def load(cls, folder: Path) -> DataSet:
        held = json.loads((folder / "data.json").read_text())
        parts = {part: [Image(**image) for image in images] for part, images in held["parts"].items()}
        return cls(folder, tuple(held["species"]), parts)


def painted(folder: Path, images: dict[str, int], *, width: int, height: int, seed: int = 11) -> DataSet:
    """Painted slides of five species, four images a slide, with the demo study's crowding."""
    parts = {}
    for part, number in images.items():
        rows = [
            ImageRow(f"{part}{i:04d}.jpg", f"{part}-{i // 4}", f"site-{i % 3}", 10) for i in range(number)
        ]
        coco = paint_study(
            rows=rows,
            folder=folder / "images" / part,
            species=PAINTED_SPECIES,
            species_names={code: code for code in PAINTED_SPECIES},
            settings=PaintSettings(width, height, 10, 7 * width * height / (640 * 480), 1.5),
            traits=load_traits(ROOT / "resources" / "springtail_traits.tsv"),
            seed=seed,
        )
        by_image: dict[int, list[dict]] = {image["id"]: [] for image in coco["images"]}
        for box in coco["annotations"]:
            by_image[box["image_id"]].append(box)
        first = min(category["id"] for category in coco["categories"])
        parts[part] = [
            Image(
                image["file_name"],
                [(x, y, x + w, y + h) for x, y, w, h in (box["bbox"] for box in by_image[image["id"]])],
                [box["category_id"] - first for box in by_image[image["id"]]],
            )
            for image in coco["images"]
        ]
    made = DataSet(folder, PAINTED_SPECIES, parts)
    made.write()
    return made


def bccd(folder: Path) -> DataSet | None:
    """The real blood cells with their publisher's parts; None where they do not lie beside the repository."""
    source = bccd_folder()
    if source is None:
        return None
    boxes = {Path(image.file_names[0]).stem: image.boxes for image in read_voc(source / "Annotations").images}
    parts = {}
    for part in PARTS:
        target = folder / "images" / part
        target.mkdir(parents=True, exist_ok=True)
        parts[part] = []
        for name in (source / "ImageSets" / "Main" / f"{part}.txt").read_text().split():
            shutil.copyfile(source / "JPEGImages" / f"{name}.jpg", target / f"{name}.jpg")
            height, width = cv2.imread(str(target / f"{name}.jpg")).shape[:2]
            kept, labels = [], []
            for box in boxes[name]:
                left, right = max(box.x_min, 0.0), min(box.x_max, float(width))
                top, bottom = max(box.y_min, 0.0), min(box.y_max, float(height))
                if right > left and bottom > top:
                    kept.append((left, top, right, bottom))
                    labels.append(BCCD_SPECIES.index(box.name))
            parts[part].append(Image(f"{name}.jpg", kept, labels))
    made = DataSet(folder, BCCD_SPECIES, parts)
    made.write()
    return made
