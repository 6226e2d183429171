"""Draw the benchmark's figures from its finished tables, as SVG, PDF and PNG."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.report.figures import draw_figures
from podura.report.reading import read_results
from podura.report.style import save_figure


def main(arguments: argparse.Namespace) -> None:
    results = read_results(arguments.results, json.loads(arguments.species), provenance={})
    for name, figure in draw_figures(results).items():
        save_figure(figure, arguments.results / "benchmark" / "figures" / name)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    jobs.run(main, parser)
