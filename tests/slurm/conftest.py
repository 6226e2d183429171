"""A SLURM of one machine, and studies that run through the profile for it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm.cluster import Cluster, NoSlurmError
from workflow.conftest import TINY, copy_repository, snakemake

PROFILE = "workflow/profiles/slurm"
MODEL = "results/tiny/models/yolov5n/seed-1"
WEIGHTS = f"{MODEL}/weights.safetensors"
# A test looks more often than a run of days needs to.
IMPATIENT = ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]
IMPATIENT += ["--max-status-checks-per-second", "1"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
    except (NoSlurmError, OSError) as error:
        made.stop()
        pytest.skip(f"No SLURM here: {error}.")
    yield made
    made.stop()


def as_a_lab_edits_it(folder: Path, **train: str) -> None:
    """Write partitions into the profile, as its comments say, and what a training asks for.

    The pretended GPUs are asked for here, since the study's device: cuda needs real ones.
    """
    profile = folder / PROFILE / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    text = text.replace("  # slurm_partition: cpu", "  slurm_partition: cpu")
    text = text.replace("    # slurm_partition: gpu", "    slurm_partition: gpu\n    gpu: 1")
    for name, value in train.items():
        head, tail = text.split("  train:\n")
        tail, count = re.subn(rf"^    {name}: .*$", f"    {name}: {value}", tail, count=1, flags=re.MULTILINE)
        text = head + "  train:\n" + (tail if count else f"    {name}: {value}\n{tail}")
    profile.write_text(text, encoding="utf-8")


def one_detector(folder: Path, epochs: int = 2) -> None:
    """Leave one detector and one seed in the tiny study, which saves at every step."""
    tiny = folder / TINY
    text = tiny.read_text().replace("include: [fasterrcnn_lite0, yolov5n]", "include: [yolov5n]")
    text = text.replace("seeds: [1, 2]", "seeds: [1]")
    tiny.write_text(text.replace("threads: 1", "threads: 1\n  checkpoint_seconds: 1"))
    models = folder / "tests/studies/tiny_models.yaml"
    models.write_text(models.read_text().replace("epochs: 2", f"epochs: {epochs}"))


@pytest.fixture(scope="session")
def imported(tmp_path_factory) -> Path:
    """The repository with the tiny study done up to the first training, on this machine."""
    folder = copy_repository(tmp_path_factory.mktemp("imported"))
    one_detector(folder)
    snakemake(folder, "--configfile", TINY, "--", "results/tiny/dataset/leakage_checked.json")
    return folder


@pytest.fixture
def before_training(imported, tmp_path) -> Path:
    folder = tmp_path / "study"
    shutil.copytree(imported, folder, symlinks=True)
    return folder


class Run:
    """A Snakemake that submits to SLURM, in the background; its words are in ``printed``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.log = folder, folder / "snakemake.log"
        command = [Path(sys.executable).parent / "snakemake", "--workflow-profile", PROFILE, *IMPATIENT]
        self._handle = self.log.open("a")
        self.process = subprocess.Popen(
            [*command, "--configfile", TINY, *arguments],
            cwd=folder,
            stdout=self._handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait(self, seconds: float = 900) -> int:
        code = self.process.wait(timeout=seconds)
        self._handle.close()
        return code

    def succeed(self) -> None:
        assert self.wait() == 0, self.printed

    def until(self, condition: Callable[[], object], what: str, seconds: float = 600) -> None:
        """Wait for something to happen while Snakemake runs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"{what}: Snakemake ended\n{self.printed}"
            assert time.monotonic() < deadline, f"{what} did not happen\n{self.printed}"
            time.sleep(0.3)

    def training(self) -> bool:
        """Whether a training has saved where it stands."""
        return (self.folder / MODEL / ".checkpoint" / "state.safetensors").exists()

    def kill(self) -> None:
        """End Snakemake as a lost login node does, and nothing else."""
        self.process.kill()
        self.wait(60)

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Start a run; one that a failed test leaves is ended."""
    started: list[Run] = []

    def start(folder: Path, *arguments: str) -> Run:
        started.append(Run(folder, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.interrupt()
            one.wait(120)


def training_jobs(cluster: Cluster, states: str = "all") -> list[str]:
    """Ids of the jobs of rule train, oldest first."""
    return sorted(
        (job["id"] for job in cluster.jobs(states) if job["comment"].startswith("rule_train")), key=int
    )


def training_log(folder: Path) -> str:
    """What the training has logged; nothing yet where its job is only about to start."""
    log = folder / "logs/tiny/train/yolov5n/seed-1.log"
    return log.read_text(encoding="utf-8") if log.exists() else ""


def unfinished_files(folder: Path) -> list[Path]:
    """Files that something was writing when it was killed."""
    return list((folder / "results").rglob(".*.unfinished-*"))
