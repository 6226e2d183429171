"""Put the tables of what goes wrong in each model together, model after model."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from podura import jobs
from podura.tables import DIAGNOSES


def main(arguments: argparse.Namespace) -> None:
    for name, table in DIAGNOSES.items():
        of_models = [table.read_csv(folder / f"{name}.csv") for folder in arguments.folders]
        table.write_csv(pd.concat(of_models, ignore_index=True), arguments.output / f"{name}.csv")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--folders", type=Path, nargs="+", required=True, help="of each model, in order")
    parser.add_argument("--output", type=Path, required=True, help="folder for the tables of all models")
    jobs.run(main, parser)
