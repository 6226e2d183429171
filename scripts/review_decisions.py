"""Take in what people decided: files of the review page, of Label Studio and of CVAT become one table."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.errors import UserError, UserErrors
from podura.survey.deciding import DecisionFile, Surveyed
from podura.survey.decision_files import read_decision_file
from podura.survey.decisions import collect_decisions
from podura.survey.release_species import release_species, species_entries
from podura.tables import (
    REVIEW_DECISIONS,
    REVIEW_PROBLEMS,
    REVIEW_QUEUE,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    read_json,
)

log = logging.getLogger("review_decisions")


def read_all(
    paths: list[Path], surveyed: Surveyed, survey: str | None, pipeline: str | None
) -> list[DecisionFile]:
    """All files; what is wrong with any of them is told at once."""
    files, faults = [], []
    for path in paths:
        try:
            files.append(read_decision_file(path, surveyed, survey, pipeline))
        except UserErrors as error:
            faults += error.messages
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserErrors(faults)
    return files


def main(arguments: argparse.Namespace) -> None:
    detections = SURVEY_DETECTIONS.read_parquet(arguments.detections)
    images = SURVEY_IMAGES.read_csv(arguments.images)
    species = species_entries(release_species(arguments.species))
    pipeline = None if arguments.detector is None else read_json(arguments.detector)["pipeline"]
    surveyed = Surveyed(detections, images, species)
    files = read_all(arguments.decisions, surveyed, arguments.survey, pipeline)
    decisions, problems = collect_decisions(files, detections, images, REVIEW_QUEUE.read_csv(arguments.queue))
    REVIEW_DECISIONS.write_csv(decisions, arguments.output / "decisions.csv")
    REVIEW_PROBLEMS.write_csv(problems, arguments.output / "problems.csv")
    log.info(
        "%d decisions count, %d do not.", (~decisions["superseded"]).sum(), decisions["superseded"].sum()
    )
    for row in problems.head(20).itertuples():
        log.warning("%s, image '%s': %s.", row.source, row.image, row.message)
    if len(problems) > 20:
        log.warning("… and %d more in %s.", len(problems) - 20, arguments.output / "problems.csv")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", help="name of the survey; files that were saved for another are refused")
    parser.add_argument("--decisions", type=Path, nargs="*", default=[], help="files of decisions")
    parser.add_argument("--detections", type=Path, required=True, help="machine/detections.parquet")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--queue", type=Path, required=True, help="queue.csv")
    parser.add_argument("--species", type=Path, required=True, help="species.tsv of the release")
    parser.add_argument("--detector", type=Path, help="detector.json of the release, to tell its pipeline")
    parser.add_argument("--output", type=Path, required=True, help="folder of the review")
    jobs.run(main, parser)
