"""The images of a survey, grouped into samples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from podura.configuration.images import (
    differing,
    faulty_cells,
    image_names,
    missing_files,
    repeated_images,
    unpaintable,
)
from podura.configuration.structure import Schema
from podura.configuration.surveys import SurveySettings
from podura.configuration.wording import NAMED, choice, listed, rows_text, shown
from podura.errors import UserError, UserErrors
from podura.slides.formats import IMAGE_SUFFIXES, without_image_suffix
from podura.tables import SAMPLE_FACTS, SURVEY_IMAGES_GIVEN, SURVEY_SAMPLES_GIVEN, Table

#: What is known of a sample by name: the columns SAMPLE_FACTS; None where it is not told.
Facts = Mapping[str, Any]
_NUMBERS = {column.name for column in SURVEY_SAMPLES_GIVEN.columns if column.kind == "number"}


@dataclass(frozen=True, slots=True)
class SurveyImage:
    """One image of a survey; ``path`` is where the file lies."""

    image: str
    path: Path
    slide: str
    sample: str
    um_per_pixel: float | None


@dataclass(frozen=True)
class SurveyImages:
    """The images of a survey by name, and what is known of each sample (also of one without images)."""

    images: tuple[SurveyImage, ...]
    samples: Mapping[str, Facts]


def read_survey(survey: SurveySettings, schema: Schema, painted_folder: Path | None = None) -> SurveyImages:
    """Read the images of a survey, and what is told of its samples.

    ``schema`` is that of a row of its tables (``survey_images``). ``painted_folder`` is where Podura paints
    the images of a painted survey. Raises UserErrors for everything that is wrong in tables and names.
    """
    if painted_folder is None and survey.images.is_dir():
        images, told = _of_folder(survey)
    elif survey.images.is_file():
        if survey.sample_pattern is not None:
            raise UserError(
                f"surveys.{survey.name}.sample_pattern: a pattern only serves a folder of images; the column "
                f"'sample' of {survey.images} names the samples. Write null."
            )
        images, told = _of_table(survey.images, schema, painted_folder)
    else:
        raise UserError(
            f"surveys.{survey.name}.images: there is no {shown(str(survey.images))}. Write the path of a "
            "folder of images or of a tab-separated table."
        )
    facts: dict[str, dict[str, Any]] = {image.sample: dict.fromkeys(SAMPLE_FACTS) for image in images}
    given: Mapping[str, Facts] = _sample_table(survey.samples, schema) if survey.samples is not None else {}
    for source in (told, given):
        for name, known in source.items():
            of_sample = facts.setdefault(name, dict.fromkeys(SAMPLE_FACTS))
            of_sample.update({key: value for key, value in known.items() if value is not None})
    return SurveyImages(
        tuple(sorted(images, key=lambda image: image.image)), {name: facts[name] for name in sorted(facts)}
    )


def look_alikes(samples: Sequence[str]) -> list[str]:
    """Names of samples, as texts, that differ in capitals, spaces and what cannot be seen only."""
    alike: dict[str, list[str]] = {}
    for name in samples:
        plain = "".join(sign for sign in name.casefold() if sign.isprintable() and not sign.isspace())
        alike.setdefault(plain, []).append(name)
    return [listed([shown(name) for name in names]) for names in alike.values() if len(names) > 1]


def _of_table(
    path: Path, schema: Schema, painted_folder: Path | None
) -> tuple[list[SurveyImage], Mapping[str, Facts]]:
    table = SURVEY_IMAGES_GIVEN.read_user_tsv(path)
    faults = [*faulty_cells(table, schema, path), *repeated_images(table, path)]
    faults += missing_files(table, path) if painted_folder is None else unpaintable(table, path)
    if table.empty:
        faults.append(f"{path}: the table holds no image. Write one row an image.")
    slides = [
        slide or without_image_suffix(image)
        for image, slide in zip(table["image"], table["slide"], strict=True)
    ]
    table = table.assign(
        slide=slides,
        sample=[sample or slide for sample, slide in zip(table["sample"], slides, strict=True)],
    )
    faults += differing(table, "slide", "sample", path)
    faults += [fault for column in SAMPLE_FACTS for fault in differing(table, "sample", column, path)]
    if faults:
        raise UserErrors(faults)
    folder = path.parent if painted_folder is None else painted_folder
    images = [
        SurveyImage(
            row.image,
            folder / row.image,
            row.slide,
            row.sample,
            float(row.um_per_pixel) if row.um_per_pixel else None,
        )
        for row in table.itertuples()
    ]
    return images, _facts_of(table)


def _of_folder(survey: SurveySettings) -> tuple[list[SurveyImage], Mapping[str, Facts]]:
    folder = survey.images
    names = sorted(image_names(folder))
    if not names:
        raise UserError(f"{folder}: the folder holds no image. Images end in {choice(IMAGE_SUFFIXES)}.")
    pattern = None if survey.sample_pattern is None else re.compile(survey.sample_pattern)
    images, without = [], []
    sites: dict[str, set[str]] = {}
    for name in names:
        groups: dict[str, str | None] = {}
        if pattern is not None:
            match = pattern.search(name)
            groups = {} if match is None else match.groupdict()
            if not groups.get("sample"):
                without.append(name)
                continue
        parent = PurePosixPath(name).parent.as_posix()
        sample = groups.get("sample") or (survey.name if parent == "." else parent)
        if site := groups.get("site"):
            sites.setdefault(sample, set()).add(site)
        slide = groups.get("slide") or without_image_suffix(name)
        images.append(SurveyImage(name, folder / name, slide, sample, None))
    faults = []
    if without:
        faults.append(
            f"{folder}: the sample_pattern {shown(survey.sample_pattern)} finds no sample in {len(without)} "
            f"of {len(names)} images: {listed(without)}. Change the pattern so that it fits the path of each "
            "image below the folder."
        )
    faults += _of_one_stem(folder, images, pattern)
    samples_of: dict[str, set[str]] = {}
    for image in images:
        samples_of.setdefault(image.slide, set()).add(image.sample)
    for what, several in (("slide", samples_of), ("sample", sites)):
        for one, values in several.items():
            if len(values) > 1:
                faults.append(
                    f"{folder}: the sample_pattern puts the {what} {shown(one)} into "
                    f"{listed(sorted(values))}. Change the pattern so that each has one name only."
                )
    if faults:
        raise UserErrors(faults[: NAMED + 1])
    return images, {sample: {"site": next(iter(site))} for sample, site in sites.items()}


def _of_one_stem(folder: Path, images: Sequence[SurveyImage], pattern: re.Pattern[str] | None) -> list[str]:
    """A fault where images differ in their suffix only: mostly one field saved twice, as TIFF and as JPEG."""
    if pattern is not None and "slide" in pattern.groupindex:
        return []
    first: dict[str, str] = {}
    pairs = [
        f"{first[image.slide]} and {image.image}"
        for image in images
        if first.setdefault(image.slide, image.image) != image.image
    ]
    told = (
        f"{folder}: {listed(pairs)} differ in their suffix only. If they show the same, their animals would "
        "be counted twice: move one of each out of the folder. If not, rename one, or list the images in a "
        "table."
    )
    return [told] if pairs else []


def _sample_table(path: Path, schema: Schema) -> Mapping[str, Facts]:
    table = SURVEY_SAMPLES_GIVEN.read_user_tsv(path)
    faults = faulty_cells(table, {**schema, "properties": _known(schema, SURVEY_SAMPLES_GIVEN)}, path)
    again = table.loc[table["sample"].duplicated(), "row"].tolist()
    if again:
        faults.append(
            f"{path}, {rows_text(again)}, column 'sample': the sample stands there twice. Keep one row."
        )
    if faults:
        raise UserErrors(faults)
    return _facts_of(table)


def _known(schema: Schema, table: Table) -> Mapping[str, Any]:
    return {name: value for name, value in schema["properties"].items() if name in table.names}


def _facts_of(table: pd.DataFrame) -> Mapping[str, Facts]:
    """What the rows of a sample tell of it, by sample; cells that are empty tell nothing."""
    facts: dict[str, dict[str, Any]] = {}
    columns: Sequence[str] = ("sample", *SAMPLE_FACTS)
    for row in table[list(columns)].to_dict("records"):
        known = facts.setdefault(row["sample"], {})
        for name in SAMPLE_FACTS:
            if row[name]:
                known[name] = float(row[name]) if name in _NUMBERS else row[name]
    return facts
