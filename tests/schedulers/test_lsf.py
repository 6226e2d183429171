"""The tiny study through LSF's real plugin and stand-ins for LSF's programs, to its first scored table."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from schedulers.conftest import as_a_lab_edits_it
from slurm.conftest import WEIGHTS, before_training, imported, one_detector, training_log, unfinished_files
from slurm.test_faults import epochs
from workflow.conftest import TINY, copy_repository, snakemake, table_text

__all__ = ["before_training", "imported"]

pytestmark = pytest.mark.schedulers

SPECIES = "results/tiny/benchmark/species.csv"


def rule(job: dict) -> str:
    """The rule of a job, or its group."""
    return re.match(r"Snakemake_(?:rule|group)_(\w+?)(?::|___)", job["J"])[1]


def test_the_study_asks_for_queues_memory_time_and_gpus(lsf, tmp_path):
    here, there = copy_repository(tmp_path / "here"), copy_repository(tmp_path / "there")
    for folder in (here, there):
        one_detector(folder)
    as_a_lab_edits_it(there)
    lsf.run(there, "--", SPECIES).succeed()
    snakemake(here, "--configfile", TINY, "--", SPECIES)
    assert table_text(here / SPECIES) == table_text(there / SPECIES)

    asked = lsf.asked()
    jobs = {rule(job): job for job in asked.values()}
    # None is submitted twice; three runs (a detector, two controls) are matched and scored by one submission.
    assert len({job["J"] for job in asked.values()}) == len(asked)
    assert "scoring" in jobs
    assert not {"control", "match", "score"} & set(jobs)
    for name, job in jobs.items():
        gpu = name in {"train", "detect"}
        assert job["q"] == ("gpu" if gpu else "normal"), name
        assert job["gpu"] == ("num=1" if gpu else ""), name
        assert job["P"] == "my_project"
    assert jobs["train"]["W"] == 24 * 60
    assert jobs["detect"]["W"] == 4 * 60
    assert jobs["train"]["R"] == ["rusage[mem=2000.0]", "span[hosts=1]"]
    # Memory by slot.
    assert jobs["import_dataset"]["n"] == 2
    assert jobs["import_dataset"]["R"] == ["rusage[mem=1250.0]", "span[hosts=1]"]


def test_a_job_that_is_ended_is_submitted_again_and_the_lock_stays_while_jobs_run(lsf, before_training):
    epochs(before_training, 60)
    as_a_lab_edits_it(before_training)
    study = lsf.run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    (job,) = lsf.asked()
    subprocess.run(["bkill", job], env=lsf.environment, check=True)
    study.until(lambda: len(lsf.asked()) == 2, "a second job")
    again = lsf.asked()["2"]
    assert again["W"] == 2 * 24 * 60
    assert again["R"] == ["rusage[mem=4000.0]", "span[hosts=1]"]
    study.until(lambda: "Continuing after step" in training_log(before_training), "the training goes on")
    study.kill()
    unlock = [sys.executable, "scripts/unlock.py"]
    refused = subprocess.run(unlock, cwd=before_training, env=lsf.environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "bkill 2" in refused.stderr

    subprocess.run(["bkill", "2"], env=lsf.environment, check=True)
    assert subprocess.run(unlock, cwd=before_training, env=lsf.environment).returncode == 0
    epochs(before_training, 60)
    study = lsf.run(before_training, "--", WEIGHTS)
    study.succeed()
    assert len(lsf.asked()) == 3
    assert unfinished_files(before_training) == []
