"""What a detector does to animals, counted slide by slide on the annotated slides of a release.

A species' detections count from a score on that is chosen here; then each annotated animal was found as one
of the species or missed, was perhaps detected again, and each slide shows detections of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.matching import overlaps
from podura.tables import BOX_COLUMNS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: A detection that took no animal belongs to the one that it overlaps by at least this much (IoU).
SAME_ANIMAL = 0.1
#: From which score a species counts that no evidence tells of.
_UNTOLD_SCORE = 0.5
_CANDIDATES = 20
#: How many animals of its own a species needs to count as much as what serves all species.
_LEANING = 50.0
_PIXELS = 1e6


@dataclass(frozen=True)
class Evidence:
    """Animals and detections of annotated slides, detections counted from ``thresholds`` (species,) on.

    animals (slides, species). found (slides, species, species): animals of the second axis found as the
    third. again: further detections on an animal, likewise. background (slides, species): detections of
    nothing. area (slides,): in ``area_unit``, mm² or megapixels.
    """

    species: tuple[str, ...]
    slides: tuple[str, ...]
    thresholds: Floats
    animals: Floats
    found: Floats
    again: Floats
    background: Floats
    area: Floats
    area_unit: str = "megapixels"

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether the evidence holds an animal of each species."""
        return self.animals.sum(axis=0) > 0

    def of_slides(self, kept: NDArray[np.bool_]) -> Evidence:
        return replace(
            self,
            slides=tuple(slide for slide, keep in zip(self.slides, kept, strict=True) if keep),
            **{
                name: getattr(self, name)[kept]
                for name in ("animals", "found", "again", "background", "area")
            },
        )


def counting_thresholds(detections: pd.DataFrame, truths: pd.DataFrame, species: Sequence[str]) -> Floats:
    """From which score each species is counted, (species,): where F1 on the evidence is largest.

    Counts are corrected for what any threshold misses or lets in, and least is to be corrected there. Chosen
    of the scores that keep 5, 10, … 100 % of the right detections; rare species lean on what share serves all
    species, for the best of many scores on few animals looks better than it is. A species without right
    detections takes the middle score of the others.
    """
    right = detections["truth_species"].eq(detections["species"]).fillna(False).to_numpy(dtype=bool)
    code = detections["species"].to_numpy(dtype=object)
    score = detections["score"].to_numpy(dtype=np.float64)
    animals = np.array([float((truths["species"] == name).sum()) for name in species])
    shares = np.arange(_CANDIDATES) / _CANDIDATES
    candidates = np.full((len(species), _CANDIDATES), np.nan)
    f1 = np.zeros((len(species), _CANDIDATES))
    for place, name in enumerate(species):
        scores, is_right = score[code == name], right[code == name]
        if is_right.any():
            candidates[place] = np.quantile(scores[is_right], shares, method="inverted_cdf")
            kept = scores[None, :] >= candidates[place][:, None]
            f1[place] = 2 * (kept & is_right).sum(axis=1) / (kept.sum(axis=1) + animals[place])
    told = np.isfinite(candidates[:, 0])
    if not told.any():
        return np.full(len(species), _UNTOLD_SCORE)
    weight = np.where(told, animals, 0.0)
    common = weight @ f1 / max(weight.sum(), 1.0)
    best = np.argmax(weight[:, None] * f1 + _LEANING * common, axis=1)
    found = candidates[np.arange(len(species)), best]
    return np.where(told, found, np.nanmedian(found))


def gather(
    detections: pd.DataFrame,
    truths: pd.DataFrame,
    images: pd.DataFrame,
    *,
    species: Sequence[str],
    thresholds: Floats,
    in_mm2: bool | None = None,
) -> Evidence:
    """The tables of a release's evidence as counts by slide.

    detections: image, slide, species, score, box, truth_species; truths: image, slide, species,
    found_species, found_score, box; images: slide, width, height, um_per_pixel. Areas are in mm² where
    ``in_mm2``, by default where the size of a pixel is known for every image.
    """
    place = {name: index for index, name in enumerate(species)}
    slides = tuple(sorted(images["slide"].dropna().unique()))
    row = {slide: index for index, slide in enumerate(slides)}
    shape = (len(slides), len(species), len(species))
    found, again = np.zeros(shape), np.zeros(shape)
    animals, background = np.zeros(shape[:2]), np.zeros(shape[:2])

    known = truths[truths["species"].isin(place)]
    true_slide, true_code = _codes(known["slide"], row), _codes(known["species"], place)
    np.add.at(animals, (true_slide, true_code), 1)
    as_code = _codes(known["found_species"], place)
    taken = as_code >= 0
    taken[taken] = known["found_score"].to_numpy(dtype=np.float64)[taken] >= thresholds[as_code[taken]]
    np.add.at(found, (true_slide[taken], true_code[taken], as_code[taken]), 1)

    loose = detections[detections["species"].isin(place) & detections["truth_species"].isna()]
    code = _codes(loose["species"], place)
    counted = loose["score"].to_numpy(dtype=np.float64) >= thresholds[code]
    loose, code = loose[counted], code[counted]
    owner = true_code_overlapped(loose, known, true_code)
    slide = _codes(loose["slide"], row)
    on_animal = owner >= 0
    np.add.at(again, (slide[on_animal], owner[on_animal], code[on_animal]), 1)
    np.add.at(background, (slide[~on_animal], code[~on_animal]), 1)

    scaled = all_scaled(images) if in_mm2 is None else in_mm2
    area = np.zeros(len(slides))
    np.add.at(area, _codes(images["slide"], row), image_areas(images, in_mm2=scaled))
    return Evidence(
        species=tuple(species),
        slides=slides,
        thresholds=thresholds,
        animals=animals,
        found=found,
        again=again,
        background=background,
        area=area,
        area_unit="mm²" if scaled else "megapixels",
    )


def true_code_overlapped(loose: pd.DataFrame, truths: pd.DataFrame, true_code: Integers) -> Integers:
    """The species, as an index, of the animal that each detection overlaps most, -1 where none enough."""
    result = np.full(len(loose), -1, dtype=np.int64)
    of_image = truths.groupby("image", sort=False).indices
    boxes = truths[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
    found = loose[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
    for image, rows in loose.groupby("image", sort=False).indices.items():
        there = of_image.get(image)
        if there is None:
            continue
        shared = overlaps(found[rows], boxes[there], np.zeros(len(there), dtype=bool))
        best = shared.argmax(axis=1)
        enough = shared[np.arange(len(rows)), best] >= SAME_ANIMAL
        result[rows[enough]] = true_code[there[best[enough]]]
    return result


def all_scaled(images: pd.DataFrame) -> bool:
    """Whether the size of a pixel is known for every image."""
    return len(images) > 0 and bool(images["um_per_pixel"].gt(0).fillna(False).all())


def image_areas(images: pd.DataFrame, *, in_mm2: bool) -> Floats:
    """Area of each image, in mm² or megapixels; 0 where its size is not known, as of one that failed."""
    pixels = (images["width"] * images["height"]).to_numpy(dtype=np.float64, na_value=0.0)
    if not in_mm2:
        return pixels / _PIXELS
    return pixels * images["um_per_pixel"].to_numpy(dtype=np.float64, na_value=0.0) ** 2 / 1e6


def _codes(names: pd.Series, place: Mapping[str, int]) -> Integers:
    """The index of each name, -1 for one that is missing or unknown."""
    return names.map(place).fillna(-1).to_numpy(dtype=np.int64)
