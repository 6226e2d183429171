"""Draw the benchmark's figures from its finished tables, as SVG, PDF and PNG."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from matplotlib.figure import Figure

from podura import jobs
from podura.errors import UserError
from podura.report.figures import draw_figures
from podura.report.overlay_figure import LONGEST, overlays_figure, read_overlays
from podura.report.reading import read_results
from podura.report.style import save_figure
from podura.slides.reading import read_reduced

log = logging.getLogger("figures")

OVERLAYS = 4


def slides_figure(results: Path, iou_percent: int) -> Figure:
    """Test images with boxes; one that cannot be read any more is told of and left out."""
    shown = []
    for overlay in read_overlays(results, iou_percent, OVERLAYS):
        try:
            pixels, size = read_reduced(overlay.path, max_side=LONGEST)
        except UserError as error:
            log.warning("%s is not shown: %s", overlay.image, error)
            continue
        shown.append((overlay, pixels, size))
    return overlays_figure(shown)


def main(arguments: argparse.Namespace) -> None:
    results = read_results(arguments.results, json.loads(arguments.species), provenance={})
    drawn = draw_figures(results)
    drawn["overlays"] = slides_figure(arguments.results, round(100 * results.iou))
    for name, figure in drawn.items():
        save_figure(figure, arguments.results / "benchmark" / "figures" / name)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    jobs.run(main, parser)
