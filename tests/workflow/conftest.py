"""A copy of the repository in which the tiny study has been run once; each test may change its copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "CITATION.cff", "config", "workflow", "scripts", "envs", "resources", "tests")
TINY = "tests/studies/tiny.yaml"


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in a folder and return what it printed, standard output and error together."""
    done = subprocess.run(
        [Path(sys.executable).parent / "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{done.stdout}")
    return done.stdout


def planned(folder: Path, *arguments: str, config: str = TINY) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would run."""
    printed = snakemake(folder, "--configfile", config, "-n", *arguments)
    if "Job stats:" not in printed:
        assert "Nothing to be done" in printed
        return {}
    table = printed.split("Job stats:")[-1].splitlines()[3:]
    jobs = {}
    for line in table:
        if not line.strip():
            break
        rule, count = line.split()
        jobs[rule] = int(count)
    return {rule: count for rule, count in jobs.items() if rule not in {"all", "total"}}


def copy_repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def table_text(path: Path) -> str:
    """Return a CSV without its columns of time and memory."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    measured = [name for name in frame if "seconds" in name or "memory" in name or "per_second" in name]
    return frame.drop(columns=measured).to_csv(index=False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Path:
    """The repository with the tiny study done; processes of one test run share it, and none may change it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder, done = shared / "finished", shared / "finished.done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            snakemake(copy_repository(folder), "--configfile", TINY)
            done.touch()
    return folder


@pytest.fixture
def study(finished, tmp_path) -> Path:
    """A copy of the finished study, times and all, for one test to change."""
    folder = tmp_path / "study"
    shutil.copytree(finished, folder, symlinks=True)
    os.utime(folder)
    return folder
