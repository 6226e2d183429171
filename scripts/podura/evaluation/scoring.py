"""All figures of one species in one run: average precision, thresholds, precision and recall on test.

With folds, each fold has a model of its own, which sets its own threshold on its own calibration slides
and is tested on its own test slides. Average precision is that of all test slides together, each with
the detections of the model that has not seen it; precision and recall count what each fold accepts at
its own threshold. No slide sets the threshold by which it is itself accepted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.average_precision import PrecisionRecall, average_precision, precision_recall
from podura.evaluation.intervals import NO_INTERVAL, logit_interval, proportion_interval
from podura.evaluation.ranking import Ranking, ranking
from podura.evaluation.resampling import (
    counts_at_thresholds,
    resampled_average_precisions,
    slide_weights,
)
from podura.evaluation.thresholds import (
    Accepted,
    Threshold,
    accepted_at,
    clopper_pearson_lower,
    empirical_threshold,
)
from podura.seeds import generator

#: Points of a curve that are kept for drawing.
CURVE_POINTS = 400

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ScoreSettings:
    """What thresholds and intervals depend on.

    iou_percent: overlap at which thresholds, precision and recall are stated. resamples: how many
    draws of slides. confidence: of the intervals. random_seed: that of the study.
    """

    iou_percent: int
    target_precision: float
    resamples: int
    confidence: float
    random_seed: int

    def slide_weights(self, slides: Sequence[str]) -> Integers:
        """The resamples of these slides: the same for every model, seed and species of the study."""
        return slide_weights(
            slides,
            resamples=self.resamples,
            generator=generator(self.random_seed, "resampling of slides"),
        )


@dataclass(frozen=True)
class FoldMatches:
    """What one fold's model did (tables.MATCHES); ``fold`` is 0 where the study has no folds."""

    fold: int
    calibration: pd.DataFrame
    test: pd.DataFrame


