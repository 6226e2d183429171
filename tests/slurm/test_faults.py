"""What goes wrong on clusters: jobs that are ended, nodes and daemons that go, a Snakemake that is killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from slurm.conftest import (
    MODEL,
    WEIGHTS,
    as_a_lab_edits_it,
    training_jobs,
    training_log,
    unfinished_files,
)

pytestmark = pytest.mark.slurm

#: More epochs than any test waits for.
ENDLESS = 1_000_000


def epochs(folder, number: int) -> None:
    models = folder / "tests/studies/tiny_models.yaml"
    models.write_text(re.sub(r"epochs: \d+", f"epochs: {number}", models.read_text()))


def new_jobs(cluster, before):
    return [job for job in training_jobs(cluster) if job not in before]


def test_a_job_that_is_cancelled_is_submitted_again_and_goes_on(cluster, run, before_training):
    epochs(before_training, 15)
    before = training_jobs(cluster)
    study = run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    (job,) = new_jobs(cluster, before)
    subprocess.run(["scancel", job], check=True)
    study.succeed()
    assert len(new_jobs(cluster, before)) == 2
    assert "CANCELLED" in study.printed
    assert re.search(r"Continuing after step [1-9]", training_log(before_training))
    assert unfinished_files(before_training) == []


def test_out_of_memory_is_tried_again_with_more(cluster, run, before_training):
    as_a_lab_edits_it(before_training, mem_mb="300 * attempt ** 4")
    before = training_jobs(cluster)
    run(before_training, "--", WEIGHTS).succeed()
    first, second = new_jobs(cluster, before)
    assert cluster.facts(first)["JobState"] in {"OUT_OF_MEMORY", "FAILED", "CANCELLED"}
    assert cluster.facts(first)["MinMemoryNode"] == "300M"
    assert cluster.facts(second)["MinMemoryNode"] == "4800M"


def test_over_time_is_tried_again_with_more_and_ctrl_c_ends_the_jobs(cluster, run, before_training):
    epochs(before_training, ENDLESS)
    as_a_lab_edits_it(before_training, runtime="1 * attempt")
    before = training_jobs(cluster)
    study = run(before_training, "--", WEIGHTS)
    study.until(lambda: len(new_jobs(cluster, before)) == 2, "a second job")
    first, second = new_jobs(cluster, before)
    assert cluster.facts(first)["JobState"] == "TIMEOUT"
    assert cluster.facts(first)["TimeLimit"] == "00:01:00"
    assert cluster.facts(second)["TimeLimit"] == "00:02:00"
    study.until(lambda: "Continuing after step" in training_log(before_training), "the training goes on")
    study.interrupt()
    assert study.wait(120) != 0
    assert second not in training_jobs(cluster, "PENDING,RUNNING")


def test_a_drained_node_delays_and_loses_nothing(cluster, run, before_training):
    before = training_jobs(cluster)
    node = ["scontrol", "update", f"nodename={cluster.host}"]
    subprocess.run([*node, "state=drain", "reason=test"], check=True)
    try:
        study = run(before_training, "--", WEIGHTS)
        study.until(lambda: new_jobs(cluster, before), "a submission")
        (job,) = new_jobs(cluster, before)
        assert cluster.facts(job)["JobState"] == "PENDING"
    finally:
        subprocess.run([*node, "state=resume"], check=True)
    study.succeed()
    assert new_jobs(cluster, before) == [job]


@pytest.mark.parametrize("daemon", ["slurmctld", "slurmd"])
def test_a_daemon_that_is_killed_and_started_again_costs_no_job(cluster, run, before_training, daemon):
    epochs(before_training, 15)
    before = training_jobs(cluster)
    study = run(before_training, "--", WEIGHTS)
    study.until(study.training, "a checkpoint")
    cluster.end_daemon(daemon, signal.SIGKILL)
    try:
        # Time for more failed queries than the plugin's own default allows.
        subprocess.run(["sleep", "20"], check=True)
    finally:
        cluster.start_daemon(daemon)
    study.succeed()
    assert len(new_jobs(cluster, before)) == 1
    facts = json.loads((before_training / MODEL / "model.json").read_text())
    assert facts["epochs"] == 15


def unlock(folder) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "scripts/unlock.py"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_what_jobs_finish_after_their_snakemake_was_killed_is_not_repeated(cluster, run, before_training):
    epochs(before_training, 15)
    before = training_jobs(cluster)
    first = run(before_training, "--", WEIGHTS)
    first.until(first.training, "a checkpoint")
    first.kill()
    (job,) = new_jobs(cluster, before)
    refused = unlock(before_training)
    assert refused.returncode == 1
    assert f"scancel {job}" in refused.stderr

    while training_jobs(cluster, "PENDING,RUNNING,COMPLETING"):
        subprocess.run(["sleep", "1"], check=True)
    facts = (before_training / MODEL / "model.json").read_bytes()
    weights = (before_training / WEIGHTS).read_bytes()
    assert unlock(before_training).returncode == 0
    run(before_training, "--", WEIGHTS).succeed()
    # Either Snakemake takes what the job left, or a second job finds it done.
    assert len(new_jobs(cluster, before)) == 1 or "its results are put back" in training_log(before_training)
    assert (before_training / MODEL / "model.json").read_bytes() == facts
    assert (before_training / WEIGHTS).read_bytes() == weights
    assert unfinished_files(before_training) == []
