"""Write the merged configuration of a run beside its results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import yaml

from podura import jobs
from podura.tables import write_text


def main(arguments: argparse.Namespace) -> None:
    text = yaml.safe_dump(json.loads(arguments.config), sort_keys=False, allow_unicode=True)
    write_text(f"# The merged configuration of this run, defaults filled in.\n{text}", arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", required=True, help="merged configuration as JSON")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
