"""Pictures of the errors that are worth a look: each place with what lies about it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from podura.errors import UserError
from podura.report.overlays import MISSED, WRONG
from podura.report.parts import is_number
from podura.report.pens import dashed_box
from podura.tables import BOX_COLUMNS, CROPS, TRUE_BOX_COLUMNS

#: The longer side of a picture, in pixels.
LONGEST = 400
_QUALITY = 80
#: What is shown on each side of the boxes, as a share of their longer side; and no less than so many pixels.
_AROUND, _LEAST = 0.6, 24
#: The shorter side is at least so much of the longer one: a strip shows nothing of what lies about it.
_FLATTEST = 0.75

Region = tuple[int, int, int, int]
#: Gives the regions (x_min, y_min, width, height in pixels) of a file that are asked for, each made smaller.
ReadRegions = Callable[[str, Callable[[tuple[int, int]], Sequence[Region]]], list[NDArray[np.uint8]]]


def region_about(row: Mapping[str, Any], size: tuple[int, int]) -> Region:
    """What a picture of an example shows of an image of a width and height: x_min, y_min, width, height.

    row: of tables.BENCHMARK_EXAMPLES. Both boxes with what lies about them, within the image.
    """
    boxes = [[float(row[name]) for name in BOX_COLUMNS]]
    if is_number(row["true_x_min"]):
        boxes.append([float(row[name]) for name in TRUE_BOX_COLUMNS])
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    longest = float(max(high - low))
    around = max(_AROUND * longest, _LEAST)
    sides = high - low + 2 * around
    sides = np.maximum(sides, _FLATTEST * max(sides))
    centre = (low + high) / 2
    first, last = [], []
    for middle, side, whole in zip(centre, sides, size, strict=True):
        # At an edge the picture moves inwards, so that it keeps its size as far as the image reaches.
        start = min(max(0.0, middle - side / 2), max(0.0, whole - side))
        first.append(min(math.floor(start), whole - 1))
        last.append(min(whole, max(math.ceil(start + side), first[-1] + 1)))
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def draw_crop(pixels: NDArray[np.uint8], region: Region, row: Mapping[str, Any]) -> bytes:
    """Draw an example's boxes on its region (height, width, 3) and return a JPEG.

    A detection has a double orange line, the annotated specimen a dashed green one, as in overlays.
    """
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    across, down = picture.width / region[2], picture.height / region[3]

    def placed(names: Sequence[str]) -> list[float]:
        x_min, y_min, x_max, y_max = (float(row[name]) for name in names)
        return [
            (x_min - region[0]) * across,
            (y_min - region[1]) * down,
            (x_max - region[0]) * across,
            (y_max - region[1]) * down,
        ]

    if row["kind"] == "missed":
        _dashed(pen, placed(BOX_COLUMNS))
    else:
        if is_number(row["true_x_min"]):
            _dashed(pen, placed(TRUE_BOX_COLUMNS))
        _double(pen, placed(BOX_COLUMNS))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def _dashed(pen: ImageDraw.ImageDraw, box: Sequence[float]) -> None:
    pen.rectangle(list(box), outline="#ffffff", width=3)
    dashed_box(pen, list(box), MISSED, width=3)


def _double(pen: ImageDraw.ImageDraw, box: Sequence[float]) -> None:
    x_min, y_min, x_max, y_max = box
    pen.rectangle([x_min - 1, y_min - 1, x_max + 1, y_max + 1], outline="#ffffff", width=4)
    pen.rectangle([x_min, y_min, x_max, y_max], outline=WRONG, width=2)
    if x_max - x_min > 10 and y_max - y_min > 10:
        pen.rectangle([x_min + 4, y_min + 4, x_max - 4, y_max - 4], outline=WRONG, width=1)


def write_crops(
    examples: pd.DataFrame,
    paths: Mapping[str, str],
    folder: Path,
    *,
    read: ReadRegions,
    threads: int = 1,
) -> pd.DataFrame:
    """Write a picture of each example into ``folder``; returns tables.CROPS, in the order of ``examples``.

    paths: the file of each image. An image is opened once, however many examples it has. Where ``read``
    raises a UserError, its examples have no picture and say why. The number of threads changes nothing.
    """
    groups = list(examples.groupby("image", sort=True))
    draw = partial(_write, paths=paths, folder=folder, read=read)
    rows: dict[int, dict[str, Any]] = {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for found in pool.map(draw, groups):
            rows |= found
    return CROPS.frame([rows[int(place)] for place in examples.index])


def _write(
    group: tuple[Any, pd.DataFrame], *, paths: Mapping[str, str], folder: Path, read: ReadRegions
) -> dict[int, dict[str, Any]]:
    image, of_image = group
    records = dict(zip(map(int, of_image.index), of_image.to_dict("records"), strict=True))
    regions: list[Region] = []

    def asked(size: tuple[int, int]) -> list[Region]:
        regions.extend(region_about(row, size) for row in records.values())
        return regions

    try:
        views = read(paths[str(image)], asked)
    except UserError as error:
        # The reader names the file by its path, which is of no use to others.
        fault = str(error).replace(paths[str(image)], str(image))
        none = {"file": None, "width": None, "height": None, "fault": fault}
        return {place: {**row, **none} for place, row in records.items()}
    written = {}
    for (place, row), region, pixels in zip(records.items(), regions, views, strict=True):
        name = f"{row['model']}-{row['kind']}-{row['rank']:02d}.jpg"
        (folder / name).write_bytes(draw_crop(pixels, region, row))
        height, width = pixels.shape[:2]
        written[place] = {**row, "file": name, "width": width, "height": height, "fault": None}
    return written
