"""A split that has results never changes under them.

The split is kept apart, *sealed*, with the settings that made it. As long as the study has trained
models (or trainings under way), changed settings are refused, and a split made anew, because images or
annotations changed, leaves every known slide in its part: a box that is mended does not deal the slides
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from podura import tables
from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.tables import read_json, write_json

# Not an output of a rule, which Snakemake removes before it runs the rule again.
_FOLDER = Path("dataset", ".sealed")


@dataclass(frozen=True)
class SealedSplit:
    """The split (tables.SPLIT) of a study's results and the settings that made it."""

    settings: Mapping[str, Any]
    split: pd.DataFrame


def write_seal(results: Path, settings: Mapping[str, Any], split: pd.DataFrame) -> str:
    """Keep a split in the results folder of its study; ``settings`` is what may not change, for JSON.

    Returns the SHA-256 of the split's table.
    """
    tables.SPLIT.write_csv(split, results / _FOLDER / "split.csv")
    write_json(dict(settings), results / _FOLDER / "settings.json")
    return file_digest(results / _FOLDER / "split.csv")


def read_seal(results: Path) -> SealedSplit | None:
    """The sealed split of a study that has results; None where there is nothing to keep it for."""
    settings = results / _FOLDER / "settings.json"
    if not settings.is_file() or not _has_models(results):
        return None
    return SealedSplit(read_json(settings), tables.SPLIT.read_csv(results / _FOLDER / "split.csv"))


def check_settings(results: Path, settings: Mapping[str, Any]) -> None:
    """Raise UserError where results were made with another split than ``settings`` would make."""
    sealed = read_seal(results)
    if sealed is None:
        return
    changed = [
        f"{key} was {sealed.settings.get(key)} and is {value}"
        for key, value in settings.items()
        if sealed.settings.get(key) != value
    ]
    if changed:
        raise UserError(
            f"{results} holds results of another split: {'; '.join(changed)}. Test slides would become "
            "training slides and the reverse. Give the study another name (key study), undo the change, or "
            f"delete {results / 'models'} to begin anew."
        )


def check_unchanged(results: Path) -> None:
    """Raise UserError where the table of the split is no longer the one that the split wrote."""
    table, facts = results / "dataset" / "split.csv", results / "dataset" / "split.json"
    if not table.is_file() or not facts.is_file():
        return
    try:
        written = read_json(facts)["split_sha256"]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{facts} is damaged, as after a loss of power. Delete it and run again, which makes it anew: "
            "the same slides and settings give the same split."
        ) from None
    if file_digest(table) != written:
        raise UserError(
            f"{table} was changed after it was made; the results belong to the split as it was. Delete the "
            "file and run again, which makes it anew. To fix parts, use the column 'part' of the table of "
            "images."
        )


def _has_models(results: Path) -> bool:
    models = results / "models"
    return any(
        any(models.glob(f"{pattern}/{name}"))
        for pattern in ("*/seed-*", "*/fold-*/seed-*")
        for name in ("weights.safetensors", ".checkpoint", ".finished")
    )
