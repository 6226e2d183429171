"""Reading COCO: one JSON file with images, categories and annotations.

Read with tolerance for what tools really write (ids from 0, ids as floats or text, a ``bbox`` as text,
no ``area`` or ``iscrowd``); what cannot be understood is a UserError or a row among the problems.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podura.annotations.problems import Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, number
from podura.errors import UserError, UserErrors

_FLAGS = {"iscrowd": "crowd", "ignore": "ignore", "difficult": "difficult", "truncated": "truncated"}
_SHOWN_FAULTS = 20


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
    if faults:
        more = len(faults) - _SHOWN_FAULTS
        raise UserErrors(faults[:_SHOWN_FAULTS] + ([f"… and {more} more."] if more > 0 else []))

    boxes: dict[str, list[RawBox]] = defaultdict(list)
    problems: list[Problem] = []
    seen: set[str] = set()
    for place, annotation in enumerate(annotations, start=1):
        where = _where(annotation, place)
        annotation_id, image_id = _id(annotation.get("id")), _id(annotation.get("image_id"))
        if annotation_id is not None and annotation_id in seen:
            problems.append(_duplicate_id(annotation_id, where, file_names.get(image_id or "")))
        seen.add(annotation_id or "")
        if image_id not in file_names:
            problems.append(_no_image(annotation, where))
            continue
        name = names[_id(annotation.get("category_id")) or ""]
        boxes[image_id].append(_box(annotation, name, where))
    return RawAnnotations(
        str(path),
        tuple(
            AnnotatedImage(
                file_names=(image["file_name"],),
                where=f"image id {image['id']}",
                width=_positive(image.get("width")),
                height=_positive(image.get("height")),
                boxes=tuple(boxes[_id(image["id"]) or ""]),
            )
            for image in images
        ),
        tuple(problems),
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(
            f"{path}: the file cannot be read ({error.strerror}). Give the path of a COCO JSON file."
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}). "
            "Export the file again."
        ) from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{path}: the JSON cannot be read ({error}).") from None
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


def _box(annotation: Mapping[str, Any], name: str, where: str) -> RawBox:
    given = annotation.get("bbox")
    x, y, width, height = _four_numbers(given)
    return RawBox(
        name=name,
        x_min=x,
        y_min=y,
        x_max=x + width,
        y_max=y + height,
        where=where,
        given="no bbox" if given is None else json.dumps(given),
        flags=frozenset(flag for key, flag in _FLAGS.items() if _is_set(annotation.get(key))),
        corners=False,
    )


def _four_numbers(given: Any) -> tuple[float, float, float, float]:
    if isinstance(given, str):
        given = given.strip(" []()").replace(",", " ").split()
    if not isinstance(given, list) or len(given) != 4:
        return (float("nan"),) * 4
    x, y, width, height = (number(value) for value in given)
    return x, y, width, height


def _is_set(value: Any) -> bool:
    return number(value) >= 1 or str(value).lower() == "true"


def _positive(value: Any) -> float | None:
    size = number(value)
    return size if size > 0 else None


def _duplicate_id(key: str, where: str, image: str | None) -> Problem:
    return Problem(
        "duplicate_id",
        "note",
        "fixed",
        "the annotation's id was used before; ids are given anew" + (f" (image '{image}')" if image else ""),
        row=where,
        value=key,
    )


def _no_image(annotation: Mapping[str, Any], where: str) -> Problem:
    return Problem(
        "no_such_image",
        "error",
        "dropped",
        "the annotation's image_id is not among the images of the file",
        row=where,
        value=repr(annotation.get("image_id")),
    )
