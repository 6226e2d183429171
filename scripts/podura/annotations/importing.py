"""From annotations of any format to one COCO data set and the table of the faults found in them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from podura import tables
from podura.annotations.dataset import SoundBox, coco_dataset
from podura.annotations.image_checks import (
    file_problems,
    image_problems,
    sizes_not_told,
    suspiciously_few,
    with_resolution,
    wrong_sizes,
)
from podura.annotations.matching import Matching, match_images
from podura.annotations.names import SpeciesEntry, SpeciesNames
from podura.annotations.problems import Box, Problem, checked_box, named_twice
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox
from podura.errors import UserError, UserErrors
from podura.slides.entries import ImageEntry
from podura.slides.reading import Examination, ImageHeader, TooLargeError, UnreadableImageError, examine

log = logging.getLogger(__name__)

#: Flags of a box that make it count neither for nor against a detector. "truncated" is not among them:
#: labelImg sets it for every box that touches the edge of the image (23 % of the boxes of BCCD).
IGNORE_FLAGS = ("crowd", "difficult", "ignore")

_PROGRESS_EVERY = 500


@dataclass(frozen=True)
class ImportedDataset:
    """``coco``: the data set as a COCO dictionary; ``problems``: a frame as tables.PROBLEMS."""

    coco: dict[str, Any]
    problems: pd.DataFrame


def import_dataset(
    entries: Sequence[ImageEntry],
    annotations: RawAnnotations,
    species: Sequence[SpeciesEntry],
    *,
    left_out: Sequence[SpeciesEntry] = (),
    other: Sequence[str] = (),
    ignore_flags: Collection[str] = IGNORE_FLAGS,
) -> ImportedDataset:
    """Join the study's images with their annotations into COCO, mending or telling every fault.

    ``species`` are those of the study, in the order that the categories get; boxes of ``left_out``
    species and of ``other`` names are dropped with a note. Image, category and annotation ids count
    from 1, images in the order of their names; the same input gives the same bytes. An image that
    cannot be read is dropped with an error row.

    Raises UserErrors for names that are unknown or ambiguous, annotations made on another size of
    image, an ambiguous match of file names, and if nothing at all can be used.
    """
    names = SpeciesNames(species, left_out, other)
    entries = sorted(entries, key=lambda entry: entry.image)
    _require_distinct(entries)
    matching = match_images(entries, annotations.images)
    if entries and not matching.of_image:
        raise _nothing_matches(entries, annotations)
    problems = [*annotations.problems, *_not_in_study(matching)]

    examined = _examine(entries, problems)
    headers = {image: seen.header for image, seen in examined.items()}
    readable = [with_resolution(e, examined[e.image]) for e in entries if e.image in headers]
    if not readable:
        raise UserErrors(["No image of the study can be read.", *(p.message for p in problems[-5:])])
    of_image = {e.image: matching.of_image[e.image] for e in readable if e.image in matching.of_image}
    faults = wrong_sizes(of_image, headers) + _unknown_names(of_image, names)
    if faults:
        raise UserErrors([f"{annotations.source}: {fault}" for fault in faults])
    problems += _names_of_no_interest(of_image, names)
    problems += sizes_not_told(of_image)

    boxes: dict[str, list[SoundBox]] = {}
    for entry in readable:
        header, annotated = headers[entry.image], of_image.get(entry.image)
        problems += file_problems(entry, examined[entry.image])
        problems += image_problems(entry, header, annotated)
        found = annotated.boxes if annotated else ()
        boxes[entry.image] = _sound_boxes(entry, header, found, names, ignore_flags, problems)
    problems += suspiciously_few(of_image)
    coco = coco_dataset(readable, headers, boxes, species)
    # Sorting is stable: rows of one image stay in the order in which they were found.
    problems.sort(key=lambda problem: problem.image or "")
    return ImportedDataset(coco, tables.PROBLEMS.frame([asdict(problem) for problem in problems]))


def _require_distinct(entries: Sequence[ImageEntry]) -> None:
    if not entries:
        raise UserError("The study has no images. List some in the table of images.")
    twice = [name for name, n in Counter(entry.image for entry in entries).items() if n > 1]
    if twice:
        raise UserErrors(
            [f"Image '{name}' stands more than once in the study. Keep one row." for name in twice]
        )


def _nothing_matches(entries: Sequence[ImageEntry], annotations: RawAnnotations) -> UserError:
    known = annotations.images[0].file_names[0] if annotations.images else "none at all"
    return UserError(
        f"{annotations.source}: no annotation belongs to an image of the study. The study has "
        f"'{entries[0].image}', the annotations have '{known}'. The file names must agree."
    )


def _not_in_study(matching: Matching) -> list[Problem]:
    return [
        Problem(
            "image_not_in_study",
            "warning",
            "dropped",
            f"annotations ({len(image.boxes)} boxes) of an image that the study does not list",
            row=image.where,
            value=image.file_names[0],
        )
        for image in matching.unmatched
    ]


def _examine(entries: Sequence[ImageEntry], problems: list[Problem]) -> dict[str, Examination]:
    examined: dict[str, Examination] = {}
    for count, entry in enumerate(entries, start=1):
        try:
            examined[entry.image] = examine(entry.path)
        except (UnreadableImageError, TooLargeError) as error:
            problems.append(Problem(error.kind, "error", "dropped", str(error), image=entry.image))
        if count % _PROGRESS_EVERY == 0:
            log.info("%d of %d images read", count, len(entries))
    return examined


def _unknown_names(of_image: Mapping[str, AnnotatedImage], names: SpeciesNames) -> list[str]:
    counts = Counter(box.name for image in of_image.values() for box in image.boxes)
    return names.unknown_name_messages({n: c for n, c in counts.items() if not names.knows(n)})


def _names_of_no_interest(of_image: Mapping[str, AnnotatedImage], names: SpeciesNames) -> list[Problem]:
    counts = Counter(box.name for image in of_image.values() for box in image.boxes)
    return [
        Problem(
            "other_name",
            "note",
            "dropped",
            f"{counts[name]} boxes of a name that is not among the study's species",
            value=name,
        )
        for name in sorted(counts)
        if names.code(name) is None
    ]


def _sound_boxes(
    entry: ImageEntry,
    header: ImageHeader,
    boxes: Sequence[RawBox],
    names: SpeciesNames,
    ignore_flags: Collection[str],
    problems: list[Problem],
) -> list[SoundBox]:
    sound: dict[tuple[Box, str], SoundBox] = {}
    for raw in boxes:
        species = names.code(raw.name)
        if species is None:
            continue
        box, faults = checked_box(
            (raw.x_min, raw.y_min, raw.x_max, raw.y_max), *header.size, corners=raw.corners
        )
        problems += [
            Problem(**asdict(fault), image=entry.image, row=raw.where, value=raw.given) for fault in faults
        ]
        if box is None:
            continue
        reasons = sorted(raw.flags.intersection(ignore_flags))
        if reasons:
            problems.append(_flagged(entry, raw, reasons))
        new = SoundBox(box, species, bool(reasons), raw.where, raw.given)
        known = sound.setdefault((box, species), new)
        if known is not new:
            problems.append(_duplicate(entry, raw, known))
            if known.ignore and not new.ignore:
                sound[box, species] = new
    kept = list(sound.values())
    problems += _named_twice(entry, kept)
    return kept


def _flagged(entry: ImageEntry, raw: RawBox, reasons: Sequence[str]) -> Problem:
    return Problem(
        "flagged",
        "note",
        "ignored",
        f"the box is marked as {' and '.join(reasons)}, so it counts neither for nor against a detector",
        image=entry.image,
        row=raw.where,
        value=" ".join(reasons),
    )


def _duplicate(entry: ImageEntry, raw: RawBox, known: SoundBox) -> Problem:
    return Problem(
        "duplicate_box",
        "warning",
        "dropped",
        f"the same box of {known.species} stands already at {known.where}",
        image=entry.image,
        row=raw.where,
        value=raw.given,
    )


def _named_twice(entry: ImageEntry, kept: Sequence[SoundBox]) -> list[Problem]:
    pairs = named_twice([box.box for box in kept], [box.species for box in kept])
    return [
        Problem(
            "two_species",
            "warning",
            "kept",
            f"almost the same box is {kept[j].species} here and {kept[i].species} at {kept[i].where}",
            image=entry.image,
            row=kept[j].where,
            value=kept[j].given,
        )
        for i, j in pairs
    ]
