"""A tiny study through a real Grid Engine: the tables of one machine, queues, and jobs that are killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gridengine.cluster import wait_for
from gridengine.conftest import as_a_lab_edits_it
from slurm.conftest import WEIGHTS, one_detector, training_log, unfinished_files
from slurm.test_faults import ENDLESS, epochs
from slurm.test_study import TABLES
from workflow.conftest import TINY, copy_repository, planned, snakemake, table_text

pytestmark = pytest.mark.gridengine


def test_the_study_comes_out_as_on_one_machine(cluster, run, tmp_path):
    here, there = copy_repository(tmp_path / "here"), copy_repository(tmp_path / "there")
    for folder in (here, there):
        one_detector(folder)
    as_a_lab_edits_it(there)
    before = len(cluster.finished())
    through = run(there)
    snakemake(here, "--configfile", TINY)
    through.succeed()

    for name in TABLES:
        path = Path("results/tiny/benchmark") / name
        assert table_text(here / path) == table_text(there / path), name
    assert planned(there) == {}

    jobs = cluster.finished()[before:]
    rules = [job["jobname"] for job in jobs]
    assert rules.count("train") == rules.count("detect") == 1
    # Three runs (a detector, two controls) are matched and scored by six jobs, which are one submission.
    assert "match" not in rules
    assert "score" not in rules
    assert rules.count("GROUP") == 1
    for job in jobs:
        gpu = job["jobname"] in {"train", "detect"}
        assert job["qname"] == ("gpu.q" if gpu else "all.q"), job["jobname"]
        assert ("gpu=1" in job["category"]) == gpu, job["jobname"]
        assert job["exit_status"] == "0", job["jobname"]
        assert re.search(r"\bmem_free=\d+M\b", job["category"])
    (training,) = (job for job in jobs if job["jobname"] == "train")
    assert "h_rt=86400" in training["category"]
    assert training["granted_pe"] == "smp"
    assert training["slots"] == "1"


def waiting_or_running(cluster) -> list[str]:
    return sorted(cluster.jobs(), key=int)


def test_a_job_that_is_ended_is_submitted_again_and_goes_on(cluster, run, before_training):
    epochs(before_training, 15)
    as_a_lab_edits_it(before_training)
    study = run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    (job,) = waiting_or_running(cluster)
    assert cluster.asked(job)["hard_queue_list"] == "gpu.q"
    cluster.ask("qdel", job)
    study.succeed()
    # What had run is in the accounting, with the signal that ended it.
    ended = {row["jobnumber"]: row for row in cluster.finished() if row["jobname"] == "train"}
    again = str(int(job) + 1)
    assert ended[job]["exit_status"] == "137"
    assert ended[again]["exit_status"] == "0"
    # The second asked for more than the first.
    assert "h_rt=86400" in ended[job]["category"]
    assert "h_rt=172800" in ended[again]["category"]
    assert re.search(r"Continuing after step [1-9]", training_log(before_training))
    assert unfinished_files(before_training) == []


def test_over_time_is_tried_again_with_more(cluster, run, before_training):
    epochs(before_training, ENDLESS)
    as_a_lab_edits_it(before_training, runtime="1 * attempt")
    study = run(before_training, "--", WEIGHTS)
    study.until(lambda: waiting_or_running(cluster), "a submission")
    (first,) = waiting_or_running(cluster)
    assert "h_rt=60" in cluster.asked(first)["hard resource_list"]
    study.until(lambda: set(waiting_or_running(cluster)) - {first}, "a second job")
    (second,) = waiting_or_running(cluster)
    assert second != first
    assert "h_rt=120" in cluster.asked(second)["hard resource_list"]
    study.until(lambda: "Continuing after step" in training_log(before_training), "the training goes on")
    # Ctrl-C ends the jobs.
    study.interrupt()
    assert study.wait(120) != 0
    wait_for(lambda: not waiting_or_running(cluster), 60, "a job is not ended")


def test_a_master_that_is_killed_and_started_again_costs_no_job(cluster, run, before_training):
    epochs(before_training, 60)
    as_a_lab_edits_it(before_training)
    study = run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    before = waiting_or_running(cluster)
    cluster.end_daemon("sge_qmaster", signal.SIGKILL)
    try:
        subprocess.run(["sleep", "15"], check=True)
    finally:
        cluster.start_daemon("sge_qmaster")
    study.succeed()
    trainings = [row["jobnumber"] for row in cluster.finished() if row["jobname"] == "train"]
    assert trainings[-1:] == before
    assert "Continuing" not in training_log(before_training)


def unlock(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "scripts/unlock.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_lock_stays_while_jobs_of_a_killed_snakemake_are_at_work(cluster, run, before_training):
    epochs(before_training, 15)
    as_a_lab_edits_it(before_training)
    first = run(before_training, "--", WEIGHTS)
    first.until(first.training, "a checkpoint")
    first.kill()
    (job,) = waiting_or_running(cluster)
    refused = unlock(before_training, cluster.environment)
    assert refused.returncode == 1
    assert f"qdel {job}" in refused.stderr

    while waiting_or_running(cluster):
        subprocess.run(["sleep", "1"], check=True)
    weights = (before_training / WEIGHTS).read_bytes()
    assert unlock(before_training, cluster.environment).returncode == 0
    run(before_training, "--", WEIGHTS).succeed()
    assert (before_training / WEIGHTS).read_bytes() == weights
    assert unfinished_files(before_training) == []
