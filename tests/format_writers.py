"""Annotations written in every format that Podura reads, each as its tool writes it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import yaml
from pycocotools import mask as coco_mask

from builders import coco_dict, voc_text
from podura.annotations.raw import RawAnnotations

FLAGS = ("crowd", "difficult", "ignore", "occluded", "truncated")


@dataclass(frozen=True)
class Drawn:
    """A box as drawn by hand: corners in pixels."""

    name: str
    box: tuple[float, float, float, float]
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DrawnImage:
    """An image and what was drawn on it; ``name`` is its path with its suffix."""

    name: str
    size: tuple[int, int] = (400, 300)
    boxes: Sequence[Drawn] = field(default=())

    @property
    def stem(self) -> str:
        return self.name.rsplit(".", 1)[0]


def size_of(images: Sequence[DrawnImage]) -> Callable[[tuple[str, ...]], tuple[int, int] | None]:
    """The sizes of images by any of their names, with or without suffix."""
    sizes = {name: image.size for image in images for name in (image.name, image.stem)}
    return lambda names: next((sizes[name] for name in names if name in sizes), None)


def summary(found: RawAnnotations) -> dict[str, list[tuple[str, tuple[float, ...], frozenset[str]]]]:
    """Each image's (name, box, flags) by its surest name without suffix."""
    return {
        image.file_names[0].removesuffix(".png"): [
            (box.name, (box.x_min, box.y_min, box.x_max, box.y_max), box.flags) for box in image.boxes
        ]
        for image in found.images
    }


def extent(box: Sequence[float]) -> tuple[float, float, float, float]:
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def outline(box: Sequence[float]) -> list[list[float]]:
    """A polygon whose tight box is the box: the middles of its sides."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return [[box[0], y], [x, box[1]], [box[2], y], [x, box[3]]]


def run_lengths(box: Sequence[float], size: tuple[int, int]) -> dict[str, Any]:
    """COCO's plain run lengths of a full box of whole pixels: column by column, empty pixels first."""
    x_min, y_min, x_max, y_max = (int(value) for value in box)
    width, height = size
    inside, between = y_max - y_min, height - (y_max - y_min)
    columns = [count for _ in range(x_min, x_max) for count in (between, inside)]
    columns[0] = x_min * height + y_min
    return {"size": [height, width], "counts": [*columns, width * height - sum(columns)]}


def write_coco(
    folder: Path,
    images: Sequence[DrawnImage],
    *,
    polygons: bool = False,
    runs: Literal["plain", "compressed", ""] = "",
) -> Path:
    names = sorted({drawn.name for image in images for drawn in image.boxes}) or ["none"]
    document = coco_dict(
        {image.name: [(drawn.name, extent(drawn.box)) for drawn in image.boxes] for image in images},
        categories=names,
    )
    for entry, image in zip(document["images"], images, strict=True):
        entry["width"], entry["height"] = image.size
    drawn = [drawn for image in images for drawn in image.boxes]
    sizes = [image.size for image in images for _ in image.boxes]
    for annotation, box, size in zip(document["annotations"], drawn, sizes, strict=True):
        annotation |= {"iscrowd" if flag == "crowd" else flag: 1 for flag in box.flags}
        if polygons:
            del annotation["bbox"]
            annotation["segmentation"] = [[value for point in outline(box.box) for value in point]]
        if runs:
            annotation |= {"bbox": [0, 0, 0, 0], "iscrowd": 1, "segmentation": run_lengths(box.box, size)}
        if runs == "compressed":
            encoded = coco_mask.frPyObjects(annotation["segmentation"], *size[::-1])
            annotation["segmentation"] = encoded | {"counts": encoded["counts"].decode()}
    return write_json(folder / "coco.json", document)


def write_voc(folder: Path, images: Sequence[DrawnImage]) -> Path:
    for image in images:
        text = voc_text([(drawn.name, drawn.box) for drawn in image.boxes], size=image.size, filename=None)
        parts = text.split("</object>")
        marked = [
            part + "".join(f"<{flag}>1</{flag}>" for flag in sorted(drawn.flags)) + "</object>"
            for part, drawn in zip(parts, image.boxes, strict=False)
        ]
        path = folder / "voc" / f"{image.stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(marked) + parts[-1], encoding="utf-8")
    return folder / "voc"


def write_yolo(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    names = sorted({drawn.name for image in images for drawn in image.boxes}) or ["none"]
    for image in images:
        lines = []
        for drawn in image.boxes:
            box = [value / side for value, side in zip(drawn.box, image.size * 2, strict=True)]
            x, y, width, height = extent(box)
            values = (
                [value for point in outline(box) for value in point]
                if polygons
                else [x + width / 2, y + height / 2, width, height]
            )
            lines.append(" ".join(map(repr, [names.index(drawn.name), *values])))
        path = folder / "yolo" / "labels" / "train" / f"{image.stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")
    return write_yaml(
        folder / "yolo" / "data.yaml", {"path": ".", "train": "images/train", "names": dict(enumerate(names))}
    )


def write_yaml(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def labelme_dict(image: DrawnImage, *, polygons: bool = False) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {
                "label": drawn.name,
                "points": outline(drawn.box) if polygons else [list(drawn.box[:2]), list(drawn.box[2:])],
                "group_id": None,
                "shape_type": "polygon" if polygons else "rectangle",
                "flags": dict.fromkeys(sorted(drawn.flags), True),
            }
            for drawn in image.boxes
        ],
        "imagePath": image.name.rsplit("/", 1)[-1],
        "imageData": None,
        "imageHeight": image.size[1],
        "imageWidth": image.size[0],
    }


