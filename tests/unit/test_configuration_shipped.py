"""Schemas, and the configurations that are shipped."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from configuration_data import Project, merge, put
from podura.configuration import load_study
from podura.configuration.sources import Origins, read_yaml
from podura.configuration.structure import load_schema, structural_faults, with_defaults
from podura.configuration.study import (
    AugmentationSettings,
    EnsembleSpecification,
    EvaluationSettings,
    ModelSpecification,
    PaintedSettings,
    SearchSettings,
    TilingSettings,
    TrainingSettings,
)
from podura.tables import IMAGES, SPECIES

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"


# --- schemas and shipped files ---------------------------------------------------------------------


def schema_parts(schema: Any) -> list[dict[str, Any]]:
    return [schema] + [
        part for below in schema.get("properties", {}).values() for part in schema_parts(below)
    ]


@pytest.mark.parametrize("name", ["config", "model", "images", "species"])
def test_schemas_are_valid_strict_and_described(name: str) -> None:
    schema = load_schema(SCHEMAS, name)
    Draft202012Validator.check_schema(schema)
    known = set(Draft202012Validator.VALIDATORS) | {
        *("$schema", "title", "description", "default", "examples", "x-allowed"),
    }
    for part in schema_parts(schema):
        assert part["description"].endswith(".")
        assert set(part) <= known | {"then"}
        if part.get("type") == "object":
            assert part["additionalProperties"] is False


def test_defaults_fit_their_schema() -> None:
    for name in ("config", "model"):
        for part in schema_parts(load_schema(SCHEMAS, name)):
            if "default" in part:
                assert structural_faults(part["default"], part, Origins([], {})) == []


def test_schemas_and_tables_know_the_same_columns() -> None:
    for name, table in (("images", IMAGES), ("species", SPECIES)):
        schema = load_schema(SCHEMAS, name)
        assert list(schema["properties"]) == table.names
        needed = [column.name for column in table.columns if not column.optional]
        assert schema["required"] == needed


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (PaintedSettings, "painted"),
        (SearchSettings, "search"),
        (TrainingSettings, "training"),
        (AugmentationSettings, "training.augmentation"),
        (EvaluationSettings, "evaluation"),
    ],
)
def test_settings_have_a_field_for_every_key(settings: Any, key: str) -> None:
    schema = load_schema(SCHEMAS, "config")
    for step in key.split("."):
        schema = schema["properties"][step]
    assert [field.name for field in dataclasses.fields(settings)] == list(schema["properties"])


def test_tiles_of_a_model_are_read_with_their_defaults(project: Project) -> None:
    assert project.load().models[1].tiling is None
    project.models["small"]["tiling"] = {"overlap": 0.1}
    assert "key small.tiling: the key 'size' is missing. Write size: with a whole" in project.fault()
    project.models["small"]["tiling"] = {"size": 1024}
    assert project.load().models[1].tiling == TilingSettings(1024, 0.2, 0.2)


def test_tiles_have_a_field_for_every_key() -> None:
    keys = load_schema(SCHEMAS, "model")["properties"]["tiling"]["properties"]
    assert [field.name for field in dataclasses.fields(TilingSettings)] == list(keys)


def test_a_model_has_a_field_for_every_key_of_its_entry() -> None:
    names = [field.name for field in dataclasses.fields(ModelSpecification)]
    assert names == ["name", *load_schema(SCHEMAS, "model")["properties"]]
    names = [field.name for field in dataclasses.fields(EnsembleSpecification)]
    assert names == ["name", *load_schema(SCHEMAS, "ensemble")["properties"]]


def test_the_shipped_configuration_states_the_defaults() -> None:
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    schema = load_schema(SCHEMAS, "config")
    assert with_defaults(shipped, schema) == shipped, "a key is missing in config.yaml"
    merged = merge(with_defaults({}, schema), {})
    no_default = {"study": 0, "species": {"table": 0, "include": 0}}
    no_default["dataset"] = {"images": 0, "annotations": {"format": 0}}
    assert merge(shipped, no_default) == merge(merged, no_default)


def test_the_demo_study_is_sound(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    models = yaml.safe_load((ROOT / "config" / "models.yaml").read_text())
    for name in ("config.yaml", "models.yaml", "species.tsv", "images.tsv"):
        target = tmp_path / "config" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / "config" / name).read_bytes())
    for entry in models.values():
        if entry["weights"].endswith(".safetensors"):
            (tmp_path / entry["weights"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / entry["weights"]).touch()
    study = load_study(
        config,
        config_files=[tmp_path / "config" / "config.yaml"],
        schemas=SCHEMAS,
        folder=tmp_path,
        painted_folder=tmp_path / "painted",
    )
    assert study.name == "demo"
    assert len(study.species) == 5


def test_shipped_studies_have_the_right_form() -> None:
    base = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    schema, model_schema = load_schema(SCHEMAS, "config"), load_schema(SCHEMAS, "model")
    for file in map(read_yaml, sorted((ROOT / "config" / "studies").glob("*.yaml"))):
        if "study" not in file.values:  # a models table of a study
            for entry in file.values.values():
                filled = with_defaults(entry, model_schema)
                assert structural_faults(filled, model_schema, Origins([], {})) == []
            continue
        merged = with_defaults(merge(base, file.values), schema)
        assert structural_faults(merged, schema, Origins([file], merged)) == []


def test_the_configuration_does_not_load_heavy_frameworks() -> None:
    code = "import sys, podura.configuration; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "scripts")},
    )
    assert not {"torch", "torchvision", "ultralytics", "cv2", "snakemake"} & set(done.stdout.split())


def test_the_formats_of_the_configuration_are_those_that_can_be_read() -> None:
    from podura.annotations.formats import FORMATS
    from podura.configuration.load import _ANNOTATIONS

    assert {name: known.options for name, known in _ANNOTATIONS.items()} == {
        name: known.options for name, known in FORMATS.items()
    }


@pytest.mark.parametrize(("kind", "option"), [("coco", "columns"), ("csv", "image_key")])
def test_an_option_of_another_format_is_refused(project: Project, kind: str, option: str) -> None:
    values = {"columns": {"image": "file"}, "units": "pixels", "attribute": "species", "image_key": "image"}
    put(project.config, "dataset.annotations.format", kind)
    put(project.config, f"dataset.annotations.{option}", values[option])
    assert f"the format {kind} does not take it" in project.fault()
