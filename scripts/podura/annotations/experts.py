"""Boxes of several people who annotated the same images, each by themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from podura.annotations.box_checks import sound_boxes
from podura.annotations.csv_header import KeyColumns
from podura.annotations.csv_table import read_csv_apart
from podura.annotations.findings import Findings
from podura.annotations.image_checks import wrong_sizes
from podura.annotations.importing import (
    IGNORE_FLAGS,
    annotated_again,
    names_of_no_interest,
    not_in_study,
    unknown_names,
)
from podura.annotations.matching import match_images
from podura.annotations.names import SpeciesEntry, SpeciesNames
from podura.annotations.problems import Problem
from podura.annotations.raw import AnnotatedImage, SizeOf
from podura.errors import UserError
from podura.slides.entries import ImageEntry
from podura.slides.reading import ImageHeader
from podura.tables import BOX_COLUMNS

#: A study in which everybody annotated once needs no column of rounds.
EXPERT_COLUMNS = KeyColumns(("expert",), ("round",), "evaluation.experts.columns")


@dataclass(frozen=True)
class RawExperts:
    """What the file says: the images that each (expert, round) annotated, and faults of the file."""

    source: str
    images: Mapping[tuple[str, ...], Sequence[AnnotatedImage]]
    problems: Sequence[Problem]


@dataclass(frozen=True)
class ExpertBoxes:
    """``boxes``: expert, round, image, slide, species, x_min, y_min, x_max, y_max (pixels).

    ``images``: expert, round, image, slide: what each looked at, also where nothing was found. Both in the
    order of the file, rounds in the order in which they first appear (``rounds``). ``problems``: as
    tables.PROBLEMS.
    """

    boxes: pd.DataFrame
    images: pd.DataFrame
    rounds: tuple[str, ...]
    problems: pd.DataFrame


def read_experts(
    path: Path, *, size_of: SizeOf, columns: Mapping[str, str] | None = None, units: str = "pixels"
) -> RawExperts:
    """Read a CSV of boxes with the column ``expert`` and, where there are several, ``round``.

    The other columns, and faults, are those of ``csv_table``; raises UserErrors as it does.
    """
    images, problems = read_csv_apart(path, size_of, columns, units, EXPERT_COLUMNS)
    if not images:
        raise UserError(f"{path}: there is no row of an expert. Write a row for each box.")
    return RawExperts(str(path), images, problems)


def import_experts(
    raw: RawExperts,
    coco: Mapping[str, Any],
    species: Sequence[SpeciesEntry],
    *,
    left_out: Sequence[SpeciesEntry] = (),
    other: Sequence[str] = (),
    ignore_flags: Collection[str] = IGNORE_FLAGS,
    treatments: Mapping[str, str] | None = None,
) -> ExpertBoxes:
    """Check the experts' boxes by the rules of ``importing``, on the images of the imported data set.

    coco: the imported data set, for its images. Boxes that are to be ignored say neither that an animal is
    there nor that none is, so they are left out. Raises RefusedProblemsError where a fault is to stop the
    run, UserError if no image of the experts is one of the study.
    """
    findings = Findings(treatments)
    names = SpeciesNames(species, left_out, other)
    entries = [ImageEntry(one["file_name"], Path(), one["slide"]) for one in coco["images"]]
    headers = {one["file_name"]: ImageHeader(one["width"], one["height"], 1) for one in coco["images"]}
    findings.add_all(raw.problems)
    boxes: list[tuple[Any, ...]] = []
    images: list[tuple[str, ...]] = []
    for (expert, turn), annotated in raw.images.items():
        matching = match_images(entries, annotated)
        of_image = matching.of_image
        findings.add_all([*not_in_study(matching), *annotated_again(matching)])
        out = {one.image for one in wrong_sizes(of_image, headers) if findings.drops(one)}
        of_image = {name: image for name, image in of_image.items() if name not in out}
        findings.add_all([*unknown_names(of_image, names), *names_of_no_interest(of_image, names)])
        for entry in entries:
            if entry.image not in of_image:
                continue
            images.append((expert, turn, entry.image, entry.slide))
            drawn = of_image[entry.image].boxes
            header = headers[entry.image]
            for box in sound_boxes(entry, header, drawn, names, ignore_flags, findings):
                if not box.ignore:
                    boxes.append((expert, turn, entry.image, entry.slide, box.species, *box.box))
    findings.stop_if_refused(raw.source)
    if not images:
        known = next(iter(raw.images.values()))[0].file_names[0]
        raise UserError(
            f"{raw.source}: no image of the experts is an image of the study. The study has "
            f"'{entries[0].image}', the experts have '{known}'. The file names must agree."
        )
    keys = ["expert", "round", "image", "slide"]
    return ExpertBoxes(
        boxes=pd.DataFrame(boxes, columns=[*keys, "species", *BOX_COLUMNS]),
        images=pd.DataFrame(images, columns=keys),
        rounds=tuple(dict.fromkeys(turn for _, turn in raw.images)),
        problems=findings.frame(),
    )
