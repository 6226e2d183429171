"""Which species is taken for which: detections and truths matched whatever their species."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.errors import LEVELS, kept_at
from podura.evaluation.matching import assigned
from podura.evaluation.runs import Run

Integers = NDArray[np.int64]

BACKGROUND, MISSED = "background", "missed"


def confusion(run: Run, level: str) -> Integers:
    """How many animals of each species (rows) were found as each (columns): (species + 1, species + 1).

    The last row is the background, the last column what was missed. Of the detections that the level
    keeps, the surest chooses first among all animals of the image that it overlaps by the stated IoU or
    more, and takes the one that it overlaps most. Animals to be ignored, and what takes them, are left
    out.
    """
    kept = kept_at(run, level)
    found, true, n = run.found, run.true, run.n_species
    order = np.lexsort((found.species_number, run.tie, -found.scores))
    order = order[kept[order]]
    surest_first = replace(
        found,
        image=found.image[order],
        slide=found.slide[order],
        species=found.species[order],
        species_number=found.species_number[order],
        group=run.found_image[order],
        boxes=found.boxes[order],
        scores=found.scores[order],
    )
    taken = assigned(surest_first, replace(true, group=run.true_image))[run.iou]
    took = taken >= 0
    was_found = np.zeros(len(true), dtype=bool)
    was_found[taken[took]] = True
    missed = true.species_number[~was_found & ~true.ignore]
    pairs = took.copy()
    pairs[took] = ~true.ignore[taken[took]]
    true_number = np.concatenate([true.species_number[taken[pairs]], np.full((~took).sum(), n), missed])
    found_number = np.concatenate(
        [surest_first.species_number[pairs], surest_first.species_number[~took], np.full(len(missed), n)]
    )
    counts = np.bincount(true_number * (n + 1) + found_number, minlength=(n + 1) ** 2)
    return counts.reshape(n + 1, n + 1)


def confusion_rows(run: Run) -> list[dict[str, Any]]:
    """Rows of the table confusion of one run, without those that would say 0."""
    true_names, found_names = (*run.species, BACKGROUND), (*run.species, MISSED)
    rows = []
    for level in LEVELS:
        counts = confusion(run, level)
        rows += [
            {
                "seed": run.seed,
                "level": level,
                "true_species": true_names[true],
                "found_species": found_names[found],
                "n": int(counts[true, found]),
            }
            for true, found in zip(*np.nonzero(counts), strict=True)
        ]
    return rows
