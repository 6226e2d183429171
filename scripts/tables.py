"""Write the benchmark's tables for papers, the methods paragraph and the references."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import yaml

from podura import jobs
from podura.provenance import LIBRARY, code_version
from podura.report.methods import methods_paragraphs
from podura.report.paper_files import markdown_paragraphs, write_tables
from podura.report.paper_tables import paper_tables
from podura.report.reading import read_leakage, read_results
from podura.report.references import bibliography
from podura.tables import BENCHMARK_COSTS, read_json, run_folder, write_text

CITATION = LIBRARY.parents[1] / "CITATION.cff"


def main(arguments: argparse.Namespace) -> None:
    results = read_results(
        arguments.results,
        json.loads(arguments.species),
        provenance={
            "code": code_version(),
            "split": read_json(arguments.results / "dataset/split.json"),
        },
    )
    trainings = {}
    for path in arguments.trainings:
        facts = read_json(path)
        trainings[(str(facts["model"]), run_folder(int(facts["seed"]), int(facts["fold"])))] = facts
    results = replace(
        results,
        trainings=trainings,
        leakage=read_leakage(arguments.results),
        ensembles=json.loads(arguments.ensembles),
        missing=json.loads(arguments.missing),
    )
    costs = BENCHMARK_COSTS.read_csv(arguments.results / "benchmark/costs.csv")
    write_tables(paper_tables(results, costs), arguments.output)
    write_text(markdown_paragraphs(methods_paragraphs(results)) + "\n", arguments.output / "methods.md")
    software = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    references = json.loads(arguments.references)
    write_text(bibliography(results, references, costs, software), arguments.output / "references.bib")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--species", required=True, help="names of the species as JSON")
    parser.add_argument("--trainings", type=Path, nargs="*", default=[], help="model.json of each run")
    parser.add_argument("--ensembles", default="{}", help="members and seeds of each ensemble as JSON")
    parser.add_argument("--missing", default="[]", help="what has not ended, in sentences, as JSON")
    parser.add_argument("--references", required=True, help="the reference of each model as JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder for the tables")
    jobs.run(main, parser)
