"""Write the pages, the figures and the data card of the data set."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import pandas as pd

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.configuration.run import load_run
from podura.fingerprints import file_digest
from podura.inventory import specimen_sizes
from podura.report.data_card import data_card, markdown
from podura.report.dataset import Dataset
from podura.report.dataset_figures import draw_dataset_figures
from podura.report.dataset_page import OVERLAYS, SHEETS, render_dataset
from podura.report.style import save_figure
from podura.tables import (
    LEAKAGE,
    PICTURES,
    PROBLEMS,
    SITE_COUNTS,
    SIZES,
    SLIDE_COUNTS,
    SPLIT,
    SPLIT_REPORT,
    read_json,
    whole_folder,
    write_text,
)

log = logging.getLogger("dataset_page")


def read_dataset(arguments: argparse.Namespace) -> Dataset:
    """Gather what the earlier rules wrote, and what the configuration tells."""
    folder = arguments.dataset
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    coco = read_json(folder / "annotations.json")
    used = {image["file_name"] for image in coco["images"]}
    keys = ("image", "slide", "sample", "site", "date", "um_per_pixel")
    images = pd.DataFrame([{key: getattr(image, key) for key in keys} for image in study.images])
    images = images.astype(dict.fromkeys(keys[:-1], "string") | {"um_per_pixel": "float64"})
    return Dataset(
        study=study.name,
        images=images.assign(used=images["image"].isin(used)),
        boxes=truth_frame(coco),
        sizes=specimen_sizes(coco),
        split=SPLIT.read_csv(folder / "split.csv"),
        counts=SPLIT_REPORT.read_csv(folder / "counts.csv"),
        slides=SLIDE_COUNTS.read_csv(folder / "slides.csv"),
        sites=SITE_COUNTS.read_csv(folder / "sites.csv"),
        quantiles=SIZES.read_csv(folder / "sizes.csv"),
        problems=PROBLEMS.read_csv(folder / "problems.csv"),
        pictures=PICTURES.read_csv(folder / OVERLAYS / "pictures.csv"),
        leakage=LEAKAGE.read_csv(arguments.leakage[0]) if arguments.leakage else None,
        species_list=json.loads(arguments.species),
        card=vars(study.card),
        facts={
            "format": study.dataset.annotations.format,
            "split_by": study.split.by,
            "others_by": study.split.others_by,
            "random_seed": study.random_seed,
            "files": {name: file_digest(folder / name) for name in ("annotations.json", "split.csv")},
        },
    )


def main(arguments: argparse.Namespace) -> None:
    dataset = read_dataset(arguments)
    figures = draw_dataset_figures(dataset)
    for name, figure in figures.items():
        save_figure(figure, arguments.dataset / "figures" / name)
    page, sheets = render_dataset(dataset, figures)
    with whole_folder(arguments.dataset / SHEETS) as folder:
        for name, sheet in sheets.items():
            write_text(sheet, folder / name)
    write_text(markdown(data_card(dataset)), arguments.dataset / "data_card.md")
    write_text(page, arguments.dataset / "index.html")
    log.info("The data set is at %s", arguments.dataset / "index.html")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the data set")
    parser.add_argument(
        "--leakage", nargs="*", default=[], type=Path, help="leakage.csv, where leaks were looked for"
    )
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    jobs.run(main, parser)
