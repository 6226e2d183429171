"""Checks of the boxes of an image one by one and beside each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from podura.annotations.dataset import SoundBox
from podura.annotations.findings import Findings
from podura.annotations.names import SpeciesNames
from podura.annotations.overlaps import DOUBTFUL_IOU, SAME_PLACE_IOU, close_pairs
from podura.annotations.problems import Box, Problem, checked_box
from podura.annotations.raw import RawBox
from podura.slides.entries import ImageEntry
from podura.slides.reading import ImageHeader

#: A box of this share of its image or more is told of. A single large animal may fill most of an image.
COVERING_SHARE = 0.98


def sound_boxes(
    entry: ImageEntry,
    header: ImageHeader,
    boxes: Sequence[RawBox],
    names: SpeciesNames,
    ignore_flags: Collection[str],
    findings: Findings,
) -> list[SoundBox]:
    """The boxes of an image that are of a species of the study, each mended or left out as it must be."""
    sound: dict[tuple[Box, str], SoundBox] = {}
    for raw in boxes:
        species = names.code(raw.name)
        if species is None:
            continue
        new = _sound_box(entry, header, raw, species, ignore_flags, findings)
        if new is None:
            continue
        known = sound.setdefault((new.box, species), new)
        if known is not new:
            findings.add(_duplicate(entry, new, known))
            if known.ignore and not new.ignore:
                sound[new.box, species] = new
    return _apart(entry, list(sound.values()), findings)


def _sound_box(
    entry: ImageEntry,
    header: ImageHeader,
    raw: RawBox,
    species: str,
    ignore_flags: Collection[str],
    findings: Findings,
) -> SoundBox | None:
    width, height = header.size
    box, faults = checked_box(
        (raw.x_min, raw.y_min, raw.x_max, raw.y_max), width, height, corners=raw.corners
    )
    reasons = sorted(raw.flags.intersection(ignore_flags)) if raw.flags else []
    if box is not None and reasons:
        faults.append(("flagged", f"the box is marked as {' and '.join(reasons)}"))
    if box is not None and (box[2] - box[0]) * (box[3] - box[1]) >= COVERING_SHARE * width * height:
        faults.append(
            (
                "covers_image",
                f"the box covers {100 * COVERING_SHARE:g} % of the image or more; is it one animal?",
            )
        )
    done = set()
    for kind, message in faults:
        value = " ".join(reasons) if kind == "flagged" else raw.given
        done.add(findings.add(Problem(kind, message, entry.image, raw.where, value)))
    if box is None or done & {"drop", "refuse"}:
        return None
    return SoundBox(box, species, "ignore" in done, raw.where, raw.given)


def _duplicate(entry: ImageEntry, new: SoundBox, known: SoundBox) -> Problem:
    return Problem(
        "duplicate_box",
        f"the same box of {known.species} stands already at {known.where}",
        image=entry.image,
        row=new.where,
        value=new.given,
    )


def _apart(entry: ImageEntry, boxes: list[SoundBox], findings: Findings) -> list[SoundBox]:
    """The boxes after the treatment of those that lie at almost the same place."""
    pairs = close_pairs([box.box for box in boxes], DOUBTFUL_IOU)
    if not pairs:
        return boxes
    same_place = [(one, other) for one, other, overlap in pairs if overlap > SAME_PLACE_IOU]
    repeated = _repeated(boxes, same_place)
    out: set[int] = set()

    def treat(kind: str, message: str, told: int, concerned: Sequence[int]) -> None:
        box = boxes[told]
        treatment = findings.add(Problem(kind, message, entry.image, box.where, box.given))
        if treatment in ("drop", "refuse"):
            out.update(concerned)
        elif treatment == "ignore":
            for place in concerned:
                boxes[place] = replace(boxes[place], ignore=True)

    for place, stays in sorted(repeated.items()):
        first = boxes[stays]
        message = f"almost the same box of {first.species} stands already at {first.where}"
        treat("near_duplicate", message, place, [place])
    for one, other, overlap in pairs:
        first, second = boxes[one], boxes[other]
        if out & {one, other}:
            continue
        if first.species == second.species:
            if overlap <= SAME_PLACE_IOU:
                message = f"the box overlaps that of {first.species} at {first.where} (IoU {overlap:.2f})"
                treat("overlapping_boxes", message, other, [other])
        elif overlap > SAME_PLACE_IOU:
            message = f"almost the same box is {second.species} here and {first.species} at {first.where}"
            treat("two_species", message, other, [one, other])
    return [box for place, box in enumerate(boxes) if place not in out]


def _repeated(boxes: Sequence[SoundBox], pairs: Sequence[tuple[int, int]]) -> Mapping[int, int]:
    """For each box that repeats another of its species the place of that one, which stays.

    Of two the earlier stays, but one that counts before one that is ignored.
    """
    close: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        if boxes[one].species == boxes[other].species:
            close[one].append(other)
            close[other].append(one)
    stays: set[int] = set()
    repeated: dict[int, int] = {}
    for place in sorted(close, key=lambda place: (boxes[place].ignore, place)):
        of = min(stays.intersection(close[place]), default=None)
        if of is None:
            stays.add(place)
        else:
            repeated[place] = of
    return repeated
