"""Reading COCO: one JSON file with images, categories and annotations.

Read with tolerance for what tools really write (ids from 0, ids as floats or text, a ``bbox`` as text,
no ``area`` or ``iscrowd``); what cannot be understood is a UserError or a row among the problems.

``bbox`` is x, y, width and height in pixels. Where it is missing or has no area, the box is the tight one
of ``segmentation``: polygons, or run lengths (plain or compressed; Lin et al. 2014, "Microsoft COCO").
The flags iscrowd, ignore, difficult, truncated and occluded are read from the annotation itself, or from
its ``attributes``, where CVAT writes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podura.annotations.documents import as_given, read_json, refuse
from podura.annotations.masks import segmentation_box
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, flags_of, number, positive
from podura.annotations.shapes import NO_BOX
from podura.errors import UserError


def read_coco(path: Path | str) -> RawAnnotations:
    """Read a COCO file. Raises UserErrors that name file, line or entry."""
    path = Path(path)
    document = _load(path)
    images, categories, annotations = (
        _entries(document, key, path) for key in ("images", "categories", "annotations")
    )
    faults: list[str] = []
    file_names = _file_names(images, path, faults)
    names = _category_names(categories, path, faults)
    _check_categories(annotations, names, path, faults)
    refuse(faults)

    boxes: dict[str, list[RawBox]] = defaultdict(list)
    problems: list[Problem] = []
    seen: set[str] = set()
    n_annotations = len(annotations)
    annotations.reverse()
    for place in range(1, n_annotations + 1):
        # Each is forgotten once it is read: a million of them fill half a gigabyte.
        annotation = annotations.pop()
        where = _where(annotation, place)
        annotation_id, image_id = _id(annotation.get("id")), _id(annotation.get("image_id"))
        if annotation_id is not None and annotation_id in seen:
            problems.append(_duplicate_id(annotation_id, where, file_names.get(image_id or "")))
        seen.add(annotation_id or "")
        if image_id not in file_names:
            problems.append(_no_image(annotation, where))
            continue
        name = names[_id(annotation.get("category_id")) or ""]
        boxes[image_id].append(_box(annotation, name, where, problems))
    return RawAnnotations(
        str(path),
        tuple(
            AnnotatedImage(
                file_names=(image["file_name"],),
                where=f"image id {image['id']}",
                width=positive(image.get("width")),
                height=positive(image.get("height")),
                boxes=tuple(boxes[_id(image["id"]) or ""]),
            )
            for image in images
        ),
        tuple(problems),
    )


def _load(path: Path) -> Mapping[str, Any]:
    document = read_json(path, "a COCO JSON file")
    if not isinstance(document, dict):
        raise UserError(
            f"{path}: COCO is an object with 'images', 'categories' and 'annotations'; this file holds "
            f"a {type(document).__name__}."
        )
    return document


def _entries(document: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(
            f"{path}: '{key}' is missing or is no list of objects. "
            "COCO has 'images', 'categories' and 'annotations'."
        )
    return entries


def _id(value: Any) -> str | None:
    """An id as it is compared: 7, 7.0 and "7" are the same."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float | str) else None


def _file_names(images: list[dict[str, Any]], path: Path, faults: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for place, image in enumerate(images, start=1):
        key, name = _id(image.get("id")), image.get("file_name")
        if key is None or not isinstance(name, str) or not name.strip():
            faults.append(f"{path}, image {place} of the list: 'id' or 'file_name' is missing.")
        elif key in names:
            faults.append(
                f"{path}, image {place} of the list: the id {key} stands there twice ('{names[key]}' "
                f"and '{name}'), so its boxes could belong to either. Give each image its own id."
            )
        else:
            names[key] = name
    return names


def _category_names(categories: list[dict[str, Any]], path: Path, faults: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for place, category in enumerate(categories, start=1):
        key, name = _id(category.get("id")), category.get("name")
        if key is None or not isinstance(name, str):
            faults.append(f"{path}, category {place} of the list: 'id' or 'name' is missing.")
        elif names.setdefault(key, name) != name:
            faults.append(
                f"{path}, category {place} of the list: the id {key} stands for '{names[key]}' and for "
                f"'{name}'. Give each category its own id."
            )
    return names


def _check_categories(
    annotations: list[dict[str, Any]], names: Mapping[str, str], path: Path, faults: list[str]
) -> None:
    faults += [
        f"{path}, {_where(annotation, place)}: the category_id {annotation.get('category_id')!r} is not "
        "among the categories. Add the category, or correct the id."
        for place, annotation in enumerate(annotations, start=1)
        if _id(annotation.get("category_id")) not in names
    ]


def _where(annotation: Mapping[str, Any], place: int) -> str:
    return f"annotation {place} of the list (id {annotation.get('id', 'missing')})"


def _box(annotation: Mapping[str, Any], name: str, where: str, problems: list[Problem]) -> RawBox:
    given, segmentation = annotation.get("bbox"), annotation.get("segmentation")
    box = _given_box(given)
    if segmentation and not (box[2] > box[0] and box[3] > box[1]):
        try:
            box = segmentation_box(segmentation)
        except ValueError as error:
            problems.append(_unread_segmentation(error, where, as_given(segmentation)))
        else:
            if given is not None:
                problems.append(_box_of_segmentation(where, as_given(given)))
            given = segmentation
    attributes = annotation.get("attributes")
    flags = flags_of(annotation) | flags_of(attributes if isinstance(attributes, dict) else {})
    return RawBox(
        name,
        *box,
        where=where,
        given="no bbox" if given is None else as_given(given),
        flags=flags,
        corners=False,
    )


def _given_box(given: Any) -> Box:
    if isinstance(given, str):
        given = given.strip(" []()").replace(",", " ").split()
    if not isinstance(given, list) or len(given) != 4:
        return NO_BOX
    x, y, width, height = (number(value) for value in given)
    return x, y, x + width, y + height


def _duplicate_id(key: str, where: str, image: str | None) -> Problem:
    return Problem(
        "duplicate_id",
        "the annotation's id was used before; ids are given anew" + (f" (image '{image}')" if image else ""),
        row=where,
        value=key,
    )


def _no_image(annotation: Mapping[str, Any], where: str) -> Problem:
    return Problem(
        "no_such_image",
        "the annotation's image_id is not among the images of the file",
        row=where,
        value=repr(annotation.get("image_id")),
    )


def _unread_segmentation(error: ValueError, where: str, given: str) -> Problem:
    return Problem(
        "unread_segmentation",
        f"there is no usable bbox, and no box follows from the segmentation: {error}",
        row=where,
        value=given,
    )


def _box_of_segmentation(where: str, given: str) -> Problem:
    return Problem(
        "box_of_segmentation",
        "the bbox has no area or is no box; the tight box of the segmentation is taken",
        row=where,
        value=given,
    )
