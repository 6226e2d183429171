"""Import the study's annotations: one COCO file, and every fault found on the way."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from pathlib import Path

from podura import jobs
from podura.annotations.formats import read_annotations
from podura.annotations.importing import RefusedProblemsError, import_dataset
from podura.annotations.names import SpeciesEntry
from podura.annotations.sizes import sizes_of_images
from podura.configuration.run import load_run
from podura.configuration.study import Species
from podura.errors import UserErrors
from podura.slides.entries import ImageEntry
from podura.tables import PART_IMAGES, PROBLEMS, write_json_records

log = logging.getLogger("import_dataset")


def species_entry(species: Species) -> SpeciesEntry:
    return SpeciesEntry(species.code, species.name, species.aliases)


def main(arguments: argparse.Namespace) -> None:
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    given = study.dataset.annotations
    entries = [
        ImageEntry(
            image.image,
            image.path,
            image.slide,
            image.sample,
            image.site,
            image.um_per_pixel,
            image.part,
        )
        for image in study.images
    ]
    refused = arguments.output / "refused_problems.csv"
    refused.unlink(missing_ok=True)
    try:
        dataset = import_dataset(
            entries,
            read_annotations(
                "coco" if given.format == "painted" else given.format,
                given.path or arguments.painted_folder.parent / "annotations.json",
                size_of=sizes_of_images(entries),
                options={key: getattr(given, key) for key in ("columns", "units", "attribute", "image_key")},
            ),
            [species_entry(species) for species in study.species],
            left_out=[species_entry(species) for species in study.excluded_species],
            other=study.other_names,
            ignore_flags=given.ignore_flags,
            treatments=study.dataset.problems,
            threads=arguments.threads,
        )
    except RefusedProblemsError as error:
        # Snakemake removes the outputs of a job that fails, so the table goes under a name of its own.
        PROBLEMS.write_csv(error.problems, refused)
        raise UserErrors([*error.messages, f"All faults that were found are in {refused}."]) from None
    write_json_records(dataset.coco, arguments.output / "annotations.json")
    PROBLEMS.write_csv(dataset.problems, arguments.output / "problems.csv")
    paths = {entry.image: str(entry.path) for entry in entries}
    images = [
        {
            "image": image["file_name"],
            "path": paths[image["file_name"]],
            "slide": image["slide"],
            "width": image["width"],
            "height": image["height"],
        }
        for image in dataset.coco["images"]
    ]
    PART_IMAGES.write_csv(images, arguments.output / "images.csv")
    log.info(
        "%d of %d images, %d specimens; %d problems%s",
        len(images),
        len(entries),
        len(dataset.coco["annotations"]),
        len(dataset.problems),
        "".join(f", {kind} {count}" for kind, count in sorted(Counter(dataset.problems["kind"]).items())),
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--output", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--threads", type=int, default=1, help="images read at the same time")
    jobs.run(main, parser)
