"""Compare the samples of a survey with the slides on which the released detector is known."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.release.contents import EVIDENCE_FILES
from podura.release.loading import read_release
from podura.survey.drift import OVERALL, drift
from podura.tables import (
    EVIDENCE_DETECTIONS,
    EVIDENCE_LOOKS,
    SURVEY_DETECTIONS,
    SURVEY_DRIFT,
    SURVEY_LOOKS,
    SURVEY_SAMPLES,
)

log = logging.getLogger("survey_drift")


def main(arguments: argparse.Namespace) -> None:
    release = read_release(arguments.release)
    table = drift(
        SURVEY_SAMPLES.read_csv(arguments.samples)["sample"].tolist(),
        SURVEY_LOOKS.read_parquet(arguments.looks),
        SURVEY_DETECTIONS.read_parquet(arguments.detections),
        reference_looks=EVIDENCE_LOOKS.read_parquet(release.file(EVIDENCE_FILES["looks"])),
        reference_detections=EVIDENCE_DETECTIONS.read_parquet(release.file(EVIDENCE_FILES["detections"])),
        species=release.species,
    )
    SURVEY_DRIFT.write_csv(table, arguments.output)
    overall = table[table["measure"] == OVERALL]
    for row in overall[overall["unlike"]].itertuples():
        log.warning("%s", row.sentence)
    compared = overall["p_value"].notna()
    log.info(
        "%d of %d samples look like the slides of the study; of %d nothing can be said.",
        int((compared & ~overall["unlike"]).sum()),
        len(overall),
        int((~compared).sum()),
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--samples", type=Path, required=True, help="samples.csv of the survey")
    parser.add_argument("--looks", type=Path, required=True, help="what its images look like")
    parser.add_argument("--detections", type=Path, required=True, help="what was detected in them")
    parser.add_argument("--output", type=Path, required=True, help="drift.csv")
    jobs.run(main, parser)
