"""One fold of one species: its certified and its empirical threshold, and what they accept on test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from podura.evaluation.average_precision import average_precision
from podura.evaluation.certification import (
    NEEDS_MORE,
    Certificate,
    CertificateSettings,
    certify,
)
from podura.evaluation.ranking import Ranking, joined, ranking, without_slides
from podura.evaluation.thresholds import Accepted, accepted_at, empirical_threshold


@dataclass(frozen=True)
class FoldMatches:
    """What one fold's model did (tables.MATCHES); ``fold`` is 0 where the study has no folds.

    pipeline: digest of what made the detections, to which the threshold belongs; None where nothing is
    trained.
    """

    fold: int
    validation: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    pipeline: str | None = None


@dataclass(frozen=True)
class Judged:
    """One fold: its rankings, its thresholds (``empirical`` is None where there is none)."""

    fold: int
    pipeline: str | None
    calibration: Ranking
    test: Ranking
    certificate: Certificate
    empirical: float | None
    iou_percent: int

    def accepts(self, threshold: float | None, ranked: Ranking) -> Accepted | None:
        """What a threshold accepts; None where there is none."""
        if threshold is None:
            return None
        return accepted_at(ranked, threshold, iou_percent=self.iou_percent)

    def row(self) -> dict[str, Any]:
        """What the table benchmark_folds says beside model, seed and species."""
        scores, found = average_precision(self.test), self.certificate
        accepted, plain = (self.accepts(one, self.test) for one in (found.threshold, self.empirical))
        told = self.test.n_truth > 0
        fields = {
            "fold": self.fold,
            "n_slides": len(set(self.test.truth_slides)),
            "n_truth": self.test.n_truth,
            "n_detections": len(self.test.scores),
            "ap50": scores.ap50,
            "ap50_95": scores.ap50_95,
            "threshold": found.threshold,
            "threshold_status": found.status,
            "calibration_n": found.n,
            "calibration_errors": found.errors,
            "calibration_slides": found.slides,
            "deff": found.deff,
            "precision_lower": found.precision_lower,
            "needs_about": found.needs.detections if found.needs else None,
            "needs_slides": found.needs.slides if found.needs else None,
            "test_n": accepted.n if accepted else None,
            "test_errors": accepted.errors if accepted else None,
            "test_precision": accepted.precision if accepted and told else None,
            "test_recall": accepted.recall if accepted and told else None,
            "threshold_empirical": self.empirical,
            "test_precision_empirical": plain.precision if plain and told else None,
            "test_recall_empirical": plain.recall if plain and told else None,
        }
        return {name: for_json(value) for name, value in fields.items()}


def judge(folds: Sequence[FoldMatches], species: str, settings: CertificateSettings) -> list[Judged]:
    """Find both thresholds of one species in every fold.

    Each fold's threshold is certified on its own calibration slides or, where ``settings.pooled``, one
    threshold for all of them on the calibration slides of all folds together: then a slide counts once,
    with what all models that have not been trained on it did there, and candidates come from the
    validation slides that are calibration slides of no fold. That certificate is for the mean precision over
    the folds' models, each detection counting alike; one of them may lie lower.
    """
    parts = [
        tuple(ranking(part, species) for part in (fold.validation, fold.calibration, fold.test))
        for fold in folds
    ]
    if settings.pooled and len(folds) > 1:
        slides = {slide for fold in folds for slide in fold.calibration["slide"]}
        validation = without_slides(joined([part[0] for part in parts]), slides)
        certificates = [certify(validation, joined([part[1] for part in parts]), settings)] * len(folds)
    else:
        certificates = [certify(part[0], part[1], settings) for part in parts]
    return [
        Judged(
            fold=fold.fold,
            pipeline=fold.pipeline,
            calibration=calibration,
            test=test,
            certificate=certificate,
            empirical=empirical_threshold(
                calibration, iou_percent=settings.iou_percent, target_precision=settings.target_precision
            ),
            iou_percent=settings.iou_percent,
        )
        for fold, (_, calibration, test), certificate in zip(folds, parts, certificates, strict=True)
    ]


def certificate_columns(judged: Sequence[Judged]) -> dict[str, Any]:
    """What the table benchmark_species says of a run's certificates.

    With folds: certified where every fold's threshold is, failed where every fold has failed, else
    needs_more; the middle threshold, the counts and needs of all folds, the lowest bound, the largest
    design effect. A certificate that all folds share is told as it is.
    """
    found = [one.certificate for one in judged]
    if all(one is found[0] for one in found):
        found = found[:1]
    states = {one.status for one in found}
    status = states.pop() if len(states) == 1 else NEEDS_MORE
    needs = [one.needs for one in found if one.needs]
    return {
        "threshold": middle([one.threshold for one in found]),
        "threshold_status": status,
        "calibration_n": sum(one.n for one in found),
        "calibration_errors": sum(one.errors for one in found),
        "calibration_slides": sum(one.slides for one in found),
        "deff": max((one.deff for one in found if one.deff is not None), default=None),
        "precision_lower": min(
            (one.precision_lower for one in found if one.precision_lower is not None), default=None
        ),
        "needs_about": _total([one.detections for one in needs]) if status == NEEDS_MORE else None,
        "needs_slides": _total([one.slides for one in needs]) if status == NEEDS_MORE else None,
    }


def threshold_evidence(judged: Sequence[Judged], settings: CertificateSettings) -> dict[str, Any]:
    """All that the certificates rest on: their statements and tests by fold, and counts over all folds."""
    calibration_truth = sum(one.calibration.n_truth for one in judged)
    on_calibration = [one.accepts(one.certificate.threshold, one.calibration) for one in judged]
    on_test = [one.accepts(one.certificate.threshold, one.test) for one in judged]
    right = sum(one.n - one.errors for one in on_calibration if one)
    return {
        "iou": settings.iou_percent / 100,
        "target_precision": settings.target_precision,
        "calibration_n_slides": len({slide for one in judged for slide in one.calibration.truth_slides}),
        "calibration_n_truth": calibration_truth,
        "calibration_n_detections": sum(len(one.calibration.scores) for one in judged),
        "calibration_recall": right / calibration_truth
        if any(one is not None for one in on_calibration) and calibration_truth
        else None,
        "test_n": _total([one.n if one else None for one in on_test]),
        "test_errors": _total([one.errors if one else None for one in on_test]),
        "certificates": [
            {"fold": one.fold, "pipeline": one.pipeline, **_statement(one.certificate)} for one in judged
        ],
    }


def _statement(certificate: Certificate) -> dict[str, Any]:
    fields = asdict(certificate)
    return {
        **{name: for_json(value) for name, value in fields.items() if name != "evidence"},
        **fields["evidence"],
    }


def middle(thresholds: Sequence[float | None]) -> float | None:
    """The middle one of those that are there."""
    found = [one for one in thresholds if one is not None]
    return float(np.median(found)) if found else None


def _total(values: Sequence[int | None]) -> int | None:
    """The sum of those that are there; None without any."""
    found = [value for value in values if value is not None]
    return sum(found) if found else None


def for_json(value: Any) -> Any:
    """The value, None for one that is not a number."""
    return None if isinstance(value, float) and math.isnan(value) else value
