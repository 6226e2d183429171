"""Which runs of a study are released: chosen on validation, never on test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from podura.errors import UserError
from podura.evaluation.average_precision import average_precision
from podura.evaluation.ranking import ranking

WINNER, ALL = "winner", "all"


@dataclass(frozen=True, order=True)
class Run:
    """A run of a model or ensemble; ``fold`` is 0 where there are none, ``seed`` 0 where all are fused."""

    model: str
    fold: int
    seed: int


@dataclass(frozen=True)
class Chosen:
    """What is released: runs of one model in one fold.

    ``validation`` has the mAP (IoU 0.5) on validation of every model that was compared: of a model the mean
    of its runs. ``of_run`` is that of the best run of the chosen ones.
    """

    model: str
    fold: int
    seeds: tuple[int, ...]
    validation: Mapping[str, float]
    of_run: float


def validation_map(matches: pd.DataFrame, species: Sequence[str]) -> tuple[float, float]:
    """mAP at IoU 0.5 and at 0.50:0.95 of a table MATCHES over the species with truth; NaN without any."""
    found = [average_precision(ranking(matches, code)) for code in species]
    pairs = [(one.ap50, one.ap50_95) for one in found if not math.isnan(one.ap50)]
    if not pairs:
        return math.nan, math.nan
    return float(np.mean([pair[0] for pair in pairs])), float(np.mean([pair[1] for pair in pairs]))


def choose(
    scores: Mapping[Run, tuple[float, float]], models: Sequence[str], wanted: str, seeds: str
) -> Chosen:
    """Choose by validation.

    scores: of every run its mAP at IoU 0.5 and at 0.50:0.95 on validation. models: in the order of the study,
    which decides where scores are equal. wanted: "winner", or the name of a model. seeds: "best" or "all".
    With folds, the fold of the best run is released: its models only have not seen its calibration slides.
    Raises UserError where no run has a score.
    """
    runs = {run: score for run, score in scores.items() if not math.isnan(score[0])}
    if not runs:
        raise UserError(
            "No detector can be released: the validation slides show no animal of the study's species, by "
            "which detectors are compared. Give validation more slides (split.fractions)."
        )
    means = {
        model: tuple(np.mean([score for run, score in runs.items() if run.model == model], axis=0))
        for model in models
        if any(run.model == model for run in runs)
    }
    # max takes the first of equals.
    model = max(means, key=lambda name: means[name]) if wanted == WINNER else wanted
    of_model = sorted((run for run in runs if run.model == model), key=lambda run: (run.fold, run.seed))
    if not of_model:
        raise UserError(f"release.model: there is no run of {model} with a score on validation.")
    best = max(of_model, key=lambda run: runs[run])
    taken = [run for run in of_model if run.fold == best.fold] if seeds == ALL else [best]
    return Chosen(
        model=model,
        fold=best.fold,
        seeds=tuple(run.seed for run in taken),
        validation={name: float(mean[0]) for name, mean in means.items()},
        of_run=runs[best][0],
    )
