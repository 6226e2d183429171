"""Reading CVAT: the XML file of the export "CVAT for images 1.1".

Rules:

* ``box`` (xtl, ytl, xbr, ybr in pixels, turned around its centre by ``rotation`` degrees clockwise),
  ``polygon`` (points "x,y;x,y"), ``ellipse`` (cx, cy, rx, ry, rotation), ``mask`` (its left, top, width and
  height) and ``cuboid`` (its eight corners) give their tight box.
* ``polyline``, ``points`` and ``skeleton`` have no area; they are told of and left out. A ``tag`` belongs
  to the image as a whole and is no shape.
* Flags: ``occluded``, and attributes named difficult, truncated, occluded, crowd or ignore (true, yes, 1).
  A shape that is ``outside`` is not in the picture: it is left out with a note.
* A ``track`` belongs to the export for video, whose frames have no file names: a file with nothing else
  is refused, beside images each track is told of.

The file is read image by image. Documents with a DTD or entities are refused.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from podura.annotations.documents import as_given, refuse, xml_elements
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, flags_of, is_set, number, positive
from podura.annotations.shapes import (
    ellipse_box,
    points_box,
    polygon_box,
    rotated_box,
    unknown_shape,
    without_area,
)
from podura.errors import UserError

_WANTED = "the XML file of the export 'CVAT for images 1.1'"
_WITHOUT_AREA = ("polyline", "points", "skeleton")
_CORNERS = ("tl", "bl", "tr", "br")


def read_cvat(path: Path | str) -> RawAnnotations:
    """Read a CVAT XML file. Raises UserErrors that name file, line or image."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: this is a folder. Give the path of the annotations.xml in it.")
    images: list[AnnotatedImage] = []
    problems: list[Problem] = []
    tracks: list[Problem] = []
    faults: list[str] = []
    elements = xml_elements(path, _WANTED, depth=1)
    root = next(elements)
    if root.tag != "annotations":
        raise UserError(f"{path}: the document is <{root.tag}>, not <annotations>. Give {_WANTED}.")
    for element in elements:
        if element.tag == "track":
            tracks.append(_track(element))
        elif element.tag == "image":
            place = len(images) + len(faults) + 1
            name = element.get("name", "").strip()
            if not name:
                faults.append(f"{path}, image {place}: it has no name. Export the file again.")
            else:
                images.append(annotated_image(element, name, f"image {place} ({name})", problems))
    refuse(faults)
    if not images:
        what = "only tracks, as for video" if tracks else "no image"
        raise UserError(f"{path}: the file holds {what}. Export as 'CVAT for images 1.1' and give that file.")
    return RawAnnotations(str(path), tuple(images), (*problems, *tracks))


def annotated_image(
    element: ElementTree.Element, name: str, where: str, problems: list[Problem]
) -> AnnotatedImage:
    """The shapes of an ``image`` element; what cannot be read goes to ``problems``."""
    boxes = []
    for count, shape in enumerate(element, start=1):
        if shape.tag == "tag":
            continue
        box = _box(shape, f"{where}, shape {count} ({shape.tag})", problems)
        boxes += [] if box is None else [box]
    return AnnotatedImage(
        file_names=(name,),
        where=where,
        width=positive(element.get("width")),
        height=positive(element.get("height")),
        boxes=tuple(boxes),
    )


def _box(shape: ElementTree.Element, where: str, problems: list[Problem]) -> RawBox | None:
    name, kind = shape.get("label", "").strip(), shape.tag
    if is_set(shape.get("outside")):
        problems.append(_outside(name, where))
        return None
    if kind in _WITHOUT_AREA:
        problems.append(without_area(kind, name, where))
        return None
    box = _tight_box(shape)
    if box is None:
        problems.append(unknown_shape(kind, name, where))
        return None
    attributes = attributes_of(shape)
    return RawBox(
        name,
        *box,
        where=where,
        given=as_given({key: text for key, text in shape.attrib.items() if key not in ("label", "rle")}),
        flags=flags_of(attributes) | flags_of({"occluded": shape.get("occluded")}),
        corners=kind == "box",
        key=attributes.get("detection", "").strip(),
    )


def attributes_of(shape: ElementTree.Element) -> dict[str, str]:
    """The attributes of a shape or tag by their names."""
    return {attribute.get("name", ""): attribute.text or "" for attribute in shape.findall("attribute")}


def _tight_box(shape: ElementTree.Element) -> Box | None:
    """The tight box of a shape; None for a kind that is not known."""
    if shape.tag == "box":
        x_min, y_min, x_max, y_max = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
        centre = ((x_min + x_max) / 2, (y_min + y_max) / 2)
        return rotated_box((x_min, y_min, x_max, y_max), _degrees(shape), centre)
    if shape.tag == "polygon":
        return polygon_box([_point(text) for text in shape.get("points", "").split(";") if text.strip()])
    if shape.tag == "ellipse":
        x, y, a, b = _numbers(shape, "cx", "cy", "rx", "ry")
        return ellipse_box((x, y), (a, b), _degrees(shape))
    if shape.tag == "mask":
        left, top, width, height = _numbers(shape, "left", "top", "width", "height")
        return left, top, left + width, top + height
    if shape.tag == "cuboid":
        corners = [f"{corner}{side}" for corner in _CORNERS for side in (1, 2)]
        xs, ys = (_numbers(shape, *(axis + corner for corner in corners)) for axis in "xy")
        return points_box(list(zip(xs, ys, strict=True)))
    return None


def _numbers(shape: ElementTree.Element, *keys: str) -> list[float]:
    return [number(shape.get(key)) for key in keys]


def _degrees(shape: ElementTree.Element) -> float:
    return number(shape.get("rotation", "0"))


def _point(text: str) -> tuple[float, float]:
    x, comma, y = text.partition(",")
    return (number(x), number(y)) if comma else (math.nan, math.nan)


def _outside(name: str, where: str) -> Problem:
    return Problem(
        "outside_view",
        f"the shape of '{name}' is marked as outside the picture",
        row=where,
        value=name,
    )


def _track(element: ElementTree.Element) -> Problem:
    name = element.get("label", "")
    return Problem(
        "track",
        f"a track of '{name}' belongs to frames of a video, which have no file names; export as 'CVAT for "
        "images 1.1'",
        row=f"track {element.get('id', '')}",
        value=name,
    )
