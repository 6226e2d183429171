"""Put this study and another one side by side: a table, a figure and a page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from podura import jobs
from podura.evaluation.comparison import ComparisonSettings
from podura.evaluation.studies import compare_studies
from podura.evaluation.study_files import read_study
from podura.report.studies import render_studies, studies_figure
from podura.report.style import save_figure
from podura.tables import COMPARED_STUDIES, write_text


def main(arguments: argparse.Namespace) -> None:
    given = json.loads(arguments.settings)
    species = json.loads(arguments.species)
    here, there = read_study(arguments.results), read_study(arguments.other)
    names = (here.name, there.name if there.name != here.name else f"{there.name} (the other)")
    compared = compare_studies(
        here,
        there,
        resamples=given["resamples"],
        settings=ComparisonSettings(given["confidence"], given["random_seed"], len(here.slides)),
    )
    COMPARED_STUDIES.write_csv(compared.table, arguments.output / "compared.csv")
    save_figure(studies_figure(compared.table, names, species), arguments.output / "compared")
    page = render_studies(compared.table, compared.notes, names, species, confidence=given["confidence"])
    write_text(page, arguments.output / "compared.html")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of this study's results")
    parser.add_argument("--other", type=Path, required=True, help="folder of the other study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for table, figure and page")
    jobs.run(main, parser)
