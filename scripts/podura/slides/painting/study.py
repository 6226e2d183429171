"""Paint the images of a whole study, with their boxes as COCO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from podura.errors import UserError
from podura.slides.formats import PAINTED_SUFFIXES
from podura.slides.painting.files import write_image
from podura.slides.painting.images import Specimen, paint_image
from podura.slides.painting.settings import PaintSettings
from podura.slides.painting.traits import SpeciesTraits


@dataclass(frozen=True)
class ImageRow:
    """One image to paint: its path below the folder, its slide and site, µm per pixel."""

    image: str
    slide: str
    site: str
    um_per_pixel: float


def paint_study(
    *,
    rows: Sequence[ImageRow],
    folder: Path,
    species: Sequence[str],
    species_names: Mapping[str, str],
    settings: PaintSettings,
    traits: Mapping[str, SpeciesTraits],
    seed: int,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Paint every row below ``folder`` and return the truth as a COCO dictionary.

    The ending of an image's name says its format: .jpg, .png, or .tif for tiles in several sizes.

    Ids count from 1 in the order of ``rows`` and ``species``; boxes are [x, y, width, height] in
    pixels. ``um_per_pixel`` of a row goes before that of the settings. Up to ``processes`` images are
    painted at a time; the result does not depend on it. ``progress`` is told images done and in all.
    Where ``settings.others_name`` is given, it is the last category. Raises UserError for a path that
    leaves the folder or has another ending, and for a name given twice.
    """
    paths = _checked_paths(rows, Path(folder))
    paint = partial(_paint_row, species=species, settings=settings, traits=traits, seed=seed)
    found: list[tuple[Specimen, ...]] = []
    with ThreadPoolExecutor(max(1, processes)) as pool:
        # OpenCV and numpy let go of Python's lock, so that threads paint side by side.
        for specimens in pool.map(paint, rows, paths):
            found.append(specimens)
            if progress is not None:
                progress(len(found), len(rows))
    return _coco(rows, found, species, species_names, settings)


def _checked_paths(rows: Sequence[ImageRow], folder: Path) -> list[Path]:
    root = folder.resolve()
    paths: list[Path] = []
    seen: set[Path] = set()
    for row in rows:
        path = (root / row.image).resolve()
        if not path.is_relative_to(root) or path == root:
            raise UserError(
                f"image '{row.image}' of slide '{row.slide}' would lie outside of {folder}. "
                "Write a path below that folder, without '..' and without a leading '/'."
            )
        if path.suffix.lower() not in PAINTED_SUFFIXES:
            raise UserError(
                f"image '{row.image}' of slide '{row.slide}': painted images are JPEG, PNG or TIFF. "
                "Write a name that ends in .jpg, .png or .tif."
            )
        if path in seen:
            raise UserError(f"image '{row.image}' stands there twice. Give every image its own name.")
        seen.add(path)
        paths.append(path)
    return paths


def _paint_row(
    row: ImageRow,
    path: Path,
    *,
    species: Sequence[str],
    settings: PaintSettings,
    traits: Mapping[str, SpeciesTraits],
    seed: int,
) -> tuple[Specimen, ...]:
    painted = paint_image(
        image=row.image,
        slide=row.slide,
        site=row.site,
        species=species,
        settings=replace(settings, um_per_pixel=row.um_per_pixel),
        traits=traits,
        seed=seed,
    )
    write_image(painted.pixels, path, row.um_per_pixel)
    return painted.specimens


def _coco(
    rows: Sequence[ImageRow],
    found: Sequence[tuple[Specimen, ...]],
    species: Sequence[str],
    species_names: Mapping[str, str],
    settings: PaintSettings,
) -> dict[str, Any]:
    names = [*species, *([settings.others_name] if settings.others_name else [])]
    category = {code: number for number, code in enumerate(names, start=1)}
    images = [
        {
            "id": number,
            "file_name": row.image,
            "width": settings.width,
            "height": settings.height,
            "slide": row.slide,
        }
        for number, row in enumerate(rows, start=1)
    ]
    annotations: list[dict[str, Any]] = []
    for image, specimens in enumerate(found, start=1):
        for specimen in specimens:
            width = specimen.x_max - specimen.x_min
            height = specimen.y_max - specimen.y_min
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category[specimen.species],
                    "bbox": [specimen.x_min, specimen.y_min, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    categories = [
        {"id": number, "name": code, "scientific_name": species_names.get(code, code)}
        for code, number in category.items()
    ]
    return {"images": images, "categories": categories, "annotations": annotations}
