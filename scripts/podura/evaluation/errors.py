"""What goes wrong: kinds of errors, and what each costs in average precision, as TIDE has it.

Bolya, Foley, Hays & Hoffman 2020, "TIDE: a general toolbox for identifying object detection errors",
doi:10.1007/978-3-030-58580-8_33, and their program tidecv, whose order of questions and whose rule of
one detection a truth are followed. Of a wrong detection, the first that holds:

* poor box: it overlaps an animal of its own species by 0.1 or more, yet by less than the stated IoU;
* wrong species: it overlaps another species' animal by the stated IoU or more;
* duplicate: it overlaps an animal of its own species, which another detection has taken;
* background: it overlaps no animal by more than 0.1;
* both: it overlaps another species' animal by less than the stated IoU.

An animal is missed if no detection took it and none could take it with a better box or another species.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.kernels import average_precisions
from podura.evaluation.matching import IOU_THRESHOLDS
from podura.evaluation.runs import MIXED, Run

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

KINDS = ("wrong_species", "poor_box", "both", "duplicate", "background", "missed")
#: At the threshold of each species, and all detections at or above the floor.
LEVELS = ("threshold", "floor")
#: Below it a box and an animal have nothing to do with each other.
BACKGROUND_IOU = 0.1
_NONE = -1
_WRONG_SPECIES, _POOR_BOX, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(len(KINDS))


@dataclass(frozen=True)
class Faults:
    """The faults among the detections of one run that are kept; rows are those of the run.

    kept (n,); right (n,): took a truth that counts; kind (n,): a place in KINDS, -1 for a detection that
    is right, counts neither way or is not kept; mended (n,): would be right with a better box or another
    species; target (n,): the truth that it would take then; missed (n_truth,).
    """

    kept: Booleans
    right: Booleans
    kind: Integers
    mended: Booleans
    target: Integers
    missed: Booleans


def kept_at(run: Run, level: str) -> Booleans:
    """The detections that a level keeps."""
    return run.accepted if level == "threshold" else np.ones(len(run.found), dtype=bool)


def faults_of(run: Run, level: str) -> Faults:
    """Tell the kind of every error at one of LEVELS."""
    kept, took = kept_at(run, level), run.taken >= 0
    ignore = run.true.ignore
    counts = ~ignore[run.taken] if len(run.true) else np.ones(len(took), dtype=bool)
    wrong = kept & ~took
    (own, other), (own_row, other_row) = (part.T for part in run.nearest)
    stated = IOU_THRESHOLDS[run.iou]
    kind = np.select(
        [
            ~wrong,
            (own >= BACKGROUND_IOU) & (own < stated),
            other >= stated,
            own >= stated,
            np.maximum(own, other) <= BACKGROUND_IOU,
        ],
        [_NONE, _POOR_BOX, _WRONG_SPECIES, _DUPLICATE, _BACKGROUND],
        default=_BOTH,
    )
    used = ignore.copy()
    used[run.taken[kept & took]] = True
    target = np.select([kind == _POOR_BOX, kind == _WRONG_SPECIES], [own_row, other_row], default=_NONE)
    mended = np.zeros(len(kept), dtype=bool)
    claims = np.flatnonzero(target >= 0)
    claims = claims[~used[target[claims]]]
    # Of several that could take the same truth, the surest would.
    claims = claims[np.lexsort((run.tie[claims], -run.found.scores[claims]))]
    mended[claims[np.unique(target[claims], return_index=True)[1]]] = True
    missed = ~used
    missed[target[claims]] = False
    return Faults(kept, kept & took & counts, kind, mended, target, missed)


def average_precision_without(run: Run, faults: Faults, kind: int | None) -> Floats:
    """AP at the stated IoU of each species if one kind of error were mended in all species; None for none.

    A mended detection is right, under the species of the animal that it shows; one that cannot be
    mended, since the animal is taken, is gone; missed animals are not asked for. NaN without truth.
    """
    keep, right = faults.kept.copy(), faults.right
    species, n_truth = run.found.species_number, run.n_truth
    if kind == _MISSED:
        n_truth = n_truth - np.bincount(run.true.species_number[faults.missed], minlength=run.n_species)
    elif kind is not None:
        of_kind = faults.kind == kind
        mended = of_kind & faults.mended
        keep[of_kind & ~mended] = False
        right = right | mended
        species = species.copy()
        species[mended] = run.true.species_number[faults.target[mended]]
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((run.tie[rows], -run.found.scores[rows], species[rows]))]
    neither = (faults.kind[rows] == _NONE) & ~faults.right[rows]
    outcome = np.where(neither, -1, right[rows].astype(np.int8)).astype(np.int8)
    scores = average_precisions(
        np.searchsorted(species[rows], np.arange(run.n_species + 1)),
        outcome[None],
        n_truth,
        RECALL_POINTS,
    )[0]
    # Of a species of which every animal was missed, none is left to be missed.
    scores[(run.n_truth > 0) & (n_truth == 0)] = 1.0
    return scores


def error_rows(run: Run) -> list[dict[str, Any]]:
    """Rows of the table errors of one run: by level, species and kind.

    d_ap is what AP at the stated IoU would gain if the kind were mended, at least 0.
    """
    rows = []
    for level in LEVELS:
        faults = faults_of(run, level)
        before = average_precision_without(run, faults, None)
        counts = np.zeros((len(KINDS), run.n_species), dtype=np.int64)
        gains = np.empty((len(KINDS), run.n_species))
        for kind in range(len(KINDS)):
            of_kind = (
                run.true.species_number[faults.missed]
                if kind == _MISSED
                else run.found.species_number[faults.kind == kind]
            )
            counts[kind] = np.bincount(of_kind, minlength=run.n_species)
            gains[kind] = np.maximum(average_precision_without(run, faults, kind) - before, 0.0)
        right = np.bincount(run.found.species_number[faults.right], minlength=run.n_species)
        rows += [
            {
                "seed": run.seed,
                "species": species,
                "level": level,
                "threshold": run.threshold_kinds[number],
                "n_truth": int(run.n_truth[number]),
                "n_right": int(right[number]),
                "ap": before[number],
                "kind": name,
                "n": int(counts[kind, number]),
                "d_ap": gains[kind, number],
            }
            for number, species in enumerate(run.species)
            for kind, name in enumerate(KINDS)
        ]
    return rows


def of_all_seeds(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of several runs as one, seed None: counts added up, AP and its gains as means."""
    together: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        together.setdefault((row["level"], row["species"], row["kind"]), []).append(row)
    merged = []
    for of_one in together.values():
        kinds = {row["threshold"] for row in of_one}
        merged.append(
            {
                **of_one[0],
                "seed": None,
                "threshold": kinds.pop() if len(kinds) == 1 else MIXED,
                **{key: sum(row[key] for row in of_one) for key in ("n_truth", "n_right", "n")},
                **{key: float(np.mean([row[key] for row in of_one])) for key in ("ap", "d_ap")},
            }
        )
    return merged
