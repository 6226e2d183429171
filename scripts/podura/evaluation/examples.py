"""The errors that are worth a look: the surest of each kind, and the animals that most runs miss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.errors import KINDS, Faults, faults_of
from podura.evaluation.matching import IOU_THRESHOLDS
from podura.evaluation.overlap_kernels import places
from podura.evaluation.runs import Run
from podura.tables import BOX_COLUMNS, TRUE_BOX_COLUMNS

Integers = NDArray[np.int64]

MISSED = "missed"
#: Boxes of two runs that overlap so far show the same error.
SAME_IOU = 0.5
#: The most examples of one kind, and of one species among them.
MOST, MOST_OF_SPECIES = 24, 6
_NONE = -1


def example_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows of the table examples, without the model: at the thresholds, of all its runs together.

    Errors of one kind and species in the same place (IoU 0.5 or more) are one row, with the surest
    detection's box and score and the number of runs that make it. A missed animal is one row; its score
    is that of the surest detection of any species that overlaps it by the stated IoU, accepted or not.
    At most MOST of a kind and MOST_OF_SPECIES of a species: the surest errors, and the animals that most
    runs miss, of these the largest first. Where species compete, the first of each stands before
    the second of any.
    """
    if not runs:
        return []
    faults = [faults_of(run, "threshold") for run in runs]
    rows = pd.concat([_wrong(runs, faults), _missed(runs, faults)], ignore_index=True)
    rows["turn"] = rows.groupby(["kind", "species"]).cumcount()
    rows = rows[rows["turn"] < MOST_OF_SPECIES]
    # Kinds stand in their order; within a kind what is surest, or missed most, first.
    chosen = rows.sort_values(["kind", "turn"], kind="stable").groupby("kind").head(MOST).sort_index()
    chosen["rank"] = chosen.groupby("kind").cumcount() + 1
    return _named(runs[0], chosen, len(runs))


def _wrong(runs: Sequence[Run], faults: Sequence[Faults]) -> pd.DataFrame:
    frames = []
    for number, (run, of_run) in enumerate(zip(runs, faults, strict=True)):
        rows = np.flatnonzero(of_run.kind != _NONE)
        kind = of_run.kind[rows]
        # The animal that the box lies on: its own species' for a poor box or a duplicate, else another's.
        own = np.isin(kind, [KINDS.index("poor_box"), KINDS.index("duplicate")])
        truth = np.where(own, run.nearest[1][rows, 0], run.nearest[1][rows, 1])
        frames.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "species": run.found.species_number[rows],
                    "place": run.found_image[rows],
                    "score": run.found.scores[rows],
                    "truth": np.where(kind == KINDS.index("background"), _NONE, truth),
                    "found": _NONE,
                    "run": number,
                    "seed": run.seed,
                    **dict(zip(BOX_COLUMNS, run.found.boxes[rows].T, strict=True)),
                }
            )
        )
    keys = ["kind", "species", "place"]
    together = pd.concat(frames, ignore_index=True).sort_values(
        [*keys, "score", *BOX_COLUMNS, "run"],
        ascending=[True, True, True, False, *[True] * 5],
        kind="stable",
        ignore_index=True,
    )
    # Boxes of the same kind, species and image count as an image of their own.
    group = together.groupby(keys, sort=False).ngroup().to_numpy(dtype=np.int64)
    boxes = np.ascontiguousarray(together[list(BOX_COLUMNS)].to_numpy(dtype=np.float64))
    together["first"] = places(group, boxes, SAME_IOU)
    agreement = together.groupby("first")["run"].nunique()
    surest = together.loc[agreement.index].assign(n_runs=agreement.to_numpy())
    return surest.sort_values(
        ["kind", "score", "n_runs", "place", *BOX_COLUMNS],
        ascending=[True, False, False, *[True] * 5],
        kind="stable",
    )


def _missed(runs: Sequence[Run], faults: Sequence[Faults]) -> pd.DataFrame:
    one = runs[0]
    n_runs = np.sum([of_run.missed for of_run in faults], axis=0)
    rows = np.flatnonzero(n_runs)
    surest = pd.concat([_over(run, number) for number, run in enumerate(runs)], ignore_index=True)
    surest = surest.sort_values(["score", "run"], ascending=[False, True], kind="stable")
    surest = surest.groupby("truth")[["score", "found", "seed"]].first().reindex(rows)
    boxes = one.true.boxes[rows]
    return pd.DataFrame(
        {
            "kind": KINDS.index(MISSED),
            "species": one.true.species_number[rows],
            "place": one.true_image[rows],
            "score": surest["score"].to_numpy(),
            "truth": rows,
            "found": surest["found"].fillna(_NONE).to_numpy(dtype=np.int64),
            "seed": surest["seed"].to_numpy(),
            "n_runs": n_runs[rows],
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            **dict(zip(BOX_COLUMNS, boxes.T, strict=True)),
        }
    ).sort_values(
        ["n_runs", "area", "place", *BOX_COLUMNS],
        ascending=[False, False, *[True] * 5],
        kind="stable",
    )


def _over(run: Run, number: int) -> pd.DataFrame:
    """Every detection with the animals, of its own and of another species, that it covers."""
    overlap, truth = run.nearest
    covered, column = np.nonzero(overlap >= IOU_THRESHOLDS[run.iou])
    return pd.DataFrame(
        {
            "truth": truth[covered, column],
            "found": run.found.species_number[covered],
            "score": run.found.scores[covered],
            "seed": run.seed,
            "run": number,
        }
    )


def _named(run: Run, rows: pd.DataFrame, of_runs: int) -> list[dict[str, Any]]:
    species = (*run.species, None)
    named = []
    for row in rows.to_dict("records"):
        image, truth = int(row["place"]), int(row["truth"])
        animal = truth != _NONE
        box = run.true.boxes[truth] if animal else [None] * 4
        named.append(
            {
                "kind": KINDS[row["kind"]],
                "rank": row["rank"],
                "image": run.images.names[image],
                "slide": run.images.slides[image],
                "fold": int(run.images.fold[image]),
                "species": species[row["species"]],
                "score": row["score"],
                "seed": row["seed"],
                **{name: row[name] for name in BOX_COLUMNS},
                "n_runs": row["n_runs"],
                "of_runs": of_runs,
                "true_species": species[run.true.species_number[truth]] if animal else None,
                "found_species": species[row["found"]],
                **dict(zip(TRUE_BOX_COLUMNS, box, strict=True)),
            }
        )
    return named
