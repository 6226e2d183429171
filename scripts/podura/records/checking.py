"""Whether a folder of results still is what its manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from podura.errors import UserError
from podura.fingerprints import file_digests
from podura.records.manifest import APART, CONFIGURATION, MANIFEST, read_manifest, result_files
from podura.tables import read_json

_RELEASE = "detector.json"


@dataclass
class Findings:
    """What is not as a record says, by path; ``notes`` are sentences of less weight.

    ``checked`` is how many files are as they were.
    """

    checked: int = 0
    differing: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether everything that the record lists is there and as it was."""
        return not self.differing and not self.missing

    def add(self, other: Findings) -> None:
        self.checked += other.checked
        self.differing += other.differing
        self.missing += other.missing
        self.new += other.new
        self.notes += other.notes


def verify(folder: Path, *, inputs_from: Path | None = None) -> Findings:
    """Recompute the digests of a result folder, and of the release and the surveys in it.

    ``inputs_from`` is the folder from which the paths of inputs are told (the one Snakemake ran in); None
    leaves inputs out. Raises UserError where there is no manifest, or none that can be read.
    """
    record = read_manifest(folder / MANIFEST)
    found = _compared(folder, record["outputs"], result_files(folder, record.get("apart", ())), folder)
    _check_configuration(folder, record, found)
    if inputs_from is not None:
        found.add(_compared(inputs_from, record["inputs"], None, Path()))
    if record["kind"] == "study":
        if (folder / APART[0] / _RELEASE).is_file():
            found.add(_verified_release(folder / APART[0]))
        for survey in sorted(path for path in (folder / APART[1]).glob("*") if path.is_dir()):
            if (survey / MANIFEST).is_file():
                found.add(verify(survey, inputs_from=inputs_from))
            else:
                found.notes.append(f"{survey} has no manifest: it is not finished.")
    return found


def _compared(
    folder: Path, entries: Sequence[dict[str, Any]], there: Iterable[Path] | None, shown: Path
) -> Findings:
    """What of the entries is missing or differs; with ``there``, also which files have no entry."""
    found = Findings()
    listed = {_inside(entry["path"], there is not None): entry for entry in entries}
    digests = file_digests([folder / name for name in listed])
    for name, entry in listed.items():
        now = digests[folder / name]
        if now is None:
            # What was not there when the record was written need not be there now.
            if entry["sha256"] is not None:
                found.missing.append(str(shown / name))
        elif now[1] != entry["sha256"]:
            found.differing.append(str(shown / name))
        else:
            found.checked += 1
    if there is not None:
        names = {path.relative_to(folder).as_posix() for path in there}
        found.new += [str(shown / name) for name in sorted(names - listed.keys())]
    return found


def _inside(name: str, within: bool) -> str:
    path = PurePosixPath(name)
    if within and (path.is_absolute() or ".." in path.parts):
        raise UserError(f"The record names {name}, which is not in its folder. It was not written by Podura.")
    return name


def _check_configuration(folder: Path, record: dict[str, Any], found: Findings) -> None:
    path = folder / CONFIGURATION
    if not path.is_file():
        return
    now = yaml.safe_load(path.read_text(encoding="utf-8"))
    then = record["configuration"]
    changed = sorted(key for key in {*now, *then} if key in then and now.get(key) != then[key])
    if changed:
        found.notes.append(
            f"{path} says something else than the manifest in {', '.join(changed)}: the study was configured "
            "anew after its last finished run."
        )


def _verified_release(folder: Path) -> Findings:
    facts = read_json(folder / _RELEASE)
    entries = [{"path": name, "bytes": None, "sha256": one} for name, one in facts.get("files", {}).items()]
    there = [path for path in result_files(folder) if path.name != _RELEASE]
    return _compared(folder, entries, there, folder)
