"""Bring one file of published weights into the folder of weights, as safetensors with JSON beside it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import yaml

from podura import jobs
from podura.configuration.settings import weight_settings
from podura.configuration.study import PretrainedFile
from podura.detectors.pretrained import bring


def main(arguments: argparse.Namespace) -> None:
    merged = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    bring(PretrainedFile(**json.loads(arguments.file)), weight_settings(merged["weights"], Path()))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--file", required=True, help="entry of sources.yaml as JSON, with its name")
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    jobs.run(main, parser)