def pooled(tests: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The matches of the test parts of all folds as one table.

    Of one species detections of equal score stand in the order of image and box, as matching puts them.
    Raises ValueError for an image that is tested in two folds.
    """
    if len(tests) == 1:
        return tests[0]
    found = pd.concat(tests, ignore_index=True)
    if sum(test["image"].nunique() for test in tests) != found["image"].nunique():
        raise ValueError("an image is tested in more than one fold")
    return found.sort_values("image", kind="stable", ignore_index=True)


def score_species(
    *,
    model: str,
    seed: int,
    species: str,
    folds: Sequence[FoldMatches],
    test_slides: Sequence[str],
    settings: ScoreSettings,
) -> dict[str, Any]:
    """All figures of one species in one run, ready for JSON: None is missing, nothing is rounded.

    Holds every column of the table benchmark_species; ``curve``, the test precision-recall curve at
    the stated IoU as equally long lists recall, precision and score (empty without truth);
    ``threshold_evidence``, the counts behind the threshold; and ``folds``, what the table
    benchmark_folds says of each. test_slides: all slides of the test part (of all folds) in any order.
    An interval needs two slides to vary between, and is missing with fewer: two with truth for average
    precision and recall, two with accepted detections for precision.
    """
    slides = sorted(set(test_slides))
    weights = settings.slide_weights(slides)
    test = ranking(pooled([fold.test for fold in folds]), species)
    scores = average_precision(test)
    low, high = logit_interval(
        scores.ap50,
        resampled_average_precisions(test, slides, weights)[:, 0],
        degrees=len(set(test.truth_slides)) - 1,
        n_truth=test.n_truth,
        confidence=settings.confidence,
    )
    judged = [_Judged.of(fold, species, settings) for fold in folds]
    found = _together(judged)
    fields = {
        "model": model,
        "seed": seed,
        "species": species,
        "n_slides": len(set(test.truth_slides)),
        "n_truth": test.n_truth,
        "n_detections": len(test.scores),
        "ap50": scores.ap50,
        "ap50_95": scores.ap50_95,
        "ap50_voc": scores.ap50_voc,
        "ap50_low": low,
        "ap50_high": high,
        "threshold": found.threshold,
        "threshold_status": found.status,
        "calibration_n": found.n,
        "calibration_errors": found.errors,
        "precision_lower": found.precision_lower,
        **_test_at_thresholds(judged, slides, settings),
    }
    return {
        **{name: _json(value) for name, value in fields.items()},
        "curve": _curve(precision_recall(test, settings.iou_percent)),
        "threshold_evidence": _evidence(judged, settings),
        "folds": [one.row() for one in judged],
    }


@dataclass(frozen=True)
class _Judged:
    """One fold: its rankings, its threshold, and what that accepts (None where there is none)."""

    fold: int
    calibration: Ranking
    test: Ranking
    threshold: Threshold
    on_calibration: Accepted | None
    on_test: Accepted | None

    @classmethod
    def of(cls, fold: FoldMatches, species: str, settings: ScoreSettings) -> _Judged:
        calibration, test = ranking(fold.calibration, species), ranking(fold.test, species)
        found = empirical_threshold(
            calibration, iou_percent=settings.iou_percent, target_precision=settings.target_precision
        )
        if found.threshold is None:
            return cls(fold.fold, calibration, test, found, None, None)
        accepted = [
            accepted_at(ranked, found.threshold, iou_percent=settings.iou_percent)
            for ranked in (calibration, test)
        ]
        return cls(fold.fold, calibration, test, found, *accepted)

    def row(self) -> dict[str, Any]:
        """What the table benchmark_folds says beside model, seed and species."""
        scores, accepted = average_precision(self.test), self.on_test
        told = accepted is not None and self.test.n_truth > 0
        fields = {
            "fold": self.fold,
            "n_slides": len(set(self.test.truth_slides)),
            "n_truth": self.test.n_truth,
            "n_detections": len(self.test.scores),
            "ap50": scores.ap50,
            "ap50_95": scores.ap50_95,
            "threshold": self.threshold.threshold,
            "threshold_status": self.threshold.status,
            "calibration_n": self.threshold.n,
            "calibration_errors": self.threshold.errors,
            "test_n": accepted.n if accepted else None,
            "test_errors": accepted.errors if accepted else None,
            "test_precision": accepted.precision if accepted and told else None,
            "test_recall": accepted.recall if accepted and told else None,
        }
        return {name: _json(value) for name, value in fields.items()}


def _together(judged: Sequence[_Judged]) -> Threshold:
    """The threshold of a run: that of its one fold, or the middle one with the counts of all folds."""
    if len(judged) == 1:
        return judged[0].threshold
    found = [one.threshold for one in judged if one.threshold.threshold is not None]
    if not found:
        return judged[0].threshold
    n, errors = sum(one.n or 0 for one in found), sum(one.errors or 0 for one in found)
    return Threshold(
        threshold=float(np.median([one.threshold for one in found if one.threshold is not None])),
        status=found[0].status,
        n=n,
        errors=errors,
        precision_lower=clopper_pearson_lower(n - errors, n),
    )


def _test_at_thresholds(
    judged: Sequence[_Judged], slides: Sequence[str], settings: ScoreSettings
) -> dict[str, float]:
    """Precision and recall on test with their intervals; all missing without threshold or truth.

    A fold without a threshold accepts nothing; its specimens are missed.
    """
    precision = recall = math.nan
    of_precision = of_recall = NO_INTERVAL
    n_truth = sum(one.test.n_truth for one in judged)
    accepted = [one.on_test for one in judged if one.on_test is not None]
    if accepted and n_truth:
        n, errors = sum(one.n for one in accepted), sum(one.errors for one in accepted)
        precision, recall = (n - errors) / n if n else math.nan, (n - errors) / n_truth
        counts = counts_at_thresholds(
            [(one.test, one.threshold.threshold) for one in judged], settings.iou_percent, slides
        )
        confidence = settings.confidence
        of_precision = proportion_interval(counts.right, counts.accepted, confidence=confidence)
        of_recall = proportion_interval(counts.right, counts.truths, confidence=confidence)
    return {
        "test_precision": precision,
        "test_precision_low": of_precision[0],
        "test_precision_high": of_precision[1],
        "test_recall": recall,
        "test_recall_low": of_recall[0],
        "test_recall_high": of_recall[1],
    }


def _evidence(judged: Sequence[_Judged], settings: ScoreSettings) -> dict[str, Any]:
    """The counts behind the threshold, on calibration and on test; over all folds."""
    calibration_truth = sum(one.calibration.n_truth for one in judged)
    on_calibration = [one.on_calibration for one in judged if one.on_calibration is not None]
    on_test = [one.on_test for one in judged if one.on_test is not None]
    right = sum(one.n - one.errors for one in on_calibration)
    return {
        "iou": settings.iou_percent / 100,
        "target_precision": settings.target_precision,
        "calibration_n_slides": len({slide for one in judged for slide in one.calibration.truth_slides}),
        "calibration_n_truth": calibration_truth,
        "calibration_n_detections": sum(len(one.calibration.scores) for one in judged),
        "calibration_recall": right / calibration_truth if on_calibration and calibration_truth else None,
        "test_n": sum(one.n for one in on_test) if on_test else None,
        "test_errors": sum(one.errors for one in on_test) if on_test else None,
    }


def _curve(curve: PrecisionRecall) -> dict[str, list[float]]:
    """The curve for drawing: of a long one, points at even distances along its line."""
    if not curve.n_truth:
        return {"recall": [], "precision": [], "score": []}
    recall, precision = curve.recall, curve.precision
    kept = np.arange(len(recall))
    if len(kept) > CURVE_POINTS:
        moved = np.abs(np.diff(recall, prepend=0.0)) + np.abs(np.diff(precision, prepend=1.0))
        length = np.cumsum(moved)
        steps = np.linspace(length[0], length[-1], CURVE_POINTS)
        # Rounding may put the last step past the end, which must stay.
        kept = np.unique(np.append(np.searchsorted(length, steps[:-1]), len(length) - 1))
    return {
        "recall": recall[kept].tolist(),
        "precision": precision[kept].tolist(),
        "score": curve.scores[kept].tolist(),
    }


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
