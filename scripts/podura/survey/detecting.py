"""Running a release over the images of a survey: every image is told of, every sample is there."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from podura.errors import UserError
from podura.fingerprints import content_digest
from podura.slides.reading import open_slide
from podura.survey.samples import SurveyImage, SurveyImages
from podura.survey.store import Store
from podura.tables import (
    BOX_COLUMNS,
    EMBEDDING,
    IMAGE_STATISTICS,
    SAMPLE_FACTS,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_LOOKS,
    SURVEY_SAMPLES,
)

log = logging.getLogger(__name__)

_ROW = ("species", "score", *BOX_COLUMNS)
_LOOKS = (*(column.name for column in IMAGE_STATISTICS), *EMBEDDING)


class Found(Protocol):
    """What a detector says of an image, as ``podura.detectors.inference.ImageRun``."""

    rows: list[dict[str, Any]]
    capped: bool
    failed: str | None


class Stopped(Exception):
    """The job was asked to end; what was found is kept."""


@dataclass(frozen=True)
class Tools:
    """What looks at an image: the detector, and what describes its looks. Made on first need."""

    detect: Callable[[Path], Found]
    look: Callable[[Path], Mapping[str, float | None]]


@dataclass(frozen=True)
class SurveyTables:
    """The tables SURVEY_SAMPLES, SURVEY_IMAGES, SURVEY_DETECTIONS and SURVEY_LOOKS; ``n_new`` were detected
    in."""

    samples: pd.DataFrame
    images: pd.DataFrame
    detections: pd.DataFrame
    looks: pd.DataFrame
    n_new: int


def detect_survey(
    survey: SurveyImages,
    store: Store,
    tools: Callable[[], Tools],
    thresholds: pd.DataFrame,
    *,
    progress: Callable[[Sequence[SurveyImage]], Iterator[SurveyImage]] = iter,
    should_stop: Callable[[], bool] = lambda: False,
) -> SurveyTables:
    """Detect in every image that the store does not know, and put all images together.

    ``tools`` is called once, if any image is new. ``thresholds`` is the table RELEASE_THRESHOLDS.
    ``progress`` goes through the images that are new. An image that cannot be read is listed with the reason
    and is tried again in the next run. Raises Stopped where ``should_stop`` says so.
    """
    keys, faults = _contents(survey.images)
    twins = _twins(survey.images, keys)
    new = [
        image
        for image in survey.images
        if image.image not in twins
        and keys[image.image] not in faults
        and store.get(keys[image.image]) is None
    ]
    made = tools() if new else None
    for image in progress(new):
        if should_stop():
            raise Stopped
        assert made is not None
        try:
            store.add(keys[image.image], _looked_at(image.path, made))
        except UserError as error:
            # A message names the file by its path, which is another on another machine.
            faults[keys[image.image]] = str(error).replace(str(image.path), image.image)
    store.keep_only(set(keys.values()))
    return _tables(survey, keys, faults, twins, store, thresholds, len(new))


def _contents(images: Sequence[SurveyImage]) -> tuple[dict[str, str], dict[str, str]]:
    """The key of each image, and by key what is wrong with files that cannot even be opened."""
    keys: dict[str, str] = {}
    faults: dict[str, str] = {}
    for image in images:
        try:
            keys[image.image] = content_digest(image.path)
        except OSError as error:
            keys[image.image] = f"missing {image.image}"
            faults[keys[image.image]] = f"{image.image}: {error.strerror or 'the file cannot be opened'}."
    return keys, faults


def _twins(images: Sequence[SurveyImage], keys: Mapping[str, str]) -> dict[str, str]:
    """Of each image that is a copy the one that it repeats."""
    first: dict[str, str] = {}
    twins: dict[str, str] = {}
    for image in images:
        twin = first.setdefault(keys[image.image], image.image)
        if twin != image.image:
            twins[image.image] = twin
            log.warning(
                "%s and %s are the same file: their animals are counted twice. Leave one of them out.",
                twin,
                image.image,
            )
    return twins


def _looked_at(path: Path, tools: Tools) -> dict[str, Any]:
    """What the store keeps of an image. Raises UserError for one that cannot be read."""
    found = tools.detect(path)
    if found.failed is not None:
        raise UserError(found.failed)
    with open_slide(path) as slide:
        size, um_per_pixel = slide.size, slide.um_per_pixel
    look = tools.look(path)
    return {
        "size": list(size),
        "um_per_pixel": um_per_pixel,
        "capped": found.capped,
        "rows": [[row[name] for name in _ROW] for row in found.rows],
        "look": [look[name] for name in _LOOKS],
    }


def _tables(
    survey: SurveyImages,
    keys: Mapping[str, str],
    faults: Mapping[str, str],
    twins: Mapping[str, str],
    store: Store,
    thresholds: pd.DataFrame,
    n_new: int,
) -> SurveyTables:
    images, looks, found = [], [], []
    for image in survey.images:
        key = keys[image.image]
        known = store.get(key)
        row: dict[str, Any] = {
            "image": image.image,
            "path": str(image.path),
            "slide": image.slide,
            "sample": image.sample,
        }
        if known is None:
            lost = {"status": "failed", "reason": faults[key], "capped": False, "n_detections": None}
            images.append({**row, **lost})
            continue
        place = {name: row[name] for name in ("image", "slide", "sample")}
        images.append(
            {
                **row,
                "status": "ok",
                "reason": f"the same file as {twins[image.image]}" if image.image in twins else None,
                "width": known["size"][0],
                "height": known["size"][1],
                "um_per_pixel": image.um_per_pixel or known["um_per_pixel"],
                "n_detections": len(known["rows"]),
                "capped": known["capped"],
            }
        )
        looks.append({**place, **dict(zip(_LOOKS, known["look"], strict=True))})
        if known["rows"]:
            found.append(pd.DataFrame(known["rows"], columns=list(_ROW)).assign(**place))
    of_images = SURVEY_IMAGES.frame(images)
    return SurveyTables(
        samples=_samples(survey, of_images),
        images=of_images,
        detections=_judged(found, thresholds),
        looks=SURVEY_LOOKS.frame(looks),
        n_new=n_new,
    )


def _judged(found: Sequence[pd.DataFrame], thresholds: pd.DataFrame) -> pd.DataFrame:
    if not found:
        return SURVEY_DETECTIONS.frame([])
    every = pd.concat(found, ignore_index=True)
    of_species = thresholds.set_index("species")
    every["threshold"] = every["species"].map(of_species["threshold"].astype("float64"))
    every["threshold_status"] = every["species"].map(of_species["threshold_status"])
    every["accepted"] = (every["score"] >= every["threshold"]).fillna(False)
    every["detection"] = _names(every)
    return SURVEY_DETECTIONS.frame(every)


def _names(detections: pd.DataFrame) -> list[str]:
    """A name for each detection that stays the same whatever else is in the survey."""
    seen: dict[str, int] = {}
    names = []
    columns = [detections[name].tolist() for name in ("image", "species", *BOX_COLUMNS)]
    for image, species, *box in zip(*columns, strict=True):
        corners = " ".join(f"{edge:.2f}" for edge in box)
        name = hashlib.sha256(f"{image}\0{species}\0{corners}".encode()).hexdigest()[:16]
        # Two boxes of one species that only differ beyond the second decimal.
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _samples(survey: SurveyImages, images: pd.DataFrame) -> pd.DataFrame:
    rows = []
    by_sample = dict(tuple(images.groupby("sample", sort=False)))
    for name, facts in survey.samples.items():
        of_sample = by_sample.get(name, images.iloc[:0])
        n_failed = int((of_sample["status"] == "failed").sum())
        rows.append(
            {
                "sample": name,
                **{key: facts[key] for key in SAMPLE_FACTS},
                "n_images": len(of_sample),
                "n_failed": n_failed,
                "complete": bool(len(of_sample)) and not n_failed and not bool(of_sample["capped"].any()),
            }
        )
    return SURVEY_SAMPLES.frame(rows)
