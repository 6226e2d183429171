"""Write the benchmark's page: one self-contained HTML file."""

from __future__ import annotations

import argparse
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podura.report.page import render_report

from podura import jobs
from podura.provenance import code_version, machine
from podura.report.reading import read_results
from podura.tables import read_json, write_text

log = logging.getLogger("report")


def provenance(trainings: list[Path]) -> dict[str, Any]:
    """Say what made the results: code, machine, library versions of every training."""
    facts = [read_json(path) for path in trainings]
    return {
        "written": {"time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")},
        "code": code_version(),
        "machine": machine(),
        "trainings": {
            f"{fact['model']}, seed {fact['seed']}": (
                f"{fact['start']}; {fact['steps']} steps, epoch {fact['best_epoch']} of {fact['epochs']} "
                f"kept; {fact['determinism']}; "
                + ", ".join(f"{name} {version}" for name, version in fact["versions"].items())
                + f"; weights SHA-256 {fact['weights_sha256']}"
            )
            for fact in facts
        },
    }


def main(arguments: argparse.Namespace) -> None:
    results = read_results(arguments.results, json.loads(arguments.species), provenance(arguments.trainings))
    write_text(render_report(results), arguments.output)
    log.info("The report is at %s", arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--trainings", type=Path, nargs="*", default=[], help="model.json of each run")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
