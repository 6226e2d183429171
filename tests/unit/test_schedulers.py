"""What schedulers say of their jobs: read for the lock of a killed run, and for Snakemake on Grid Engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from podura import schedulers

STATUS = Path(__file__).resolve().parents[2] / "workflow/profiles/sge/status.sh"

# As Grid Engine 8.1.9 prints it.
QSTAT = """job-ID  prior   name       user         state submit/start at     queue       slots ja-task-ID
-----------------------------------------------------------------------------------------------------
      7 0.50000 train      root         r     11/26/2026 03:54:30 gpu.q@vm        2
     12 0.00000 train      root         qw    11/26/2026 03:54:31                 1
     13 0.00000 train      root         Eqw   11/26/2026 03:54:31                 1
"""
QSTAT_JOBS = """==============================================================
job_number:                 7
sge_o_workdir:              {elsewhere}
cwd:                        {here}
hard resource_list:         gpu=1,h_rt=600
==============================================================
job_number:                 12
sge_o_workdir:              {elsewhere}
env_list:                   TERM=NONE
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a program that prints something, on a PATH without any scheduler."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    monkeypatch.setattr(schedulers.shutil, "which", lambda name: name if (place / name).exists() else None)

    def write(name: str, script: str) -> None:
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)

    return write


def test_without_a_scheduler_there_are_no_jobs(program, tmp_path):
    assert schedulers.jobs_in(tmp_path) == {}


def test_slurm_lsf_and_htcondor_say_the_folder_of_each_job(program, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    program("squeue", f"echo '11|{tmp_path}/study'; echo '12|{tmp_path}'")
    program("bjobs", f"echo '21|$HOME/study'; echo '22|{tmp_path}/other'")
    program("condor_q", f"echo '31 {tmp_path}/study'; echo '32 {tmp_path}/other'")
    found = schedulers.jobs_in(tmp_path / "study")
    assert found == {"SLURM": ["11"], "LSF": ["21"], "HTCondor": ["31"]}


def test_lsf_without_jobs_is_no_fault(program, tmp_path, caplog):
    program("bjobs", "echo 'No unfinished job found' >&2; exit 255")
    assert schedulers.jobs_in(tmp_path) == {}
    assert caplog.text == ""


def test_grid_engine_is_asked_where_each_job_works(program, tmp_path):
    (tmp_path / "list").write_text(QSTAT)
    (tmp_path / "jobs").write_text(QSTAT_JOBS.format(here=tmp_path / "study", elsewhere=tmp_path / "other"))
    # That job 13 ended meanwhile is an error, and no reason to forget the others.
    program("qstat", f'[ "$1" = -u ] && exec cat {tmp_path}/list; cat {tmp_path}/jobs; exit 1')
    assert schedulers.jobs_in(tmp_path / "study") == {"Grid Engine": ["7"]}
    assert schedulers.jobs_in(tmp_path / "other") == {"Grid Engine": ["12"]}


def test_a_scheduler_that_does_not_answer_is_a_warning(program, tmp_path, caplog):
    program("squeue", "exit 1")
    assert schedulers.jobs_in(tmp_path) == {}
    assert "SLURM does not say" in caplog.text


def status(job: str, folder: Path) -> str:
    done = subprocess.run(
        [STATUS, job], cwd=folder, env=os.environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_grid_engine_jobs_run_succeed_or_fail(program, tmp_path):
    (tmp_path / "list").write_text(QSTAT)
    program("qstat", f"cat {tmp_path}/list")
    program("qdel", f"echo $1 >> {tmp_path}/deleted")
    ended = tmp_path / ".snakemake/sge_ended"
    ended.mkdir(parents=True)
    (ended / "5").write_text("0\n")
    (ended / "6").write_text("1\n")
    said = {job: status(job, tmp_path) for job in ("5", "6", "7", "12", "13")}
    assert said == {"5": "success", "6": "failed", "7": "running", "12": "running", "13": "failed"}
    # What could not be started would wait for ever.
    assert (tmp_path / "deleted").read_text() == "13\n"


def test_a_grid_engine_that_does_not_answer_costs_no_job(program, tmp_path):
    program("qstat", "exit 1")
    assert status("7", tmp_path) == "running"
