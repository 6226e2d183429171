"""The study of a run, from the merged configuration that the run wrote beside its results."""

from __future__ import annotations

from pathlib import Path

import yaml

from podura.configuration.load import load_study
from podura.configuration.study import Study
from podura.provenance import LIBRARY

SCHEMAS = LIBRARY.parents[1] / "workflow" / "schemas"


def load_run(config: Path, *, painted_folder: Path | None = None) -> Study:
    """Read the study of a run; paths are relative to the working directory, as in Snakemake."""
    merged = yaml.safe_load(config.read_text(encoding="utf-8"))
    return load_study(merged, config_files=[config], schemas=SCHEMAS, painted_folder=painted_folder)
