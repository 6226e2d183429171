"""The input of matching as arrays, after every check: what cannot be matched is an error, not a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.errors import UserErrors
from podura.tables import BOX_COLUMNS

_SHOWN = 5
# Pixels: what rounding may put beyond an image.
_SLACK = 0.5


@dataclass(frozen=True)
class Detections:
    """Detections by species, falling score, image and box; all arrays of one length n.

    ``species_number`` counts from 0 in the study's order, ``group`` is one number for each pair of
    species and image; ``boxes`` is (n, 4) in pixels.
    """

    image: NDArray[np.object_]
    slide: NDArray[np.object_]
    species: NDArray[np.object_]
    species_number: NDArray[np.int64]
    group: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Truths:
    """Truths by id; all arrays of one length n, what has the same name is as in Detections."""

    image: NDArray[np.object_]
    slide: NDArray[np.object_]
    species: NDArray[np.object_]
    species_number: NDArray[np.int64]
    group: NDArray[np.int64]
    boxes: NDArray[np.float64]
    ids: NDArray[np.int64]
    ignore: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class CheckedInput:
    """What matching works on."""

    truths: Truths
    detections: Detections


def checked_input(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    images: Mapping[str, str] | pd.DataFrame,
    species: Sequence[str],
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> CheckedInput:
    """Check everything and put it in its one order. Raises UserErrors that name row and column.

    sizes: width and height of every image, where detections beyond it are to be refused: every detector of
    ours clips its boxes, so such boxes were made on another image or at another size.
    """
    slides = _slides(images)
    names = np.array(sorted(slides), dtype=object)
    true = _Rows("truth", truths, names, slides, species)
    found = _Rows("detections", detections, names, slides, species)
    ids = truths["id"].astype("Int64").fillna(0).to_numpy(np.int64)
    scores = detections["score"].to_numpy(np.float64, na_value=np.nan)
    problems = [
        *_id_problems(true, ids),
        *true.problems(),
        *found.problems(),
        *found.faults(~((scores >= 0) & (scores <= 1)), "score", scores, "Write a number from 0 to 1."),
        *([] if sizes is None else found.beyond(sizes)),
    ]
    if problems:
        raise UserErrors(problems)
    # Each row's last keys first: box from the last column to the first, image, score, species.
    in_order = np.lexsort((*found.boxes.T[::-1], found.image, -scores, found.species))
    by_id = np.argsort(ids)
    ignore = truths["ignore"].to_numpy(bool)
    return CheckedInput(
        truths=Truths(*true.ordered(by_id), ids=ids[by_id], ignore=ignore[by_id]),
        detections=Detections(*found.ordered(in_order), scores=scores[in_order]),
    )


class _Rows:
    """The columns that truths and detections have in common; names as numbers, -1 where unknown."""

    def __init__(
        self,
        name: str,
        frame: pd.DataFrame,
        images: NDArray[np.object_],
        slides: Mapping[str, str],
        species: Sequence[str],
    ) -> None:
        self.name = name
        self.image_names, self.species_names = images, np.array(species, dtype=object)
        self.slide_names = np.array([slides[image] for image in images], dtype=object)
        self.given = {key: frame[key].to_numpy(object) for key in ("image", "slide", "species")}
        self.image = pd.Index(images, dtype=object).get_indexer(self.given["image"])
        self.species = pd.Index(species, dtype=object).get_indexer(self.given["species"])
        self.boxes = np.column_stack(
            [frame[column].to_numpy(np.float64, na_value=np.nan) for column in BOX_COLUMNS]
        )

    def problems(self) -> list[str]:
        known = self.image >= 0
        wrong_slide = np.zeros(len(known), dtype=bool)
        if known.any():
            should = self.slide_names[self.image[known]]
            wrong_slide[known] = [
                a is pd.NA or a != b for a, b in zip(self.given["slide"][known], should, strict=True)
            ]
        listed = ", ".join(self.species_names)
        x_min, y_min, x_max, y_max = self.boxes.T
        problems = [
            *self.faults(~known, "image", self.given["image"], "Name an image of this part of the study."),
            *self.faults(self.species < 0, "species", self.given["species"], f"Write one of: {listed}."),
            *self.faults(wrong_slide, "slide", self.given["slide"], "Write the slide of the list of images."),
        ]
        for column, values in zip(BOX_COLUMNS, self.boxes.T, strict=True):
            problems += self.faults(
                ~np.isfinite(values), column, values, "Write the edge of the box in pixels."
            )
        problems += self.faults(
            x_max < x_min, "x_max", x_max, "It must not be smaller than x_min of its row."
        )
        problems += self.faults(
            y_max < y_min, "y_max", y_max, "It must not be smaller than y_min of its row."
        )
        return problems

    def beyond(self, sizes: Mapping[str, tuple[int, int]]) -> list[str]:
        """Messages for boxes that reach further beyond their image than rounding explains."""
        known = self.image >= 0
        limits = np.full((len(known), 2), np.inf)
        if known.any():
            of_image = np.array([sizes[image] for image in self.image_names], dtype=np.float64)
            limits[known] = of_image[self.image[known]]
        problems = []
        for place, column in enumerate(BOX_COLUMNS):
            values, limit = self.boxes[:, place], limits[:, place % 2]
            outside = np.isfinite(values) & ((values < -_SLACK) | (values > limit + _SLACK))
            advice = (
                "It lies beyond its image. Write boxes in pixels of the image as the study has it, cut at "
                "its edges."
            )
            problems += self.faults(outside & known, column, values, advice)
        return problems

    def faults(self, bad: NDArray[np.bool_], column: str, values: NDArray, advice: str) -> list[str]:
        """Messages for the bad rows, the first few each and the number of the others."""
        rows = np.flatnonzero(bad)
        messages = [
            f"{self.name}, row {row + 1} (image {self.given['image'][row]}), "
            f"column '{column}': '{values[row]}' cannot be right. {advice}"
            for row in rows[:_SHOWN]
        ]
        if len(rows) > _SHOWN:
            messages.append(f"{self.name}, column '{column}': {len(rows) - _SHOWN} more like these.")
        return messages

    def ordered(
        self, order: NDArray[np.int64]
    ) -> tuple[NDArray, NDArray, NDArray, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Names of image, slide and species, its number, group and boxes of the rows in this order."""
        image, species = self.image[order], self.species[order]
        return (
            self.image_names[image],
            self.slide_names[image],
            self.species_names[species],
            species,
            species * len(self.image_names) + image,
            self.boxes[order],
        )


def _slides(images: Mapping[str, str] | pd.DataFrame) -> Mapping[str, str]:
    if not isinstance(images, pd.DataFrame):
        return images
    repeated = sorted(images.loc[images["image"].duplicated(), "image"].unique())
    if repeated:
        raise UserErrors([f"images: '{name}' is listed twice. Keep one row." for name in repeated])
    return dict(zip(images["image"], images["slide"], strict=True))


def _id_problems(true: _Rows, ids: NDArray[np.int64]) -> list[str]:
    # pycocotools takes a detection that found the truth with id 0 for one that found nothing.
    problems = true.faults(ids < 1, "id", ids, "Number the annotations from 1.")
    repeated = pd.Series(ids).duplicated().to_numpy(bool) & (ids > 0)
    return problems + true.faults(repeated, "id", ids, "Give every annotation its own id.")
