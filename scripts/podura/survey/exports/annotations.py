"""Boxes of a survey as COCO, YOLO, Label Studio and CVAT: for other tools, and for review in them.

Every image that could be read is in each file, also those without any animal; coordinates are those of the
upright image.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml

from podura.slides.formats import without_image_suffix
from podura.survey.exports.standing import inside_names
from podura.survey.tasks import REVIEW_TAG, UNSURE
from podura.tables import BOX_COLUMNS, write_text

#: Label Studio serves files of a disk below this address, from the folder that it is told to.
LOCAL_FILES = "/data/local-files/?d="
# All that XML 1.0 cannot hold (W3C, Extensible Markup Language 1.0, production 2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def readable_images(images: pd.DataFrame) -> pd.DataFrame:
    """The images that could be read; only of these a size is known."""
    return images[images["status"].eq("ok") & images["width"].notna() & images["height"].notna()]


def coco(boxes: pd.DataFrame, images: pd.DataFrame, species: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """COCO; each annotation also has its score, who identified it, and its key.

    boxes: as ``standing.standing_boxes``. images: as tables.SURVEY_IMAGES. species: code and name. Ids count
    from 1.
    """
    category = {str(one["code"]): number for number, one in enumerate(species, start=1)}
    known = readable_images(images)
    number = {image: place for place, image in enumerate(known["image"], start=1)}
    annotations: list[dict[str, Any]] = []
    for row in boxes[boxes["image"].isin(number)].itertuples(index=False):
        width, height = row.x_max - row.x_min, row.y_max - row.y_min
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": number[row.image],
                "category_id": category[row.species],
                "bbox": [row.x_min, row.y_min, width, height],
                "area": width * height,
                "iscrowd": 0,
                **({} if pd.isna(row.score) else {"score": row.score}),
                "attributes": {
                    "detection": row.key,
                    "identified_by": row.reviewer if row.human and not pd.isna(row.reviewer) else "machine",
                },
            }
        )
    return {
        "info": {"description": "A survey by Podura; boxes in pixels of the upright image"},
        "images": [
            {
                "id": number[row.image], "file_name": row.image, "width": int(row.width),
                "height": int(row.height), "slide": row.slide, "sample": row.sample,
            }
            for row in known.itertuples(index=False)
        ],
        "categories": [
            {"id": category[str(one["code"])], "name": one["code"], "scientific_name": one["name"]}
            for one in species
        ],
        "annotations": annotations,
    }  # fmt: skip


def write_yolo(
    boxes: pd.DataFrame, images: pd.DataFrame, species: Sequence[Mapping[str, Any]], folder: Path
) -> None:
    """YOLO: ``data.yaml`` and a file of labels for each image; no score, so that it can be trained on."""
    codes = [str(one["code"]) for one in species]
    known = readable_images(images)
    paths = inside_names(known["image"])
    by_image = dict(tuple(boxes.groupby("image", sort=False)))
    for row in known.itertuples(index=False):
        lines = []
        for one in by_image.get(row.image, boxes.iloc[:0]).itertuples(index=False):
            x, y = (one.x_min + one.x_max) / 2 / row.width, (one.y_min + one.y_max) / 2 / row.height
            width, height = (one.x_max - one.x_min) / row.width, (one.y_max - one.y_min) / row.height
            lines.append(f"{codes.index(one.species)} {x:.9f} {y:.9f} {width:.9f} {height:.9f}\n")
        write_text("".join(lines), folder / "labels" / f"{without_image_suffix(paths[row.image])}.txt")
    names = dict(enumerate(codes))
    text = yaml.safe_dump(
        {"path": ".", "train": "images", "val": "images", "names": names}, sort_keys=False, allow_unicode=True
    )
    write_text(
        f"# Put the images into the folder images beside this file, named as the files in labels.\n{text}",
        folder / "data.yaml",
    )


def label_studio(
    boxes: pd.DataFrame,
    images: pd.DataFrame,
    *,
    prefix: str = LOCAL_FILES,
    predictions: str | None = None,
) -> list[dict[str, Any]]:
    """Tasks of Label Studio; rectangles in per cent of the image.

    boxes: key, image, species, score and box, and whether ``human``. ``prefix`` stands before the image's
    (encoded) name: Label Studio's local files, or an address or nothing. predictions: name of the model,
    where the boxes are what it says and a person is to judge; None: they are annotations.
    """
    by_image = dict(tuple(boxes.groupby("image", sort=False)))
    tasks = []
    for row in readable_images(images).itertuples(index=False):
        mine = by_image.get(row.image, boxes.iloc[:0])
        results = [_rectangle(one, int(row.width), int(row.height)) for one in mine.itertuples(index=False)]
        task: dict[str, Any] = {
            "data": {
                "image": prefix + quote(row.image, safe="/"),
                "sample": None if pd.isna(row.sample) else row.sample,
                "detections": mine["key"].tolist(),
            }
        }
        if predictions is None:
            task["annotations"] = [{"result": results}]
        else:
            mean = mine["score"].mean()
            task["annotations"] = []
            task["predictions"] = [
                {
                    "model_version": predictions,
                    **({} if pd.isna(mean) else {"score": round(float(mean), 4)}),
                    "result": results,
                }
            ]
        tasks.append(task)
    return tasks


def _rectangle(box: Any, width: int, height: int) -> dict[str, Any]:
    return {
        "id": box.key,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "origin": "manual" if box.human else "prediction",
        **({} if pd.isna(box.score) else {"score": box.score}),
        "value": {
            "x": 100 * box.x_min / width,
            "y": 100 * box.y_min / height,
            "width": 100 * (box.x_max - box.x_min) / width,
            "height": 100 * (box.y_max - box.y_min) / height,
            "rotation": 0,
            "rectanglelabels": [box.species],
        },
    }


def label_studio_config(species: Sequence[Mapping[str, Any]]) -> str:
    """The labelling configuration that goes with the tasks, as XML."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true", zoomControl="true")
    labels = ElementTree.SubElement(view, "RectangleLabels", name="label", toName="image")
    for one in species:
        ElementTree.SubElement(labels, "Label", value=str(one["code"]), hint=str(one["name"]))
    ElementTree.SubElement(labels, "Label", value=UNSURE, hint="a person could not decide")
    return _xml(view)


