"""Digests of code follow what a script imports."""

from __future__ import annotations

import ast

import pytest

from podura import provenance
from podura.provenance import LIBRARY, code_digest

SCRIPTS = LIBRARY.parent


def test_code_digest_follows_indirect_imports_and_leaves_out_what_it_is_told(tmp_path):
    script = tmp_path / "job.py"
    script.write_text("from podura.training.loop import Training\n")
    whole = code_digest(script)
    # loop imports detectors.contract: leaving that room out must matter, an unrelated one not.
    assert code_digest(script, without=["podura.detectors"]) != whole
    assert code_digest(script, without=["podura.report"]) == whole
    assert code_digest(script, extra=["podura.detectors.ultralytics_adapter"]) != whole
    script.write_text("from podura.training.loop import Training  # changed\n")
    assert code_digest(script) != whole


def test_the_digest_of_a_training_covers_its_adapter_by_name_only():
    train = SCRIPTS / "train.py"
    one = code_digest(train, extra=["podura.detectors.torchvision_adapter"])
    other = code_digest(train, extra=["podura.detectors.ultralytics_adapter"])
    assert one != other


def test_versions_leave_out_what_is_not_installed():
    found = provenance.versions(["numpy", "no-such-package"])
    assert set(found) == {"python", "numpy"}


def imported_modules(text: str) -> set[str]:
    """Podura's modules in import statements, from the syntax tree."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    parts = [name.split(".") for name in names if name.split(".")[0] == "podura"]
    return {".".join(words[: n + 1]) for words in parts for n in range(1, len(words))}


def test_imports_are_found_as_python_finds_them():
    files = [*LIBRARY.parent.glob("*.py"), *LIBRARY.rglob("*.py")]
    assert len(files) > 100
    for file in files:
        text = file.read_text(encoding="utf-8")
        # A docstring may name an import, too, which only makes a digest more careful.
        assert set(provenance._imports(text)) >= imported_modules(text), file


@pytest.mark.parametrize(
    "text",
    [
        "import podura.tables.files",
        "import os, podura.errors as e, podura.jobs",
        "def f():\n    from podura.slides import (  # why (so)\n        tiles,\n        reading as r,\n    )",
        "from podura import jobs",
        "if True:\n\timport podura.seeds",
    ],
)
def test_every_way_to_import_is_known(text):
    assert set(provenance._imports(text)) == imported_modules(text)
