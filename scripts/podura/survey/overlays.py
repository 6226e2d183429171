"""Which pictures of a survey's images are still right."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from podura.fingerprints import content_digest
from podura.tables import BOX_COLUMNS, PICTURES, write_json

log = logging.getLogger(__name__)

#: Detections from this score on are shown although they are not accepted.
SHOWN_SCORE = 0.5
_KEYS, _THUMBNAILS = ".keys.json", "thumbnails"


def shown_boxes(detections: pd.DataFrame) -> pd.DataFrame:
    """The boxes of SURVEY_DETECTIONS to draw, as ``report.gallery`` takes them: not accepted ones are
    ``ignore``."""
    shown = detections[detections["accepted"] | (detections["score"] >= SHOWN_SCORE)]
    boxes = shown[["image", "slide", "species", *BOX_COLUMNS]].assign(
        ignore=~shown["accepted"].to_numpy(dtype=bool), id=range(1, len(shown) + 1)
    )
    return boxes.reset_index(drop=True)


class Kept:
    """The pictures in a folder that still show their image with its boxes; ``pictures`` are their rows by
    image.

    ``style`` stands for how pictures are drawn: with another one none is kept.
    """

    def __init__(self, folder: Path, images: pd.DataFrame, boxes: pd.DataFrame, *, style: str) -> None:
        self._folder = folder
        by_image = dict(tuple(boxes.groupby("image", sort=False)))
        self._keys = {row.image: _key(row, by_image.get(row.image), style) for row in images.itertuples()}
        self.pictures: dict[str, Mapping[str, Any]] = {}
        try:
            known = json.loads((folder / _KEYS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for image, key in self._keys.items():
            picture = known.get(image, {})
            if picture.get("key") == key and self._is_there(picture["row"]["file"]):
                self.pictures[image] = picture["row"]

    def _is_there(self, file: str) -> bool:
        return (self._folder / file).is_file() and (self._folder / _THUMBNAILS / file).is_file()

    def take(self, new: Path, drawn: pd.DataFrame) -> pd.DataFrame:
        """Move new pictures (a folder and tables.PICTURES) in, remove those of no image; returns all of
        PICTURES."""
        (self._folder / _THUMBNAILS).mkdir(exist_ok=True)
        for file in drawn["file"]:
            for place in (Path(file), Path(_THUMBNAILS, file)):
                (new / place).replace(self._folder / place)
        shutil.rmtree(new)
        rows = {**self.pictures, **{row["image"]: row for row in _records(drawn)}}
        table = PICTURES.frame([rows[image] for image in self._keys])
        write_json(
            {row["image"]: {"key": self._keys[row["image"]], "row": row} for row in _records(table)},
            self._folder / _KEYS,
        )
        files = set(table["file"])
        for folder in (self._folder, self._folder / _THUMBNAILS):
            for path in folder.glob("*.jpg"):
                if path.name not in files:
                    path.unlink()
        return table


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with plain values, None for what is missing."""
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return records


def _key(row: Any, boxes: pd.DataFrame | None, style: str) -> str:
    digest = hashlib.sha256(f"{style}\0{row.image}\0{row.slide}\0{row.status}\0{row.reason}\0".encode())
    try:
        digest.update(content_digest(row.path).encode())
    except OSError:
        digest.update(b"missing")
    if boxes is not None:
        columns = ["species", "ignore", *BOX_COLUMNS]
        digest.update(boxes[columns].to_csv(index=False).encode())
    return digest.hexdigest()
