"""The job that detects in a survey: a kill costs an image, and memory does not grow with the survey."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from podura.tables import SURVEY_DETECTIONS
from release_data import ROOT, make_release, survey_of, write_picture

pytestmark = pytest.mark.slow

_RUN = """
import runpy, sys
sys.path[:0] = ["tests", "scripts"]
from peak_memory import peak_mb
runpy.run_path("scripts/detect_survey.py", run_name="__main__")
print("peak", peak_mb())
"""


def command(images: Path, release: Path, output: Path) -> list[str]:
    survey = json.dumps(asdict(survey_of(images)), default=str)
    store = output / "machine/store.jsonl"
    options = ["--survey", survey, "--release", release, "--store", store, "--output", output]
    return [sys.executable, "-c", _RUN, *map(str, options)]


def run(images: Path, release: Path, output: Path) -> tuple[float, str]:
    """The peak memory in MB, and what was said."""
    done = subprocess.run(
        command(images, release, output), cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1]), done.stderr


def test_a_killed_survey_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    make_release(tmp_path / "release", tmp_path / "work")
    for number in range(40):
        write_picture(tmp_path / f"meadow/core-{number % 3}/{number:02d}.png", seed=number)
    store = tmp_path / "broken/machine/store.jsonl"
    with subprocess.Popen(
        command(tmp_path / "meadow", tmp_path / "release", tmp_path / "broken"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as job:
        while not store.is_file() or store.read_bytes().count(b"\n") < 4:
            assert job.poll() is None, "it is killed before it is done"
            time.sleep(0.01)
        os.kill(job.pid, signal.SIGKILL)
    assert not (tmp_path / "broken/images.csv").exists(), "tables appear when they are whole"
    known = store.read_bytes().count(b"\n") - 1
    assert known < 40
    _, said = run(tmp_path / "meadow", tmp_path / "release", tmp_path / "broken")
    assert f"40 images, of which {known} are known from before" in said
    run(tmp_path / "meadow", tmp_path / "release", tmp_path / "whole")
    for name in ("samples.csv", "images.csv", "machine/detections.parquet", "machine/looks.parquet"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_thousand_images_take_little_more_memory_than_a_hundred(tmp_path: Path) -> None:
    make_release(tmp_path / "release", tmp_path / "work")
    rng = np.random.default_rng(1)
    for name, number in (("few", 100), ("many", 1000)):
        for place in range(number):
            pixels = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
            path = tmp_path / name / f"core-{place % 10}" / f"{place}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, quality=80)
    (tmp_path / "many/core-3/broken.jpg").write_bytes(b"\xff\xd8\xff")
    few, _ = run(tmp_path / "few", tmp_path / "release", tmp_path / "of_few")
    many, _ = run(tmp_path / "many", tmp_path / "release", tmp_path / "of_many")
    print(f"{few:.0f} MB for 100 images, {many:.0f} MB for 1,000")
    detections = SURVEY_DETECTIONS.read_parquet(tmp_path / "of_many/machine/detections.parquet")
    rows = len(detections)
    # The tables themselves: about a kilobyte a detection while they are put together.
    assert many - few < 60 + rows / 1000
    images = pd.read_csv(tmp_path / "of_many/images.csv")
    assert (images["status"] == "failed").sum() == 1
    samples = pd.read_csv(tmp_path / "of_many/samples.csv").set_index("sample")
    assert samples["complete"].sum() == 9
    assert not samples.at["core-3", "complete"]
