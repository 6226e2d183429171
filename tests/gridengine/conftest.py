"""A Grid Engine of one machine, and studies that run through the profile for it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gridengine.cluster import Cluster, NoGridEngineError
from plugins import install
from slurm.conftest import Run as RunOnSlurm
from slurm.conftest import before_training, imported
from workflow.conftest import TINY

__all__ = ["before_training", "imported"]

PROFILE = "workflow/profiles/sge"
PLUGIN = "snakemake-executor-plugin-cluster-generic==1.0.9"
# A test looks more often than a run of days needs to.
IMPATIENT = ["--seconds-between-status-checks", "2", "--latency-wait", "10"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("gridengine"))
    try:
        try:
            made.start()
        except NoGridEngineError as error:
            pytest.skip(f"No Grid Engine here: {error}.")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def plugin(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("plugin"), PLUGIN)


def as_a_lab_edits_it(folder: Path, **train: str) -> None:
    """Write the queue of GPUs into the profile, as its comments say, and what a training asks for."""
    profile = folder / PROFILE / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    text = text.replace("    # sge_queue:", "    sge_queue:")
    text = text.replace("    # sge_extra:", "    sge_extra:")
    head, tail = text.split("  train:\n")
    for name, value in train.items():
        tail = re.sub(rf"(?m)^    {name}: .*$", f"    {name}: {value}", tail, count=1)
    text = head + "  train:\n" + tail
    profile.write_text(text, encoding="utf-8")


class Run(RunOnSlurm):
    """A Snakemake that submits through a profile, in the background; its words are in ``printed``."""

    def __init__(
        self, folder: Path, environment: dict[str, str], *arguments: str, profile: str = PROFILE
    ) -> None:
        self.folder, self.log = folder, folder / "snakemake.log"
        command = [Path(sys.executable).parent / "snakemake", "--workflow-profile", profile, *IMPATIENT]
        self._handle = self.log.open("a")
        self.process = subprocess.Popen(
            [*command, "--configfile", TINY, *arguments],
            cwd=folder,
            env=environment,
            stdout=self._handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.fixture
def run(cluster, plugin) -> Iterator[Callable[..., Run]]:
    """Start a run; one that a failed test leaves is ended."""
    started: list[Run] = []
    environment = {**cluster.environment, "PYTHONPATH": str(plugin)}

    def start(folder: Path, *arguments: str) -> Run:
        started.append(Run(folder, environment, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.interrupt()
            one.wait(120)
