"""Find images of the study that show the same: copies, crops and overlapping fields."""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from podura import jobs
from podura.configuration.run import load_run
from podura.leakage.search import SearchSettings, similar_images
from podura.leakage.signatures import NamedImage
from podura.tables import EXAMINED_IMAGES, SIMILAR_IMAGES

log = logging.getLogger("similar_images")

_TOLD_EVERY = 320


def main(arguments: argparse.Namespace) -> None:
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    settings = json.loads(arguments.settings)
    embed = None
    if settings.pop("network"):
        # Only here: PyTorch is large, and without the network it is not needed.
        from podura.detectors.embedding import lite0_embedding

        embed = lite0_embedding()
    pairs, examined = similar_images(
        [NamedImage(image.image, image.path) for image in study.images],
        SearchSettings(**settings),
        embed=embed,
        threads=arguments.threads,
        progress=lambda what, done, all_: (
            log.info("%s: %d of %d", what, done, all_) if done == all_ or done % _TOLD_EVERY == 0 else None
        ),
    )
    for row in examined.dropna(subset="message").to_dict("records"):
        log.warning("%s was not compared: %s", row["image"], row["message"])
    EXAMINED_IMAGES.write_parquet(examined, arguments.examined)
    SIMILAR_IMAGES.write_parquet(pairs, arguments.pairs)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(Counter(pairs["kind"]).items()))
    log.info("%d pairs of images show the same. %s", len(pairs), kinds)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--settings", required=True, help="thresholds of dataset.leakage as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=Path, required=True, help="table of pairs to write (Parquet)")
    parser.add_argument("--examined", type=Path, required=True, help="table of images to write (Parquet)")
    jobs.run(main, parser)