def write_labelme(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    for image in images:
        write_json(folder / "labelme" / f"{image.stem}.json", labelme_dict(image, polygons=polygons))
    return folder / "labelme"


def cvat_text(images: Sequence[DrawnImage], *, polygons: bool = False) -> str:
    parts = ['<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta/>']
    for place, image in enumerate(images):
        width, height = image.size
        parts.append(f'<image id="{place}" name={quoteattr(image.name)} width="{width}" height="{height}">')
        for drawn in image.boxes:
            label = f'label={quoteattr(drawn.name)} occluded="{int("occluded" in drawn.flags)}"'
            marks = "".join(
                f'<attribute name="{flag}">true</attribute>' for flag in drawn.flags - {"occluded"}
            )
            if polygons:
                points = ";".join(f"{x!r},{y!r}" for x, y in outline(drawn.box))
                parts.append(f'<polygon {label} points="{points}">{marks}</polygon>')
            else:
                sides = zip(("xtl", "ytl", "xbr", "ybr"), drawn.box, strict=True)
                corners = " ".join(f'{side}="{value!r}"' for side, value in sides)
                parts.append(f"<box {label} {corners}>{marks}</box>")
        parts.append("</image>")
    return "\n".join([*parts, "</annotations>"])


def write_cvat(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    path = folder / "annotations.xml"
    path.write_text(cvat_text(images, polygons=polygons), encoding="utf-8")
    return path


def label_studio_task(image: DrawnImage, *, polygons: bool = False) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    for place, drawn in enumerate(image.boxes):
        box = [100 * value / side for value, side in zip(drawn.box, image.size * 2, strict=True)]
        kind = "polygonlabels" if polygons else "rectanglelabels"
        shape = (
            {"points": outline(box)}
            if polygons
            else dict(zip(("x", "y", "width", "height"), extent(box), strict=True)) | {"rotation": 0}
        )
        common = {
            "id": f"region{place}",
            "original_width": image.size[0],
            "original_height": image.size[1],
            "image_rotation": 0,
        }
        results.append(common | {"type": kind, "value": shape | {kind: [drawn.name]}})
        if drawn.flags:
            results.append(common | {"type": "choices", "value": shape | {"choices": sorted(drawn.flags)}})
    return {
        "id": 1,
        "data": {"image": f"/data/local-files/?d={quote(image.name)}"},
        "annotations": [{"id": 7, "completed_by": 1, "was_cancelled": False, "result": results}],
        "predictions": [],
    }


def write_label_studio(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    tasks = [label_studio_task(image, polygons=polygons) for image in images]
    return write_json(folder / "label_studio.json", tasks)


def via_region(drawn: Drawn, *, polygons: bool = False) -> dict[str, Any]:
    points = outline(drawn.box)
    shape = (
        {"name": "polygon", "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}
        if polygons
        else {"name": "rect"} | dict(zip(("x", "y", "width", "height"), extent(drawn.box), strict=True))
    )
    return {
        "shape_attributes": shape,
        "region_attributes": {"species": drawn.name} | dict.fromkeys(sorted(drawn.flags), "true"),
    }


def via_dict(images: Sequence[DrawnImage], *, polygons: bool = False) -> dict[str, Any]:
    return {
        "_via_settings": {},
        "_via_img_metadata": {
            f"{image.name}{place}": {
                "filename": image.name,
                "size": place,
                "regions": [via_region(drawn, polygons=polygons) for drawn in image.boxes],
                "file_attributes": {},
            }
            for place, image in enumerate(images)
        },
        "_via_attributes": {"region": {"species": {"type": "text"}}, "file": {}},
    }


def write_via(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    return write_json(folder / "via.json", via_dict(images, polygons=polygons))


def write_via_csv(folder: Path, images: Sequence[DrawnImage], *, polygons: bool = False) -> Path:
    header = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    )
    rows = []
    for image in images:
        regions = [via_region(drawn, polygons=polygons) for drawn in image.boxes]
        for place, region in enumerate(regions):
            shape, attributes = (
                json.dumps(region["shape_attributes"]),
                json.dumps(region["region_attributes"]),
            )
            rows.append([image.name, 1, "{}", len(regions), place, shape, attributes])
        if not regions:
            rows.append([image.name, 1, "{}", 0, 0, "{}", "{}"])
    return write_rows(folder / "via.csv", [header.split(","), *rows])


def write_csv(
    folder: Path,
    images: Sequence[DrawnImage],
    *,
    style: str = "corners",
    separator: str = ",",
    decimal: str = ".",
    names: Mapping[str, str] | None = None,
) -> Path:
    keys = {
        "corners": ["x_min", "y_min", "x_max", "y_max"],
        "extent": ["x_min", "y_min", "width", "height"],
        "centre": ["x_centre", "y_centre", "width", "height"],
    }[style]
    columns = ["image", "image_width", "image_height", "species", *keys, *FLAGS]
    rows: list[list[Any]] = [[(names or {}).get(column, column) for column in columns]]
    for image in images:
        for drawn in image.boxes:
            x, y, width, height = extent(drawn.box)
            values = {
                "corners": drawn.box,
                "extent": (x, y, width, height),
                "centre": (x + width / 2, y + height / 2, width, height),
            }[style]
            numbers = [repr(float(value)).replace(".", decimal) for value in values]
            marks = [int(flag in drawn.flags) for flag in FLAGS]
            rows.append([image.name, *image.size, drawn.name, *numbers, *marks])
        if not image.boxes:
            rows.append([image.name, *image.size, *[""] * (5 + len(FLAGS))])
    return write_rows(folder / "boxes.csv", rows, separator)


def write_rows(path: Path, rows: Sequence[Sequence[Any]], separator: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, delimiter=separator).writerows(rows)
    return path


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path
