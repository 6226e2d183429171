"""Order what people are to check of a survey: a random part first, then what a check is worth most."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.configuration.surveys import ReviewSettings
from podura.survey.queue import review_queue
from podura.tables import EVIDENCE_DETECTIONS, REVIEW_QUEUE, SURVEY_DETECTIONS, SURVEY_IMAGES

log = logging.getLogger("review_queue")


def main(arguments: argparse.Namespace) -> None:
    queue = review_queue(
        SURVEY_DETECTIONS.read_parquet(arguments.detections),
        SURVEY_IMAGES.read_csv(arguments.images),
        ReviewSettings(**json.loads(arguments.review)),
        arguments.seed,
        EVIDENCE_DETECTIONS.read_parquet(arguments.evidence),
    )
    REVIEW_QUEUE.write_csv(queue, arguments.output)
    counts = queue["reason"].value_counts()
    log.info(
        "The queue has %s.", ", ".join(f"{n} {reason}" for reason, n in counts.items()) or "nothing in it"
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--detections", type=Path, required=True, help="machine/detections.parquet")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the survey")
    parser.add_argument("--evidence", type=Path, required=True, help="detections behind the release")
    parser.add_argument("--review", required=True, help="how much is to be checked, as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="queue.csv")
    jobs.run(main, parser)
