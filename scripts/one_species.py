"""The rows of one species in benchmark/species.csv: every model and seed."""

from __future__ import annotations

import argparse
from pathlib import Path

from podura import jobs
from podura.tables import BENCHMARK_SPECIES


def main(arguments: argparse.Namespace) -> None:
    table = BENCHMARK_SPECIES.read_csv(arguments.table)
    BENCHMARK_SPECIES.write_csv(table[table["species"] == arguments.species], arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="benchmark/species.csv")
    parser.add_argument("--species", required=True, help="a species code")
    parser.add_argument("--output", type=Path, required=True)
    jobs.run(main, parser)
