"""The tiny study in two folds: each slide is tested once, by a model of its own; and it stays so."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from workflow.conftest import copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow

FOLDS = "tests/studies/tiny_folds.yaml"
RESULTS = Path("results/tiny_folds")


@pytest.fixture(scope="module")
def crossed(tmp_path_factory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("folds"))
    snakemake(folder, "--configfile", FOLDS)
    return folder


def test_every_slide_is_tested_once_by_a_model_that_has_not_seen_it(crossed):
    split = pd.read_csv(crossed / RESULTS / "dataset/split.csv")
    assert (split[split["part"] == "test"].groupby("image").size() == 1).all()
    for fold, of_fold in split.groupby("fold"):
        model = crossed / RESULTS / f"models/yolov5n/fold-{fold}/seed-1"
        assert json.loads((model / "model.json").read_text())["fold"] == fold
        trained = pd.read_csv(crossed / RESULTS / f"dataset/parts/fold-{fold}/train/images.csv")
        tested = set(of_fold.loc[of_fold["part"] == "test", "slide"])
        assert not set(trained["slide"]) & tested
    weights = [
        (crossed / RESULTS / f"models/yolov5n/fold-{fold}/seed-1/weights.safetensors").read_bytes()
        for fold in (1, 2)
    ]
    assert weights[0] != weights[1]


def test_results_are_pooled_over_folds(crossed):
    species = pd.read_csv(crossed / RESULTS / "benchmark/species.csv")
    folds = pd.read_csv(crossed / RESULTS / "benchmark/folds.csv")
    coco = json.loads((crossed / RESULTS / "dataset/annotations.json").read_text())
    truth = species[species["model"] == "control_truth"]
    assert truth["n_truth"].sum() == len(coco["annotations"])
    assert (truth["ap50_95"] == 1).all()
    sums = folds.groupby(["model", "species"])["n_truth"].sum()
    assert species.set_index(["model", "species"])["n_truth"].to_dict() == sums.to_dict()


def test_the_page_tells_of_the_folds(crossed):
    assert "There are 2 folds" in (crossed / RESULTS / "benchmark/report.html").read_text()


def test_another_split_under_results_is_refused_before_any_job(crossed):
    assert planned(crossed, config=FOLDS) == {}
    overlay = crossed / "other.yaml"
    text = (crossed / FOLDS).read_text()
    overlay.write_text(text.replace("folds: 2", "folds: 3"))
    printed = snakemake(crossed, "--configfile", "other.yaml", "-n", check=False)
    assert "folds was 2 and is 3" in printed
    assert "another name" in printed
    assert "Traceback" not in printed
    overlay.write_text(text.replace("study: tiny_folds", "study: other").replace("folds: 2", "folds: 3"))
    assert planned(crossed, config="other.yaml")["train"] == 3


def test_a_split_table_changed_by_hand_is_refused(crossed):
    table = crossed / RESULTS / "dataset/split.csv"
    before = table.read_text()
    table.write_text(before.replace(",train,", ",test,", 1))
    printed = snakemake(crossed, "--configfile", FOLDS, "-n", check=False)
    assert "was changed after it was made" in printed
    assert "Traceback" not in printed
    table.unlink()
    snakemake(crossed, "--configfile", FOLDS, "--", str(RESULTS / "dataset/split.csv"))
    assert table.read_text() == before
