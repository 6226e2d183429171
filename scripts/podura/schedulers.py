"""Which jobs of a cluster's schedulers are at work in a folder: SLURM, Grid Engine, LSF, HTCondor."""

from __future__ import annotations

import getpass
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

#: Seconds that a scheduler has to answer.
PATIENCE = 120


def slurm_jobs() -> list[tuple[str, str]]:
    """Id and folder of this user's jobs in SLURM's queue."""
    return _pairs(_asked("squeue", "--me", "--noheader", "--format=%i|%Z"))


def gridengine_jobs() -> list[tuple[str, str]]:
    """Id and folder of this user's jobs in Grid Engine's queues."""
    ids = re.findall(r"(?m)^ *(\d+) ", _asked("qstat", "-u", getpass.getuser()))
    if not ids:
        return []
    # That one of them ended meanwhile is an error there.
    text = _asked("qstat", "-j", ",".join(dict.fromkeys(ids)), may_fail=True)
    found = []
    for block in re.split(r"(?m)^=+$", text):
        job: dict[str, str] = dict(re.findall(r"(?m)^(\w+): +(\S.*)$", block))
        if "job_number" in job:
            # cwd is said where qsub was told -cwd.
            found.append((job["job_number"], job.get("cwd") or job["sge_o_workdir"]))
    return found


def lsf_jobs() -> list[tuple[str, str]]:
    """Id and folder of this user's jobs in LSF's queues."""
    # That there is none is an error there; its paths may start with $HOME.
    rows = _pairs(_asked("bjobs", "-noheader", "-o", "jobid sub_cwd delimiter='|'", may_fail=True))
    return [(job, os.path.expandvars(place)) for job, place in rows]


def htcondor_jobs() -> list[tuple[str, str]]:
    """Id and folder of this user's jobs in HTCondor's queue."""
    rows = (line.split(maxsplit=1) for line in _asked("condor_q", "-af", "ClusterId", "Iwd").splitlines())
    return [(row[0], row[1]) for row in rows if len(row) == 2]


@dataclass(frozen=True)
class Scheduler:
    """How a scheduler's users see and end their jobs."""

    asks: str
    jobs: Callable[[], list[tuple[str, str]]]
    ends: str


SCHEDULERS = {
    "SLURM": Scheduler("squeue", slurm_jobs, "scancel"),
    "Grid Engine": Scheduler("qstat", gridengine_jobs, "qdel"),
    "LSF": Scheduler("bjobs", lsf_jobs, "bkill"),
    "HTCondor": Scheduler("condor_q", htcondor_jobs, "condor_rm"),
}


def jobs_in(folder: Path) -> dict[str, list[str]]:
    """Ids of jobs that work in ``folder``, by scheduler; nothing where there is none."""
    found = {}
    for name, scheduler in SCHEDULERS.items():
        if shutil.which(scheduler.asks) is None:
            continue
        try:
            ids = [job for job, place in scheduler.jobs() if Path(place).resolve() == folder]
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("%s does not say whether jobs of the killed run are still at work: %s", name, error)
            continue
        if ids:
            found[name] = ids
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    rows = (line.split("|", 1) for line in text.splitlines() if "|" in line)
    return [(job.strip(), place.strip()) for job, place in rows]


def _asked(*command: str, may_fail: bool = False) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=not may_fail)
    return done.stdout
