"""The results of a study as another study compares them, from its results folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from podura.errors import UserError
from podura.evaluation.average_precision import average_precision
from podura.evaluation.ranking import ranking
from podura.evaluation.scoring import pooled
from podura.evaluation.studies import StudyResults
from podura.tables import (
    BENCHMARK_MODELS,
    BENCHMARK_SPECIES,
    MATCHES,
    PART_IMAGES,
    SPLIT,
    Table,
    part_folder,
    run_folder,
)

# Names become parts of paths, and the folder may come from anywhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ROUNDING = 1e-6


def read_study(folder: Path, name: str | None = None) -> StudyResults:
    """Read what is compared of a study: its test matches, whatever of the rest is there.

    Nothing is unpickled, and no file outside the folder is opened. Raises UserError where the folder is
    none of a finished study, or its average precisions are not those that this version's evaluator finds in
    its matches.
    """
    config = _config(folder)
    species = _table(BENCHMARK_SPECIES, folder / "benchmark/species.csv")
    models = _table(BENCHMARK_MODELS, folder / "benchmark/models.csv")
    detectors = [_checked(model, folder) for model in models.loc[models["role"] == "detector", "model"]]
    folds = sorted({int(fold) for fold in _table(SPLIT, folder / "dataset/split.csv")["fold"]})
    images = pd.concat(
        [
            _table(PART_IMAGES, folder / "dataset/parts" / part_folder("test", fold) / "images.csv")
            for fold in folds
        ],
        ignore_index=True,
    )
    runs = {}
    for model in detectors:
        seeds = sorted({int(seed) for seed in species.loc[species["model"] == model, "seed"]})
        runs[model] = [(seed, _matches(folder, model, seed, folds)) for seed in seeds]
        _check_evaluator(folder, model, runs[model], species)
    best = models.loc[(models["role"] == "detector") & (models["rank"] == 1), "model"]
    codes = tuple(dict.fromkeys(str(code) for code in species["species"]))
    return StudyResults(
        name=name or str(config["study"]),
        species=codes,
        runs={model: found for model, found in runs.items() if found},
        images=images[["image", "slide"]],
        best=str(best.iloc[0]) if len(best) else None,
        terms=config["evaluation"],
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(
            f"compare_with: {folder} holds no config.yaml. Give the folder of a finished study, such as "
            "results/demo of another lab or of last year."
        )
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = [
            key
            for key in ("score_floor", "max_detections", "iou", "target_precision")
            if key not in config["evaluation"]
        ]
        if missing or "study" not in config:
            raise KeyError(", ".join(missing))
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not the configuration of a study of Podura ({error}).") from None
    return dict(config)


def _table(table: Table, path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file, so this study cannot be compared. A finished study has it: let "
            "snakemake run to its end there, and copy the whole folder."
        )
    try:
        return table.read_parquet(path) if path.suffix == ".parquet" else table.read_csv(path)
    except (ValueError, TypeError, OSError) as error:
        raise UserError(
            f"{path} is not what this version of Podura writes ({str(error).splitlines()[0]}). Run both "
            "studies with the same version."
        ) from None


def _checked(model: str, folder: Path) -> str:
    if not _NAME.fullmatch(model):
        raise UserError(f"{folder / 'benchmark/models.csv'}: '{model}' cannot be the name of a model.")
    return model


def _matches(folder: Path, model: str, seed: int, folds: list[int]) -> pd.DataFrame:
    return pooled(
        [_table(MATCHES, folder / f"matches/{model}/{run_folder(seed, fold)}/test.parquet") for fold in folds]
    )


def _check_evaluator(
    folder: Path, model: str, runs: list[tuple[int, pd.DataFrame]], species: pd.DataFrame
) -> None:
    """Refuse results of another evaluator: its numbers would be compared with ours."""
    for seed, matches in runs[:1]:
        told = species[(species["model"] == model) & (species["seed"] == seed) & species["ap50"].notna()]
        for row in told.to_dict("records"):
            ranked = ranking(matches, row["species"])
            found = average_precision(ranked).ap50
            if not abs(found - row["ap50"]) < _ROUNDING:
                raise UserError(
                    f"{folder / 'benchmark/species.csv'}: AP50 of {model}, seed {seed}, {row['species']} is "
                    f"{row['ap50']:.4f}, but this version's evaluator finds {found:.4f} in the same matches. "
                    "The study was judged by another version: run it again with this one."
                )
