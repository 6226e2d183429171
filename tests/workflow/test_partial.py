"""A run of which a training failed gives a report of what has ended, and goes on where that is mended."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from workflow.conftest import TINY, planned, snakemake

pytestmark = pytest.mark.workflow

RESULTS = Path("results/tiny")
RUN = Path("fasterrcnn_lite0/seed-2")


def runs_of(path: Path) -> set[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return {(row["model"], row["seed"]) for row in csv.DictReader(handle)}


def test_a_study_with_a_failed_training_is_reported_as_what_it_is(study):
    """As if the training of one run had failed: nothing of that run, nothing that needs all runs."""
    results = study / RESULTS
    for folder in ("models", "detections", "matches", "scores"):
        shutil.rmtree(results / folder / RUN, ignore_errors=True)
    shutil.rmtree(results / "benchmark")
    assert planned(study)["train"] == 1

    part = planned(study, "--config", "partial=true")
    assert "train" not in part
    assert "detect" not in part
    snakemake(study, "--configfile", TINY, "--config", "partial=true")
    assert runs_of(results / "benchmark/species.csv") >= {("fasterrcnn_lite0", "1"), ("yolov5n", "2")}
    assert ("fasterrcnn_lite0", "2") not in runs_of(results / "benchmark/species.csv")
    page = (results / "benchmark/report.html").read_text(encoding="utf-8")
    assert "Faster R-CNN Lite0, seed 2: its training has not ended" in page
    methods = (results / "benchmark/tables/methods.md").read_text(encoding="utf-8")
    assert "Results are preliminary" in methods
    assert "(fewer: Faster R-CNN Lite0, 1 training)" in methods
    assert planned(study, "--config", "partial=true") == {}

    # What is missing is done by the next run without it; what had ended is not done again.
    assert planned(study)["train"] == 1
    assert planned(study)["detect"] <= 3


def test_nothing_ended_is_refused_in_words(study):
    shutil.rmtree(study / RESULTS / "detections")
    said = snakemake(study, "--configfile", TINY, "--config", "partial=true", "-n", check=False)
    assert "no detector of the study tiny has" in said
    assert "Traceback" not in said
