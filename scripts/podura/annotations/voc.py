"""Reading Pascal VOC: a folder with one XML file an image.

Coordinates are taken as they stand in the file. The original VOC data count pixels from 1 with the last
pixel inside the box; labelImg and its successors, from which VOC files come today, write plain pixel
coordinates, and shifting those by one would move every box. Documents with a DTD or entities are
refused, so that no entity is ever expanded.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path, PurePosixPath

from podura.annotations.documents import disagreeing_name, files_below, read_xml, refuse
from podura.annotations.problems import Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, flags_of, number, positive
from podura.errors import UserError

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("difficult", "truncated", "occluded")


def read_voc(folder: Path | str) -> RawAnnotations:
    """Read every ``.xml`` file in ``folder`` and the folders below it.

    The name of the XML file tells the image, as in labelImg; the ``filename`` tag is used where that
    name fits no image. Raises UserErrors that name file and line.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give the folder with the VOC XML files.")
    paths = files_below(folder, ".xml")
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
        problems += disagreeing_name(name, "".join(image.file_names[1:]), "the tag <filename>")
    refuse(faults)
    return RawAnnotations(str(folder), tuple(images), tuple(problems))


def _read_file(path: Path, name: str) -> AnnotatedImage:
    root = read_xml(path, "a Pascal VOC file")
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
        width=positive(_text(root, "size/width")),
        height=positive(_text(root, "size/height")),
        boxes=tuple(
            _box(element, f"{name}, object {count}")
            for count, element in enumerate(root.findall("object"), start=1)
        ),
    )


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
        flags=flags_of({flag: _text(element, flag) for flag in _FLAGS}),
    )


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
