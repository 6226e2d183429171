"""Reading a release: every file is checked before anything of it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema

from podura.errors import UserError, UserErrors
from podura.fingerprints import file_digest
from podura.release.contents import (
    CARD,
    CHECK,
    DETECTOR,
    EVIDENCE_FILES,
    FORMAT,
    FORMAT_VERSION,
    SPECIES,
    THRESHOLDS,
    Member,
    Release,
    Terms,
    pipeline_of,
)

_AGAIN = "Copy the whole release folder again from where it was made."
_NEEDED = (CARD, SPECIES, THRESHOLDS, CHECK, *EVIDENCE_FILES.values())
_TEXT = {"type": "string", "minLength": 1}
_SEED = {"type": "integer", "minimum": 0}
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["study", "model", "seeds", "pipeline", "members", "fusion", "terms", "species", "files"],
    "properties": {
        "study": _TEXT,
        "model": _TEXT,
        "seeds": {"type": "array", "items": _SEED, "minItems": 1},
        "pipeline": _TEXT,
        "members": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["model", "seed", "folder", "adapter", "architecture", "image_size", "tiling"],
                "properties": {
                    **dict.fromkeys(("model", "folder", "adapter", "architecture"), _TEXT),
                    "seed": _SEED,
                    "image_size": {"type": "integer", "minimum": 1},
                    "tiling": {"type": ["object", "null"]},
                },
            },
        },
        "fusion": {
            "type": ["object", "null"],
            "required": ["iou"],
            "properties": {"iou": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}},
        },
        "terms": {
            "type": "object",
            "required": ["score_floor", "max_detections", "iou"],
            "properties": {
                "score_floor": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                "max_detections": {"type": "integer", "minimum": 1},
                "iou": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            },
        },
        "species": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
        "files": {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
    },
}


def read_release(folder: Path | str) -> Release:
    """The release in a folder, all of its files verified.

    Raises UserErrors that tell, all at once, which files are missing or altered, which lead out of the
    folder, and what else does not fit; a release of another version of the format is refused.
    """
    folder = Path(folder)
    facts = _facts(folder)
    listed = facts["files"]
    faults = [fault for name in listed if (fault := _outside(folder, name)) is not None]
    if not faults:
        faults = list(_altered(folder, listed))
        unlisted = [name for name in (*_NEEDED, *_member_files(facts)) if name not in listed]
        faults += [f"{folder / DETECTOR}: it does not list {name}. {_AGAIN}" for name in unlisted]
    if faults:
        raise UserErrors(faults)
    release = Release(
        folder=folder,
        study=facts["study"],
        model=facts["model"],
        pipeline=facts["pipeline"],
        members=tuple(
            Member(**{key: member[key] for key in Member.__dataclass_fields__}) for member in facts["members"]
        ),
        fusion_iou=None if facts["fusion"] is None else float(facts["fusion"]["iou"]),
        terms=Terms(**{key: facts["terms"][key] for key in Terms.__dataclass_fields__}),
        species=tuple(facts["species"]),
        facts=facts,
    )
    if faults := list(_misfits(release)):
        raise UserErrors(faults)
    return release


def _facts(folder: Path) -> Mapping[str, Any]:
    path = folder / DETECTOR
    if not path.is_file():
        raise UserError(
            f"{folder}: this is no folder of a release, for there is no {DETECTOR} in it. Give the folder "
            "'release' of a study's results, or a copy of it."
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise UserError(f"{path}: this is not a whole JSON file. {_AGAIN}") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise UserError(f"{path}: this does not describe a release of Podura. {_AGAIN}")
    if facts.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path}: the release has version {facts.get('format_version')} of the format, and this Podura "
            f"reads version {FORMAT_VERSION}. Use the Podura that made it ({_maker(facts)}), or release the "
            "detector again with this one."
        )
    for error in jsonschema.Draft202012Validator(_SCHEMA).iter_errors(facts):
        place = ".".join(str(step) for step in error.absolute_path) or "the file"
        raise UserError(f"{path}: what it says of {place} cannot be right ({error.message[:200]}). {_AGAIN}")
    return facts


def _maker(facts: Mapping[str, Any]) -> str:
    code = facts.get("code")
    return f"version {code.get('podura')}" if isinstance(code, dict) else "of an unknown version"


def _outside(folder: Path, name: str) -> str | None:
    """A fault where a name is no plain path below the folder, or a link leads out of it."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
    if plain and (folder / path).resolve().is_relative_to(folder.resolve()):
        return None
    return f"{folder / DETECTOR}: the path {name!r} leads out of the folder of the release. {_AGAIN}"


def _altered(folder: Path, listed: Mapping[str, str]) -> Iterator[str]:
    for name, digest in listed.items():
        path = folder / PurePosixPath(name)
        if not path.is_file():
            yield f"{path}: the file is missing. {_AGAIN}"
        elif file_digest(path) != digest:
            yield f"{path}: the file was altered after the release was made (its SHA-256 differs). {_AGAIN}"


def _member_files(facts: Mapping[str, Any]) -> Iterator[str]:
    for member in facts["members"]:
        folder = PurePosixPath(member["folder"])
        yield from (str(folder / name) for name in ("weights.safetensors", "model.json"))


def _misfits(release: Release) -> Iterator[str]:
    """What is whole but does not belong together."""
    trained = []
    for member in release.members:
        path = release.member_folder(member) / "model.json"
        facts = json.loads(path.read_text(encoding="utf-8"))
        trained.append(facts)
        for key in ("adapter", "architecture", "image_size", "tiling"):
            if facts.get(key) != getattr(member, key):
                yield f"{path}: its {key} is not that of {DETECTOR}. {_AGAIN}"
        if tuple(facts.get("species", ())) != release.species:
            yield f"{path}: its species are not those of {DETECTOR}. {_AGAIN}"
    if len(release.members) > 1 and release.fusion_iou is None:
        yield f"{release.folder / DETECTOR}: it has several members and does not say how they are fused."
    if pipeline_of(trained, release.terms, release.fusion_iou) != release.pipeline:
        yield (
            f"{release.folder / DETECTOR}: the thresholds belong to another pipeline: models, floor, cap, "
            f"overlap or species are not those that they were certified for. {_AGAIN}"
        )
