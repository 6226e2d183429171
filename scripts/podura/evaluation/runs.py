"""One run of a model on the test part as arrays: what finding its faults works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.checks import CheckedInput, Detections, Truths, checked_input
from podura.evaluation.matching import assigned
from podura.evaluation.overlap_kernels import nearest
from podura.evaluation.ranking import iou_index
from podura.evaluation.scoring import pooled
from podura.tables import BOX_COLUMNS, MATCHES, read_json

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

CERTIFIED, EMPIRICAL, MIXED, NONE = "certified", "empirical", "mixed", "none"


@dataclass(frozen=True)
class TestImages:
    """The images of the test part of all folds, by name; arrays of one length.

    size (n, 2): width and height in pixels; um_per_pixel: NaN where it is not known; fold: in which the
    image is tested.
    """

    names: NDArray[np.object_]
    slides: NDArray[np.object_]
    size: Floats
    um_per_pixel: Floats
    fold: Integers

    @property
    def unit(self) -> str:
        """µm where the size of a pixel is known of every image, else px."""
        known = len(self.names) and not np.isnan(self.um_per_pixel).any()
        return "µm" if known else "px"

    @property
    def scale(self) -> Floats:
        """Units of length in a pixel of each image."""
        return self.um_per_pixel if self.unit == "µm" else np.ones(len(self.names))


def images_of(truths: Mapping[int, Mapping[str, Any]]) -> TestImages:
    """The images of the test parts, given the COCO dictionary of each fold's truth."""
    rows = sorted(
        (
            image["file_name"],
            image["slide"],
            image["width"],
            image["height"],
            image.get("um_per_pixel") or np.nan,
            fold,
        )
        for fold, coco in truths.items()
        for image in coco["images"]
    )
    names, slides, width, height, um_per_pixel, fold = zip(*rows, strict=True) if rows else [()] * 6
    return TestImages(
        names=np.array(names, dtype=object),
        slides=np.array(slides, dtype=object),
        size=np.array([width, height], dtype=np.float64).T.reshape(-1, 2),
        um_per_pixel=np.array(um_per_pixel, dtype=np.float64),
        fold=np.array(fold, dtype=np.int64),
    )


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of one run: value[fold][species], infinite where nothing is accepted.

    The certified threshold where there is one, else the empirical one; kinds says which, for each
    species: certified, empirical, mixed where folds differ, or none.
    """

    value: Mapping[int, Floats]
    kinds: tuple[str, ...]


def thresholds_of(scores: Sequence[Mapping[str, Any]]) -> Thresholds:
    """The thresholds of a run from the results of ``score_species``, one for each species in order."""
    value: dict[int, Floats] = {}
    kinds = []
    for place, score in enumerate(scores):
        found = set()
        for fold in score["folds"]:
            of_fold = value.setdefault(fold["fold"], np.full(len(scores), np.inf))
            for key, kind in (("threshold", CERTIFIED), ("threshold_empirical", EMPIRICAL)):
                if fold[key] is not None:
                    of_fold[place] = fold[key]
                    found.add(kind)
                    break
            else:
                found.add(NONE)
        kinds.append(found.pop() if len(found) == 1 else MIXED)
    return Thresholds(value, tuple(kinds))


@dataclass(frozen=True)
class Run:
    """The detections and truths of one run on all test images, in the order of ``checked_input``.

    accepted (n,): detections at or above the threshold of their species in their fold; iou: the row of
    the IoU at which thresholds are stated. Rows of arrays are those of ``found`` and ``true``.
    """

    seed: int
    species: tuple[str, ...]
    images: TestImages
    checked: CheckedInput
    accepted: Booleans
    threshold_kinds: tuple[str, ...]
    iou_percent: int

    @property
    def found(self) -> Detections:
        return self.checked.detections

    @property
    def true(self) -> Truths:
        return self.checked.truths

    @property
    def iou(self) -> int:
        return iou_index(self.iou_percent)

    @property
    def n_species(self) -> int:
        return len(self.species)

    @property
    def n_truth(self) -> Integers:
        """Truths that count, of each species."""
        return np.bincount(self.true.species_number[~self.true.ignore], minlength=self.n_species)

    @cached_property
    def found_image(self) -> Integers:
        """The image of each detection, as a row of ``images``."""
        return self.found.group % max(1, len(self.images.names))

    @cached_property
    def true_image(self) -> Integers:
        """The image of each truth, as a row of ``images``."""
        return self.true.group % max(1, len(self.images.names))

    @cached_property
    def taken(self) -> Integers:
        """The truth of its own species that each detection takes at the stated IoU, -1 for none."""
        return assigned(self.found, self.true)[self.iou]

    @cached_property
    def tie(self) -> Integers:
        """The order in which detections of equal score stand: by image and box."""
        order = np.lexsort((*self.found.boxes.T[::-1], self.found_image))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return place

    @cached_property
    def nearest(self) -> tuple[Floats, Integers]:
        """Overlaps with, and rows of, the truths of own (0) and of other species (1): each (n, 2)."""
        start, order = by_image(self.true_image, len(self.images.names))
        return nearest(
            start,
            order,
            self.found_image,
            self.found.species_number,
            self.found.boxes,
            self.true.species_number,
            self.true.boxes,
        )


def run_of(
    *,
    seed: int,
    matches: Sequence[pd.DataFrame],
    images: TestImages,
    species: Sequence[str],
    thresholds: Thresholds,
    iou_percent: int,
) -> Run:
    """A run from the tables matches of its folds' test parts. Raises UserErrors as matching does."""
    table = pooled(matches)
    is_truth = (table["kind"] == "truth").to_numpy(bool)
    columns = ["image", "slide", "species", *BOX_COLUMNS]
    checked = checked_input(
        table.loc[is_truth, [*columns, "truth", "ignore"]]
        .rename(columns={"truth": "id"})
        .reset_index(drop=True),
        table.loc[~is_truth, [*columns, "score"]].reset_index(drop=True),
        dict(zip(images.names, images.slides, strict=True)),
        species,
    )
    found = checked.detections
    least = np.full(len(found), np.inf)
    fold = images.fold[found.group % max(1, len(images.names))]
    for number, value in thresholds.value.items():
        of_fold = fold == number
        least[of_fold] = value[found.species_number[of_fold]]
    return Run(
        seed=seed,
        species=tuple(species),
        images=images,
        checked=checked,
        accepted=found.scores >= least,
        threshold_kinds=thresholds.kinds,
        iou_percent=iou_percent,
    )


def read_runs(
    *,
    seeds: Sequence[int],
    folds: Sequence[int],
    species: Sequence[str],
    matches: Sequence[Path],
    scores: Sequence[Path],
    images: TestImages,
    iou_percent: int,
) -> list[Run]:
    """The runs of one model from files: matches by seed and fold, scores by seed and species."""
    return [
        run_of(
            seed=seed,
            matches=[
                MATCHES.read_parquet(file) for file in matches[len(folds) * place : len(folds) * (place + 1)]
            ],
            images=images,
            species=species,
            thresholds=thresholds_of(
                [read_json(file) for file in scores[len(species) * place : len(species) * (place + 1)]]
            ),
            iou_percent=iou_percent,
        )
        for place, seed in enumerate(seeds)
    ]


def by_image(image: Integers, n_images: int) -> tuple[Integers, Integers]:
    """Where each image's rows start (and the last ends) in the order that is given as well."""
    order = np.argsort(image, kind="stable")
    return np.searchsorted(image[order], np.arange(n_images + 1)), order
