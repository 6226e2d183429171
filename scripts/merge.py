"""Merge all scores into benchmark/species.csv, folds.csv and models.csv."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.evaluation.benchmark import ModelFacts, folds_table, models_table, species_table
from podura.evaluation.draws import load_draws
from podura.evaluation.scoring import ScoreSettings
from podura.tables import (
    BENCHMARK_COSTS,
    BENCHMARK_FOLDS,
    BENCHMARK_MODELS,
    BENCHMARK_RANKS,
    BENCHMARK_SPECIES,
    CURVES,
    PART_IMAGES,
    part_folder,
    read_json,
    seed_folder,
)


def cost(costs: pd.DataFrame, model: str) -> dict[str, Any]:
    """What the table of models says of a model's cost; None where nothing was measured, as for controls."""
    found = costs[costs["model"] == model].to_dict("records")
    columns = {
        "parameters": "parameters",
        "training_seconds": "training_seconds",
        "detection_seconds": "detection_seconds",
        "peak_memory_mb": "training_memory_mb",
    }
    return {
        name: None if not found or pd.isna(found[0][column]) else found[0][column]
        for name, column in columns.items()
    }


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
    costs = BENCHMARK_COSTS.read_csv(arguments.costs)
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
        models=[ModelFacts(**model, **cost(costs, model["model"])) for model in models],
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
    parser.add_argument("--costs", type=Path, required=True, help="costs.csv")
    parser.add_argument("--ranks", type=Path, required=True, help="ranks.csv")
    parser.add_argument("--species-table", type=Path, required=True)
    parser.add_argument("--folds-table", type=Path, required=True)
    parser.add_argument("--models-table", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    jobs.run(main, parser)
