"""Write the record of a survey: manifest.json, ro-crate-metadata.json and the code that ran."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.records.inputs import survey_inputs
from podura.records.writing import write_record

log = logging.getLogger("survey_manifest")


def main(arguments: argparse.Namespace) -> None:
    record = write_record(
        arguments.folder,
        kind="survey",
        name=arguments.survey,
        configuration=json.loads(arguments.configuration),
        seeds={"random_seed": arguments.seed},
        inputs=[*arguments.inputs, *survey_inputs(arguments.folder)],
        benchmarks=arguments.benchmarks,
        snakemake=arguments.snakemake,
        card=json.loads(arguments.card),
        memory=arguments.memory,
    )
    log.info("%d files of results, %d files of input", len(record["outputs"]), len(record["inputs"]))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--survey", required=True, help="name of the survey")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the survey")
    parser.add_argument("--configuration", required=True, help="the survey's entry as JSON")
    parser.add_argument("--seed", type=int, required=True, help="random_seed of the study")
    parser.add_argument("--card", required=True, help="what the owner tells of the data, as JSON")
    parser.add_argument("--inputs", type=Path, nargs="*", default=[], help="release, tables, decisions")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of benchmark files")
    parser.add_argument("--snakemake", required=True, help="version of Snakemake")
    parser.add_argument("--memory", type=Path, help="file that remembers digests of unchanged files")
    jobs.run(main, parser)
