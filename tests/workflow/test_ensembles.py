"""Ensembles go through the same rules as any model, from the detections of what they fuse to the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from podura.tables import DETECTIONS
from workflow.conftest import TINY, planned, snakemake

pytestmark = pytest.mark.workflow

MEMBERS = ("yolov5n", "fasterrcnn_lite0")
MODELS = "include: [fasterrcnn_lite0, yolov5n]"
FUSED = "include: [fasterrcnn_lite0, yolov5n, both, yolov5n_all_seeds]"


def with_ensembles(study: Path) -> None:
    tiny = study / TINY
    text = tiny.read_text(encoding="utf-8")
    assert MODELS in text
    tiny.write_text(text.replace(MODELS, FUSED), encoding="utf-8")


@pytest.fixture(scope="module")
def fused(finished, tmp_path_factory) -> Path:
    """The finished study with two ensembles added: one of both models by seed, one of all seeds."""
    folder = tmp_path_factory.mktemp("fused") / "study"
    shutil.copytree(finished, folder, symlinks=True)
    with_ensembles(folder)
    jobs = planned(folder)
    assert "train" not in jobs
    assert "detect" not in jobs
    assert jobs["fuse"] == jobs["match"] == 3
    assert jobs["score"] == 3
    snakemake(folder, "--configfile", TINY)
    return folder


def test_an_ensemble_of_all_seeds_has_one_run_and_one_by_seed_a_run_a_seed(fused):
    species = pd.read_csv(fused / "results/tiny/benchmark/species.csv")
    runs = species.groupby("model")["seed"].unique().map(sorted).to_dict()
    assert runs["yolov5n_all_seeds"] == [0]
    assert runs["both"] == runs["yolov5n"] == runs["control_truth"] == [1, 2]
    assert (fused / "results/tiny/detections/yolov5n_all_seeds/seed-all/test.parquet").is_file()


def test_an_ensemble_is_ranked_and_costs_what_its_members_cost_together(fused):
    models = pd.read_csv(fused / "results/tiny/benchmark/models.csv").set_index("model")
    one, several = models.loc["yolov5n"], models.loc["yolov5n_all_seeds"]
    assert several["role"] == "detector"
    assert several["rank"] >= 1
    assert several["framework"] == "ensemble"
    assert several["n_seeds"] == 1
    assert pd.isna(several["map50_95_seed_sd"])
    assert several["parameters"] == 2 * one["parameters"]
    assert several["training_seconds"] == pytest.approx(2 * one["training_seconds"])
    assert several["detection_seconds"] > one["detection_seconds"]
    both = models.loc["both"]
    assert both["parameters"] == one["parameters"] + models.loc["fasterrcnn_lite0", "parameters"]
    assert both["n_seeds"] == 2
    assert both["licence"] == "AGPL-3.0-or-later AND Apache-2.0"
    trained = models[models["framework"] != "ensemble"]
    assert list(trained["licence"].dropna()) == ["Apache-2.0", "AGPL-3.0-or-later"]


def test_what_an_ensemble_finds_comes_from_its_members_and_obeys_floor_and_cap(fused):
    places = fused / "results/tiny/detections"
    run = json.loads((places / "both/seed-1/run.json").read_text())["test"]
    frame = DETECTIONS.read_parquet(places / "both/seed-1/test.parquet")
    assert frame["score"].min() >= 0.01
    counts = frame.groupby("image").size()
    assert counts.max() <= 20
    assert sorted(run["capped"]) == sorted(counts.index[counts >= 20])
    members = [DETECTIONS.read_parquet(places / f"{model}/seed-1/test.parquet") for model in MEMBERS]
    found = pd.concat(members).groupby(["image", "species"])["score"].max()
    best = frame.groupby(["image", "species"])["score"].max()
    assert (best <= found.reindex(best.index)).all()
    of_members = [json.loads((places / f"{m}/seed-1/run.json").read_text())["test"] for m in MEMBERS]
    assert run["seconds"] > sum(one["seconds"] for one in of_members)
    capped = {place.split("/")[-2]: images for place, images in run["capped_members"].items()}
    assert capped == {m: one["capped"] for m, one in zip(MEMBERS, of_members, strict=True) if one["capped"]}


def test_the_page_says_what_fusing_is_worth(fused):
    page = (fused / "results/tiny/benchmark/report.html").read_text()
    assert "What fusing is worth" in page
    assert "YOLOv5n, all seeds fuses all 2 seeds of YOLOv5n: mean AP50:95" in page
    assert "Both fuses YOLOv5n and Faster R-CNN Lite0, seed by seed: mean AP50:95" in page
    assert "2 detectors, 2 seeds each, 2 ensembles, 2 species" in page


def test_a_fusion_runs_again_when_its_iou_changes_and_touches_nothing_else(fused, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(fused, study, symlinks=True)
    assert planned(study) == {}
    models = study / "tests/studies/tiny_models.yaml"
    text = models.read_text()
    assert "iou: 0.6" in text
    models.write_text(text.replace("iou: 0.6", "iou: 0.7"))
    jobs = planned(study)
    assert jobs["fuse"] == jobs["match"] == 2
    assert jobs["score"] == 2
    assert not {"train", "detect", "control"} & set(jobs)


def test_in_folds_each_fold_fuses_its_own_runs(finished, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(finished, study, symlinks=True)
    with_ensembles(study)
    tiny = study / TINY
    text = tiny.read_text(encoding="utf-8").replace("study: tiny", "study: folded")
    tiny.write_text(text.replace("split:", "split:\n  folds: 2", 1), encoding="utf-8")
    target = "results/folded/detections/yolov5n_all_seeds/fold-2/seed-all/run.json"
    printed = snakemake(study, "--configfile", TINY, "-n", "--", target)
    (job,) = [part for part in printed.split("\n[") if "rule fuse:" in part]
    assert "yolov5n/fold-2/seed-1/test.parquet" in job
    assert "yolov5n/fold-2/seed-2/test.parquet" in job
    assert "fold-1" not in job
    jobs = planned(study)
    assert jobs["fuse"] == 2 * 3
    assert jobs["train"] == 2 * 4
