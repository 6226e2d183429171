"""Reading VIA (VGG Image Annotator, version 2): its project or annotations as JSON, or its CSV.

Rules:

* ``rect``, ``polygon``, ``circle`` and ``ellipse`` (turned by ``theta``, in radians) give their tight box,
  in pixels. ``point`` and ``polyline`` have no area; they are told of and left out.
* The name is the value of a region attribute: the only one that regions have besides flags, else
  ``attribute`` of the config says which. Of a checkbox, each name that is ticked gives a box. Where a
  project numbers its options, the number is replaced by the option's description at once.
* Flags: region attributes difficult, truncated, occluded, crowd or ignore (true, yes, 1, or ticked).
* VIA does not tell the size of an image in pixels (``size`` is that of its file in bytes).
* A file of the project's list without regions is an image annotated as empty.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from podura.annotations.documents import as_given, read_json, read_text, refuse
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, flags_of, is_flag, is_set, number
from podura.annotations.shapes import ellipse_box, polygon_box, unknown_shape, without_area
from podura.errors import UserError

_WANTED = "a VIA project, its annotations as JSON, or its CSV"
_WITHOUT_AREA = ("point", "polyline")
_COLUMNS = ("filename", "region_count", "region_id", "region_shape_attributes", "region_attributes")


@dataclass(frozen=True)
class _Region:
    """A region as VIA writes it: its shape, and the attributes that describe it."""

    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class _File:
    name: str
    where: str
    regions: list[_Region]


def read_via(path: Path | str, attribute: str | None = None) -> RawAnnotations:
    """Read a VIA file. ``attribute`` is the region attribute that holds the name of the animal.

    Raises UserErrors that name file and entry, and where it is not clear which attribute holds names.
    """
    path = Path(path)
    faults: list[str] = []
    options: Mapping[str, Any] = {}
    if path.suffix.lower() == ".csv":
        files = list(_files_of_csv(path, faults))
    else:
        entries, options = _load(path)
        files = list(_files_of_json(entries, path, faults))
    refuse(faults)
    names = _NameAttribute(_name_attribute(files, attribute, path), options)
    problems: list[Problem] = []
    images = tuple(
        AnnotatedImage(
            file_names=(file.name,),
            where=file.where,
            width=None,
            height=None,
            boxes=tuple(box for region in file.regions for box in _boxes(region, names, problems)),
        )
        for file in files
    )
    return RawAnnotations(str(path), images, tuple(problems))


def _load(path: Path) -> tuple[list[Any], Mapping[str, Any]]:
    """The entries of the files, and the attributes that a project defines for its regions."""
    document = read_json(path, _WANTED)
    if isinstance(document, dict) and "_via_img_metadata" in document:
        attributes = document.get("_via_attributes")
        regions = attributes.get("region") if isinstance(attributes, dict) else None
        document, defined = document["_via_img_metadata"], regions if isinstance(regions, dict) else {}
    else:
        defined = {}
    entries = list(document.values()) if isinstance(document, dict) else []
    if not entries or not all(
        isinstance(entry, dict) and "filename" in entry and "regions" in entry for entry in entries
    ):
        raise UserError(
            f"{path}: this is no file of VIA 2, which holds 'filename' and 'regions' for each image. Give "
            f"the path of {_WANTED}."
        )
    return entries, defined


def _files_of_json(entries: list[Any], path: Path, faults: list[str]) -> Iterator[_File]:
    for place, entry in enumerate(entries, start=1):
        name, regions = entry["filename"], entry["regions"]
        if isinstance(regions, dict):  # VIA 1 numbers them
            regions = list(regions.values())
        if not isinstance(name, str) or not name.strip() or not isinstance(regions, list):
            faults.append(f"{path}, image {place}: 'filename' is no name, or 'regions' no list.")
            continue
        where = f"image {place} ({name})"
        found = []
        for count, region in enumerate(regions, start=1):
            shape, attributes = (
                (region.get("shape_attributes"), region.get("region_attributes"))
                if isinstance(region, dict)
                else (None, None)
            )
            found.append(_Region(_mapping(shape), _mapping(attributes), f"{where}, region {count}"))
        yield _File(name.strip(), where, found)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _files_of_csv(path: Path, faults: list[str]) -> Iterator[_File]:
    """The files of a CSV: one row a region, or one without a region; the columns hold JSON."""
    text = read_text(path, _WANTED).removeprefix("#")
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    files: dict[tuple[str, str], _File] = {}  # VIA too tells files of one name apart by their size
    try:
        header = [column.strip() for column in next(rows, [])]
        missing = [column for column in _COLUMNS if column not in header]
        if missing:
            raise UserError(
                f"{path}, line 1: the columns {', '.join(missing)} are missing. Export the CSV from VIA "
                "again."
            )
        for row in rows:
            where = f"line {rows.line_num}"
            if len(row) != len(header):
                faults.append(f"{path}, {where}: it has {len(row)} columns, the first line {len(header)}.")
                continue
            cells = dict(zip(header, row, strict=True))
            name = cells["filename"].strip()
            if not name:
                faults.append(f"{path}, {where}: 'filename' is empty.")
                continue
            file = files.setdefault((name, cells.get("file_size", "")), _File(name, where, []))
            shape, attributes = (
                _cell(cells[column], f"{path}, {where}", column, faults) for column in _COLUMNS[3:]
            )
            if shape or cells["region_count"].strip() != "0":
                file.regions.append(_Region(shape, attributes, where))
    except csv.Error as error:
        raise UserError(
            f"{path}, line {rows.line_num}: this is no sound CSV ({error}). Export it again."
        ) from None
    yield from files.values()


def _cell(text: str, where: str, column: str, faults: list[str]) -> Mapping[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        faults.append(f"{where}, column {column}: this is no JSON object. Export the CSV from VIA again.")
        return {}
    return value


def _name_attribute(files: list[_File], given: str | None, path: Path) -> str:
    found = dict.fromkeys(
        key for file in files for region in file.regions for key in region.attributes if not is_flag(key)
    )
    if given is not None:
        if found and given not in found:
            raise UserError(
                f"{path}: no region has the attribute '{given}'. Write one of these as "
                f"annotations.attribute: {', '.join(found)}."
            )
        return given
    if len(found) > 1:
        raise UserError(
            f"{path}: regions have several attributes ({', '.join(found)}). Write the one that holds the "
            "name of the animal as annotations.attribute."
        )
    return next(iter(found), "name")


class _NameAttribute:
    """Finds the names of a region; ``defined`` are the attributes of the project."""

    def __init__(self, attribute: str, defined: Mapping[str, Any]) -> None:
        self._attribute = attribute
        self._options = _mapping(_mapping(defined.get(attribute)).get("options"))

    def of(self, region: _Region) -> list[str]:
        value = region.attributes.get(self._attribute)
        if isinstance(value, dict):  # a checkbox
            return [self._name(key) for key, ticked in value.items() if is_set(ticked)] or [""]
        return [self._name("" if value is None else str(value).strip())]

    def _name(self, option: str) -> str:
        description = self._options.get(option)
        if option.isdecimal() and isinstance(description, str) and description.strip():
            return description.strip()
        return option


def _boxes(region: _Region, names: _NameAttribute, problems: list[Problem]) -> list[RawBox]:
    kind, named = str(region.shape.get("name", "missing")), names.of(region)
    if kind in _WITHOUT_AREA:
        problems.append(without_area(kind, named[0], region.where))
        return []
    box = _tight_box(kind, region.shape)
    if box is None:
        problems.append(unknown_shape(kind, named[0], region.where))
        return []
    flags = flags_of({key: _ticked(value) for key, value in region.attributes.items()})
    return [
        RawBox(
            name,
            *box,
            where=f"{region.where} ({kind})",
            given=as_given(region.shape),
            flags=flags,
            corners=kind == "polygon",
        )
        for name in named
    ]


def _ticked(value: Any) -> Any:
    """A checkbox with one option is ticked if that option is."""
    return any(is_set(ticked) for ticked in value.values()) if isinstance(value, dict) else value


def _tight_box(kind: str, shape: Mapping[str, Any]) -> Box | None:
    """The tight box of a shape; None for a kind that is not known."""
    if kind == "rect":
        x, y, width, height = (number(shape.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + width, y + height
    if kind == "polygon":
        xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            return polygon_box([])
        return polygon_box([(number(x), number(y)) for x, y in zip(xs, ys, strict=True)])
    if kind in ("circle", "ellipse"):
        radii = ("r", "r") if kind == "circle" else ("rx", "ry")
        x, y, a, b = (number(shape.get(key)) for key in ("cx", "cy", *radii))
        return ellipse_box((x, y), (a, b), math.degrees(number(shape.get("theta", 0))))
    return None
