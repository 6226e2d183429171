"""Reading Label Studio: the export "JSON" (not "JSON-MIN"), a list of tasks, each with its annotations.

Rules:

* Coordinates are per cent of the image's width and height; they become pixels by ``original_width`` and
  ``original_height`` of the result, and where those are missing by the image itself.
* Rectangles (x, y, width, height, turned clockwise by ``rotation`` degrees around their corner x, y, in
  pixels), polygons, ellipses (x and y are the centre; turned around it) and brush strokes give their tight
  box. A rectangle drawn upwards or to the left has a negative side; its corners are put in order, which
  is told. Key points have no area; they are told of and left out.
* The name is the label of the region, whether it stands with the shape or in a result of its own with the
  same id. A region with several labels gives a box for each.
* Flags: choices of a region called difficult, truncated, occluded, crowd or ignore.
* Of several annotations of a task the one marked as ``ground_truth`` counts, else the one updated last;
  the others are told of. Cancelled (skipped) ones and predictions never count. A task without an
  annotation left is not annotated, which is not the same as empty.
* An image annotated in a turned view (``image_rotation``) has coordinates of that view; its regions are
  told of and left out.
* The image is the value of ``data`` that names an image file (else ``image_key`` of the config says
  which): a URL, an upload (``/data/upload/1/1a2b3c4d-name.jpg``, known with and without the eight
  characters), or a local file (``/data/local-files/?d=folder/name.jpg``); url-encoded names are decoded.
  No file is opened by these names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from podura.annotations.documents import as_given, read_json, refuse
from podura.annotations.label_studio_names import image_names
from podura.annotations.masks import brush_box
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, SizeOf, flags_of, number, positive
from podura.annotations.shapes import (
    NO_BOX,
    ellipse_box,
    pairs,
    polygon_box,
    rotated_box,
    snapped,
    unknown_shape,
    without_area,
)
from podura.errors import UserError

_WANTED = "a Label Studio export as JSON"
_LABELS = "labels"
_SAID_OF_REGION = (_LABELS, "choices", "textarea", "rating", "number", "taxonomy", "datetime")
_POINT = {"x", "y", "width"}


def read_label_studio(path: Path | str, size_of: SizeOf, image_key: str | None = None) -> RawAnnotations:
    """Read an export. ``image_key`` is the key of a task's ``data`` that holds the image.

    Raises UserErrors that name file and task.
    """
    path = Path(path)
    images: list[AnnotatedImage] = []
    problems: list[Problem] = []
    faults: list[str] = []
    for place, task in enumerate(tasks_of(path), start=1):
        where = f"task {place} of the list (id {task.get('id', 'missing')})"
        try:
            names = image_names(task, image_key)
        except ValueError as error:
            faults.append(f"{path}, {where}: {error}")
            continue
        annotation = _chosen(task, where, problems)
        if annotation is not None:
            images.append(annotated_image(annotation, names, where, size_of, problems))
    refuse(faults)
    return RawAnnotations(str(path), tuple(images), tuple(problems))


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """The tasks of an export, each with ``data`` and ``annotations``. Raises UserError."""
    document = read_json(path, _WANTED)
    if isinstance(document, dict) and "data" in document:
        document = [document]
    if not isinstance(document, list) or not all(
        isinstance(task, dict)
        and isinstance(task.get("data"), dict)
        and ("annotations" in task or "completions" in task)
        for task in document
    ):
        raise UserError(
            f"{path}: this is no list of tasks with 'data' and 'annotations'. In Label Studio choose the "
            "export 'JSON', not 'JSON-MIN'."
        )
    return document


def _chosen(task: Mapping[str, Any], where: str, problems: list[Problem]) -> dict[str, Any] | None:
    """The annotation of a task that counts."""
    # Versions before 1.0 called them completions.
    given = task.get("annotations") or task.get("completions") or []
    entries = [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
    live = [e for e in entries if not (e.get("was_cancelled") or e.get("skipped"))]
    if len(live) < len(entries):
        problems.append(_cancelled(len(entries) - len(live), where))
    if not live:
        problems.append(_not_annotated(bool(task.get("predictions")), where))
        return None
    if len(live) > 1:
        problems.append(_several(live, where))
    return max(live, key=_standing)


def _standing(annotation: Mapping[str, Any]) -> tuple[bool, str, float]:
    """By which of several annotations counts: the truth, then the latest (dates are ISO 8601)."""
    told = annotation.get("updated_at") or annotation.get("created_at") or ""
    place = number(annotation.get("id"))
    return bool(annotation.get("ground_truth")), str(told), place if math.isfinite(place) else -1.0


def annotated_image(
    annotation: Mapping[str, Any],
    names: tuple[str, ...],
    where: str,
    size_of: SizeOf,
    problems: list[Problem],
) -> AnnotatedImage:
    """One annotation of a task; what cannot be read goes to ``problems``."""
    boxes: list[RawBox] = []
    told: tuple[float, float] | None = None
    for region, results in _regions(annotation):
        shape = _shape(results)
        if shape is not None:
            size = _size(shape)
            told = told or size
            of_region = _boxes(shape, results, size or size_of(names), f"{where}, region {region}", problems)
            boxes += [replace(box, key=region) for box in of_region]
    width, height = told or (None, None)
    return AnnotatedImage(names, where, width, height, tuple(boxes))


def _regions(annotation: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The results of each region, which share an id: a shape, and what was said of it."""
    given = annotation.get("result")
    regions: dict[str, list[dict[str, Any]]] = {}
    for place, result in enumerate(given if isinstance(given, list) else [], start=1):
        if isinstance(result, dict) and isinstance(result.get("value"), dict):
            regions.setdefault(str(result.get("id", f"without id, {place}")), []).append(result)
    yield from regions.items()


