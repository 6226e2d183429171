"""The benchmark's tables: of all models, seeds and species, of each fold, and of each model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.resampling import nan_mean, resampled_mean_average_precision
from podura.evaluation.scoring import ScoreSettings, slide_interval
from podura.tables import BENCHMARK_FOLDS, BENCHMARK_MODELS, BENCHMARK_SPECIES

Integers = NDArray[np.int64]


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


def species_table(
    scores: Iterable[Mapping[str, Any]], *, models: Sequence[str], species: Sequence[str]
) -> pd.DataFrame:
    """The table benchmark_species from ``score_species``, by model and species as given, and by seed."""
    rows = sorted(
        scores,
        key=lambda row: (models.index(row["model"]), row["seed"], species.index(row["species"])),
    )
    return BENCHMARK_SPECIES.frame([{name: row[name] for name in BENCHMARK_SPECIES.names} for row in rows])


def folds_table(
    scores: Iterable[Mapping[str, Any]], *, models: Sequence[str], species: Sequence[str]
) -> pd.DataFrame:
    """The table benchmark_folds from ``score_species``, in the order of ``species_table``, by fold last."""
    keys = ("model", "seed", "species")
    rows = [{**{key: score[key] for key in keys}, **fold} for score in scores for fold in score["folds"]]
    rows.sort(
        key=lambda row: (models.index(row["model"]), row["seed"], row["fold"], species.index(row["species"]))
    )
    return BENCHMARK_FOLDS.frame(rows)


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
        slide_interval(nan_mean(np.array(of_seeds)), slides, settings)
        for of_seeds in zip(*draws, strict=True)
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


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
