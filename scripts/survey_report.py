"""Write the page of a survey from its finished tables."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.report.survey import SurveyResults
from podura.report.survey_page import render_survey
from podura.survey.release_species import release_species
from podura.tables import (
    REVIEW_DECISIONS,
    REVIEW_PROBLEMS,
    REVIEW_QUEUE,
    SURVEY_COUNTS,
    SURVEY_DENSITIES,
    SURVEY_DIVERSITY,
    SURVEY_DRIFT,
    SURVEY_FINAL_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_SAMPLE_CHECKS,
    SURVEY_SAMPLES,
    read_json,
    write_text,
)

log = logging.getLogger("survey_report")


def read_survey_results(survey: str, folder: Path, release: Path) -> SurveyResults:
    """The tables of a survey, and what its release says of itself."""
    return SurveyResults(
        survey=survey,
        detector=read_json(release / "detector.json"),
        species=release_species(release / "species.tsv"),
        samples=SURVEY_SAMPLES.read_csv(folder / "samples.csv"),
        images=SURVEY_IMAGES.read_csv(folder / "images.csv"),
        drift=SURVEY_DRIFT.read_csv(folder / "drift.csv"),
        detections=SURVEY_FINAL_DETECTIONS.read_csv(folder / "detections.csv"),
        counts=SURVEY_COUNTS.read_csv(folder / "counts.csv"),
        diversity=SURVEY_DIVERSITY.read_csv(folder / "diversity.csv"),
        densities=SURVEY_DENSITIES.read_csv(folder / "densities.csv"),
        checks=SURVEY_SAMPLE_CHECKS.read_csv(folder / "checks.csv"),
        decisions=REVIEW_DECISIONS.read_csv(folder / "review/decisions.csv"),
        problems=REVIEW_PROBLEMS.read_csv(folder / "review/problems.csv"),
        queue=REVIEW_QUEUE.read_csv(folder / "review/queue.csv"),
    )


def main(arguments: argparse.Namespace) -> None:
    results = read_survey_results(arguments.survey, arguments.folder, arguments.release)
    write_text(render_survey(results), arguments.output)
    log.info("The survey is at %s", arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="name of the survey")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the survey, with its tables")
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--output", type=Path, required=True, help="the page")
    jobs.run(main, parser)
