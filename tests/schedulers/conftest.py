"""Stand-ins for LSF's programs, and its real executor plugin."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridengine.conftest import Run
from plugins import install
from schedulers.lsf_stand_in import write_programs

PROFILE = "workflow/profiles/lsf"
PLUGINS = ["snakemake-executor-plugin-lsf==0.3.3", "throttler==1.2.2"]


class StandIn:
    """A folder that plays an LSF."""

    def __init__(self, folder: Path, plugin: Path) -> None:
        self.folder = folder
        self.runs: list[Run] = []
        programs = write_programs(folder)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(plugin),
        }

    def run(self, folder: Path, *arguments: str) -> Run:
        """Start a Snakemake that submits to it."""
        self.runs.append(Run(folder, self.environment, *arguments, profile=PROFILE))
        return self.runs[-1]

    def asked(self) -> dict[str, dict]:
        """What each job asked for, in the order of submission."""
        jobs = sorted((self.folder / "jobs").glob("*/pid"), key=lambda path: int(path.parent.name))
        return {job.parent.name: json.loads((job.parent / "asked.json").read_text()) for job in jobs}

    def stop(self) -> None:
        """End what a failed test leaves."""
        for run in self.runs:
            if run.process.poll() is None:
                run.interrupt()
                run.wait(120)
        if self.asked():
            subprocess.run(["bkill", *self.asked()], env=self.environment, capture_output=True, check=False)


@pytest.fixture(scope="session")
def plugin(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("plugin"), *PLUGINS)


@pytest.fixture
def lsf(tmp_path, plugin) -> Iterator[StandIn]:
    made = StandIn(tmp_path / "lsf", plugin)
    yield made
    made.stop()


def as_a_lab_edits_it(folder: Path) -> None:
    """Write project and the queue of GPUs into the profile, as its comments say."""
    profile = folder / PROFILE / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    text = text.replace("  # lsf_project:", "  lsf_project:")
    text = text.replace("    # lsf_queue:", "    lsf_queue:").replace("    # lsf_extra:", "    lsf_extra:")
    profile.write_text(text, encoding="utf-8")
