"""The images of a study: from the images table, or from a folder."""

from __future__ import annotations

import math
import ntpath
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from podura.configuration.structure import Schema, allowed, cell_check
from podura.configuration.study import StudyImage
from podura.configuration.wording import NAMED, choice, listed, rows_text, shown, suggestion
from podura.errors import UserErrors
from podura.slides.formats import IMAGE_SUFFIXES, PAINTED_SUFFIXES, is_image_name, without_image_suffix
from podura.slides.missing import file_names, near_miss
from podura.tables import IMAGES

#: The µm a pixel between which Podura can paint.
PAINTED_UM = (0.5, 100.0)
#: Where more of the image files are missing, the folder is wrong rather than the files.
MISSING_SHARE = 0.5

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Free text: nothing but emptiness can be wrong with it, and the table's reader sees to that.
_FREE_TEXT = {"description", "type", "minLength", "x-allowed"}


def images_of_table(
    path: Path, schema: Schema, *, split_by: str | None, painted_folder: Path | None = None
) -> tuple[StudyImage, ...]:
    """The images of an images table, in its order.

    ``split_by`` is what is never divided (slide, sample or site); None where that is not known.
    ``painted_folder`` is where Podura draws the images; without it they lie beside the table. Single
    files may be missing, which the import tells; without most of them the table is taken to be wrong.
    Raises UserErrors for everything that is wrong in the table.
    """
    table = IMAGES.read_user_tsv(path)
    faults = [
        *faulty_cells(table, schema, path),
        *repeated_images(table, path),
        *_inconsistent_slides(table, path),
    ]
    if split_by is not None:
        faults += _undefined_units(table, split_by, path)
    if painted_folder is None:
        faults += missing_files(table, path)
    else:
        faults += unpaintable(table, path)
    if table.empty:
        faults.append(f"{path}: the table holds no image. Write one row an image.")
    if faults:
        raise UserErrors(faults)
    folder = path.parent if painted_folder is None else painted_folder
    sizes = {cell: float(cell) if cell else None for cell in table["um_per_pixel"].unique()}
    columns = (table[name].tolist() for name in IMAGES.names)
    return tuple(
        StudyImage(
            image=image,
            path=folder / image,
            slide=slide,
            sample=sample or None,
            site=site or None,
            date=date or None,
            um_per_pixel=sizes[um_per_pixel],
            part=part or None,
        )
        for image, slide, sample, site, date, um_per_pixel, part in zip(*columns, strict=True)
    )


def images_of_folder(folder: Path, slide_pattern: str | None) -> tuple[StudyImage, ...]:
    """Every image below a folder, sorted by name; hidden files and folders are left out.

    An image is named by its path below the folder. Its slide is what the group ``slide`` of the
    pattern finds in that path; without a pattern each image is a slide of its own, named as the
    image without its suffix. Raises UserErrors where that gives no image or no slide.
    """
    names = sorted(image_names(folder))
    if not names:
        raise UserErrors([f"{folder}: the folder holds no image. Images end in {choice(IMAGE_SUFFIXES)}."])
    if slide_pattern is None:
        slides = [without_image_suffix(name) for name in names]
        faults = _shared_stems(folder, names, slides)
    else:
        pattern = re.compile(slide_pattern)
        slides = [match["slide"] or "" if (match := pattern.search(name)) else "" for name in names]
        without = [name for name, slide in zip(names, slides, strict=True) if not slide]
        faults = []
        if without:
            faults.append(
                f"{folder}: the slide_pattern {shown(slide_pattern)} finds no slide in "
                f"{len(without)} of {len(names)} images: {listed(without)}. Change the pattern so "
                "that it fits the path of each image below the folder."
            )
    if faults:
        raise UserErrors(faults)
    return tuple(
        StudyImage(name, folder / name, slide, None, None, None, None, None)
        for name, slide in zip(names, slides, strict=True)
    )


