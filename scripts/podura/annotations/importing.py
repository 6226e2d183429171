"""From annotations of any format to one COCO data set and the table of the faults found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podura.annotations.box_checks import sound_boxes
from podura.annotations.dataset import SoundBox, coco_dataset
from podura.annotations.findings import Findings, RefusedProblemsError
from podura.annotations.image_checks import (
    file_problems,
    image_problems,
    sizes_not_told,
    suspiciously_few,
    with_resolution,
    wrong_sizes,
)
from podura.annotations.image_files import examine_images, repeated_files
from podura.annotations.matching import Matching, match_images
from podura.annotations.names import SpeciesEntry, SpeciesNames
from podura.annotations.problems import Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations
from podura.annotations.species_checks import scarce_species, without_odd_sizes
from podura.errors import UserError, UserErrors
from podura.slides.entries import ImageEntry

#: Flags of a box that make it count neither for nor against a detector. "truncated" is not among them:
#: labelImg sets it for every box that touches the edge of the image (23 % of the boxes of BCCD).
IGNORE_FLAGS = ("crowd", "difficult", "ignore")


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
    treatments: Mapping[str, str] | None = None,
    threads: int = 1,
) -> ImportedDataset:
    """Join the study's images with their annotations into COCO, mending or telling every fault.

    ``species`` are those of the study, in the order that the categories get; boxes of ``left_out``
    species and of ``other`` names are dropped with a note. ``treatments`` are those of kinds of faults
    (``kinds.KINDS``) that differ from the default. Image, category and annotation ids count from 1,
    images in the order of their names; the same input gives the same bytes, with any number of
    ``threads`` (which read images).

    Raises RefusedProblemsError with all that was found where a fault is to stop the run and if no image
    is left; UserErrors for names of species or images that mean several things, for treatments that do
    not exist, and if no annotation belongs to an image.
    """
    findings = Findings(treatments)
    names = SpeciesNames(species, left_out, other)
    entries = sorted(entries, key=lambda entry: entry.image)
    _require_distinct(entries)
    matching = match_images(entries, annotations.images)
    if entries and not matching.of_image:
        raise _nothing_matches(entries, annotations)
    findings.add_all([*annotations.problems, *not_in_study(matching), *annotated_again(matching)])
    out = repeated_files(entries, matching.of_image, findings)
    examined = examine_images([e for e in entries if e.image not in out], findings, threads=threads)
    headers = {image: seen.header for image, seen in examined.items()}

    annotated = {name: image for name, image in matching.of_image.items() if name in headers}
    out |= _left_out(wrong_sizes(annotated, headers), findings)
    annotated = {e.image: annotated[e.image] for e in entries if e.image in annotated and e.image not in out}
    findings.add_all(unknown_names(annotated, names))
    findings.add_all(names_of_no_interest(annotated, names))
    findings.add_all(sizes_not_told(annotated))
    for entry in entries:
        if entry.image in headers and entry.image not in out:
            found = file_problems(entry, examined[entry.image])
            found += image_problems(entry, headers[entry.image], annotated.get(entry.image))
            out |= _left_out(found, findings)
    out |= _left_out(suspiciously_few(annotated), findings)

    usable = [
        with_resolution(entry, examined[entry.image])
        for entry in entries
        if entry.image in examined and entry.image not in out
    ]
    source = annotations.source
    # A million boxes are not to be held as annotated, as checked and as COCO all at once.
    del annotations, matching
    boxes: dict[str, list[SoundBox]] = {}
    for entry in usable:
        of_image = annotated.pop(entry.image, None)
        drawn = of_image.boxes if of_image else ()
        header = headers[entry.image]
        boxes[entry.image] = sound_boxes(entry, header, drawn, names, ignore_flags, findings)
    boxes = without_odd_sizes(boxes, findings)
    # What was refused so far would make species look scarcer than they are.
    findings.stop_if_refused(source)
    if not usable:
        raise _no_image_left(findings)
    findings.add_all(scarce_species(usable, boxes, species))
    findings.stop_if_refused(source)
    return ImportedDataset(coco_dataset(usable, headers, boxes, species), findings.frame())


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


def _no_image_left(findings: Findings) -> RefusedProblemsError:
    problems = findings.frame()
    lost = problems[problems["treatment"].eq("dropped") & problems["image"].notna()]
    return RefusedProblemsError(
        ["No image of the study can be used.", *lost["message"].drop_duplicates().head(5)], problems
    )


def _left_out(problems: Sequence[Problem], findings: Findings) -> set[str]:
    """The images that the treatment of their faults leaves out."""
    return {problem.image for problem in problems if findings.drops(problem) and problem.image}


def not_in_study(matching: Matching) -> list[Problem]:
    """Annotations of images that the study does not list."""
    return [
        Problem(
            "image_not_in_study",
            f"annotations ({len(image.boxes)} boxes) of an image that the study does not list",
            row=image.where,
            value=image.file_names[0],
        )
        for image in matching.unmatched
    ]


def annotated_again(matching: Matching) -> list[Problem]:
    """Further annotations of an image that is annotated already."""
    return [
        Problem(
            "annotated_twice",
            f"the image is annotated already at {matching.of_image[name].where}. Keep one of them.",
            image=name,
            row=image.where,
            value=image.file_names[0],
        )
        for name, again in matching.again.items()
        for image in again
    ]


def unknown_names(of_image: Mapping[str, AnnotatedImage], names: SpeciesNames) -> list[Problem]:
    """Names that no species of the study has."""
    counts = Counter(box.name for image in of_image.values() for box in image.boxes)
    unknown = sorted(name for name in counts if not names.knows(name))
    messages = names.unknown_name_messages({name: counts[name] for name in unknown})
    return [
        Problem("unknown_name", message, value=name) for name, message in zip(unknown, messages, strict=True)
    ]


def names_of_no_interest(of_image: Mapping[str, AnnotatedImage], names: SpeciesNames) -> list[Problem]:
    """Names that are known and are no species of the study."""
    counts = Counter(box.name for image in of_image.values() for box in image.boxes)
    return [
        Problem(
            "other_name",
            f"{counts[name]} boxes of a name that is not among the study's species",
            value=name,
        )
        for name in sorted(counts)
        if names.knows(name) and names.code(name) is None
    ]
