"""Merge all scores into benchmark/species.csv, folds.csv and models.csv."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from podura import jobs
from podura.evaluation.benchmark import ModelFacts, folds_table, models_table, species_table
from podura.evaluation.draws import load_draws
from podura.evaluation.scoring import ScoreSettings
from podura.tables import (
    ALL_SEEDS,
    BENCHMARK_FOLDS,
    BENCHMARK_MODELS,
    BENCHMARK_RANKS,
    BENCHMARK_SPECIES,
    CURVES,
    PART_IMAGES,
    part_folder,
    read_json,
    run_folder,
    seed_folder,
)


def cost(
    results: Path, model: str, runs: dict[str, dict[str, Any]], folds: list[int], *, trained: bool
) -> dict[str, Any]:
    """What training and detection took, over the runs of a model; None where nothing was measured.

    An ensemble costs in each run what the runs that it fuses cost together.
    """
    seeds, members = runs[model]["seeds"], runs[model]["members"]
    places = [run_folder(seed, fold) for seed in seeds for fold in folds]
    detected = [read_json(results / f"detections/{model}/{place}/run.json")["test"] for place in places]
    timed = [run["seconds"] / run["images"] for run in detected if run["seconds"] and run["images"]]
    found: dict[str, Any] = {
        "parameters": None,
        "training_seconds": None,
        "detection_seconds": fmean(timed) if timed else None,
        "peak_memory_mb": None,
    }
    if trained:
        fused = [
            [
                read_json(results / f"models/{member}/{run_folder(each, fold)}/model.json")
                for member in members or [model]
                for each in (runs[member]["seeds"] if seed == ALL_SEEDS else [seed])
            ]
            for seed in seeds
            for fold in folds
        ]
        found["parameters"] = sum(fact["parameters"] for fact in fused[0])
        found["training_seconds"] = fmean(
            sum(fact["training_seconds"] for fact in together) for together in fused
        )
        found["peak_memory_mb"] = max(fact["peak_memory_mb"] for together in fused for fact in together)
    return found


def curves(scores: list[dict[str, Any]]) -> pd.DataFrame:
    """Put the precision-recall curves of all scores into one long table."""
    return pd.concat(
        [
            pd.DataFrame(score["curve"]).assign(**{key: score[key] for key in ("model", "seed", "species")})
            for score in scores
        ],
        ignore_index=True,
    )


def main(arguments: argparse.Namespace) -> None:
    results = arguments.results
    runs, folds = json.loads(arguments.runs), json.loads(arguments.folds)
    models, species = json.loads(arguments.models), json.loads(arguments.species)
    names = [model["model"] for model in models]
    scores = [
        read_json(results / f"scores/{model}/{seed_folder(seed)}/{code}.json")
        for model in names
        for seed in runs[model]["seeds"]
        for code in species
    ]
    by_species = species_table(scores, models=names, species=species)
    parts = [results / "dataset/parts" / part_folder("test", fold) for fold in folds]
    by_model = models_table(
        species_table=by_species,
        draws=lambda model: load_draws(results / f"benchmark/draws/{model}.npz"),
        n_slides=len(
            {slide for part in parts for slide in PART_IMAGES.read_csv(part / "images.csv")["slide"]}
        ),
        ranks=BENCHMARK_RANKS.read_csv(arguments.ranks),
        models=[
            ModelFacts(
                **model,
                **cost(results, model["model"], runs, folds, trained=model["role"] == "detector"),
            )
            for model in models
        ],
        settings=ScoreSettings(**json.loads(arguments.settings)),
    )
    CURVES.write_parquet(curves(scores), arguments.curves)
    BENCHMARK_SPECIES.write_csv(by_species, arguments.species_table)
    BENCHMARK_FOLDS.write_csv(folds_table(scores, models=names, species=species), arguments.folds_table)
    BENCHMARK_MODELS.write_csv(by_model, arguments.models_table)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--models", required=True, help="what the tables say of each model, as JSON")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--runs", required=True, help="seeds and members of each model as JSON")
    parser.add_argument("--folds", required=True, help="numbers of the folds as a JSON list; [0] for none")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--ranks", type=Path, required=True, help="ranks.csv")
    parser.add_argument("--species-table", type=Path, required=True)
    parser.add_argument("--folds-table", type=Path, required=True)
    parser.add_argument("--models-table", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    jobs.run(main, parser)
