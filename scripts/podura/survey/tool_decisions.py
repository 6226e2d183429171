"""Decisions read back from Label Studio and CVAT: what a person left, changed, deleted or drew.

A task shows the machine's boxes (``shown_detections``) and lists their ids. Once a person has submitted
the task (Label Studio), or set the state of the image's tag to done (CVAT), a box that is still there is
accepted, one with another label has that species, one that is gone is rejected, a new one was missed by the
machine, and the image counts as searched.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from podura.annotations.cvat import annotated_image as cvat_image
from podura.annotations.cvat import attributes_of
from podura.annotations.documents import refuse, xml_elements
from podura.annotations.label_studio import annotated_image, tasks_of
from podura.annotations.label_studio_names import image_names
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage
from podura.errors import UserError
from podura.survey.deciding import (
    DecisionFile,
    Surveyed,
    Trouble,
    add_decision,
    annotated_shapes,
    reviewer_name,
    told_problems,
    utc,
)
from podura.survey.tasks import REVIEW_TAG, UNSURE

#: A box that a person moved by less than a pixel is where it was.
_SAME_PIXELS = 1.0


def read_label_studio_decisions(path: Path, surveyed: Surveyed) -> DecisionFile:
    """Read the export "JSON" of Label Studio. Of each person the last annotation counts.

    Raises UserErrors.
    """
    read = DecisionFile(str(path))
    faults: list[str] = []
    for place, task in enumerate(tasks_of(path), start=1):
        where = f"task {place}"
        ids = task["data"].get("detections")
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            faults.append(
                f"{path}, {where}: 'data' lists no 'detections'. Only tasks that Podura made can be read: "
                "import review/label_studio.json into Label Studio and export that project."
            )
            continue
        try:
            names = image_names(task, "image")
            annotations = _last_of_each(task)
            for person, annotation in annotations.items():
                _label_studio_annotation(annotation, person, names, where, ids, read, surveyed)
        except (ValueError, TypeError) as error:
            faults.append(f"{path}, {where}: {error}")
            continue
        if not annotations:
            read.troubles.append(_not_finished(read, surveyed.find(names), f"{where} was not submitted"))
    refuse(faults)
    return read


def _last_of_each(task: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The last annotation of each person, cancelled ones aside (dates are ISO 8601)."""
    given = task.get("annotations")
    entries = [one for one in (given if isinstance(given, list) else []) if isinstance(one, dict)]
    live = [one for one in entries if not one.get("was_cancelled")]
    return {_label_studio_person(one): one for one in sorted(live, key=_told)}


def _told(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _label_studio_annotation(
    annotation: Mapping[str, Any],
    person: str,
    names: tuple[str, ...],
    where: str,
    ids: list[str],
    read: DecisionFile,
    surveyed: Surveyed,
) -> None:
    problems: list[Problem] = []
    image = annotated_image(annotation, names, where, surveyed.size_of, problems)
    told = _told(annotation)
    _decide(image, names, ids, person, utc(told) if told else "", read, surveyed)
    told_problems(problems, read, surveyed.find(names))


def _label_studio_person(annotation: Mapping[str, Any]) -> str:
    """Who annotated: an e-mail address or a name where the export has it, else the number of the user."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        name = " ".join(str(person[key]) for key in ("first_name", "last_name") if person.get(key))
        person = name or person.get("email") or person.get("id")
    if isinstance(person, int) and not isinstance(person, bool):
        return f"Label Studio user {person}"
    return reviewer_name("Label Studio user, not named" if person is None else person)


def read_cvat_decisions(path: Path, surveyed: Surveyed) -> DecisionFile:
    """Read the XML file of the export "CVAT for images 1.1". Raises UserErrors."""
    read = DecisionFile(str(path))
    faults: list[str] = []
    elements = xml_elements(path, "the XML file of the export 'CVAT for images 1.1'", depth=1)
    root = next(elements)
    if root.tag != "annotations":
        raise UserError(f"{path}: the document is <{root.tag}>, not <annotations>. Export from CVAT again.")
    person, told = "CVAT user, not named", ""
    for element in elements:
        if element.tag == "meta":
            person, told = _cvat_meta(element, person)
        if element.tag != "image":
            continue
        name = element.get("name", "").strip()
        try:
            _cvat_element(element, name, person, told, read, surveyed)
        except ValueError as error:
            faults.append(f"{path}, image '{name}': {error}")
    refuse(faults)
    return read


def _cvat_meta(meta: ElementTree.Element, unknown: str) -> tuple[str, str]:
    """Who worked on the task, and when it was last changed."""
    people = (meta.findtext(f".//{key}/username", "") for key in ("assignee", "owner"))
    person = next((name for name in people if name.strip()), unknown)
    times = (meta.findtext(f".//{key}", "").strip() for key in ("updated", "dumped"))
    told = next((text for text in times if text), "")
    return reviewer_name(person), utc(told) if told else ""


def _cvat_element(
    element: ElementTree.Element,
    name: str,
    person: str,
    told: str,
    read: DecisionFile,
    surveyed: Surveyed,
) -> None:
    tag = next((one for one in element.findall("tag") if one.get("label") == REVIEW_TAG), None)
    found = surveyed.find((name,)) if name else None
    if tag is None:
        why = f"it has no tag '{REVIEW_TAG}', which Podura's file gives to each image"
        read.troubles.append(_not_finished(read, found, why))
        return
    attributes = attributes_of(tag)
    if attributes.get("state", "").strip() != "done":
        why = f"the state of its tag '{REVIEW_TAG}' is not 'done'"
        read.troubles.append(_not_finished(read, found, why))
        return
    problems: list[Problem] = []
    image = cvat_image(element, name, f"image '{name}'", problems)
    who = attributes.get("reviewer", "").strip()
    person = reviewer_name(who) if who else person
    _decide(image, (name,), attributes.get("detections", "").split(), person, told, read, surveyed)
    told_problems(problems, read, found)


def _not_finished(read: DecisionFile, image: str | None, why: str) -> Trouble:
    return Trouble(read.source, "not_finished", image, None, f"{why}, so no decision follows from it")


def _decide(
    image: AnnotatedImage,
    names: tuple[str, ...],
    ids: Collection[str],
    reviewer: str,
    decided_at: str,
    read: DecisionFile,
    surveyed: Surveyed,
) -> None:
    """What a finished image says of each box that was shown, of new ones, and of the image."""
    found, named = surveyed.find(names), names[0]

    def add(action: str, detection: str | None, species: str | None, box: Box | None, where: str) -> None:
        add_decision(
            read, surveyed, action=action, image=found, named=named, detection=detection, species=species,
            box=box, reviewer=reviewer, decided_at=decided_at, where=where,
        )  # fmt: skip

    add("image_done", None, None, None, image.where)
    if found is None:
        return
    kept = {}
    for shape, box in annotated_shapes(image):
        ours = shape.key in ids and shape.key not in kept
        if shape.name.strip().lower() == UNSURE:
            if ours:
                kept[shape.key] = True
                add("unsure", shape.key, None, None, shape.where)
            continue
        if ours:
            kept[shape.key] = True
            moved = surveyed.moved(shape.key, box, _SAME_PIXELS)
            add("species", shape.key, shape.name, box if moved else None, shape.where)
        else:
            add("add", None, shape.name, box, shape.where)
    for detection in ids:
        if detection not in kept:
            add("reject", detection, None, None, f"{image.where}, box {detection}")