def image_names(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        # A link that leads back up would never end.
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real in seen:
            continue
        seen.add(real)
        for name in files:
            if not name.startswith(".") and is_image_name(name):
                yield Path(place, name).relative_to(folder).as_posix()


def _shared_stems(folder: Path, names: Sequence[str], slides: Sequence[str]) -> list[str]:
    first: dict[str, str] = {}
    faults = []
    for name, slide in zip(names, slides, strict=True):
        if slide in first:
            faults.append(
                f"{folder}: {first[slide]} and {name} differ in their suffix only, so both would be "
                f"the slide {shown(slide)}. Rename one, or give a slide_pattern."
            )
        first.setdefault(slide, name)
    return faults


def faulty_cells(table: pd.DataFrame, schema: Schema, path: Path) -> list[str]:
    faults: list[str] = []
    for column, subschema in schema["properties"].items():
        if set(subschema) <= _FREE_TEXT:
            continue
        fits = cell_check(subschema)
        # Cells repeat a great deal: each distinct one is checked once.
        wrong = [cell for cell in table[column].unique() if cell and not fits(_cell_value(cell, subschema))]
        for cell in wrong[:NAMED]:
            rows = table.loc[table[column] == cell, "row"].tolist()
            faults.append(
                f"{path}, {rows_text(rows)}, column '{column}': {_cell_fault(cell, subschema)} "
                f"Write {allowed(subschema)}, or leave the cell empty."
            )
        if len(wrong) > NAMED:
            faults.append(f"{path}, column '{column}': {len(wrong) - NAMED} other cells are wrong likewise.")
    return faults


def _cell_value(cell: str, subschema: Schema) -> Any:
    if subschema.get("type") == "number":
        return float(cell) if _NUMBER.fullmatch(cell) else None
    return cell


def _cell_fault(cell: str, subschema: Schema) -> str:
    if subschema.get("type") == "number":
        if _NUMBER.fullmatch(cell.replace(",", ".")) and "," in cell:
            return f"{shown(cell)} has a decimal comma: write {cell.replace(',', '.')}."
        value = _cell_value(cell, subschema)
        if value is None or math.isinf(value):
            return f"{shown(cell)} is not a number."
        return f"{shown(cell)} is not {'above 0' if 'exclusiveMinimum' in subschema else 'possible'}."
    if subschema.get("format") == "date":
        return f"{shown(cell)} is not such a date."
    return f"{shown(cell)} is not possible.{suggestion(cell, subschema.get('enum', ()))}"


def repeated_images(table: pd.DataFrame, path: Path) -> list[str]:
    # 'a.jpg', './a.jpg' and its absolute path are the same file.
    folder = path.parent.absolute().as_posix()
    files = table["image"].map(lambda image: posixpath.normpath(posixpath.join(folder, image)))
    again = table.loc[files.duplicated()]
    first_row = dict(zip(files[::-1], table["row"][::-1], strict=True))
    faults = [
        f"{path}, row {row}, column 'image': {shown(image)} stands already in row "
        f"{first_row[files[index]]}. Keep one row an image."
        for index, image, row in again[:NAMED][["image", "row"]].itertuples()
    ]
    if len(again) > NAMED:
        faults.append(f"{path}, column 'image': {len(again) - NAMED} other images stand there twice.")
    return faults


def _inconsistent_slides(table: pd.DataFrame, path: Path) -> list[str]:
    return [
        fault for column in ("sample", "site", "part") for fault in differing(table, "slide", column, path)
    ]


def differing(table: pd.DataFrame, unit: str, column: str, path: Path) -> list[str]:
    """Faults of units with two values in a column; an empty cell is no other value."""
    pairs = table.loc[table[column] != ""].drop_duplicates([unit, column])
    several = pairs.loc[pairs[unit].duplicated(), unit].unique()
    faults = []
    for name in several[:NAMED]:
        told = pairs.loc[pairs[unit] == name, [column, "row"]].itertuples(index=False)
        values = [f"{shown(value)} (row {row})" for value, row in told]
        faults.append(
            f"{path}, column '{column}': the {unit} {shown(name)} has {listed(values)}. "
            f"Write the same {column} in all rows of the {unit}."
        )
    if len(several) > NAMED:
        faults.append(f"{path}, column '{column}': {len(several) - NAMED} other {unit}s likewise.")
    return faults


def _undefined_units(table: pd.DataFrame, split_by: str, path: Path) -> list[str]:
    """Faults of samples or sites that are never to be divided: unnamed, or with two fixed parts."""
    if split_by == "slide":
        return []
    empty = table.loc[table[split_by] == "", "row"].tolist()
    if empty:
        return [
            f"{path}, {rows_text(empty)}, column '{split_by}': the cell is empty, but split.by is "
            f"{split_by}. Write the {split_by} of every image, or set split.by: slide."
        ]
    return differing(table, split_by, "part", path)


def missing_files(table: pd.DataFrame, path: Path) -> list[str]:
    # Folders are listed once each: asking for each of 100,000 files is slow on a network drive.
    listings: dict[str, set[str]] = {}
    missing: list[str] = []
    for image, row in zip(table["image"].tolist(), table["row"].tolist(), strict=True):
        folder, name = posixpath.split(image)
        if folder not in listings:
            listings[folder] = file_names(path.parent / folder)
        if name not in listings[folder]:
            near = near_miss(name, listings[folder])
            missing.append(f"{shown(image)} (row {row}{f'; {near}' if near else ''})")
    if len(missing) <= len(table) * MISSING_SHARE:
        return []
    return [
        f"{path}, column 'image': {len(missing)} of {len(table)} image files are not there: "
        f"{listed(missing)}. Write paths relative to the folder of this table ({path.parent})."
    ]


def unpaintable(table: pd.DataFrame, path: Path) -> list[str]:
    faults = []
    for image, row in zip(table["image"].tolist(), table["row"].tolist(), strict=True):
        plain = posixpath.normpath(image)
        outside = plain == ".." or plain.startswith(("/", "../")) or ntpath.splitdrive(image)[0]
        if outside:
            faults.append(
                f"{path}, row {row}, column 'image': {shown(image)} leads out of the folder of "
                "painted slides. Write a path that stays inside, such as images/slide-01.jpg."
            )
        elif posixpath.splitext(image)[1].lower() not in PAINTED_SUFFIXES:
            faults.append(
                f"{path}, row {row}, column 'image': {shown(image)} does not name an image file "
                f"that can be painted. Write a path that ends in {choice(PAINTED_SUFFIXES)}."
            )
    for cell in table["um_per_pixel"].unique():
        value = float(cell) if _NUMBER.fullmatch(cell) else None
        if value is not None and value > 0 and not PAINTED_UM[0] <= value <= PAINTED_UM[1]:
            rows = table.loc[table["um_per_pixel"] == cell, "row"].tolist()
            faults.append(
                f"{path}, {rows_text(rows)}, column 'um_per_pixel': {cell} cannot be painted. Write a "
                f"number from {PAINTED_UM[0]:g} to {PAINTED_UM[1]:g}."
            )
    if len(faults) > NAMED:
        others = len(faults) - NAMED
        return [*faults[:NAMED], f"{path}, column 'image': {others} other images likewise."]
    return faults
