"""The rooms of the library import downwards only, and know nothing of Snakemake."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "scripts" / "podura"
ROOMS = [
    "errors",
    "tables",
    "seeds",
    "compiled",
    "provenance",
    "fingerprints",
    "jobs",
    "schedulers",
    "energy",
    "downloads",
    "archives",
    "slides",
    "annotations",
    "stratification",
    "splits",
    "inventory",
    "leakage",
    "configuration",
    "records",
    "detectors",
    "training",
    "evaluation",
    "release",
    "survey",
    "report",
]
#: What a room must not know, whatever the order (design: "never knows").
FORBIDDEN = {
    "slides": {"torch"},
    "annotations": {"torch"},
    "leakage": {"torch", "podura.annotations"},
    "training": {"torchvision", "ultralytics", "timm", "transformers", "podura.evaluation"},
    "evaluation": {"torch", "torchvision", "ultralytics", "podura.detectors", "podura.training"},
    "report": {"torch", "podura.evaluation", "podura.detectors", "podura.training", "podura.slides"},
    "detectors": {"podura.training", "podura.evaluation"},
    "release": {"podura.training", "torchvision", "ultralytics", "timm", "transformers"},
    "survey": {"podura.training", "torchvision", "ultralytics", "timm", "transformers"},
}

FILES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_imports_run_downwards_only(path):
    here = room(path)
    assert here in ROOMS, f"say in the list of rooms where {here} stands"
    for name in imported(path):
        assert not name.startswith("snakemake")
        parts = name.split(".")
        if parts[0] == "podura" and len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(here), f"{here} imports {name}"
        for forbidden in FORBIDDEN.get(here, ()):
            assert name != forbidden, name
            assert not name.startswith(f"{forbidden}."), name


def test_an_adapter_imports_no_other_framework():
    frameworks = {"ultralytics", "transformers", "timm"}
    own = {"torchvision": {"timm"}, "ultralytics": {"ultralytics"}, "transformers": {"transformers"}}
    for path in (LIBRARY / "detectors").glob("*.py"):
        adapter = path.stem.split("_")[0]
        if adapter in own:
            found = {module.split(".")[0] for module in imported(path)}
            assert found & frameworks <= own[adapter], path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_files_stay_readable_in_a_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
