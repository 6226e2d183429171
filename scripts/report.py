"""Write the benchmark's page as one self-contained HTML file, and a ZIP with more pictures and the tables."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podura import jobs
from podura.provenance import code_version, machine
from podura.report.archive import fitted_page, write_archive
from podura.report.examples import within_budget
from podura.report.overlay_figure import read_overlays
from podura.report.overlays import draw_overlay
from podura.report.page import embedded_figures, render_report
from podura.report.reading import read_leakage, read_results
from podura.slides.reading import read_image
from podura.tables import (
    BENCHMARK_COSTS,
    CROPS,
    read_json,
    write_text,
)

log = logging.getLogger("report")

OVERLAYS = 4


def provenance(split: Path) -> dict[str, Any]:
    """Say what made the results beside the trainings: code, machine and split."""
    return {
        "written": {"time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")},
        "code": code_version(),
        "machine": machine(),
        "split": {key: str(value) for key, value in read_json(split).items()},
    }


def overlays(results: Path, iou_percent: int) -> list[tuple[str, bytes]]:
    """Draw test images of the best detector's first seed: what it finds, misses and gets wrong."""
    return [
        (f"{one.image}: {one.caption}", draw_overlay(read_image(one.path), one.rows))
        for one in read_overlays(results, iou_percent, OVERLAYS)
    ]


def main(arguments: argparse.Namespace) -> None:
    results = read_results(
        arguments.results,
        json.loads(arguments.species),
        provenance(arguments.results / "dataset/split.json"),
    )
    crops = CROPS.read_csv(arguments.gallery / "crops.csv")
    results = replace(
        results,
        overlays=overlays(arguments.results, round(100 * results.iou)),
        leakage=read_leakage(arguments.results),
        ensembles=json.loads(arguments.ensembles),
        missing=json.loads(arguments.missing),
        costs=BENCHMARK_COSTS.read_csv(arguments.costs),
        crops_table=crops,
        crops=within_budget(crops, results.models_table, arguments.gallery),
    )
    figures = embedded_figures(results)
    page, n_pictures = fitted_page(results, figures)
    write_text(page, arguments.output)
    larger = render_report(results, figures, crops_folder="gallery")
    write_archive(arguments.archive, larger, arguments.gallery, arguments.results / "benchmark")
    log.info(
        "The report is at %s (%.1f MB, %d pictures of errors)",
        arguments.output,
        len(page.encode()) / 1e6,
        n_pictures,
    )
    for sentence in results.missing:
        log.warning("Missing: %s", sentence)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--ensembles", default="{}", help="members and seeds of each ensemble as JSON")
    parser.add_argument("--gallery", type=Path, required=True, help="folder with pictures of errors")
    parser.add_argument("--costs", type=Path, required=True, help="benchmark/costs.csv")
    parser.add_argument("--missing", default="[]", help="what has not ended, in sentences, as JSON")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="the page with more, as a ZIP")
    jobs.run(main, parser)
