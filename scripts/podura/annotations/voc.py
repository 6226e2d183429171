"""Reading Pascal VOC: a folder with one XML file an image.

Coordinates are taken as they stand in the file. The original VOC data count pixels from 1 with the last
pixel inside the box; labelImg and its successors, from which VOC files come today, write plain pixel
coordinates, and shifting those by one would move every box. Documents with a DTD or entities are
refused, so that no entity is ever expanded.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path, PurePosixPath

from podura.annotations.problems import Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, number
from podura.errors import UserError, UserErrors

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("difficult", "truncated")


def read_voc(folder: Path | str) -> RawAnnotations:
    """Read every ``.xml`` file in ``folder`` and the folders below it.

    The name of the XML file tells the image, as in labelImg; the ``filename`` tag is used where that
    name fits no image. Raises UserErrors that name file and line.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give the folder with the VOC XML files.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".xml")
    if not paths:
        raise UserError(f"{folder}: the folder holds no .xml file. Give the folder of the VOC files.")
    images: list[AnnotatedImage] = []
    problems: list[Problem] = []
    faults: list[str] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            image = _read_file(path, name)
        except UserError as error:
            faults.append(str(error))
            continue
        images.append(image)
        problems += _disagreeing_name(image, name)
    if faults:
        raise UserErrors(faults)
    return RawAnnotations(str(folder), tuple(images), tuple(problems))


def _read_file(path: Path, name: str) -> AnnotatedImage:
    root = _parse(path)
    if root.tag != "annotation":
        raise UserError(
            f"{path}, line 1: the document is <{root.tag}>, not <annotation>. Leave only Pascal VOC "
            "files in this folder, or give another annotations.format."
        )
    tag = _text(root, "filename")
    stem = str(PurePosixPath(name).with_suffix(""))
    return AnnotatedImage(
        file_names=(stem, tag) if tag else (stem,),
        where=name,
        width=_size(root, "width"),
        height=_size(root, "height"),
        boxes=tuple(
            _box(element, f"{name}, object {count}")
            for count, element in enumerate(root.findall("object"), start=1)
        ),
    )


def _parse(path: Path) -> ElementTree.Element:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from None
    # Without its zero bytes UTF-16 reads like ASCII here, whatever encoding the document claims.
    if any(mark in raw.replace(b"\0", b"") for mark in (b"<!DOCTYPE", b"<!ENTITY")):
        raise UserError(
            f"{path}: the file declares a document type or entities, which are not read for safety. "
            "Remove the <!DOCTYPE …> line."
        )
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise UserError(
            f"{path}, line {line}, column {column + 1}: this is not well-formed XML ({error.msg}). "
            "Export the file again."
        ) from None
    except (LookupError, ValueError) as error:
        raise UserError(f"{path}, line 1: the encoding cannot be read ({error}).") from None


def _box(element: ElementTree.Element, where: str) -> RawBox:
    texts = [_text(element, f"bndbox/{side}") for side in _SIDES]
    x_min, y_min, x_max, y_max = (number(text) for text in texts)
    return RawBox(
        name=_text(element, "name"),
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        where=where,
        given=" ".join(text or "?" for text in texts),
        flags=frozenset(flag for flag in _FLAGS if _text(element, flag).lower() in ("1", "true")),
    )


def _size(root: ElementTree.Element, side: str) -> float | None:
    # Some tools write 0 where they did not know the size.
    value = number(_text(root, f"size/{side}"))
    return value if value > 0 else None


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _disagreeing_name(image: AnnotatedImage, name: str) -> list[Problem]:
    if len(image.file_names) < 2:
        return []
    tag = image.file_names[1].replace("\\", "/")
    if PurePosixPath(name).stem in (PurePosixPath(tag).stem, PurePosixPath(tag).name):
        return []
    return [
        Problem(
            "filename_differs",
            "warning",
            "kept",
            "the tag <filename> names another image than the XML file's own name, which is followed "
            "where it fits an image",
            row=name,
            value=image.file_names[1],
        )
    ]
