"""Which published weights an architecture can start from, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from podura.configuration.sources import Origins, YamlFile, read_yaml
from podura.configuration.structure import Schema, structural_faults, with_defaults
from podura.configuration.study import ModelSpecification, PretrainedFile, WeightSettings
from podura.configuration.wording import choice, listed, shown
from podura.errors import UserErrors
from podura.provenance import LIBRARY

#: The list of sources that belongs to this version of Podura.
WEIGHT_SOURCES = LIBRARY.parents[1] / "resources" / "weights" / "sources.yaml"

#: What ``weights`` of a model may name beside none and a file.
KINDS = ("imagenet", "coco")

#: In place of a file: an installed Python package carries the weights, nothing is to be fetched.
PACKAGE = "package"


@dataclass(frozen=True)
class PretrainedSources:
    """The files, and the choices of each architecture: a file's name, PACKAGE or None for each kind."""

    files: Mapping[str, PretrainedFile]
    choices: Mapping[tuple[str, str], Mapping[str, str | None]]

    def kinds(self, adapter: str, architecture: str) -> tuple[str, ...]:
        """The kinds of weights that an architecture can start from."""
        choices = self.choices.get((adapter, architecture), {})
        return tuple(kind for kind in KINDS if choices.get(kind) is not None)

    def file(self, adapter: str, architecture: str, kind: str) -> PretrainedFile | None:
        """The file of a kind that ``kinds`` tells; None where a package carries the weights."""
        name = self.choices[adapter, architecture][kind]
        return None if name is None or name == PACKAGE else self.files[name]


def read_weight_sources(path: Path, schema: Schema) -> PretrainedSources:
    """Read the list of sources. Raises UserErrors that tell all that is wrong with it."""
    table = read_yaml(path)
    origins = Origins([table], table.values)
    faults = [fault.message for fault in structural_faults(table.values, schema, origins)]
    if faults:
        raise UserErrors(faults)
    entry_schema = schema["properties"]["files"]["additionalProperties"]
    files = {}
    for name, entry in table.values["files"].items():
        filled = with_defaults(entry, entry_schema)
        files[name] = PretrainedFile(
            name=name,
            url=filled["url"],
            format=filled["format"],
            sha256=filled["sha256"],
            sha256_start=filled["sha256_start"],
            size=filled["bytes"],
            licence=filled["licence"],
        )
    choices = dict(_choices(table.values["architectures"]))
    unknown = sorted(
        {name for of in choices.values() for name in of.values() if name and name != PACKAGE} - set(files)
    )
    if unknown:
        raise UserErrors([f"{path}: files has no '{name}', which an architecture names." for name in unknown])
    return PretrainedSources(files, choices)


def _choices(
    architectures: Mapping[str, Mapping[str, Mapping[str, str | None]]],
) -> Iterator[tuple[tuple[str, str], Mapping[str, str | None]]]:
    for adapter, entries in architectures.items():
        for architecture, kinds in entries.items():
            yield (adapter, architecture), kinds


def impossible_pretrained(table: YamlFile, sources: PretrainedSources) -> list[str]:
    """A fault for each entry of a models table that asks for weights which its architecture does not have."""
    origins = Origins([table], table.values)
    faults = []
    for name, entry in table.values.items():
        if not isinstance(entry, Mapping) or entry.get("weights") not in KINDS:
            continue
        adapter, architecture, kind = entry.get("adapter"), entry.get("architecture"), entry["weights"]
        if not isinstance(adapter, str) or not isinstance(architecture, str):
            continue  # which the schema refuses
        possible = sources.kinds(adapter, architecture)
        if kind not in possible:
            faults.append(
                f"{origins.where((name, 'weights'))}: there are no {kind} weights of {architecture}. Write "
                f"{choice([*possible, 'none', 'the path of a .safetensors file'])}."
            )
    return faults


def pretrained_files(
    models: Sequence[ModelSpecification], sources: PretrainedSources
) -> dict[str, PretrainedFile]:
    """By the name of each model that starts from a published file, that file."""
    found = {}
    for model in models:
        if model.weights in KINDS:
            file = sources.file(model.adapter, model.architecture, model.weights)
            if file is not None:
                found[model.name] = file
    return found


def mirror_fault(mirror: str, folder: Path) -> str | None:
    """What is wrong with a mirror, which is an address or a folder; None where nothing is."""
    if re.match(r"[a-z][a-z0-9+.-]*://", mirror, re.IGNORECASE):
        parts = urlsplit(mirror)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return f"{shown(mirror)} is no address. Write one that begins with https:// or http://."
        if parts.username or parts.password:
            return "an address must hold no password, it is kept with the results. Put it into ~/.netrc."
        return None
    if not (folder / mirror).is_dir():
        return f"there is no folder {shown(mirror)}. Write the path of a folder, or an address (https://...)."
    return None


def is_address(mirror: str) -> bool:
    """Whether a mirror is an address, not a folder."""
    return "://" in mirror


def by_hand(file: PretrainedFile, settings: WeightSettings) -> Path | None:
    """The publisher's file, where someone put it into the folder of weights or into that of the mirror."""
    folders = [settings.folder]
    if settings.mirror is not None and not is_address(settings.mirror):
        folders.append(Path(settings.mirror))
    places = [folder / file.published_name for folder in folders]
    return next((place for place in places if place.is_file()), None)


def address(file: PretrainedFile, settings: WeightSettings) -> str | None:
    """Where a file is fetched from; None where that is a folder."""
    if settings.mirror is None:
        return file.url
    if is_address(settings.mirror):
        return f"{settings.mirror.rstrip('/')}/{file.published_name}"
    return None


def how_to_fetch(file: PretrainedFile, settings: WeightSettings) -> str:
    """What to do where a file cannot be fetched from here, as sentences."""
    size = f" ({file.size / 2**20:.0f} MB)" if file.size else ""
    return (
        "Where there is a network, run 'snakemake --cores 1 fetch_weights' with weights.offline false, or "
        f"bring {file.url}{size} to {settings.folder / file.published_name} by hand; it is checked and taken."
    )


def offline_faults(pretrained: Mapping[str, PretrainedFile], settings: WeightSettings) -> Iterator[str]:
    """A fault for each file that is not there, where nothing may be fetched."""
    if not settings.offline:
        return
    for file in dict.fromkeys(pretrained.values()):
        if not file.kept_in(settings.folder).is_file() and by_hand(file, settings) is None:
            models = listed([name for name, of in pretrained.items() if of == file])
            yield (
                f"nothing may be fetched, and the weights from which {models} starts are not in "
                f"{settings.folder}. {how_to_fetch(file, settings)}"
            )
