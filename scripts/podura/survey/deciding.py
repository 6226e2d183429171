"""A decision of a reviewer, and what of a survey it is looked up in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from podura.annotations.matching import image_finder
from podura.annotations.names import SpeciesEntry, SpeciesNames
from podura.annotations.problems import Box, Problem, checked_box
from podura.annotations.raw import AnnotatedImage, RawBox
from podura.tables import BOX_COLUMNS

_LONGEST_NAME = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision as a file gives it; ``decided_at`` is UTC, YYYY-MM-DDThh:mm:ssZ, "" where not told."""

    source: str
    action: str
    image: str
    detection: str | None
    species: str | None
    box: Box | None
    reviewer: str
    decided_at: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A decision that cannot be used, or contradicts another: a row of tables.REVIEW_PROBLEMS."""

    source: str
    kind: str
    image: str | None
    detection: str | None
    message: str


@dataclass
class DecisionFile:
    """What a file holds."""

    source: str
    decisions: list[Decision] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


class Surveyed:
    """What of a survey decisions are looked up in.

    detections: detection, image, species and box. images: image, width and height (missing where the image
    could not be read). species: those of the release.
    """

    def __init__(
        self, detections: pd.DataFrame, images: pd.DataFrame, species: list[SpeciesEntry] | tuple[()]
    ) -> None:
        self.names = SpeciesNames(species)
        self.codes = [one.code for one in species]
        self.species_of: Mapping[str, str] = dict(
            zip(detections["detection"], detections["species"], strict=True)
        )
        self.image_of: Mapping[str, str] = dict(
            zip(detections["detection"], detections["image"], strict=True)
        )
        corners = detections[list(BOX_COLUMNS)].to_numpy(dtype="float64").tolist()
        self.box_of: Mapping[str, list[float]] = dict(zip(detections["detection"], corners, strict=True))
        sides = zip(images["image"], images["width"], images["height"], strict=True)
        self.sizes = {
            image: None if pd.isna(width) or pd.isna(height) else (int(width), int(height))
            for image, width, height in sides
        }
        self._find = image_finder(list(self.sizes)) if self.sizes else None

    def find(self, file_names: tuple[str, ...]) -> str | None:
        """The image of the survey that goes by one of these names, if it is only one."""
        return None if self._find is None else self._find(file_names)

    def size_of(self, file_names: tuple[str, ...]) -> tuple[int, int] | None:
        image = self.find(file_names)
        return None if image is None else self.sizes[image]

    def moved(self, detection: str, box: Box, pixels: float) -> bool:
        """Whether a side of a box lies this many pixels or more from where the machine has it."""
        machine = self.box_of.get(detection)
        return machine is None or max(abs(a - b) for a, b in zip(machine, box, strict=True)) >= pixels


def add_decision(
    read: DecisionFile,
    surveyed: Surveyed,
    *,
    action: str,
    image: str | None,
    named: str,
    detection: str | None,
    species: str | None,
    box: Box | None,
    reviewer: str,
    decided_at: str,
    where: str,
) -> None:
    """Add a decision to those of a file if the survey has what it speaks of, else say why not.

    image: the survey's image, None where it has none that is called ``named``. Another species than the
    machine's is the action ``species``, the same one ``accept``, whatever the tool called it.
    """

    def trouble(kind: str, message: str) -> None:
        read.troubles.append(
            Trouble(read.source, kind, image or shown(named), detection and shown(detection), message)
        )

    if image is None:
        trouble("no_image", f"{where}: the survey has no image '{shown(named)}', so the decision is not used")
        return
    if detection is not None and surveyed.image_of.get(detection) != image:
        other = surveyed.image_of.get(detection)
        there = "is not among the survey's detections any more" if other is None else f"lies on '{other}'"
        trouble("gone", f"{where}: the detection {shown(detection)} {there}, so the decision is not used")
        return
    code = None
    if species is not None:
        code = surveyed.names.code(species)
        if code is None:
            trouble(
                "unknown_species",
                f"{where}: '{shown(species)}' is no species of the release, which has "
                f"{', '.join(surveyed.codes)}; the decision is not used",
            )
            return
    if detection is not None and action in ("accept", "species"):
        machine = surveyed.species_of[detection]
        code = code or machine
        action = "accept" if code == machine else "species"
    if box is not None:
        sound = _sound(box, surveyed.sizes[image])
        if sound is None:
            trouble("bad_box", f"{where}: the box {box} has no area within the image; it is not used")
            if action == "add":
                return
        box = sound
    read.decisions.append(Decision(read.source, action, image, detection, code, box, reviewer, decided_at))


def _sound(box: Box, size: tuple[int, int] | None) -> Box | None:
    width, height = size if size is not None else (10**9, 10**9)
    return checked_box(box, width, height, corners=True)[0]


def annotated_shapes(image: AnnotatedImage) -> list[tuple[RawBox, Box]]:
    """The shapes of an image with their boxes."""
    return [(one, (one.x_min, one.y_min, one.x_max, one.y_max)) for one in image.boxes]


def told_problems(problems: list[Problem], read: DecisionFile, image: str | None) -> None:
    """Hand on what the reader of a tool's annotations could not use."""
    read.troubles += [
        Trouble(read.source, "bad_box", image, None, f"{one.row}: {one.message}") for one in problems
    ]


def reviewer_name(value: Any) -> str:
    """A person's name as tables take it. Raises ValueError."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > _LONGEST_NAME or _CONTROL.search(name):
        raise ValueError(
            f"'reviewer' is {short(value)}. A name has 1 to {_LONGEST_NAME} printable characters."
        )
    return name


def utc(text: str) -> str:
    """A time of ISO 8601 in UTC, to the second. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'decided_at' is {short(text)}, which is no date and time of ISO 8601.") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(text: str) -> str:
    """A text of a foreign file as a message may show it: short, without control characters."""
    plain = _CONTROL.sub("\ufffd", text)
    return plain if len(plain) <= 120 else f"{plain[:120]}…"


def short(value: Any) -> str:
    """A value of a foreign file as JSON, as a message may show it."""
    return shown(json.dumps(value, ensure_ascii=False, default=str))