def cvat(
    boxes: pd.DataFrame,
    images: pd.DataFrame,
    species: Sequence[Mapping[str, Any]],
    *,
    name: str,
    review: bool = False,
) -> str:
    """An XML file "CVAT for images 1.1".

    With ``review`` each image has a tag ``REVIEW_TAG`` that lists its boxes and has the state "open", which
    reviewers set to "done".
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "name").text = _clean(name)
    labels = ElementTree.SubElement(task, "labels")
    codes = [str(one["code"]) for one in species]
    for code in [*codes, *([UNSURE] if review else [])]:
        _label(labels, code, "rectangle", (("detection", "text", ""), ("score", "text", "")))
    if review:
        states = (("state", "select", "open\ndone"), ("detections", "text", ""), ("reviewer", "text", ""))
        _label(labels, REVIEW_TAG, "tag", states)
    by_image = dict(tuple(boxes.groupby("image", sort=False)))
    for number, row in enumerate(readable_images(images).itertuples(index=False)):
        mine = by_image.get(row.image, boxes.iloc[:0])
        image = ElementTree.SubElement(
            root,
            "image",
            id=str(number),
            name=_clean(row.image),
            width=str(row.width),
            height=str(row.height),
        )
        for one in mine.itertuples(index=False):
            corners = zip(("xtl", "ytl", "xbr", "ybr"), BOX_COLUMNS, strict=True)
            facts = {"label": str(one.species), "source": "manual" if one.human else "auto", "occluded": "0"}
            facts |= {key: f"{getattr(one, side):.2f}" for key, side in corners} | {"z_order": "0"}
            shape = ElementTree.SubElement(image, "box", facts)
            score = "" if pd.isna(one.score) else f"{one.score:.4f}"
            _attributes(shape, (("detection", one.key), ("score", score)))
        if review:
            tag = ElementTree.SubElement(image, "tag", label=REVIEW_TAG, source="manual")
            listed = " ".join(mine["key"])
            _attributes(tag, (("state", "open"), ("detections", listed), ("reviewer", "")))
    return _xml(root)


def _label(labels: ElementTree.Element, name: str, kind: str, given: Iterable[tuple[str, str, str]]) -> None:
    label = ElementTree.SubElement(labels, "label")
    ElementTree.SubElement(label, "name").text = name
    ElementTree.SubElement(label, "type").text = kind
    attributes = ElementTree.SubElement(label, "attributes")
    for key, input_type, values in given:
        attribute = ElementTree.SubElement(attributes, "attribute")
        ElementTree.SubElement(attribute, "name").text = key
        ElementTree.SubElement(attribute, "mutable").text = "False"
        ElementTree.SubElement(attribute, "input_type").text = input_type
        ElementTree.SubElement(attribute, "default_value").text = values.split("\n")[0]
        ElementTree.SubElement(attribute, "values").text = values


def _attributes(element: ElementTree.Element, given: Iterable[tuple[str, str]]) -> None:
    for key, text in given:
        ElementTree.SubElement(element, "attribute", name=key).text = _clean(text)


def _clean(text: str) -> str:
    """A text without the characters that XML 1.0 cannot hold."""
    return _NO_XML.sub("", text)


def _xml(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def machine_boxes(shown: pd.DataFrame) -> pd.DataFrame:
    """Detections of the machine as boxes for a task of review."""
    return shown.rename(columns={"detection": "key"})[
        ["key", "image", "species", "score", *BOX_COLUMNS]
    ].assign(human=False)


def as_text(tasks: list[dict[str, Any]]) -> str:
    """Tasks as strict JSON."""
    return json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
