"""Reading LabelMe: one JSON file an image, with the outlines drawn on it in pixels.

Rules:

* ``rectangle``, ``polygon``, ``rotation`` and ``oriented_rectangle`` give the tight box of their points;
  ``circle`` (its centre and a point on it) that of the circle; ``mask`` the pixels from its first to its
  last corner, both included. A shape without a type is a polygon, as in old files.
* Polygons, circles and masks that share a label and a ``group_id`` are one animal of several pieces, as
  in LabelMe's own converters; their common box is taken and a note is written.
* Points and lines have no area; they are told of and left out.
* Flags: ``flags`` of a shape, ``difficult`` beside it (as X-AnyLabeling writes), and ``flags`` of the
  file, which hold for every shape in it.
* The name of the JSON file tells the image, as in LabelMe; ``imagePath`` where that name fits none. No
  file is opened by these names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from podura.annotations.documents import as_given, disagreeing_name, files_below, read_json, refuse
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, flags_of, positive
from podura.annotations.shapes import (
    NO_BOX,
    ellipse_box,
    pairs,
    points_box,
    polygon_box,
    unknown_shape,
    without_area,
)
from podura.errors import UserError

_RECTANGLE = "rectangle"
_OUTLINES = ("polygon", "rotation", "oriented_rectangle")
_WITHOUT_AREA = ("point", "points", "line", "linestrip")
_PIECES = ("polygon", "circle", "mask")
_WANTED = "a LabelMe JSON file, or of a folder of them"


def read_labelme(path: Path | str) -> RawAnnotations:
    """Read a LabelMe file, or every ``.json`` file in a folder and the folders below it.

    Raises UserErrors that name each file that is no LabelMe file.
    """
    path = Path(path)
    paths = files_below(path, ".json") if path.is_dir() else [path]
    if not paths:
        raise UserError(f"{path}: the folder holds no .json file. Give the folder of the LabelMe files.")
    images: list[AnnotatedImage] = []
    problems: list[Problem] = []
    faults: list[str] = []
    for file in paths:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        try:
            images.append(_image(_load(file), name, problems))
        except UserError as error:
            faults.append(str(error))
    refuse(faults)
    return RawAnnotations(str(path), tuple(images), tuple(problems))


def _load(path: Path) -> Mapping[str, Any]:
    document = read_json(path, _WANTED)
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise UserError(
            f"{path}: this is no LabelMe file, which is an object with a list 'shapes' of objects. Leave "
            "only LabelMe files in this folder, or give another annotations.format."
        )
    return document


def _image(document: Mapping[str, Any], name: str, problems: list[Problem]) -> AnnotatedImage:
    image_path = document.get("imagePath")
    told = image_path.strip() if isinstance(image_path, str) else ""
    problems += disagreeing_name(name, told, "imagePath")
    of_file = _flags(document)
    if of_file:
        problems.append(_flags_of_file(of_file, name))
    boxes: list[RawBox] = []
    piece_of: dict[tuple[str, str], int] = {}
    for count, shape in enumerate(document["shapes"], start=1):
        box = _box(shape, f"{name}, shape {count}", of_file, problems)
        group = shape.get("group_id")
        if box is None or group is None or _type(shape) not in _PIECES:
            boxes += [] if box is None else [box]
            continue
        first = piece_of.setdefault((box.name, str(group)), len(boxes))
        if first == len(boxes):
            boxes.append(box)
        else:
            problems.append(_joined(box, boxes[first]))
            boxes[first] = _join(boxes[first], box)
    stem = str(PurePosixPath(name).with_suffix(""))
    return AnnotatedImage(
        file_names=(stem, told) if told else (stem,),
        where=name,
        width=positive(document.get("imageWidth")),
        height=positive(document.get("imageHeight")),
        boxes=tuple(boxes),
    )


def _type(shape: Mapping[str, Any]) -> str:
    return str(shape.get("shape_type") or "polygon")


def _flags(holder: Mapping[str, Any]) -> frozenset[str]:
    flags = holder.get("flags")
    return flags_of(flags) if isinstance(flags, dict) else frozenset()


def _box(
    shape: Mapping[str, Any], where: str, of_file: frozenset[str], problems: list[Problem]
) -> RawBox | None:
    label, kind = shape.get("label"), _type(shape)
    name = "" if label is None else str(label).strip()
    if kind in _WITHOUT_AREA:
        problems.append(without_area(kind, name, where))
        return None
    box = _tight_box(kind, pairs(shape.get("points")))
    if box is None:
        problems.append(unknown_shape(kind, name, where))
        return None
    return RawBox(
        name,
        *box,
        where=f"{where} ({kind})",
        given=as_given(shape.get("points")),
        flags=_flags(shape) | flags_of({"difficult": shape.get("difficult")}) | of_file,
    )


def _tight_box(kind: str, points: list[tuple[float, float]]) -> Box | None:
    """The tight box of a shape; None for a kind that is not known."""
    if kind in _OUTLINES:
        return polygon_box(points)
    if kind == _RECTANGLE:
        # Newer versions write all four corners; two may stand in any order, which is no fault here.
        return points_box(points) if len(points) in (2, 4) else NO_BOX
    if kind == "circle":
        return ellipse_box(points[0], (math.dist(*points),) * 2) if len(points) == 2 else NO_BOX
    if kind == "mask":
        x_min, y_min, x_max, y_max = points_box(points) if len(points) == 2 else NO_BOX
        return x_min, y_min, x_max + 1, y_max + 1
    return None


def _join(first: RawBox, piece: RawBox) -> RawBox:
    box = points_box(
        [(raw.x_min, raw.y_min) for raw in (first, piece)]
        + [(raw.x_max, raw.y_max) for raw in (first, piece)]
    )
    x_min, y_min, x_max, y_max = box
    return replace(first, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max, flags=first.flags | piece.flags)


def _joined(piece: RawBox, first: RawBox) -> Problem:
    return Problem(
        "joined_group",
        f"the shape has the label and group_id of {first.where}: both are taken as one animal, with one box",
        row=piece.where,
        value=piece.name,
    )


def _flags_of_file(flags: frozenset[str], name: str) -> Problem:
    return Problem(
        "flags_of_file",
        f"the file as a whole is marked as {' and '.join(sorted(flags))}, so every shape in it is",
        row=name,
        value=" ".join(sorted(flags)),
    )
