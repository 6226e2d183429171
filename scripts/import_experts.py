"""Import the boxes of people who annotated the study's images, and every fault found on the way."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.annotations.experts import import_experts, read_experts
from podura.annotations.importing import RefusedProblemsError
from podura.annotations.names import SpeciesEntry
from podura.annotations.sizes import sizes_of_images
from podura.configuration.run import load_run
from podura.configuration.study import Species
from podura.errors import UserErrors
from podura.slides.entries import ImageEntry
from podura.tables import EXPERT_BOXES, EXPERT_IMAGES, PROBLEMS, read_json

log = logging.getLogger("import_experts")


def species_entry(species: Species) -> SpeciesEntry:
    return SpeciesEntry(species.code, species.name, species.aliases)


def main(arguments: argparse.Namespace) -> None:
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    given = study.evaluation.experts
    if given is None:
        raise ValueError("the study has no experts")
    entries = [ImageEntry(image.image, image.path, image.slide) for image in study.images]
    refused = arguments.output / "refused_expert_problems.csv"
    refused.unlink(missing_ok=True)
    raw = read_experts(given.path, size_of=sizes_of_images(entries), columns=given.columns, units=given.units)
    try:
        experts = import_experts(
            raw,
            read_json(arguments.annotations),
            [species_entry(species) for species in study.species],
            left_out=[species_entry(species) for species in study.excluded_species],
            other=study.other_names,
            ignore_flags=study.dataset.annotations.ignore_flags,
            treatments=study.dataset.problems,
        )
    except RefusedProblemsError as error:
        # Snakemake removes the outputs of a job that fails, so the table goes under a name of its own.
        PROBLEMS.write_csv(error.problems, refused)
        raise UserErrors([*error.messages, f"All faults that were found are in {refused}."]) from None
    EXPERT_BOXES.write_parquet(experts.boxes, arguments.output / "expert_boxes.parquet")
    EXPERT_IMAGES.write_parquet(experts.images, arguments.output / "expert_images.parquet")
    PROBLEMS.write_csv(experts.problems, arguments.output / "expert_problems.csv")
    log.info(
        "%d experts, %d boxes on %d images; %d problems",
        experts.images["expert"].nunique(),
        len(experts.boxes),
        experts.images["image"].nunique(),
        len(experts.problems),
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--annotations", type=Path, required=True, help="annotations.json of the data set")
    parser.add_argument("--output", type=Path, required=True, help="folder of the data set")
    jobs.run(main, parser)
