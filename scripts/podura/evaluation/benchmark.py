"""The benchmark's figures: one species of one run, all species and runs, and all models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.average_precision import (
    PrecisionRecall,
    average_precision,
    precision_recall,
)
from podura.evaluation.ranking import Ranking, ranking
from podura.evaluation.resampling import (
    interval,
    nan_mean,
    resampled_average_precision,
    resampled_mean_average_precision,
    resampled_precision_and_recall,
    slide_weights,
)
from podura.evaluation.thresholds import Threshold, accepted_at, empirical_threshold
from podura.seeds import generator
from podura.tables import BENCHMARK_MODELS, BENCHMARK_SPECIES

#: Points of a curve that are kept for drawing.
CURVE_POINTS = 400
# The spread between slides shows only where there are two.
_MIN_SLIDES = 2

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Interval = tuple[float, float]
_NO_INTERVAL: Interval = (math.nan, math.nan)


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
class ModelFacts:
    """What the table of models says of a model beside its scores; None is missing.

    role: detector or control. training_seconds: mean over seeds; detection_seconds: mean time of an
    image; peak_memory_mb: highest in training.
    """

    model: str
    label: str
    role: str
    framework: str | None = None
    licence: str | None = None
    parameters: int | None = None
    training_seconds: float | None = None
    detection_seconds: float | None = None
    peak_memory_mb: float | None = None


def score_species(
    *,
    model: str,
    seed: int,
    species: str,
    calibration_matches: pd.DataFrame,
    test_matches: pd.DataFrame,
    test_slides: Sequence[str],
    settings: ScoreSettings,
) -> dict[str, Any]:
    """All figures of one species in one run, ready for JSON: None is missing, nothing is rounded.

    Holds every column of the table benchmark_species; ``curve``, the test precision-recall curve at
    the stated IoU as equally long lists recall, precision and score (empty without truth); and
    ``threshold_evidence``, the counts behind the threshold. test_slides: all slides of the test part
    in any order. An interval needs two slides to vary between, and is missing with fewer: two with
    truth for average precision and recall, two with accepted detections for precision.
    """
    slides = sorted(set(test_slides))
    test = ranking(test_matches, species)
    calibration = ranking(calibration_matches, species)
    weights = settings.slide_weights(slides)
    scores = average_precision(test)
    draws = resampled_average_precision(test, 50, slides, weights)
    low, high = _interval(draws, test.truth_slides, settings)
    found = empirical_threshold(
        calibration,
        iou_percent=settings.iou_percent,
        target_precision=settings.target_precision,
    )
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
        **_test_at_threshold(test, found.threshold, slides, weights, settings),
    }
    return {
        **{name: _json(value) for name, value in fields.items()},
        "curve": _curve(precision_recall(test, settings.iou_percent)),
        "threshold_evidence": _evidence(found, calibration, test, settings),
    }


def species_table(
    scores: Iterable[Mapping[str, Any]], *, models: Sequence[str], species: Sequence[str]
) -> pd.DataFrame:
    """The table benchmark_species from ``score_species``, by model and species as given, and by seed."""
    rows = sorted(
        scores,
        key=lambda row: (models.index(row["model"]), row["seed"], species.index(row["species"])),
    )
    return BENCHMARK_SPECIES.frame([{name: row[name] for name in BENCHMARK_SPECIES.names} for row in rows])


def models_table(
    *,
    species_table: pd.DataFrame,
    matches: Callable[[str, int], pd.DataFrame],
    slides: Sequence[str],
    models: Sequence[ModelFacts],
    settings: ScoreSettings,
) -> pd.DataFrame:
    """The table benchmark_models, one row a model in the order given.

    matches: gives the test matches of a model and seed; called once each. slides: all slides of the
    test part. The mean is taken over the species with truth, then over seeds; its interval is that of
    the same mean in each resample of slides, where a species of which none is drawn is left out.
    Ranks count from 1 by map50_95; equal ones share the better rank.
    """
    slides = sorted(set(slides))
    weights = settings.slide_weights(slides)
    rows = [_model_row(facts, species_table, matches, slides, weights, settings) for facts in models]
    table = pd.DataFrame(rows)
    of_detectors = table["map50_95"].where(table["role"] == "detector")
    table["rank"] = of_detectors.rank(ascending=False, method="min")
    return BENCHMARK_MODELS.frame(table)


def _model_row(
    facts: ModelFacts,
    species_table: pd.DataFrame,
    matches: Callable[[str, int], pd.DataFrame],
    slides: Sequence[str],
    weights: Integers,
    settings: ScoreSettings,
) -> dict[str, Any]:
    of_model = species_table[species_table["model"] == facts.model]
    seeds = sorted(int(seed) for seed in of_model["seed"].unique())
    if not seeds:
        raise ValueError(f"the table of species has no row of the model {facts.model}")
    with_truth = of_model[of_model["n_truth"] > 0]
    by_seed = with_truth.groupby("seed")[["ap50", "ap50_95"]].mean().reindex(seeds)
    map50, map50_95 = by_seed["ap50"].to_numpy(float), by_seed["ap50_95"].to_numpy(float)
    species = list(with_truth["species"].unique())
    draws = [
        resampled_mean_average_precision(matches(facts.model, seed), species, slides, weights)
        for seed in seeds
    ]
    low_high, low_high_95 = (
        _interval(nan_mean(np.array(of_seeds)), slides, settings) for of_seeds in zip(*draws, strict=True)
    )
    return {
        "model": facts.model,
        "label": facts.label,
        "role": facts.role,
        "n_seeds": len(seeds),
        "n_species": len(species),
        "map50": map50.mean(),
        "map50_low": low_high[0],
        "map50_high": low_high[1],
        "map50_seed_min": map50.min(),
        "map50_seed_max": map50.max(),
        "map50_seed_sd": _deviation(map50),
        "map50_95": map50_95.mean(),
        "map50_95_low": low_high_95[0],
        "map50_95_high": low_high_95[1],
        "map50_95_seed_sd": _deviation(map50_95),
        "parameters": facts.parameters,
        "framework": facts.framework,
        "licence": facts.licence,
        "training_seconds": facts.training_seconds,
        "detection_seconds": facts.detection_seconds,
        "peak_memory_mb": facts.peak_memory_mb,
    }


def _test_at_threshold(
    test: Ranking,
    threshold: float | None,
    slides: Sequence[str],
    weights: Integers,
    settings: ScoreSettings,
) -> dict[str, float]:
    """Precision and recall on test with their intervals; all missing without threshold or truth."""
    precision = recall = math.nan
    of_precision = of_recall = _NO_INTERVAL
    if threshold is not None and test.n_truth:
        accepted = accepted_at(test, threshold, iou_percent=settings.iou_percent)
        precision, recall = accepted.precision, accepted.recall
        draws = resampled_precision_and_recall(test, threshold, settings.iou_percent, slides, weights)
        of_precision = _interval(draws[0], accepted.slides, settings)
        of_recall = _interval(draws[1], test.truth_slides, settings)
    return {
        "test_precision": precision,
        "test_precision_low": of_precision[0],
        "test_precision_high": of_precision[1],
        "test_recall": recall,
        "test_recall_low": of_recall[0],
        "test_recall_high": of_recall[1],
    }


def _interval(draws: Floats, of_slides: Iterable[str], settings: ScoreSettings) -> Interval:
    """The interval of resampled values of things that lie on these slides."""
    if len(set(of_slides)) < _MIN_SLIDES:
        return _NO_INTERVAL
    return interval(draws, settings.confidence)


def _evidence(
    found: Threshold, calibration: Ranking, test: Ranking, settings: ScoreSettings
) -> dict[str, Any]:
    """The counts behind a threshold, on calibration and on test."""
    evidence: dict[str, Any] = {
        "iou": settings.iou_percent / 100,
        "target_precision": settings.target_precision,
        "calibration_n_slides": len(set(calibration.truth_slides)),
        "calibration_n_truth": calibration.n_truth,
        "calibration_n_detections": len(calibration.scores),
        "calibration_recall": None,
        "test_n": None,
        "test_errors": None,
    }
    if found.threshold is None:
        return evidence
    on_calibration = accepted_at(calibration, found.threshold, iou_percent=settings.iou_percent)
    on_test = accepted_at(test, found.threshold, iou_percent=settings.iou_percent)
    return evidence | {
        "calibration_recall": _json(on_calibration.recall),
        "test_n": on_test.n,
        "test_errors": on_test.errors,
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


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