def _shape(results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The result that holds the shape of a region; None for what is said of the image as a whole.

    Labels, choices and texts of a region repeat its coordinates, so the shape's own result goes first.
    """
    shapes = [result for result in results if _is_shape(result)]
    return min(shapes, key=lambda result: result.get("type") in _SAID_OF_REGION, default=None)


def _is_shape(result: Mapping[str, Any]) -> bool:
    kind, value = str(result.get("type", "")), result["value"]
    drawn = any(key in value for key in ("x", "points", "rle", "vertices", "sequence"))
    return drawn or (kind.endswith(_LABELS) and kind != _LABELS)


def _size(result: Mapping[str, Any]) -> tuple[float, float] | None:
    width, height = positive(result.get("original_width")), positive(result.get("original_height"))
    return None if width is None or height is None else (width, height)


def _boxes(
    result: Mapping[str, Any],
    results: list[dict[str, Any]],
    size: tuple[float, float] | None,
    where: str,
    problems: list[Problem],
) -> list[RawBox]:
    value, kind = result["value"], str(result.get("type", "shape"))
    names = _names(results)
    given = as_given({key: entry for key, entry in value.items() if not key.endswith(_LABELS)})
    turned = number(result.get("image_rotation", 0))
    if turned != 0:
        problems.append(_turned(names[0], where, given))
        return []
    if size is None:
        # The image is not in the study or cannot be read, which is told of later.
        box: Box | None = NO_BOX
    else:
        try:
            box = _tight_box(value, *size)
        except ValueError as error:
            problems.append(_damaged(error, where))
            return []
    if box is None:
        known = kind.startswith("keypoint") or set(value) & _POINT == _POINT
        problems.append((without_area if known else unknown_shape)(kind, names[0], where))
        return []
    marks = {str(mark): True for entry in results for mark in _texts(entry["value"].get("choices"))}
    box = box if size is None else snapped(box, *size)
    return [RawBox(name, *box, where=where, given=given, flags=flags_of(marks)) for name in names]


def _names(results: list[dict[str, Any]]) -> list[str]:
    names = [
        name.strip()
        for result in results
        for key, value in result["value"].items()
        if key.endswith(_LABELS)
        for name in _texts(value)
    ]
    return list(dict.fromkeys(names)) or [""]


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _tight_box(value: Mapping[str, Any], image_width: float, image_height: float) -> Box | None:
    """The tight box in pixels; None for a shape that has no area or is not known.

    Raises ValueError for a damaged brush stroke.
    """
    across, down = image_width / 100, image_height / 100
    if "rle" in value:
        return brush_box(value["rle"], round(image_width), round(image_height))
    if "points" in value:
        return polygon_box([(x * across, y * down) for x, y in pairs(value["points"])])
    x, y = number(value.get("x")) * across, number(value.get("y")) * down
    degrees = number(value.get("rotation", 0))
    if "radiusX" in value:
        radii = number(value["radiusX"]) * across, number(value.get("radiusY")) * down
        return ellipse_box((x, y), radii, degrees)
    if "width" in value and "height" in value:
        right, bottom = x + number(value["width"]) * across, y + number(value["height"]) * down
        return rotated_box((x, y, right, bottom), degrees, (x, y))
    return None


def _cancelled(count: int, where: str) -> Problem:
    return Problem(
        "cancelled_annotation",
        f"{count} annotations of the task were cancelled by their annotators",
        row=where,
        value=str(count),
    )


def _not_annotated(predicted: bool, where: str) -> Problem:
    told = "only predictions of a model" if predicted else "none that was not cancelled"
    return Problem(
        "task_not_annotated",
        f"the task has no annotation that counts ({told}), so its image is not annotated",
        row=where,
    )


def _several(live: list[dict[str, Any]], where: str) -> Problem:
    chosen = max(live, key=_standing)
    others = [str(entry.get("id", "without id")) for entry in live if entry is not chosen]
    return Problem(
        "several_annotations",
        f"the task was annotated {len(live)} times; annotation {chosen.get('id', 'without id')} counts, "
        f"which is {'marked as ground truth' if chosen.get('ground_truth') else 'the latest'}",
        row=where,
        value=" ".join(others),
    )


def _turned(name: str, where: str, given: str) -> Problem:
    return Problem(
        "turned_view",
        f"'{name}' was drawn while the image was turned, and its coordinates are of that view; draw it again "
        "on the upright image",
        row=where,
        value=given,
    )


def _damaged(error: ValueError, where: str) -> Problem:
    return Problem("unread_segmentation", f"no box follows: {error}", row=where)
