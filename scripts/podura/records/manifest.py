"""The manifest of a study or a survey: everything that made a folder of results, with digests.

Nothing in it tells when it was written: the same results give the same bytes, so that writing it again
changes nothing. Times are those of the jobs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podura.errors import UserError
from podura.fingerprints import file_digests
from podura.provenance import LIBRARY, code_version, machine
from podura.tables import read_json

FORMAT, FORMAT_VERSION = "podura manifest", 1
MANIFEST, CRATE, CODE = "manifest.json", "ro-crate-metadata.json", "provenance"
#: The merged configuration, which every run writes anew; the manifest has what it says.
CONFIGURATION = "config.yaml"
#: Folders of a study with a record of their own.
APART = ("release", "surveys")
#: What makes results, relative to the folder of the repository.
_MEASURES = ("seconds", "cpu_seconds", "peak_memory_mb")
_SOURCES = ("Snakefile", "workflow", "scripts", "envs", "resources")


def manifest(
    folder: Path,
    *,
    kind: str,
    name: str,
    configuration: Mapping[str, Any],
    seeds: Mapping[str, Any],
    inputs: Iterable[Path],
    benchmarks: Path,
    software: Mapping[str, Any],
    apart: Sequence[str] = (),
    memory: Path | None = None,
) -> dict[str, Any]:
    """Everything that made the results in ``folder``, ready for ``write_json``.

    ``inputs`` are the files that the user gave; paths as they are given, folders stand for all below them.
    ``benchmarks`` is where Snakemake wrote what each job took. ``software`` says how it was deployed.
    ``apart`` are folders directly below ``folder`` that have a record of their own. ``memory`` remembers
    digests of files that have not changed since, as ``fingerprints.file_digests`` does.
    """
    given = {path.as_posix(): path for path in inputs}
    made = {path.relative_to(folder).as_posix(): path for path in result_files(folder, apart)}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "name": name,
        "apart": sorted(apart),
        "code": {**code_version(), "sha256": code_sha256()},
        "configuration": dict(configuration),
        "seeds": dict(seeds),
        "software": {**software, "environments": _environments(), "packages": _packages()},
        "machine": machine(),
        "times": job_times(benchmarks, apart),
        "trainings": _trainings(folder),
        "inputs": _entries(given, memory),
        "outputs": _entries(made, memory),
    }


def result_files(folder: Path, apart: Sequence[str] = ()) -> list[Path]:
    """The files of a result folder that its manifest lists, by path.

    Hidden files are notes of Snakemake and of jobs that were cut off; folders that begin with a dot are
    unfinished. The record itself and ``apart`` are left out.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        own = parts[0] in (MANIFEST, CRATE, CONFIGURATION, CODE) or (len(parts) > 1 and parts[0] in apart)
        if not own and not any(part.startswith(".") for part in parts) and path.is_file():
            found.append(path)
    return found


def source_files() -> list[Path]:
    """The files of Podura that make results, from the folder of the repository."""
    root = LIBRARY.parents[1]
    found = []
    for name in _SOURCES:
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            parts = path.relative_to(root).parts
            # Weights are data, told by their digests.
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if path.is_file() and not hidden and path.suffix not in (".pyc", ".safetensors"):
                found.append(path)
    return found


def code_sha256() -> str:
    """Digest of the names and contents of all files of Podura that make results."""
    total = hashlib.sha256()
    for path in source_files():
        content = path.read_bytes()
        total.update(
            f"{path.relative_to(LIBRARY.parents[1]).as_posix()}\0{len(content)}\0".encode() + content
        )
    return total.hexdigest()


def job_times(benchmarks: Path, apart: Sequence[str] = ()) -> dict[str, Any]:
    """When the jobs behind results ran, and what each rule took, from Snakemake's benchmark files.

    A file is written when its job ends, ``s`` seconds after it began. Copied files that lost their times
    tell no hours; without files there is nothing to tell, and hours are None.
    """
    starts, ends = [], []
    rules: dict[str, dict[str, Any]] = {}
    for path in sorted(benchmarks.rglob("*.jsonl")) if benchmarks.is_dir() else []:
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".jsonl")
        if rule in ("manifest", "survey_manifest", *apart):  # the record's own: those of the time before
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        facts = json.loads(lines[-1]) if lines else {}
        seconds = _number(facts.get("s"))
        ends.append(path.stat().st_mtime)
        starts.append(ends[-1] - seconds)
        of_rule = rules.setdefault(rule, {"jobs": 0, **dict.fromkeys(_MEASURES, 0.0)})
        of_rule["jobs"] += 1
        of_rule["seconds"] += seconds
        of_rule["cpu_seconds"] += _number(facts.get("cpu_time"))
        of_rule["peak_memory_mb"] = max(of_rule["peak_memory_mb"], _number(facts.get("max_rss")))
    return {
        "started": _hour(min(starts)) if starts else None,
        "ended": _hour(max(ends)) if ends else None,
        "jobs": len(ends),
        "rules": [
            {"rule": rule, **{key: round(value, 2) for key, value in facts.items()}}
            for rule, facts in sorted(rules.items())
        ],
    }


def _number(value: Any) -> float:
    """Snakemake writes NA where a job was too short to be measured."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _hour(seconds: float) -> str:
    return datetime.fromtimestamp(round(seconds), UTC).isoformat()


def _entries(files: Mapping[str, Path], memory: Path | None) -> list[dict[str, Any]]:
    digests = file_digests(files.values(), memory=memory)
    return [
        {"path": name, "bytes": found[0], "sha256": found[1]}
        if (found := digests[path]) is not None
        else {"path": name, "bytes": None, "sha256": None}
        for name, path in sorted(files.items())
    ]


def _environments() -> list[dict[str, Any]]:
    root = LIBRARY.parents[1]
    files = [*sorted((root / "envs").glob("*.yaml")), root / "envs" / "requirements.lock"]
    return _entries({path.relative_to(root).as_posix(): path for path in files}, None)


def _packages() -> dict[str, str]:
    """All packages of the Python that writes the manifest; trainings tell their own."""
    found = {
        distribution.metadata["Name"]: distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"]
    }
    return {"python": platform.python_version()} | {
        name: found[name] for name in sorted(found, key=str.lower)
    }


def _trainings(folder: Path) -> list[dict[str, Any]]:
    keys = ("model", "seed", "fold", "device", "precision", "training_seconds", "versions", "machine")
    facts = [read_json(path) for path in sorted((folder / "models").rglob("model.json"))]
    return [{key: one.get(key) for key in (*keys, "weights_sha256")} for one in facts]


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest; UserError where it is none, or one of a later Podura."""
    try:
        found = read_json(path)
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}. A study writes it at its end: run snakemake --cores all first."
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}). It is damaged: make it again.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(f"{path} is no manifest of Podura.")
    if found.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path} has the format version {found.get('format_version')!r}; this Podura reads "
            f"{FORMAT_VERSION}. Use the version that wrote it: {found.get('code', {}).get('podura')}."
        )
    return found
