"""Count the specimens of the data set by slide and by site, and measure how large they are."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.inventory import site_counts, size_table, slide_counts, specimen_sizes
from podura.tables import SITE_COUNTS, SIZES, SLIDE_COUNTS, SPLIT, read_json

log = logging.getLogger("dataset_tables")


def main(arguments: argparse.Namespace) -> None:
    coco = read_json(arguments.annotations)
    species = [category["name"] for category in coco["categories"]]
    slides = slide_counts(coco, SPLIT.read_csv(arguments.split), species)
    SLIDE_COUNTS.write_csv(slides, arguments.output / "slides.csv")
    SITE_COUNTS.write_csv(site_counts(coco, species), arguments.output / "sites.csv")
    SIZES.write_csv(size_table(specimen_sizes(coco), species), arguments.output / "sizes.csv")
    log.info("Counted %d specimens on %d slides.", slides["n_truth"].sum(), slides["slide"].nunique())


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--annotations", type=Path, required=True, help="COCO file of the data set")
    parser.add_argument("--split", type=Path, required=True, help="split.csv of the data set")
    parser.add_argument("--output", type=Path, required=True, help="folder of the data set")
    jobs.run(main, parser)
