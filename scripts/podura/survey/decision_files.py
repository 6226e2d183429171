"""Reading the files of decisions that reviewers hand back: Podura's own, Label Studio's and CVAT's.

Whatever does not fit is refused with words that name the file and the place. Nothing in such a file is
run, opened or taken as a path: images, detections and species are looked up among those of the survey.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podura.annotations.documents import read_json, refuse
from podura.annotations.problems import Box
from podura.annotations.raw import number
from podura.errors import UserError
from podura.survey.deciding import (
    DecisionFile,
    Surveyed,
    Trouble,
    add_decision,
    reviewer_name,
    short,
    utc,
)
from podura.survey.tool_decisions import read_cvat_decisions, read_label_studio_decisions
from podura.tables.review import ACTIONS, DETECTION_ACTIONS

#: What the first key of Podura's own file says, and the version that is written and read.
OWN_FORMAT, OWN_VERSION = "podura review decisions", 1
_MOST_BYTES = 1_000_000_000
_OUTDATED = (
    "the image was searched beside boxes that the survey does not have any more, so it is not searched"
)


def read_decision_file(
    path: Path | str, surveyed: Surveyed, survey: str | None = None, pipeline: str | None = None
) -> DecisionFile:
    """Read a file of any of the three kinds; which it is its content tells, not its name.

    Raises UserErrors where it is none of them or damaged, or where the page of another survey than
    ``survey`` saved it: images of two surveys often have the same names. An image that was searched beside
    boxes that the survey does not have any more (of another ``pipeline``, or of another picture) is not
    searched: what those boxes showed may be missed now.
    """
    read, foreign = _read(Path(path), surveyed, survey, pipeline)
    gone = {one.image for one in read.troubles if one.kind == "gone"}
    kept = []
    for one in read.decisions:
        if one.action == "image_done" and (foreign or one.image in gone):
            read.troubles.append(Trouble(read.source, "gone", one.image, None, _OUTDATED))
        else:
            kept.append(one)
    read.decisions = kept
    return read


def _read(
    path: Path, surveyed: Surveyed, survey: str | None, pipeline: str | None
) -> tuple[DecisionFile, bool]:
    """What a file holds, and whether it is of another pipeline."""
    start = _start(path)
    if start.startswith("<"):
        return read_cvat_decisions(path, surveyed), False
    if start.startswith("PK"):
        raise UserError(
            f"{path}: this is a ZIP file. Unpack it and name the file of decisions in it (of CVAT "
            "annotations.xml)."
        )
    document = read_json(path, "a file of decisions saved by the review page, by Label Studio or by CVAT")
    if isinstance(document, dict) and "format" in document:
        read = _own(path, document, surveyed, survey)
        key = document.get("key")
        return read, pipeline is not None and isinstance(key, str) and key.split("/")[-1] != pipeline
    return read_label_studio_decisions(path, surveyed), False


def _start(path: Path) -> str:
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file. Under surveys.<name>.decisions write the files that the review "
            "page, Label Studio or CVAT saved."
        )
    if path.stat().st_size > _MOST_BYTES:
        raise UserError(f"{path}: the file is larger than a gigabyte, which no review is. Name another file.")
    with path.open("rb") as file:
        return file.read(64).decode("utf-8-sig", "replace").lstrip()


def _own(path: Path, document: Mapping[str, Any], surveyed: Surveyed, survey: str | None) -> DecisionFile:
    if document.get("format") != OWN_FORMAT:
        raise UserError(
            f"{path}: 'format' is {short(document.get('format'))}, not '{OWN_FORMAT}'. Name a file that the "
            "review page saved."
        )
    if document.get("version") != OWN_VERSION:
        raise UserError(
            f"{path}: the file has version {short(document.get('version'))}; this Podura reads version "
            f"{OWN_VERSION}. Use the Podura that made the page, or a newer one."
        )
    saved_for = document.get("survey")
    if survey is not None and isinstance(saved_for, str) and saved_for != survey:
        raise UserError(
            f"{path}: the file was saved on the review page of the survey {short(saved_for)}, not of "
            f"'{survey}'. Name it under that survey's decisions; if the survey has been renamed, write its "
            "new name behind 'survey' in the file."
        )
    given = document.get("decisions")
    if not isinstance(given, list):
        raise UserError(f"{path}: 'decisions' is missing or is no list. Save the file again.")
    read = DecisionFile(str(path))
    faults: list[str] = []
    for place, entry in enumerate(given, start=1):
        try:
            _own_entry(entry, read, surveyed, f"decision {place}")
        except ValueError as error:
            faults.append(f"{path}, decision {place}: {error}")
    refuse(faults)
    return read


def _own_entry(entry: Any, read: DecisionFile, surveyed: Surveyed, where: str) -> None:
    """Add one entry of Podura's own file. Raises ValueError with what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("it is no object. Save the file again.")
    action = entry.get("action")
    if action not in ACTIONS:
        raise ValueError(f"'action' is {short(action)}. Actions are: {', '.join(ACTIONS)}.")
    image, detection = _text(entry, "image"), None
    if action in DETECTION_ACTIONS:
        detection = _text(entry, "detection")
    add_decision(
        read,
        surveyed,
        action=str(action),
        image=image if image in surveyed.sizes else None,
        named=image,
        detection=detection,
        species=_text(entry, "species") if action in ("species", "add") else None,
        box=_box(entry.get("box")) if action == "add" else None,
        reviewer=reviewer_name(entry.get("reviewer")),
        decided_at=utc(_text(entry, "decided_at")),
        where=where,
    )


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"'{key}' is {short(value)}; it must be a text.")
    return value


def _box(value: Any) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"'box' is {short(value)}; it must be [x_min, y_min, x_max, y_max] in pixels.")
    x_min, y_min, x_max, y_max = (number(one) for one in value)
    return x_min, y_min, x_max, y_max
