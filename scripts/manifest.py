"""Write the record of a study: manifest.json, ro-crate-metadata.json and the code that ran."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from podura import jobs
from podura.configuration.run import load_run
from podura.records.inputs import study_inputs
from podura.records.manifest import APART
from podura.records.writing import write_record

log = logging.getLogger("manifest")


def main(arguments: argparse.Namespace) -> None:
    study = load_run(arguments.config, painted_folder=arguments.painted_folder)
    record = write_record(
        arguments.folder,
        kind="study",
        name=study.name,
        configuration=study.merged,
        seeds={"seeds": list(study.seeds), "random_seed": study.random_seed},
        inputs=[*study_inputs(study), *arguments.inputs],
        benchmarks=arguments.benchmarks,
        snakemake=arguments.snakemake,
        card=asdict(study.card),
        apart=APART,
        memory=arguments.memory,
    )
    log.info("%d files of results, %d files of input", len(record["outputs"]), len(record["inputs"]))


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--painted-folder", type=Path, required=True, help="where painted slides lie")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the results")
    parser.add_argument("--inputs", type=Path, nargs="*", default=[], help="further files that went in")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of benchmark files")
    parser.add_argument("--snakemake", required=True, help="version of Snakemake")
    parser.add_argument("--memory", type=Path, help="file that remembers digests of unchanged files")
    jobs.run(main, parser)
