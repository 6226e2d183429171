"""Pictures that a reviewer looks at: queued detections with their surroundings, whole images in views."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from podura.errors import UserError
from podura.slides.reading import open_slide
from podura.slides.tiling import grid
from podura.tables import BOX_COLUMNS, REVIEW_PICTURES

#: Side of the surroundings of a box, as a multiple of its longer side, and their least side in pixels.
CONTEXT, LEAST_SIDE = 2.0, 96
#: Longer side of a picture of a detection and of a view of an image, in pixels of the picture.
CROP_PIXELS, VIEW_PIXELS = 512, 1600
#: A view shows at most this many pixels of the image along a side, so that nothing shrinks below a half.
VIEW_SIDE = 3200
_VIEW_OVERLAP = 0.1
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Region:
    """A picture to be cut: of a detection, or a view of a whole image; its file, place and longest side."""

    detection: str | None
    view: int
    file: str
    x: int
    y: int
    width: int
    height: int
    longest: int


def surroundings(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """The square around a box, shifted into the image and cut to it: x, y, width and height in pixels."""
    x_min, y_min, x_max, y_max = box
    side = round(max(CONTEXT * max(x_max - x_min, y_max - y_min), LEAST_SIDE))
    across, down = min(side, width), min(side, height)
    x = min(max(round((x_min + x_max - across) / 2), 0), width - across)
    y = min(max(round((y_min + y_max - down) / 2), 0), height - down)
    return x, y, across, down


def views(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """The views that cover an image, row by row: x, y, width and height in pixels."""
    return [(one.x, one.y, one.width, one.height) for one in grid(width, height, VIEW_SIDE, _VIEW_OVERLAP)]


def planned_pictures(
    queue: pd.DataFrame, detections: pd.DataFrame, images: pd.DataFrame
) -> dict[str, list[Region]]:
    """By image the pictures that the queue needs."""
    sizes = {
        row.image: (int(row.width), int(row.height)) for row in images[images["status"].eq("ok")].itertuples()
    }
    corners = detections[list(BOX_COLUMNS)].to_numpy(dtype="float64").tolist()
    boxes = dict(zip(detections["detection"], corners, strict=True))
    plan: dict[str, list[Region]] = {}
    for row in queue.itertuples():
        if row.image not in sizes:
            continue
        of_image = plan.setdefault(str(row.image), [])
        if row.kind == "detection":
            place = surroundings(boxes[row.detection], *sizes[row.image])
            file = _file("crop", str(row.detection))
            of_image.append(Region(str(row.detection), 0, file, *place, CROP_PIXELS))
        else:
            of_image += [
                Region(None, number, _file("view", f"{row.image}\0{number}"), *view, VIEW_PIXELS)
                for number, view in enumerate(views(*sizes[row.image]))
            ]
    return plan


def _file(kind: str, key: str) -> str:
    """A name that is safe anywhere and another one for every key, in one of 256 folders."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:2]}/{kind}-{digest[2:18]}.jpg"


def write_pictures(
    plan: Mapping[str, Sequence[Region]],
    paths: Mapping[str, Path],
    folder: Path,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Cut all pictures into ``folder``; returns tables.REVIEW_PICTURES, with faults where one cannot be made.

    paths: where each image lies. Each image is opened once. The number of threads changes nothing in the
    files. ``progress`` is told images done and in all.
    """
    rows = []
    cut = partial(_cut, paths=paths, folder=folder)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for done, ((image, regions), fault) in enumerate(
            zip(plan.items(), pool.map(cut, plan.items()), strict=True), start=1
        ):
            rows += [{"image": image, **asdict(region), "fault": fault} for region in regions]
            if progress is not None:
                progress(done, len(plan))
    columns = REVIEW_PICTURES.names
    return REVIEW_PICTURES.frame(pd.DataFrame(rows, columns=columns, dtype="object"))


def _cut(item: tuple[str, Sequence[Region]], *, paths: Mapping[str, Path], folder: Path) -> str | None:
    """Cut the pictures of an image; returns why that cannot be done."""
    image, regions = item
    try:
        with open_slide(paths[image]) as slide:
            for region in regions:
                pixels = slide.region(region.x, region.y, region.width, region.height)
                picture = Image.fromarray(pixels)
                picture.thumbnail((region.longest, region.longest), Image.Resampling.LANCZOS)
                target = folder / region.file
                target.parent.mkdir(parents=True, exist_ok=True)
                picture.save(target, quality=_QUALITY)
    except UserError as error:
        return str(error)
    except ValueError:
        return (
            f"{paths[image]}: the image is no longer as large as when it was surveyed. Run the survey again."
        )
    return None
