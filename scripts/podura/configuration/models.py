"""The models table, and the models of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podura.configuration.ensembles import ensemble_faults, ensemble_specification, is_ensemble
from podura.configuration.pretrained import PretrainedSources, impossible_pretrained
from podura.configuration.sources import Origins, YamlFile
from podura.configuration.structure import Schema, structural_faults, with_defaults
from podura.configuration.study import (
    EnsembleSpecification,
    ModelSpecification,
    OptimiserSettings,
    TilingSettings,
)
from podura.configuration.wording import choice, shown, suggestion
from podura.errors import UserErrors

#: The names of the two controls, which are run with every study.
CONTROLS = ("control_truth", "control_shuffled")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True)
class Included:
    """What a study includes of the models table."""

    models: tuple[ModelSpecification, ...]
    ensembles: tuple[EnsembleSpecification, ...]


def included_models(
    names: Sequence[str],
    table: YamlFile,
    schema: Schema,
    ensemble_schema: Schema,
    sources: PretrainedSources,
    folder: Path,
    origins: Origins,
    *,
    n_seeds: int | None,
) -> Included:
    """The models and ensembles of the table with these names, in their order.

    ``origins`` tells where the names come from; weights lie relative to ``folder``, published ones are
    those of ``sources``; ``n_seeds`` is how many seeds the study has, None where it is not known. Raises
    UserErrors for every entry of the table that does not fit its schema, for names that the table does not
    hold, for weights that are not there or that nobody publishes, and for ensembles that cannot be had.
    """
    faults = [
        *_faulty_entries(table, schema, ensemble_schema),
        *_unknown_names(names, table, origins),
        *impossible_pretrained(table, sources),
        *_missing_weights(names, table, folder),
    ]
    if faults:
        raise UserErrors(faults)
    entries = {name: table.values[name] for name in names}
    ensembles = tuple(
        ensemble_specification(name, with_defaults(entry, ensemble_schema))
        for name, entry in entries.items()
        if is_ensemble(entry)
    )
    of_table = Origins([table], table.values)
    for ensemble in ensembles:
        faults += ensemble_faults(ensemble, table.values, names, n_seeds, of_table)
    if faults:
        raise UserErrors(faults)
    models = tuple(
        _specification(name, with_defaults(entry, schema))
        for name, entry in entries.items()
        if not is_ensemble(entry)
    )
    return Included(models, ensembles)


def _faulty_entries(table: YamlFile, model_schema: Schema, ensemble_schema: Schema) -> list[str]:
    origins = Origins([table], table.values)
    faults: list[str] = []
    for name, entry in table.values.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            faults.append(
                f"{origins.where((name,))}: {shown(name)} cannot name a model. Write at most 60 "
                "small letters a to z, digits, _ and -, such as yolov5n_640."
            )
        if name in CONTROLS:
            faults.append(
                f"{origins.where((name,))}: this name is kept for a control, which every study runs "
                "without an entry. Give the model another name."
            )
        schema = ensemble_schema if is_ensemble(entry) else model_schema
        filled = with_defaults(entry, schema)
        faults += [fault.message for fault in structural_faults(filled, schema, origins, (name,))]
    return faults


def _unknown_names(names: Sequence[str], table: YamlFile, origins: Origins) -> list[str]:
    known = [str(name) for name in table.values]
    faults = []
    for place, name in enumerate(names):
        where = origins.where(("models", "include", place))
        if name in CONTROLS:
            faults.append(
                f"{where}: {shown(name)} is a control, which every study runs anyway. "
                "Remove it from the list."
            )
        elif name not in known:
            faults.append(
                f"{where}: {shown(name)} is not a model of {table.path}.{suggestion(name, known)} "
                f"Write names of that table: {choice(known)}."
            )
    return faults


def _missing_weights(names: Sequence[str], table: YamlFile, folder: Path) -> list[str]:
    origins = Origins([table], table.values)
    faults = []
    for name in names:
        entry = table.values.get(name)
        weights = entry.get("weights") if isinstance(entry, Mapping) else None
        if not isinstance(weights, str) or not weights.endswith(".safetensors"):
            continue  # a name, or of a form that the schema refuses
        if not (folder / weights).is_file():
            faults.append(
                f"{origins.where((name, 'weights'))}: there is no file {shown(weights)}. Write "
                "imagenet, coco, none, or the path of a .safetensors file from the folder that you run in."
            )
    return faults


def _specification(name: str, entry: Mapping[str, Any]) -> ModelSpecification:
    optimiser = OptimiserSettings(
        name=entry["optimiser"]["name"],
        learning_rate=float(entry["optimiser"]["learning_rate"]),
        weight_decay=float(entry["optimiser"]["weight_decay"]),
        warmup=float(entry["optimiser"]["warmup"]),
        clip=float(entry["optimiser"]["clip"]),
        backbone_share=float(entry["optimiser"]["backbone_share"]),
    )
    return ModelSpecification(
        name=name,
        label=entry["label"],
        adapter=entry["adapter"],
        architecture=entry["architecture"],
        image_size=entry["image_size"],
        tiling=None if entry["tiling"] is None else TilingSettings(**entry["tiling"]),
        weights=entry["weights"],
        epochs=entry["epochs"],
        batch_size=entry["batch_size"],
        optimiser=optimiser,
        average_decay=float(entry["average_decay"]),
        parameters=entry["parameters"],
        licence=entry["licence"],
        reference=entry["reference"],
    )
