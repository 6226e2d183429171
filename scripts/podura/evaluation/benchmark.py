"""The benchmark's tables: of all models, seeds and species, of each fold, and of each model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.draws import Draws, over_seeds, variances_of_seeds
from podura.evaluation.intervals import degrees_of_freedom, logit_interval
from podura.evaluation.scoring import ScoreSettings
from podura.tables import BENCHMARK_FOLDS, BENCHMARK_MODELS, BENCHMARK_SPECIES

_METRICS = ("map50", "map50_95")


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
    draws: Callable[[str], Draws],
    n_slides: int,
    models: Sequence[ModelFacts],
    ranks: pd.DataFrame,
    settings: ScoreSettings,
) -> pd.DataFrame:
    """The table benchmark_models, one row a model in the order given.

    draws: gives the draws of a model; called once each. n_slides: of the test part. ranks: the table
    benchmark_ranks. The mean is taken over the species with truth, then over seeds; its interval is that
    of the same mean in resamples of slides and seeds, where a species of which none is drawn is left
    out. Ranks count from 1 by map50_95; equal ones share the better rank.
    """
    of_models = {facts.model: draws(facts.model) for facts in models}
    # Controls have no training, so they tell nothing of how far seeds spread.
    trained = [facts.model for facts in models if facts.role == "detector"]
    variances = {
        metric: variances_of_seeds({name: of_models[name].means(metric) for name in trained})
        for metric in _METRICS
    }
    rows = [
        _model_row(facts, species_table, of_models[facts.model], n_slides, variances, settings)
        for facts in models
    ]
    table = pd.DataFrame(rows)
    of_detectors = table["map50_95"].where(table["role"] == "detector")
    table["rank"] = of_detectors.rank(ascending=False, method="min")
    first = ranks[ranks["rank"] == 1].set_index("model")["chance"]
    table["chance_best"] = table["model"].map(first)
    return BENCHMARK_MODELS.frame(table)


def _model_row(
    facts: ModelFacts,
    species_table: pd.DataFrame,
    draws: Draws,
    n_slides: int,
    variances: Mapping[str, Mapping[str, tuple[float, int]]],
    settings: ScoreSettings,
) -> dict[str, Any]:
    of_model = species_table[species_table["model"] == facts.model]
    seeds = sorted(int(seed) for seed in of_model["seed"].unique())
    if not seeds:
        raise ValueError(f"the table of species has no row of the model {facts.model}")
    with_truth = of_model[of_model["n_truth"] > 0]
    by_seed = with_truth.groupby("seed")[["ap50", "ap50_95"]].mean().reindex(seeds)
    map50, map50_95 = by_seed["ap50"].to_numpy(float), by_seed["ap50_95"].to_numpy(float)
    low_high, low_high_95 = (
        mean_interval(
            draws, metric, facts.model, n_slides, settings, between_seeds=variances[metric].get(facts.model)
        )
        for metric in _METRICS
    )
    return {
        "model": facts.model,
        "label": facts.label,
        "role": facts.role,
        "n_seeds": len(seeds),
        "n_species": with_truth["species"].nunique(),
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


def mean_interval(
    draws: Draws,
    metric: str,
    model: str,
    n_slides: int,
    settings: ScoreSettings,
    *,
    between_seeds: tuple[float, int] | None = None,
) -> tuple[float, float]:
    """The interval of a model's mAP, metric map50 or map50_95, over slides and seeds.

    between_seeds: as ``variances_of_seeds`` gives it for the models of the study; None for the model alone.
    """
    of_seeds = draws.means(metric)
    variance, known_from = between_seeds or variances_of_seeds({model: of_seeds})[model]
    whole = over_seeds(of_seeds, settings.random_seed, model, variance)
    drawn = of_seeds[:, 1:].mean(axis=0)
    between_slides = float(np.var(drawn[~np.isnan(drawn)])) if (~np.isnan(drawn)).any() else 0.0
    degrees = degrees_of_freedom((between_slides, n_slides), (variance / len(of_seeds), known_from))
    return logit_interval(
        float(whole[0]),
        whole[1:],
        degrees=degrees if n_slides > 1 else 0,
        n_truth=int(draws.n_truth.sum()),
        confidence=settings.confidence,
        n_slides=n_slides,
    )


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
