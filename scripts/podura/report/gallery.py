"""A folder with the picture of every image of a data set."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura import tables
from podura.errors import UserError
from podura.report.specimens import Drawn, Legend, draw_placeholder, draw_specimens
from podura.report.wording import image_title

THUMBNAILS = "thumbnails"
_QUALITY = 82
#: Gives the pixels of a file as height × width × 3, made smaller or not, and its own width and height.
Read = Callable[[str], tuple[NDArray[np.uint8], tuple[int, int]]]
_READABLE = 40  # letters of an image's name that its picture's name keeps


@dataclass(frozen=True)
class Subject:
    """An image to be shown: its name, its file, its slide and what is wrong with it, in sentences."""

    image: str
    path: str
    slide: str
    faults: Sequence[str] = ()


def picture_name(image: str) -> str:
    """The name of an image's picture: safe on any file system, and another one for every image.

    It holds what is plain in the image's name, for people, and sixteen digits of its SHA-256: names
    that differ in folders, capitals, accents or other scripts only do not meet.
    """
    letters = unicodedata.normalize("NFKD", image).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"\.[a-z]{1,5}$", "", letters)
    plain = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[-_READABLE:].strip("-")
    return f"{plain}-{short_digest(image)}.jpg" if plain else f"{short_digest(image)}.jpg"


def short_digest(name: str) -> str:
    """Sixteen hexadecimal digits that stand for a name where only plain letters are safe."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_gallery(
    subjects: Sequence[Subject],
    boxes: pd.DataFrame,
    legend: Legend,
    folder: Path,
    *,
    read: Read,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Write picture and thumbnail of every subject into ``folder``; returns tables.PICTURES.

    ``boxes`` is a frame as of ``annotations.dataset.truth_frame``. Where ``read`` raises a
    UserError, the picture says so. The number of threads changes
    nothing in the files. ``progress`` is told pictures done and in all.
    """
    (folder / THUMBNAILS).mkdir()
    by_image = dict(tuple(boxes.groupby("image", sort=False)))
    draw = partial(_write, by_image=by_image, none=boxes.iloc[:0], legend=legend, folder=folder, read=read)
    rows = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        # Pillow lets go of Python's lock while it decodes, scales and encodes.
        for row in pool.map(draw, subjects):
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(subjects))
    return tables.PICTURES.frame(rows)


def _write(
    subject: Subject,
    *,
    by_image: Mapping[Any, pd.DataFrame],
    none: pd.DataFrame,
    legend: Legend,
    folder: Path,
    read: Read,
) -> dict[str, Any]:
    title = image_title(subject.image, subject.slide)
    fault = None
    try:
        pixels, size = read(subject.path)
    except UserError as error:
        # The reader names the file by its path, which is of no use to others.
        fault = str(error).replace(str(subject.path), subject.image)
        drawn = draw_placeholder(title, fault)
    else:
        of_image = by_image.get(subject.image, none)
        drawn = draw_specimens(pixels, of_image, title, subject.faults, legend, size=size)
    return {"image": subject.image, "fault": fault, **_save(drawn, folder, picture_name(subject.image))}


def _save(drawn: Drawn, folder: Path, name: str) -> dict[str, Any]:
    drawn.picture.save(folder / name, "JPEG", quality=_QUALITY)
    drawn.thumbnail.save(folder / THUMBNAILS / name, "JPEG", quality=_QUALITY)
    return {
        "file": name,
        "width": drawn.picture.width,
        "height": drawn.picture.height,
        "thumbnail_width": drawn.thumbnail.width,
        "thumbnail_height": drawn.thumbnail.height,
        "n_unlabelled": drawn.n_unlabelled,
    }
