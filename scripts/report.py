"""Write the benchmark's page: one self-contained HTML file."""

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
from podura.report.overlays import choose_images, draw_overlay, shown_rows
from podura.report.page import render_report
from podura.report.reading import read_results
from podura.slides.reading import read_image
from podura.tables import BENCHMARK_MODELS, BENCHMARK_SPECIES, MATCHES, PART_IMAGES, read_json, write_text

log = logging.getLogger("report")

OVERLAYS = 4


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


def overlays(arguments: argparse.Namespace, iou_percent: int) -> list[tuple[str, bytes]]:
    """Draw test images of the best detector's first seed: what it finds, misses and gets wrong."""
    models = BENCHMARK_MODELS.read_csv(arguments.results / "benchmark/models.csv")
    if not (models["rank"] == 1).any():
        return []
    best = models[models["rank"] == 1].iloc[0]
    table = BENCHMARK_SPECIES.read_csv(arguments.results / "benchmark/species.csv")
    of_best = table[table["model"] == best["model"]]
    seed = int(of_best["seed"].min())
    thresholds = of_best[of_best["seed"] == seed].set_index("species")["threshold"].to_dict()
    matches = MATCHES.read_parquet(arguments.results / f"matches/{best['model']}/seed-{seed}/test.parquet")
    images = PART_IMAGES.read_csv(arguments.results / "dataset/parts/test/images.csv")
    paths = dict(zip(images["image"], images["path"], strict=True))
    drawn = []
    for image in choose_images(matches, OVERLAYS):
        rows = shown_rows(matches[matches["image"] == image], thresholds, iou_percent)
        states = rows["state"].value_counts()
        found = ", ".join(f"{states.get(state, 0)} {state}" for state in ("right", "wrong", "missed"))
        caption = f"{image}: {best['label']}, seed {seed}: {found}"
        drawn.append((caption, draw_overlay(read_image(paths[image]), rows)))
    return drawn


def main(arguments: argparse.Namespace) -> None:
    results = read_results(arguments.results, json.loads(arguments.species), provenance(arguments.trainings))
    results = replace(results, overlays=overlays(arguments, round(100 * results.iou)))
    write_text(render_report(results), arguments.output)
    log.info("The report is at %s", arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--trainings", type=Path, nargs="*", default=[], help="model.json of each run")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
