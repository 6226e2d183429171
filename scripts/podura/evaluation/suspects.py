"""Places where the truth itself may be wrong: animals without a label, and labels that nothing finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.errors import BACKGROUND_IOU
from podura.evaluation.overlap_kernels import overlapping, places
from podura.evaluation.runs import Run, by_image
from podura.tables import BENCHMARK_SUSPECTS, BOX_COLUMNS

Integers = NDArray[np.int64]

UNLABELLED, NOT_FOUND = "unlabelled", "not_found"
#: Boxes of two runs that overlap so far show the same.
SAME_IOU = 0.5


def suspects_table(runs: Sequence[tuple[str, Run]]) -> pd.DataFrame:
    """The table benchmark_suspects from all runs of the detectors that are trained.

    unlabelled: detections at or above the threshold of their species that overlap no truth of any
    species by 0.1 or more; those of all runs that show the same place are one row, with the surest's
    box, species and score. not_found: truths that count and that no run finds, even at the floor; with
    the surest detection of another species at that place, if any is accepted.
    Both by falling agreement (models, then runs) and score.
    """
    if not runs:
        return BENCHMARK_SUSPECTS.frame([])
    accepted = _accepted(runs)
    rows = pd.concat([_unlabelled(runs, accepted), _not_found(runs, accepted)], ignore_index=True)
    rows["first"] = rows["kind"] == UNLABELLED
    rows = rows.sort_values(
        ["first", "n_models", "n_runs", "score", "image", *BOX_COLUMNS],
        ascending=[False, False, False, False, *[True] * 5],
        kind="stable",
    )
    return BENCHMARK_SUSPECTS.frame(rows.drop(columns="first").assign(of_runs=len(runs)))


def _accepted(runs: Sequence[tuple[str, Run]]) -> pd.DataFrame:
    """All accepted detections of all runs, by image and then by falling score."""
    frames = []
    for number, (model, run) in enumerate(runs):
        rows = np.flatnonzero(run.accepted)
        frames.append(
            pd.DataFrame(
                {
                    "run": number,
                    "model": model,
                    "seed": run.seed,
                    "place": run.found_image[rows],
                    "species": run.found.species_number[rows],
                    "score": run.found.scores[rows],
                    "overlap": run.nearest[0][rows].max(axis=1, initial=0.0),
                    **dict(zip(BOX_COLUMNS, run.found.boxes[rows].T, strict=True)),
                }
            )
        )
    together = pd.concat(frames, ignore_index=True)
    return together.sort_values(
        ["place", "score", *BOX_COLUMNS, "species", "run"],
        ascending=[True, False, *[True] * 6],
        kind="stable",
        ignore_index=True,
    )


def _unlabelled(runs: Sequence[tuple[str, Run]], accepted: pd.DataFrame) -> pd.DataFrame:
    alone = accepted[accepted["overlap"] < BACKGROUND_IOU].reset_index(drop=True)
    alone["first"] = places(_integers(alone["place"]), _boxes(alone), SAME_IOU)
    agreement = alone.groupby("first")[["model", "run"]].nunique()
    surest = alone.loc[agreement.index]
    return _named(runs[0][1], surest).assign(
        kind=UNLABELLED,
        n_models=agreement["model"].to_numpy(),
        n_runs=agreement["run"].to_numpy(),
        found_species=None,
        truth=None,
    )


def _not_found(runs: Sequence[tuple[str, Run]], accepted: pd.DataFrame) -> pd.DataFrame:
    one = runs[0][1]
    found = one.true.ignore.copy()
    for _, run in runs:
        found[run.taken[run.taken >= 0]] = True
    rows = np.flatnonzero(~found)
    truths = pd.DataFrame(
        {
            "place": one.true_image[rows],
            "species": one.true.species_number[rows],
            "truth": one.true.ids[rows],
            **dict(zip(BOX_COLUMNS, one.true.boxes[rows].T, strict=True)),
        }
    )
    start, order = by_image(_integers(accepted["place"]), len(one.images.names))
    pairs = overlapping(start, order, _integers(truths["place"]), _boxes(truths), _boxes(accepted), SAME_IOU)
    there = accepted.iloc[pairs[:, 1]].assign(row=pairs[:, 0])
    there = there[there["species"].to_numpy() != truths["species"].to_numpy()[there["row"]]]
    there = there.sort_values("score", ascending=False, kind="stable")
    groups = there.groupby("row")
    surest = groups.first().reindex(range(len(truths)))
    agreement = groups[["model", "run"]].nunique().reindex(range(len(truths)), fill_value=0)
    species = np.array(one.species, dtype=object)
    said = surest["species"].to_numpy(dtype=float, na_value=np.nan)
    found_species = np.full(len(truths), None, dtype=object)
    found_species[~np.isnan(said)] = species[said[~np.isnan(said)].astype(int)]
    return _named(
        one, truths.assign(score=surest["score"], model=surest["model"], seed=surest["seed"])
    ).assign(
        kind=NOT_FOUND,
        n_models=agreement["model"].to_numpy(),
        n_runs=agreement["run"].to_numpy(),
        found_species=found_species,
        truth=truths["truth"].to_numpy(),
    )


def _named(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    image = _integers(rows["place"])
    columns: dict[str, Any] = {
        "image": run.images.names[image],
        "slide": run.images.slides[image],
        "species": np.array(run.species, dtype=object)[_integers(rows["species"])],
        **{name: rows[name].to_numpy() for name in ("score", "model", "seed", *BOX_COLUMNS)},
    }
    return pd.DataFrame(columns)


def _integers(column: pd.Series[Any]) -> Integers:
    return column.to_numpy(dtype=np.int64)


def _boxes(rows: pd.DataFrame) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows[list(BOX_COLUMNS)].to_numpy(dtype=np.float64))
