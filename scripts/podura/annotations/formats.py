"""The formats of annotations by name, all read by one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podura.annotations.coco import read_coco
from podura.annotations.csv_table import read_csv
from podura.annotations.cvat import read_cvat
from podura.annotations.label_studio import read_label_studio
from podura.annotations.labelme import read_labelme
from podura.annotations.raw import RawAnnotations, SizeOf
from podura.annotations.via import read_via
from podura.annotations.voc import read_voc
from podura.annotations.yolo import read_yolo
from podura.errors import UserError


@dataclass(frozen=True)
class Format:
    """A reader, what its ``path`` is, and what it takes beside: sizes of images, keys of the config."""

    read: Callable[..., RawAnnotations]
    path: str
    sizes: bool = False
    options: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    "coco": Format(read_coco, "the JSON file"),
    "voc": Format(read_voc, "the folder of XML files"),
    "yolo": Format(read_yolo, "the data YAML, or its folder", sizes=True),
    "labelme": Format(read_labelme, "the folder of JSON files, or one of them"),
    "cvat": Format(read_cvat, "the XML file (annotations.xml)"),
    "label_studio": Format(read_label_studio, "the JSON file", sizes=True, options=("image_key",)),
    "via": Format(read_via, "the JSON or CSV file", options=("attribute",)),
    "csv": Format(read_csv, "the CSV file", sizes=True, options=("columns", "units")),
}


def read_annotations(
    name: str, path: Path, *, size_of: SizeOf, options: Mapping[str, Any] | None = None
) -> RawAnnotations:
    """Read annotations of a format of ``FORMATS``.

    ``size_of`` tells the size of an image, for formats whose coordinates are shares of it
    (``sizes.sizes_of_images``). ``options`` are further keys under dataset.annotations; None is as good
    as absent. Raises UserErrors for an unknown format, a key that it does not take, and by its reader.
    """
    if name not in FORMATS:
        raise UserError(f"annotations.format is '{name}'. Write one of: {', '.join(FORMATS)}.")
    known = FORMATS[name]
    given = {key: value for key, value in (options or {}).items() if value is not None}
    unknown = [key for key in given if key not in known.options]
    if unknown:
        raise UserError(
            f"dataset.annotations: {', '.join(unknown)} is no key of the format {name}, which takes "
            f"{', '.join(known.options) or 'none but path'}."
        )
    sizes = {"size_of": size_of} if known.sizes else {}
    return known.read(path, **sizes, **given)
