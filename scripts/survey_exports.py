"""Write a survey in the formats of other programs."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from podura import jobs
from podura.survey.exports.annotations import (
    as_text,
    coco,
    cvat,
    label_studio,
    label_studio_config,
    write_yolo,
)
from podura.survey.exports.darwin_core import SurveyRecord, write_archive
from podura.survey.exports.geojson import geojson, located
from podura.survey.exports.standing import standing_boxes, with_other_taxa
from podura.survey.exports.workbook import write_workbook
from podura.survey.release_species import release_species
from podura.tables import (
    RELEASE_THRESHOLDS,
    REVIEW_DECISIONS,
    SURVEY_COUNTS,
    SURVEY_DENSITIES,
    SURVEY_DIVERSITY,
    SURVEY_DRIFT,
    SURVEY_FINAL_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_SAMPLE_CHECKS,
    SURVEY_SAMPLES,
    Table,
    abundance_table,
    read_json,
    whole_folder,
    write_json,
    write_json_records,
    write_text,
)

log = logging.getLogger("survey_exports")


def workbook_sheets(folder: Path, codes: list[str]) -> dict[str, tuple[Table, pd.DataFrame]]:
    """The sheets of the workbook: the survey's tables as they are."""
    files: dict[str, tuple[Table, str]] = {
        "samples": (SURVEY_SAMPLES, "samples.csv"),
        "images": (SURVEY_IMAGES, "images.csv"),
        "counts": (SURVEY_COUNTS, "counts.csv"),
        "abundance": (abundance_table(codes, estimated=False), "abundance.csv"),
        "abundance estimated": (abundance_table(codes, estimated=True), "abundance_estimated.csv"),
        "densities": (SURVEY_DENSITIES, "densities.csv"),
        "diversity": (SURVEY_DIVERSITY, "diversity.csv"),
        "detections": (SURVEY_FINAL_DETECTIONS, "detections.csv"),
        "drift": (SURVEY_DRIFT, "drift.csv"),
        "checks": (SURVEY_SAMPLE_CHECKS, "checks.csv"),
        "decisions": (REVIEW_DECISIONS, "review/decisions.csv"),
    }
    return {name: (table, table.read_csv(folder / file)) for name, (table, file) in files.items()}


def main(arguments: argparse.Namespace) -> None:
    folder, release = arguments.folder, arguments.release
    species = release_species(release / "species.tsv")
    detector = read_json(release / "detector.json")
    card = json.loads(arguments.card)
    codes = [one["code"] for one in species]
    sheets = workbook_sheets(folder, codes)
    samples, images, counts, final = (
        sheets[name][1] for name in ("samples", "images", "counts", "detections")
    )
    boxes = standing_boxes(final)
    record = SurveyRecord(
        survey=arguments.survey,
        samples=samples,
        final=final,
        counts=counts,
        thresholds=RELEASE_THRESHOLDS.read_csv(release / "thresholds.csv"),
        species=species,
        detector="detector {model} of the study {study}, pipeline {pipeline}".format_map(detector),
        licence=card.get("licence"),
        contact=card.get("contact"),
    )
    taxa = with_other_taxa(species, boxes)
    with whole_folder(arguments.output) as target:
        writers: dict[str, Callable[[Path], None]] = {
            "coco.json": lambda path: write_json_records(coco(boxes, images, taxa), path),
            "yolo": lambda path: write_yolo(boxes, images, taxa, path),
            "label_studio.json": lambda path: write_text(as_text(label_studio(boxes, images)), path),
            "label_studio_labels.xml": lambda path: write_text(label_studio_config(taxa), path),
            "cvat.xml": lambda path: write_text(cvat(boxes, images, taxa, name=arguments.survey), path),
            "detections.csv": lambda path: SURVEY_FINAL_DETECTIONS.write_csv(final, path),
            "survey.xlsx": lambda path: write_workbook(sheets, path),
            "darwin_core.zip": lambda path: write_archive(record, path),
        }
        if len(located(samples)):
            writers["samples.geojson"] = lambda path: write_json(geojson(samples, counts), path)
        for name, write in writers.items():
            write(target / name)
            log.info("%s is written", name)
    log.info("%d animals of %d samples are exported to %s", len(boxes), len(samples), arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="name of the survey")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the survey, with its tables")
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--card", required=True, help="what the owner of the data tells of it, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder of the exports")
    jobs.run(main, parser)
