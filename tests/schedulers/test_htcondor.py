"""The tiny study through HTCondor's real plugin, with its scheduler played, to its first scored table."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridengine.conftest import Run
from plugins import install
from schedulers import htcondor_stand_in
from slurm.conftest import WEIGHTS, before_training, imported, one_detector, training_log, unfinished_files
from slurm.test_faults import epochs
from workflow.conftest import TINY, copy_repository, snakemake, table_text

__all__ = ["before_training", "imported"]

pytestmark = pytest.mark.schedulers

PROFILE = "workflow/profiles/htcondor"
PLUGINS = ["snakemake-executor-plugin-htcondor==0.3.0", "htcondor==24.12.24"]
SPECIES = "results/tiny/benchmark/species.csv"


class Pool:
    """A folder that plays an HTCondor."""

    def __init__(self, folder: Path, plugin: Path) -> None:
        self.folder = folder
        self.runs: list[Run] = []
        folder.mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(plugin),
            htcondor_stand_in.FOLDER: str(folder),
        }

    def run(self, folder: Path, *arguments: str) -> Run:
        """Start a Snakemake that submits to it."""
        self.runs.append(Run(folder, self.environment, *arguments, profile=PROFILE))
        return self.runs[-1]

    def asked(self) -> dict[str, dict[str, str]]:
        """What each job asked for, in the order of submission."""
        jobs = sorted((file.parent for file in self.folder.glob("*/pid")), key=lambda job: int(job.name))
        return {job.name: json.loads((job / "asked.json").read_text()) for job in jobs}


@pytest.fixture(scope="module")
def htcondor_plugin(tmp_path_factory) -> Path:
    """The plugin and HTCondor's own library, in which the scheduler is replaced."""
    folder = install(tmp_path_factory.mktemp("plugin"), *PLUGINS)
    shutil.copy2(htcondor_stand_in.__file__, folder)
    with (folder / "htcondor2/__init__.py").open("a") as library:
        library.write("\nfrom htcondor_stand_in import Schedd\n")
    return folder


@pytest.fixture
def pool(tmp_path, htcondor_plugin) -> Iterator[Pool]:
    made = Pool(tmp_path / "htcondor", htcondor_plugin)
    yield made
    for run in made.runs:
        if run.process.poll() is None:
            run.interrupt()
            run.wait(120)


def as_a_lab_edits_it(folder: Path) -> None:
    """Let jobs ask for GPUs, as the profile's comments say."""
    profile = folder / PROFILE / "config.yaml"
    profile.write_text(profile.read_text().replace("    # request_gpus:", "    request_gpus:"))


def test_the_study_asks_for_processors_memory_and_gpus(pool, tmp_path):
    here, there = copy_repository(tmp_path / "here"), copy_repository(tmp_path / "there")
    for folder in (here, there):
        one_detector(folder)
    as_a_lab_edits_it(there)
    pool.run(there, "--", SPECIES).succeed()
    snakemake(here, "--configfile", TINY, "--", SPECIES)
    assert table_text(here / SPECIES) == table_text(there / SPECIES)

    # The name of a batch is that of the rule, or of the group and its rules, and a number.
    jobs = {job["batch_name"].split("-")[0]: job for job in pool.asked().values()}
    assert {"train", "detect", "scoring_control_match_score", "merge"} <= set(jobs)
    assert not {"control", "match", "score"} & set(jobs)
    for name, job in jobs.items():
        assert job.get("request_gpus") == ("1" if name in {"train", "detect"} else None), name
    assert jobs["scoring_control_match_score"]["request_memory"] == "3000MB"
    assert jobs["train"]["request_memory"] == "4000MB"
    assert jobs["train"]["request_cpus"] == "1"
    assert jobs["import_dataset"]["request_memory"] == "5000MB"
    assert jobs["import_dataset"]["request_cpus"] == "2"


def test_a_job_that_is_removed_is_submitted_again_and_goes_on(pool, before_training):
    epochs(before_training, 60)
    study = pool.run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    htcondor_stand_in.remove(pool.folder / "1")
    study.succeed()
    first, second = pool.asked().values()
    assert (first["request_memory"], second["request_memory"]) == ("4000MB", "8000MB")
    assert re.search(r"Continuing after step [1-9]", training_log(before_training))
    assert unfinished_files(before_training) == []


def resources_of_jobs(text: str) -> list[tuple[str, dict[str, str]]]:
    """Rule and resources of each job of a dry run."""
    found = re.findall(r"(?m)^ *rule (\w+):\n(?: +.*\n)*? +resources: (.*)$", text)
    return [(rule, dict(pair.split("=", 1) for pair in line.split(", "))) for rule, line in found]


def test_each_job_asks_for_at_least_its_memory(pool, tmp_path):
    """The plugin does not read mem_mb, and the profile's own expression may not fall below it."""
    plan = pool.run(copy_repository(tmp_path / "study"), "--dry-run")
    plan.succeed()
    jobs = resources_of_jobs(plan.printed)
    assert {"train", "detect", "match", "report"} <= {rule for rule, _ in jobs}
    for rule, resources in jobs:
        assert int(resources["htcondor_request_mem_mb"]) >= int(resources["mem_mb"]), rule
