"""Run a release over the images of a survey; what was found before in the same images is taken over."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from podura import jobs
from podura.configuration.run import SCHEMAS
from podura.configuration.structure import load_schema
from podura.configuration.surveys import survey_from_json
from podura.configuration.wording import listed
from podura.detectors.devices import choose_device
from podura.release.checking import compare, expected_of
from podura.release.contents import THRESHOLDS, Release
from podura.release.detecting import ReleasedDetector
from podura.release.loading import read_release
from podura.release.looks import Looks
from podura.survey.detecting import Stopped, SurveyTables, Tools, detect_survey
from podura.survey.samples import SurveyImage, look_alikes, read_survey
from podura.survey.store import Store
from podura.tables import (
    RELEASE_THRESHOLDS,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_LOOKS,
    SURVEY_SAMPLES,
)
from podura.training.seeds import be_deterministic

log = logging.getLogger("detect_survey")


def main(arguments: argparse.Namespace) -> None:
    settings = survey_from_json(json.loads(arguments.survey))
    survey = read_survey(settings, load_schema(SCHEMAS, "survey_images"), arguments.painted)
    release = read_release(arguments.release)
    device = choose_device(arguments.device)
    should_stop = jobs.stop_request()

    def tools() -> Tools:
        be_deterministic(device, arguments.threads)
        detector = ReleasedDetector(release, device)
        check(release, detector)
        return Tools(detector.detect, Looks().of_file)

    identity = hashlib.sha256(
        "\0".join([release.pipeline, str(device.type), str(arguments.threads), arguments.code]).encode()
    ).hexdigest()
    try:
        with Store(arguments.store, identity) as store, logging_redirect_tqdm():
            log.info("%d images, of which %d are known from before.", len(survey.images), len(store))
            found = detect_survey(
                survey,
                store,
                tools,
                RELEASE_THRESHOLDS.read_csv(release.file(THRESHOLDS)),
                progress=bar,
                should_stop=should_stop,
            )
    except Stopped:
        log.warning("Stopped; the next run continues from there.")
        sys.exit(130)
    write(found, arguments.output)
    tell(found)


def check(release: Release, detector: ReleasedDetector) -> None:
    """Let the release find what it should on its own image, before it is let loose on others."""
    image, expected = expected_of(release)
    log.info("%s: %s.", release.model, compare(detector.detect(image).rows, expected).sentence())


def bar(images: Sequence[SurveyImage]) -> Iterator[SurveyImage]:
    """The images, with a bar where a person looks on, and with lines in the log where none does."""
    seen = tqdm(images, desc="detecting", unit="image", mininterval=0.5, disable=not sys.stderr.isatty())
    step = max(len(images) // 10, 1)
    for place, image in enumerate(seen, start=1):
        yield image
        if seen.disable and place % step == 0:
            log.info("%d of %d new images", place, len(images))


def write(found: SurveyTables, folder: Path) -> None:
    SURVEY_DETECTIONS.write_parquet(found.detections, folder / "machine/detections.parquet")
    SURVEY_LOOKS.write_parquet(found.looks, folder / "machine/looks.parquet")
    SURVEY_IMAGES.write_csv(found.images, folder / "images.csv")
    SURVEY_SAMPLES.write_csv(found.samples, folder / "samples.csv")


def tell(found: SurveyTables) -> None:
    """Say what was found, and what is missing."""
    log.info(
        "%d detections in %d images of %d samples (%d images were new).",
        len(found.detections),
        int((found.images["status"] == "ok").sum()),
        len(found.samples),
        found.n_new,
    )
    for row in found.images[found.images["status"] == "failed"].itertuples():
        log.warning(
            "%s could not be read, its sample %s is incomplete: %s", row.image, row.sample, row.reason
        )
    samples = found.samples
    for which, words in (
        (samples["n_images"].eq(0), "have no image; look whether the images name them otherwise"),
        (
            samples["latitude"].isna() != samples["longitude"].isna(),
            "have only one of latitude and longitude, so they are on no map",
        ),
    ):
        if which.any():
            log.warning("Samples %s: %s.", words, listed(samples.loc[which, "sample"].tolist()))
    for names in look_alikes(samples["sample"].tolist()):
        log.warning("Samples %s differ in capitals or spaces only. Are they one? Then write one name.", names)
    capped = found.images[found.images["capped"]]
    if len(capped):
        log.warning(
            "%d images (%s ...) reach the cap on detections of the release, so animals may be missing; "
            "their samples are marked as incomplete. Release a detector with a higher "
            "evaluation.max_detections.",
            len(capped),
            ", ".join(capped["image"].head(3)),
        )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="the survey's settings as JSON")
    parser.add_argument("--release", type=Path, required=True, help="folder of the release")
    parser.add_argument("--painted", type=Path, help="folder of the painted images, where they are painted")
    parser.add_argument(
        "--store", type=Path, required=True, help="file that keeps what is found in each image"
    )
    parser.add_argument("--code", default="", help="digest of the code that detects")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder of the survey")
    jobs.run(main, parser)
