"""Merge all scores into benchmark/species.csv and benchmark/models.csv."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from podura import jobs
from podura.evaluation.benchmark import ModelFacts, ScoreSettings, models_table, species_table
from podura.tables import BENCHMARK_MODELS, BENCHMARK_SPECIES, CURVES, MATCHES, PART_IMAGES, read_json


def cost(results: Path, model: str, seeds: list[int], *, trained: bool) -> dict[str, Any]:
    """What training and detection took, over the seeds of a model; None where nothing was measured."""
    runs = [read_json(results / f"detections/{model}/seed-{seed}/run.json")["test"] for seed in seeds]
    timed = [run["seconds"] / run["images"] for run in runs if run["seconds"] and run["images"]]
    found: dict[str, Any] = {
        "parameters": None,
        "training_seconds": None,
        "detection_seconds": fmean(timed) if timed else None,
        "peak_memory_mb": None,
    }
    if trained:
        facts = [read_json(results / f"models/{model}/seed-{seed}/model.json") for seed in seeds]
        found["parameters"] = facts[0]["parameters"]
        found["training_seconds"] = fmean(fact["training_seconds"] for fact in facts)
        found["peak_memory_mb"] = max(fact["peak_memory_mb"] for fact in facts)
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
    results, seeds = arguments.results, json.loads(arguments.seeds)
    models, species = json.loads(arguments.models), json.loads(arguments.species)
    settings = ScoreSettings(**json.loads(arguments.settings))
    runs = [(model["model"], seed) for model in models for seed in seeds]
    scores = [
        read_json(results / f"scores/{model}/seed-{seed}/{code}.json")
        for model, seed in runs
        for code in species
    ]
    by_species = species_table(scores, models=[model["model"] for model in models], species=species)
    slides = sorted(set(PART_IMAGES.read_csv(results / "dataset/parts/test/images.csv")["slide"]))
    by_model = models_table(
        species_table=by_species,
        matches=lambda model, seed: MATCHES.read_parquet(
            results / f"matches/{model}/seed-{seed}/test.parquet"
        ),
        slides=slides,
        models=[
            ModelFacts(
                **model,
                **cost(results, model["model"], seeds, trained=model["role"] == "detector"),
            )
            for model in models
        ],
        settings=settings,
    )
    CURVES.write_parquet(curves(scores), arguments.curves)
    BENCHMARK_SPECIES.write_csv(by_species, arguments.species_table)
    BENCHMARK_MODELS.write_csv(by_model, arguments.models_table)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--models", required=True, help="what the tables say of each model, as JSON")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--seeds", required=True, help="seeds as a JSON list")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--species-table", type=Path, required=True)
    parser.add_argument("--models-table", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    jobs.run(main, parser)
