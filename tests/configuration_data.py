"""A sound study in a folder, which tests of the configuration spoil."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from podura.configuration import load_study
from podura.configuration.study import (
    Study,
)
from podura.errors import UserErrors

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "workflow" / "schemas"

MODEL: dict[str, Any] = {
    "label": "A detector",
    "adapter": "torchvision",
    "architecture": "fasterrcnn_lite0",
    "image_size": 320,
    "weights": "none",
    "epochs": 3,
    "batch_size": 2,
    "optimiser": {"learning_rate": 0.001},
    "licence": "Apache-2.0",
}


class Project:
    """A sound study in a folder; a test spoils one thing and reads what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "study": "meadows",
            "seeds": [1, 2],
            "species": {"table": "species.tsv", "include": ["ISO-MIN", "CER-DEN"], "other": ["mite"]},
            "dataset": {
                "images": "data/images.tsv",
                "annotations": {"format": "coco", "path": "boxes.json"},
            },
            "models": {"table": "models.yaml", "include": ["faster", "small"]},
        }
        self.overlay: dict[str, Any] = {}
        self.command_line: dict[str, Any] = {}
        self.models: dict[Any, Any] = {"faster": copy.deepcopy(MODEL), "small": copy.deepcopy(MODEL)}
        self.species = [
            ["code", "name", "authority", "family", "aliases"],
            ["CER-DEN", "Ceratophysella denticulata", "(Bagnall, 1941)", "Hypogastruridae", ""],
            ["ISO-MIN", "Isotomiella minor", "(Schäffer, 1896)", "Isotomidae", "I. minor| minor "],
            ["PAR-NOT", "Parisotoma notabilis", "", "", "Isotoma notabilis"],
        ]
        self.images = [
            ["image", "slide", "sample", "site", "date", "um_per_pixel", "part"],
            ["a1.jpg", "A", "s1", "meadow", "2026-04-30", "0.65", "test"],
            ["a2.jpg", "A", "s1", "meadow", "2026-04-30", "1", "test"],
            ["b1.jpg", "B", "s2", "field", "", "", ""],
        ]
        self.write("boxes.json", "{}")
        for name in ("a1.jpg", "a2.jpg", "b1.jpg"):
            self.write(f"data/{name}", "")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_yaml(self, name: str, value: Any) -> Path:
        return self.write(name, yaml.safe_dump(value, sort_keys=False))

    def write_tables(self) -> None:
        self.write_yaml("models.yaml", self.models)
        for name, rows in (("species.tsv", self.species), ("data/images.tsv", self.images)):
            self.write(name, "".join("\t".join(row) + "\n" for row in rows))

    def load(self, **options: Any) -> Study:
        self.write_tables()
        files = [self.write_yaml("config.yaml", self.config)]
        if self.overlay:
            files.append(self.write_yaml("overlay.yaml", self.overlay))
        merged = merge(merge(self.config, self.overlay), self.command_line)
        return load_study(merged, config_files=files, schemas=SCHEMAS, folder=self.folder, **options)

    def faults(self, **options: Any) -> tuple[str, ...]:
        with pytest.raises(UserErrors) as caught:
            self.load(**options)
        for message in caught.value.messages:
            assert "\n" not in message
            assert len(message) < 600
        return caught.value.messages

    def fault(self, **options: Any) -> str:
        """The message, where there must be exactly one."""
        faults = self.faults(**options)
        assert len(faults) == 1, faults
        return faults[0]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As Snakemake merges: mappings key by key, everything else replaced."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def put(values: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for step in above:
        values = values.setdefault(step, {})
    values[last] = value
