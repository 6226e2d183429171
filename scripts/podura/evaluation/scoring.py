"""All figures of one species in one run: average precision, thresholds, precision and recall on test.

With folds, each fold has a model of its own, whose threshold is certified on its own calibration slides
(or, on request, one for all models on the calibration slides of all folds) and which is tested on its
own test slides. Average precision is that of all test slides together, each with the detections of the
model that has not seen it; precision and recall count what each fold accepts at its threshold. No test
slide of a model has a say in a threshold that is certified for this model alone.
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
from podura.evaluation.certification import CertificateSettings
from podura.evaluation.intervals import NO_INTERVAL, effective_slides, logit_interval, proportion_interval
from podura.evaluation.judging import (
    FoldMatches,
    Judged,
    certificate_columns,
    for_json,
    judge,
    middle,
    threshold_evidence,
)
from podura.evaluation.ranking import ranking
from podura.evaluation.resampling import (
    counts_at_thresholds,
    resampled_average_precisions,
    slide_weights,
)
from podura.evaluation.thresholds import accepted_at
from podura.seeds import generator

#: Points of a curve that are kept for drawing.
CURVE_POINTS = 400

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ScoreSettings:
    """What thresholds and intervals depend on.

    iou_percent: overlap at which thresholds, precision and recall are stated. resamples: how many
    draws of slides. confidence: of the intervals. random_seed: that of the study. delta, n_joint,
    candidates, pooled: as in CertificateSettings.
    """

    iou_percent: int
    target_precision: float
    resamples: int
    confidence: float
    random_seed: int
    delta: float = 0.05
    n_joint: int = 1
    candidates: int = 20
    pooled: bool = False

    @property
    def certificate(self) -> CertificateSettings:
        """What a threshold's certificate states."""
        return CertificateSettings(
            iou_percent=self.iou_percent,
            target_precision=self.target_precision,
            delta=self.delta,
            n_joint=self.n_joint,
            candidates=self.candidates,
            pooled=self.pooled,
        )

    def slide_weights(self, slides: Sequence[str]) -> Integers:
        """The resamples of these slides: the same for every model, seed and species of the study."""
        return slide_weights(
            slides,
            resamples=self.resamples,
            generator=generator(self.random_seed, "resampling of slides"),
        )


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
    ``threshold_evidence``, all that the certificates rest on; and ``folds``, what the table
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
        degrees=effective_slides(np.unique(test.truth_slides, return_counts=True)[1]) - 1,
        n_truth=test.n_truth,
        confidence=settings.confidence,
    )
    judged = judge(folds, species, settings.certificate)
    certified = [one.certificate.threshold for one in judged]
    empirical = [one.empirical for one in judged]
    plain = _at_thresholds(judged, empirical, slides, settings)
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
        **certificate_columns(judged),
        **_at_thresholds(judged, certified, slides, settings),
        "threshold_empirical": middle(empirical),
        "test_precision_empirical": plain["test_precision"],
        "test_recall_empirical": plain["test_recall"],
    }
    return {
        **{name: for_json(value) for name, value in fields.items()},
        "curve": drawn_curve(precision_recall(test, settings.iou_percent)),
        "threshold_evidence": threshold_evidence(judged, settings.certificate),
        "folds": [one.row() for one in judged],
    }


def _at_thresholds(
    judged: Sequence[Judged],
    thresholds: Sequence[float | None],
    slides: Sequence[str],
    settings: ScoreSettings,
) -> dict[str, float]:
    """Precision and recall on test with their intervals; all missing without threshold or truth.

    A fold without a threshold accepts nothing; its specimens are missed.
    """
    precision = recall = math.nan
    of_precision = of_recall = NO_INTERVAL
    tests = [one.test for one in judged]
    n_truth = sum(test.n_truth for test in tests)
    accepted = [
        accepted_at(test, threshold, iou_percent=settings.iou_percent)
        for test, threshold in zip(tests, thresholds, strict=True)
        if threshold is not None
    ]
    if accepted and n_truth:
        n, errors = sum(one.n for one in accepted), sum(one.errors for one in accepted)
        precision, recall = (n - errors) / n if n else math.nan, (n - errors) / n_truth
        counts = counts_at_thresholds(list(zip(tests, thresholds, strict=True)), settings.iou_percent, slides)
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


def drawn_curve(curve: PrecisionRecall) -> dict[str, list[float]]:
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
