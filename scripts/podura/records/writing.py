"""Writing the record of a folder of results."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from podura.records.crate import write_code, write_crate
from podura.records.manifest import CODE, MANIFEST, manifest
from podura.tables import write_json


def write_record(
    folder: Path,
    *,
    kind: str,
    name: str,
    configuration: Mapping[str, Any],
    seeds: Mapping[str, Any],
    inputs: Iterable[Path],
    benchmarks: Path,
    snakemake: str,
    card: Mapping[str, str | None],
    apart: Sequence[str] = (),
    memory: Path | None = None,
) -> dict[str, Any]:
    """Write manifest.json, ro-crate-metadata.json and provenance/ into a folder of results.

    ``kind`` is study or survey; the other arguments are those of ``manifest`` and ``write_crate``. Returns
    the manifest. The same results give the same bytes.
    """
    record = manifest(
        folder,
        kind=kind,
        name=name,
        configuration=configuration,
        seeds=seeds,
        inputs=inputs,
        benchmarks=benchmarks,
        software={"snakemake": snakemake, "deployment": deployment()},
        apart=apart,
        memory=memory,
    )
    write_code(folder / CODE)
    write_json(record, folder / MANIFEST)
    write_crate(folder, record, card)
    return record


def deployment() -> str:
    """Where this process has its packages from: conda, a container, or an environment of pip."""
    if "APPTAINER_CONTAINER" in os.environ or "SINGULARITY_CONTAINER" in os.environ:
        return "container"
    return "conda" if Path(sys.prefix, "conda-meta").is_dir() else "pip"
