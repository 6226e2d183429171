"""Reading YOLO: text files of boxes or outlines, and a data YAML that names the classes.

Rules, as Ultralytics' (docs.ultralytics.com/datasets/detect and /segment):

* A line is ``class x y width height`` (the centre and the extent) or ``class x1 y1 x2 y2 …`` (an outline
  of three points or more; boxes turned by an angle are outlines of four). All are shares of the image's
  width and height, which come from the image itself. With ``kpt_shape`` in the YAML, the key points
  behind a box are left aside.
* A class is a number from 0; it becomes its name at once. A class without a name refuses the data set: a
  list of names that was changed afterwards would rename every animal.
* ``train``, ``val``, ``test`` are folders of images, lists of folders, or text files that list images,
  relative to ``path`` and else to the YAML's folder. Labels lie where the last ``images`` folder is
  called ``labels``, and beside the images where there is none. Nothing outside ``path`` and the YAML's
  folder is opened. The parts do not matter here: the study's split rules. Without these keys, or with a
  list of names (``classes.txt`` of labelImg and Label Studio, ``obj.names`` of Darknet) in place of the
  YAML, every label below the folder ``labels``, else below the folder itself, is read.
* An empty label file is an image without animals. An image without a label file is not annotated.
* Lines of six numbers (a confidence behind the box) are a model's detections, not annotations, and are
  refused. Numbers far beyond 1 are pixels, not shares: told of and left out.
"""

from __future__ import annotations

import math
from pathlib import Path

from podura.annotations.documents import as_given, read_text, refuse
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, SizeOf, number
from podura.annotations.shapes import NO_BOX, flat_pairs, polygon_box, snapped
from podura.annotations.yolo_data import LabelFile, YoloData, read_yolo_data
from podura.errors import UserError

_BOX = 4
_BOX_AND_CONFIDENCE = 5
_FEWEST_OUTLINE = 6
# A little beyond 1 is an animal drawn over the edge, which is clipped later.
_LARGEST_SHARE = 2.0


def read_yolo(path: Path | str, size_of: SizeOf) -> RawAnnotations:
    """Read a data YAML, or the one in a folder (else its ``classes.txt``), and the labels it means.

    Where ``size_of`` does not know an image, its boxes are NaN; such an image is not in the study or
    cannot be read, which is told of later. Raises UserErrors that name file and line.
    """
    data = read_yolo_data(Path(path))
    faults: list[str] = []
    problems = list(data.problems)
    images = tuple(_image(label, data, size_of, problems, faults) for label in data.labels)
    refuse(faults)
    return RawAnnotations(str(path), images, tuple(problems))


def _image(
    label: LabelFile, data: YoloData, size_of: SizeOf, problems: list[Problem], faults: list[str]
) -> AnnotatedImage:
    boxes: list[RawBox] = []
    size = size_of(label.file_names)
    try:
        text = read_text(label.path, "a YOLO label file")
    except UserError as error:
        faults.append(str(error))
        text = ""
    for count, line in enumerate(text.splitlines(), start=1):
        values = line.split()
        if not values:
            continue
        name = data.names.get(_class(values[0]))
        if name is None:
            faults.append(_no_class(label.path, count, values[0], data))
        elif len(values) - 1 == _BOX_AND_CONFIDENCE:
            faults.append(
                f"{label.path}, line {count}: six numbers are a box with a confidence, as a model writes "
                "it. Give the annotations, not the detections of a model."
            )
        else:
            box = _box(values[1:], name, f"{label.where}, line {count}", size, data.key_points, problems)
            boxes += [] if box is None else [box]
    # The size is that of the image and not told by the labels, so it proves nothing about them.
    return AnnotatedImage(label.file_names, label.where, None, None, tuple(boxes))


def _class(text: str) -> int:
    value = number(text)
    return int(value) if math.isfinite(value) and value == int(value) else -1


def _no_class(path: Path, line: int, text: str, data: YoloData) -> str:
    return (
        f"{path}, line {line}: the class {as_given(text)!r} is none of the classes of {data.source} "
        f"(0 to {max(data.names)}). Correct the number, or give the names "
        "that belong to these labels."
    )


def _box(
    texts: list[str],
    name: str,
    where: str,
    size: tuple[int, int] | None,
    key_points: int,
    problems: list[Problem],
) -> RawBox | None:
    given = as_given(" ".join(texts))
    if key_points and len(texts) == _BOX + key_points:
        texts = texts[:_BOX]
    if any(abs(number(text)) > _LARGEST_SHARE for text in texts):
        problems.append(_not_shares(where, given))
        return None
    box, is_box = NO_BOX, len(texts) == _BOX
    if size is not None:
        if is_box:
            box = _centred(texts, size)
        elif len(texts) >= _FEWEST_OUTLINE:
            width, height = size
            box = polygon_box([(x * width, y * height) for x, y in flat_pairs(texts)])
        box = snapped(box, *size)
    return RawBox(name, *box, where=where, given=given, corners=not is_box)


def _centred(texts: list[str], size: tuple[int, int]) -> Box:
    (x, y, width, height), (image_width, image_height) = (number(text) for text in texts), size
    return (
        (x - width / 2) * image_width,
        (y - height / 2) * image_height,
        (x + width / 2) * image_width,
        (y + height / 2) * image_height,
    )


def _not_shares(where: str, given: str) -> Problem:
    return Problem(
        "not_normalised",
        "YOLO gives coordinates as shares of the image's width and height, from 0 to 1; these are not",
        row=where,
        value=given,
    )
