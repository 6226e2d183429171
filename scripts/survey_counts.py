"""Name every detection of a survey, count its samples, and tell how sure that is."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.survey.counts import KnownSlides, Survey, count
from podura.survey.ladder import Ladder, genera, named
from podura.tables import (
    EVIDENCE_DETECTIONS,
    EVIDENCE_IMAGES,
    EVIDENCE_TRUTHS,
    RELEASE_THRESHOLDS,
    SPECIES,
    SURVEY_COUNTS,
    SURVEY_DENSITIES,
    SURVEY_DETECTIONS,
    SURVEY_DIVERSITY,
    SURVEY_FINAL_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_SAMPLE_CHECKS,
    SURVEY_SAMPLES,
    abundance_table,
)
from podura.tables.review import REVIEW_DECISIONS, REVIEW_QUEUE

log = logging.getLogger(__name__)


def known_slides(release: Path) -> KnownSlides | None:
    """The evidence of a release; None where it holds none."""
    evidence = release / "evidence"
    known = KnownSlides(
        EVIDENCE_DETECTIONS.read_parquet(evidence / "detections.parquet"),
        EVIDENCE_TRUTHS.read_parquet(evidence / "truths.parquet"),
        EVIDENCE_IMAGES.read_csv(evidence / "images.csv"),
    )
    return known if len(known.truths) else None


def survey_of(arguments: argparse.Namespace) -> tuple[Survey, Ladder]:
    """The survey, its detections not named yet, and the ladder that names them."""
    settings: Mapping[str, Any] = json.loads(arguments.settings)
    detections = SURVEY_DETECTIONS.read_parquet(arguments.detections)
    species = SPECIES.read_user_tsv(arguments.release / "species.tsv")
    names = dict(zip(species["code"], species["name"], strict=True))
    thresholds = RELEASE_THRESHOLDS.read_csv(arguments.release / "thresholds.csv")
    certified = thresholds[thresholds["threshold_status"].eq("certified")]
    queue = REVIEW_QUEUE.read_csv(arguments.queue) if arguments.queue else None
    decisions = pd.DataFrame(columns=REVIEW_DECISIONS.names)
    if arguments.decisions:
        decisions = REVIEW_DECISIONS.read_csv(arguments.decisions)
    survey = Survey(
        species=tuple(names),
        detections=detections,
        final=detections,
        images=SURVEY_IMAGES.read_csv(arguments.images),
        samples=SURVEY_SAMPLES.read_csv(arguments.samples),
        decisions=REVIEW_DECISIONS.frame(decisions),
        queue=queue,
        known=known_slides(arguments.release),
        certified=dict(zip(certified["species"], certified["threshold"].astype(float), strict=True)),
        confidence=settings["confidence"],
        wished_width=settings["wished_width"],
        seed=arguments.seed,
    )
    return survey, Ladder(genus_of=genera(names), **settings["ladder"])


def main(arguments: argparse.Namespace) -> None:
    survey, ladder = survey_of(arguments)
    final = named(
        survey.detections,
        survey.decisions,
        ladder,
        counted_from=dict(zip(survey.species, survey.thresholds.tolist(), strict=True)),
        evidence=survey.known.detections if survey.known else None,
    )
    survey = survey.with_final(final)
    tables = count(survey)
    folder = arguments.output
    SURVEY_FINAL_DETECTIONS.write_csv(final, folder / "detections.csv")
    abundance_table(survey.species, estimated=False).write_csv(tables.abundance, folder / "abundance.csv")
    abundance_table(survey.species, estimated=True).write_csv(
        tables.abundance_estimated, folder / "abundance_estimated.csv"
    )
    SURVEY_DENSITIES.write_csv(tables.densities, folder / "densities.csv")
    SURVEY_DIVERSITY.write_csv(tables.diversity, folder / "diversity.csv")
    SURVEY_SAMPLE_CHECKS.write_csv(tables.checks, folder / "checks.csv")
    SURVEY_COUNTS.write_csv(tables.counts, folder / "counts.csv")
    methods = ", ".join(f"{name}: {n}" for name, n in tables.counts["method"].value_counts().items())
    log.info("%d samples × %d species; estimates by %s", len(survey.samples), len(survey.species), methods)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--detections", type=Path, required=True, help="what the detector found")
    parser.add_argument("--images", type=Path, required=True, help="images of the survey")
    parser.add_argument("--samples", type=Path, required=True, help="samples of the survey")
    parser.add_argument("--decisions", type=Path, help="what people decided")
    parser.add_argument("--queue", type=Path, help="what was laid before them")
    parser.add_argument("--settings", required=True, help="confidence, wished width and ladder as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of the tables")
    jobs.run(main, parser)
