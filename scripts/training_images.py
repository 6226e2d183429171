"""Draw what a model will be shown in training, changed as it will be: a look before hours of work."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.configuration.study import AugmentationSettings, TilingSettings
from podura.tables import whole_file
from podura.training.geometry import Sample
from podura.training.material import labelled_images
from podura.training.pictures import contact_sheet
from podura.training.samples import TrainingSamples

log = logging.getLogger("training_images")

COLUMNS, ROWS, CELL = 4, 4, 400


def main(arguments: argparse.Namespace) -> None:
    model, species = json.loads(arguments.model), json.loads(arguments.species)
    samples = TrainingSamples(
        labelled_images(arguments.truth, arguments.images, species),
        image_size=model["image_size"],
        batch_size=1,
        augmentation=AugmentationSettings(**json.loads(arguments.augmentation)),
        seed=arguments.seed,
        tiling=model["tiling"] and TilingSettings(**model["tiling"]),
    )
    shown: list[Sample] = []
    for number in range(min(COLUMNS * ROWS, samples.steps_per_epoch)):
        shown += samples.samples(1, number)
    sheet = contact_sheet(shown, species, columns=COLUMNS, cell=min(CELL, model["image_size"]))
    with whole_file(arguments.output) as temporary:
        sheet.save(temporary, quality=85)
    log.info("%d of %d samples of an epoch are drawn.", len(shown), samples.source.per_epoch)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True, help="entry of models.yaml as JSON")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--augmentation", required=True, help="section 'training.augmentation' as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a JPEG file")
    jobs.run(main, parser)
