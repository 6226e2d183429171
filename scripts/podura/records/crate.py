"""A folder of results as an RO-Crate, for archives and other people's programs.

Follows RO-Crate 1.1 (doi:10.5281/zenodo.7867028) and the Workflow Run Crate profile 0.5
(https://w3id.org/ro/wfrun/workflow/0.5; Leo et al. 2024, doi:10.1371/journal.pone.0309210). The crate is
attached to the folder: ``ro-crate-metadata.json`` beside the results, nothing is copied but the code.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from podura.fingerprints import file_digest
from podura.provenance import LIBRARY
from podura.records.manifest import CODE, CONFIGURATION, CRATE, MANIFEST, source_files
from podura.tables import whole_file, write_json

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".yaml": "application/yaml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
#: A crate describes what people and programs take from results; the manifest lists every file.
_LISTED_SUFFIXES = frozenset(_MEDIA_TYPES) - {".parquet", ".jpg", ".safetensors"}
_FEW_FILES = 60
_LICENCE = "https://spdx.org/licenses/AGPL-3.0-or-later"


def write_code(folder: Path) -> None:
    """Copy the code that made results into ``folder``: its Snakefile, and all of it as ``code.zip``.

    The same code gives the same bytes.
    """
    root = LIBRARY.parents[1]
    with whole_file(folder / "code.zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in source_files():
            # ZipInfo has a fixed time where none is given: none of the files'.
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    with whole_file(folder / "Snakefile") as temporary:
        temporary.write_bytes((root / "Snakefile").read_bytes())


def write_crate(folder: Path, record: Mapping[str, Any], card: Mapping[str, str | None]) -> None:
    """Write ``ro-crate-metadata.json`` for a folder of results and its manifest.

    ``card`` has what the owner tells of the data: title, description, source, licence, citation, contact.
    """
    write_json(_Crate(folder, record, card).document(), folder / CRATE)


class _Crate:
    def __init__(self, folder: Path, record: Mapping[str, Any], card: Mapping[str, str | None]) -> None:
        self.folder = folder
        self.record = record
        self.card = card
        self.crate = ROCrate(version="1.1")

    def document(self) -> dict[str, Any]:
        crate, record = self.crate, self.record
        root = crate.root_dataset
        times = record["times"]
        root["name"] = self.card.get("title") or f"Podura, {record['kind']} {record['name']}"
        root["description"] = self.card.get("description") or (
            f"Results of the {record['kind']} {record['name']}: detectors of springtails (Collembola) on "
            f"microscope slides. Every file with its digest is in {MANIFEST}."
        )
        root["datePublished"] = times["ended"] or self._newest()
        licence = self.card.get("licence")
        root["license"] = self._add(
            "#licence",
            "CreativeWork",
            name=licence or "not told",
            description="As the owner of the data tells it" if licence else "The owner tells no licence",
        )
        if self.card.get("citation"):
            root["citation"] = self.card["citation"]
        root["conformsTo"] = [
            self._add(identifier, "CreativeWork", name=name, version=version)
            for identifier, (name, version) in _PROFILES.items()
        ]
        workflow = self._workflow()
        results = self._results()
        objects = self._objects()
        self._parameters(workflow, results)
        action = self._add(
            "#run",
            "CreateAction",
            name=f"Run of the {record['kind']} {record['name']}",
            instrument=workflow,
            object=objects,
            result=results,
            description=self._hardware(),
        )
        for key, hour in (("startTime", times["started"]), ("endTime", times["ended"])):
            if hour is not None:
                action[key] = hour
        root["mentions"] = action
        document: dict[str, Any] = crate.metadata.generate()
        document["@graph"].sort(key=lambda entity: entity["@id"])
        return document

    def _add(self, identifier: str, kind: str | list[str], /, **properties: Any) -> Entity:
        entities = {
            key: value
            for key, value in properties.items()
            if isinstance(value, Entity) or _of_entities(value)
        }
        plain = {key: value for key, value in properties.items() if key not in entities and value is not None}
        made = self.crate.add(ContextEntity(self.crate, identifier, properties={"@type": kind, **plain}))
        for key, value in entities.items():
            made[key] = value
        return made

    def _file(self, name: str, facts: Mapping[str, Any], **properties: Any) -> Entity:
        kind = _MEDIA_TYPES.get(Path(name).suffix)
        described = {"name": name, "encodingFormat": kind, **facts, **properties}
        return self.crate.add_file(
            self.folder / name,
            name,
            properties={key: value for key, value in described.items() if value is not None},
        )

    def _workflow(self) -> Entity:
        code = self.record["code"]
        archive = self._file(
            f"{CODE}/code.zip",
            {"sha256": file_digest(self.folder / CODE / "code.zip")},
            description="All code of the workflow, as it ran",
        )
        workflow = self.crate.add_workflow(
            self.folder / CODE / "Snakefile",
            f"{CODE}/Snakefile",
            main=True,
            lang="snakemake",
            lang_version=self.record["software"].get("snakemake"),
            properties={
                "name": "Podura",
                "description": "Which detector identifies springtails best, and what lives in a sample",
                "encodingFormat": "text/plain",
                "version": code["podura"] + (f" ({code['commit']})" if "commit" in code else ""),
                "sha256": file_digest(self.folder / CODE / "Snakefile"),
                "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
            },
        )
        workflow["license"] = self._add(_LICENCE, "CreativeWork", name="AGPL-3.0-or-later", url=_LICENCE)
        workflow["hasPart"] = archive
        return workflow

    def _results(self) -> list[Entity]:
        listed = [one for one in self.record["outputs"] if Path(one["path"]).suffix in _LISTED_SUFFIXES]
        crowded = {
            folder
            for folder, count in _counts(one["path"].split("/")[0] for one in listed).items()
            if count > _FEW_FILES
        }
        made = [
            self._file(one["path"], {"contentSize": str(one["bytes"]), "sha256": one["sha256"]})
            for one in listed
            if one["path"].split("/")[0] not in crowded
        ]
        made.append(self._file(MANIFEST, {}, description="Every file of these results with its digest"))
        folders = sorted({one["path"].split("/")[0] for one in self.record["outputs"] if "/" in one["path"]})
        for name in folders:
            made.append(
                self.crate.add_directory(
                    self.folder / name,
                    f"{name}/",
                    properties={
                        "name": name,
                        "description": f"{_under(self.record['outputs'], name)} files; their digests are in "
                        f"{MANIFEST}",
                    },
                )
            )
        return made

    def _objects(self) -> list[Entity]:
        """What went into the run: the configuration, and the user's files by name and digest."""
        seeds = [
            self._add(f"#{key}", "PropertyValue", name=key, value=_text(value))
            for key, value in self.record["seeds"].items()
        ]
        inputs = self.record["inputs"]
        if len(inputs) > _FEW_FILES:
            images = self._add(
                "#inputs",
                "Collection",
                name="Images, annotations and tables of the study",
                description=f"{len(inputs)} files; their paths and digests are in {MANIFEST}",
            )
            files = [images]
        else:
            files = [
                self._add(
                    f"#input-{number}",
                    "CreativeWork",
                    name=one["path"],
                    contentSize=None if one["bytes"] is None else str(one["bytes"]),
                    sha256=one["sha256"],
                )
                for number, one in enumerate(inputs, start=1)
            ]
        configuration = (
            [self._file(CONFIGURATION, {}, description="The merged configuration, defaults filled in")]
            if (self.folder / CONFIGURATION).is_file()
            else []
        )
        self._inputs = [*configuration, *seeds]
        return [*configuration, *seeds, *files]

    def _parameters(self, workflow: Entity, results: Sequence[Entity]) -> None:
        """What the workflow takes and gives, each tied to what it was in this run."""
        taken = [
            self._parameter(
                f"in-{entity.id.strip('#')}", entity, "PropertyValue" if "#" in entity.id else "File"
            )
            for entity in self._inputs
        ]
        manifest = next(entity for entity in results if entity.id == MANIFEST)
        workflow["input"] = taken
        workflow["output"] = self._parameter("out-manifest", manifest, "File")

    def _parameter(self, name: str, example: Entity, kind: str) -> Entity:
        parameter = self._add(
            f"#{name}",
            "FormalParameter",
            name=name,
            additionalType=kind,
            conformsTo={"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
            workExample=example,
        )
        example["exampleOfWork"] = parameter
        return parameter

    def _hardware(self) -> str:
        machine, times = self.record["machine"], self.record["times"]
        return (
            f"{times['jobs']} jobs; the record was written on {machine['system']}, {machine['processor']}, "
            f"{machine['cores']} cores"
        )

    def _newest(self) -> str:
        # Without benchmark files nothing tells the hour; a fixed date would be a lie, the day is honest.
        times = [
            path.stat().st_mtime
            for one in self.record["outputs"]
            if (path := self.folder / one["path"]).is_file()
        ]
        return datetime.fromtimestamp(max(times, default=0), UTC).date().isoformat()


def _of_entities(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Entity) for one in value)


def _counts(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _under(outputs: Sequence[Mapping[str, Any]], folder: str) -> int:
    return sum(one["path"].startswith(f"{folder}/") for one in outputs)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
