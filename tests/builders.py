"""Small images and annotations, built by code, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from podura.annotations.names import SpeciesEntry
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox
from podura.slides.entries import ImageEntry

ORIENTATION = 274

SPECIES = (
    SpeciesEntry("CER-DEN", "Ceratophysella denticulata", ("C. denticulata",)),
    SpeciesEntry("ISO-MIN", "Isotomiella minor", ("I. minor",)),
    SpeciesEntry("PAR-NOT", "Parisotoma notabilis", ("P. notabilis", "Isotoma notabilis")),
)


def bccd_folder() -> Path | None:
    """The folder of the real BCCD images beside the repository, or None."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "bccd"
    return folder if folder.is_dir() else None


def quadrants(width: int = 40, height: int = 24) -> NDArray[np.uint8]:
    """An RGB image whose quarters are red, green, blue and grey: every turn of it looks different."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 220, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 220)
    pixels[height // 2 :, width // 2 :] = (128, 128, 128)
    return pixels


def write_image(
    path: Path,
    size: tuple[int, int] = (40, 24),
    *,
    orientation: int | None = None,
    pixels: NDArray | None = None,
) -> Path:
    """Write an image of (width, height) as stored, with an EXIF orientation if given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(quadrants(*size) if pixels is None else pixels)
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    image.save(path, exif=exif)
    return path


def study(folder: Path, names: Iterable[str], size: tuple[int, int] = (40, 24)) -> list[ImageEntry]:
    """Written images of a study, each on a slide of its own."""
    return [ImageEntry(name, write_image(folder / name, size), slide=Path(name).stem) for name in names]


def raw_box(
    name: str = "CER-DEN",
    box: tuple[float, float, float, float] = (2, 3, 12, 13),
    flags: Iterable[str] = (),
    where: str = "box",
    *,
    corners: bool = True,
) -> RawBox:
    return RawBox(name, *box, where, str(box), frozenset(flags), corners)


def raw_image(
    name: str, *boxes: RawBox, size: tuple[float | None, float | None] = (40, 24)
) -> AnnotatedImage:
    return AnnotatedImage((name,), f"entry of {name}", *size, boxes)


def raw(*images: AnnotatedImage) -> RawAnnotations:
    return RawAnnotations("annotations", images)


def coco_dict(
    boxes: Mapping[str, Sequence[tuple[str, Sequence[float]]]],
    size: tuple[int, int] = (40, 24),
    categories: Sequence[str] = ("CER-DEN", "ISO-MIN", "PAR-NOT"),
    first_id: int = 1,
) -> dict[str, Any]:
    """A COCO dictionary: for each file name its (category, [x, y, width, height])."""
    images, annotations = [], []
    for image_id, (name, of_image) in enumerate(boxes.items(), start=first_id):
        images.append({"id": image_id, "file_name": name, "width": size[0], "height": size[1]})
        for category, box in of_image:
            annotations.append(
                {
                    "id": first_id + len(annotations),
                    "image_id": image_id,
                    "category_id": first_id + list(categories).index(category),
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    return {
        "images": images,
        "categories": [{"id": first_id + i, "name": n} for i, n in enumerate(categories)],
        "annotations": annotations,
    }


def write_coco(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def voc_text(
    objects: Sequence[tuple[str, tuple[Any, Any, Any, Any]]] = (),
    *,
    filename: str | None = "field.jpg",
    size: tuple[int, int] | None = (40, 24),
    flags: Mapping[str, int] | None = None,
) -> str:
    """A VOC document; ``flags`` go into every object."""
    parts = ["<annotation>"]
    if filename is not None:
        parts.append(f"<filename>{escape(filename)}</filename>")
    if size is not None:
        parts.append(f"<size><width>{size[0]}</width><height>{size[1]}</height></size>")
    for name, box in objects:
        sides = "".join(
            f"<{side}>{value}</{side}>"
            for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        marks = "".join(f"<{key}>{value}</{key}>" for key, value in (flags or {}).items())
        parts.append(f"<object><name>{escape(name)}</name>{marks}<bndbox>{sides}</bndbox></object>")
    parts.append("</annotation>")
    return "\n".join(parts)


def write_voc(path: Path, *args: Any, **kwargs: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(voc_text(*args, **kwargs), encoding="utf-8")
    return path


def split_frames(counts: NDArray[np.int64], images_per_slide: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames of images and of truth for slides × species counts, all boxes in a slide's first image."""
    slides = [f"slide-{index:04}" for index in range(len(counts))]
    images = pd.DataFrame(
        {
            "image": [f"{slide}_{field}" for slide in slides for field in range(images_per_slide)],
            "slide": [slide for slide in slides for _ in range(images_per_slide)],
        },
        dtype="string",
    )
    for column in ("sample", "site", "part"):
        images[column] = pd.Series(pd.NA, index=images.index, dtype="string")
    rows = [
        (f"{slide}_0", slide, f"SP-{species}")
        for slide, of_slide in zip(slides, counts, strict=True)
        for species, count in enumerate(of_slide)
        for _ in range(count)
    ]
    truth = pd.DataFrame(rows, columns=["image", "slide", "species"], dtype="string")
    truth["ignore"] = False
    return images, truth
