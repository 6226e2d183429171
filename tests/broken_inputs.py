"""A small sound study in any format of annotations, of which a case spoils one thing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

import format_writers as write
import import_dataset
from builders import ORIENTATION, quadrants
from format_writers import Drawn, DrawnImage
from podura.errors import UserError
from podura.tables import PROBLEMS, read_json

SIZE = (200, 150)
CODES = ("CER-DEN", "ISO-MIN")
#: An expected row: kind, severity, treatment, image (None: of no image).
Row = tuple[str, str, str, str | None]

WRITERS: dict[str, Callable[[Path, Sequence[DrawnImage]], Path]] = {
    "coco": write.write_coco,
    "voc": write.write_voc,
    "yolo": write.write_yolo,
    "labelme": write.write_labelme,
    "cvat": write.write_cvat,
    "label_studio": write.write_label_studio,
    "via": write.write_via,
    "csv": write.write_csv,
}
#: What a sound study is told of in formats that do not tell the size of an image.
WITHOUT_SIZE = ("yolo", "via")
SIZE_ROW: Row = ("size_not_told", "note", "kept", None)


def sound_boxes(place: int) -> list[Drawn]:
    """Four boxes of each species, none near another, none of an odd size."""
    boxes = []
    for number in range(8):
        x, y = 10 + 45 * (number % 4), 10 + 60 * (number // 4)
        boxes.append(Drawn(CODES[number % 2], (x, y, x + 20 + place, y + 24 + number)))
    return boxes


class Laboratory:
    """Six images on six slides, with enough specimens of both species: nothing is wrong with it.

    A case changes ``drawn``, ``images``, ``species`` or ``config``, calls ``write`` if it is to spoil a
    file, and ``run`` imports. Names of images are ``a.png`` to ``f.png``.
    """

    def __init__(self, folder: Path, kind: str = "coco", n: int = 6) -> None:
        self.folder = folder
        self.kind = kind
        self.writer = WRITERS[kind]
        names = [f"{chr(97 + place)}.png" for place in range(n)]
        self.drawn = [DrawnImage(name, SIZE, sound_boxes(place)) for place, name in enumerate(names)]
        self.images = [["image", "slide"], *([name, f"S{place}"] for place, name in enumerate(names))]
        self.species = [
            ["code", "name", "authority", "family", "aliases"],
            ["CER-DEN", "Ceratophysella denticulata", "", "", "C. denticulata"],
            ["ISO-MIN", "Isotomiella minor", "", "", "I. minor"],
        ]
        self.config: dict[str, Any] = {
            "study": "broken",
            "species": {"table": str(folder / "species.tsv"), "include": None},
            "dataset": {"images": str(folder / "images.tsv"), "annotations": {"format": kind}},
        }
        self.dataset = folder / "results"
        self.given = folder
        self.written = False

    # --- what a case may change -------------------------------------------------------------------

    @property
    def annotations(self) -> dict[str, Any]:
        """The section dataset.annotations of the configuration."""
        found: dict[str, Any] = self.config["dataset"]["annotations"]
        return found

    def draw(self, image: int, *boxes: Drawn) -> None:
        """Draw more boxes on an image."""
        self.drawn[image] = replace(self.drawn[image], boxes=[*self.drawn[image].boxes, *boxes])

    def move(self, image: int, box: tuple[float, float, float, float], name: str | None = None) -> None:
        """Give the first box of an image other corners or another name."""
        first, *others = self.drawn[image].boxes
        self.drawn[image] = replace(self.drawn[image], boxes=[Drawn(name or first.name, box), *others])

    def write(self) -> None:
        """Write everything as it stands."""
        self.written = True
        for image in self.drawn:
            if image.name in [row[0] for row in self.images]:
                self.picture(image.name)
        self.write_tables()
        (self.folder / "given").mkdir(exist_ok=True)
        self.given = self.writer(self.folder / "given", self.drawn)
        self.annotations.setdefault("path", str(self.given))

    def write_tables(self) -> None:
        for name, rows in (("images.tsv", self.images), ("species.tsv", self.species)):
            (self.folder / name).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")

    def picture(self, name: str, size: tuple[int, int] = SIZE, orientation: int | None = None) -> Path:
        """Write an image file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = quadrants(*size)
        pixels[0, 0] = [len(name), sum(name.encode()) % 256, 1]  # no two are equal
        exif = Image.Exif()
        if orientation is not None:
            exif[ORIENTATION] = orientation
        Image.fromarray(pixels).save(path, exif=exif)
        return path

    @contextmanager
    def document(self) -> Iterator[Any]:
        """The JSON of the annotations, to be changed in place."""
        self.write()
        files = sorted(self.given.rglob("*.json")) if self.given.is_dir() else [self.given]
        document = json.loads(files[0].read_text(encoding="utf-8"))
        yield document
        files[0].write_text(json.dumps(document), encoding="utf-8")

    def edit(self, old: str, new: str, suffix: str | None = None) -> None:
        """Replace a text, once, in the first file of the annotations that has it."""
        if not self.written:
            self.write()
        for path in self.files(suffix):
            text = path.read_text(encoding="utf-8")
            if old in text:
                path.write_text(text.replace(old, new, 1), encoding="utf-8")
                return
        raise AssertionError(f"no file of the annotations holds {old!r}")

    def files(self, suffix: str | None = None) -> list[Path]:
        """The files of the annotations."""
        found = self.given.rglob("*") if self.given.is_dir() else self.given.parent.rglob("*")
        return sorted(p for p in found if p.is_file() and suffix in (None, p.suffix))

    # --- what comes out ---------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Import as the rule does; a UserError is an outcome, any other exception is none."""
        if not self.written:
            self.write()
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(self.config), encoding="utf-8")
        arguments = argparse.Namespace(
            config=path, painted_folder=self.folder / "painted", output=self.dataset, threads=2
        )
        try:
            import_dataset.main(arguments)
        except UserError as error:
            refused = self.dataset / "refused_problems.csv"
            assert not (self.dataset / "annotations.json").exists()
            return Outcome(str(error), PROBLEMS.read_csv(refused) if refused.exists() else None, {})
        assert not (self.dataset / "refused_problems.csv").exists()
        coco = read_json(self.dataset / "annotations.json")
        return Outcome("", PROBLEMS.read_csv(self.dataset / "problems.csv"), coco)


@dataclass(frozen=True)
class Outcome:
    """What a run told: the message of a refusal ("" for none), the table of problems, the data set."""

    message: str
    problems: pd.DataFrame | None
    coco: dict[str, Any]

    def rows(self) -> list[Row]:
        """Kind, severity, treatment and image of each problem."""
        if self.problems is None:
            return []
        columns = self.problems[["kind", "severity", "treatment", "image"]]
        return [tuple(None if pd.isna(v) else str(v) for v in row) for row in columns.to_numpy()]  # type: ignore[misc]

    def of_kind(self, kind: str) -> list[Row]:
        return [row for row in self.rows() if row[0] == kind]

    @property
    def n_images(self) -> int:
        return len(self.coco["images"])

    @property
    def ignored(self) -> np.ndarray:
        """Of each box of the data set whether it is ignored."""
        return np.array([bool(box["ignore"]) for box in self.coco["annotations"]])
