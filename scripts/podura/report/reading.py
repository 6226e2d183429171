"""The finished tables of one study, read from its results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from podura import tables
from podura.report.results import DIAGNOSIS_SHOWN, Results


def read_results(
    folder: Path, species_list: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> Results:
    """Read what the report shows; ``species_list`` gives code, name, authority and family of each."""
    species_table = tables.BENCHMARK_SPECIES.read_csv(folder / "benchmark/species.csv")
    curves = tables.CURVES.read_parquet(folder / "benchmark/curves.parquet")
    keys = ["model", "seed", "species"]
    points = dict(tuple(curves.groupby(keys, sort=False)))
    no_points = curves.iloc[:0]
    scores = [
        {
            **row,
            "curve": points.get(tuple(row[key] for key in keys), no_points)[
                ["recall", "precision", "score"]
            ].to_dict("list"),
        }
        for row in species_table.to_dict("records")
    ]
    split = tables.SPLIT.read_csv(folder / "dataset/split.csv")
    folds = sorted(set(split["fold"]))
    histories, trainings, detections = {}, {}, {}
    for model, seed in species_table[["model", "seed"]].drop_duplicates().itertuples(index=False):
        for fold in folds:
            run = tables.run_folder(int(seed), int(fold))
            # Controls are not trained.
            if (history := folder / f"models/{model}/{run}/history.csv").is_file():
                histories[(model, run)] = tables.HISTORY.read_csv(history)
            if (facts := folder / f"models/{model}/{run}/model.json").is_file():
                trainings[(model, run)] = tables.read_json(facts)
            if (facts := folder / f"detections/{model}/{run}/run.json").is_file():
                detections[(model, run)] = tables.read_json(facts)
    counts = tables.SPLIT_REPORT.read_csv(folder / "dataset/counts.csv")
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    # A file of an earlier run may lie there, so the configuration tells.
    people = config["evaluation"].get("experts") is not None
    return Results(
        species_table=species_table,
        models_table=tables.BENCHMARK_MODELS.read_csv(folder / "benchmark/models.csv"),
        scores=scores,
        histories=histories,
        trainings=trainings,
        detections=detections,
        problems=tables.PROBLEMS.read_csv(folder / "dataset/problems.csv"),
        split=split,
        counts=counts.rename(columns={"n_truth": "n_specimens"}),
        species_list=species_list,
        config=config,
        provenance=provenance,
        diagnosis={
            name: table.read_csv(folder / f"benchmark/{name}.csv") for name, table in DIAGNOSIS_SHOWN.items()
        },
        comparisons=tables.BENCHMARK_COMPARISONS.read_csv(folder / "benchmark/comparisons.csv"),
        ranks=tables.BENCHMARK_RANKS.read_csv(folder / "benchmark/ranks.csv"),
        people=tables.BENCHMARK_PEOPLE.read_csv(folder / "benchmark/people.csv") if people else None,
        people_curves=tables.PEOPLE_CURVES.read_parquet(folder / "benchmark/people_curves.parquet")
        if people
        else None,
    )


def read_leakage(folder: Path) -> pd.DataFrame | None:
    """Read the pairs of images that show the same; None where the study did not compare its images."""
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    if not config["dataset"]["leakage"]["check"]:
        return None
    return tables.LEAKAGE.read_csv(folder / "dataset/leakage.csv")
