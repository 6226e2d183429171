"""A change runs again what depends on it and nothing else; touching runs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from workflow.conftest import TINY, planned, snakemake

pytestmark = pytest.mark.workflow


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_finished_study_has_nothing_to_do(study):
    assert planned(study) == {}


def test_touching_every_file_runs_nothing(study):
    for path in study.rglob("*"):
        if path.is_file() and "results" not in path.parts and ".snakemake" not in path.parts:
            os.utime(path)
    assert planned(study) == {}


@pytest.mark.parametrize("seconds", [86_400, -86_400])
def test_a_clock_that_jumped_while_the_study_ran_runs_nothing(study, seconds):
    """Data and trainings bear times of another day than what was made of them."""
    for folder in ("dataset", "models"):
        for path in (study / "results/tiny" / folder).rglob("*"):
            if path.is_file():
                time = path.stat().st_mtime + seconds
                os.utime(path, (time, time))
    assert planned(study) == {}
    # What depends on a change runs all the same, and only that.
    replace(study / TINY, "resamples: 50", "resamples: 60")
    jobs = planned(study)
    assert "resample" in jobs
    assert not {"train", "detect", "import_dataset"} & jobs.keys()


def test_checking_out_a_branch_and_coming_back_runs_nothing(study):
    def git(*words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *words], cwd=study, check=True, capture_output=True)

    (study / ".gitignore").write_text("results/\nlogs/\nbenchmarks/\n.snakemake/\n")
    git("init", "-b", "main")
    git("add", "-A")
    git("commit", "-m", "one")
    git("checkout", "-b", "other")
    for path in (study / "scripts").rglob("*.py"):
        append(path, "\n# another branch\n")
    git("commit", "-am", "two")
    assert planned(study) != {}
    git("checkout", "main")
    assert planned(study) == {}


def test_changing_one_models_entry_retrains_that_model_alone(study):
    models = study / "tests/studies/tiny_models.yaml"
    text = models.read_text()
    head, tail = text.split("yolov5n:\n")
    models.write_text(head + "yolov5n:\n" + tail.replace("epochs: 2", "epochs: 3"))
    jobs = planned(study)
    assert jobs["train"] == 2
    assert jobs["detect"] == 2
    assert jobs["score"] == 2
    assert "paint" not in jobs
    assert "split" not in jobs
    printed = snakemake(study, "--configfile", TINY, "-n")
    assert "model=yolov5n" in printed
    assert "model=fasterrcnn_lite0" not in printed


def test_a_new_label_retrains_nothing(study):
    replace(study / "tests/studies/tiny_models.yaml", "label: YOLOv5n", "label: My YOLO")
    jobs = planned(study)
    assert "train" not in jobs
    assert "score" not in jobs
    assert jobs["merge"] == 1
    assert jobs["report"] == 1


@pytest.mark.parametrize(
    "module", ["certification.py", "clustering.py", "average_precision.py", "matching.py"]
)
def test_changing_code_that_scoring_uses_scores_again_and_trains_nothing(study, module):
    append(study / "scripts/podura/evaluation" / module, "\nCHANGED = True\n")
    jobs = planned(study)
    assert jobs["score"] == 8
    assert "train" not in jobs
    assert "detect" not in jobs


def test_changing_code_that_training_uses_trains_again(study):
    append(study / "scripts/podura/training/loop.py", "\nCHANGED = True\n")
    jobs = planned(study)
    assert jobs["train"] == 4
    assert "split" not in jobs


def test_changing_one_adapter_retrains_its_models_alone(study):
    append(study / "scripts/podura/detectors/ultralytics_adapter.py", "\nCHANGED = True\n")
    assert planned(study)["train"] == 2


def test_changing_the_page_only_writes_the_page_again(study):
    (file,) = list((study / "resources/report").glob("*.css"))[:1]
    append(file, "\n/* changed */\n")
    # The record of the study holds the digest of the page.
    assert planned(study) == {"report": 1, "manifest": 1}


def test_changing_the_target_precision_scores_again_and_trains_nothing(study):
    append(study / TINY, "  target_precision: 0.9\n")
    jobs = planned(study)
    assert jobs["score"] == 8
    assert "train" not in jobs


def test_another_certificate_scores_again_and_trains_nothing(study):
    append(study / TINY, "  certificate: {joint: true}\n")
    jobs = planned(study)
    assert jobs["score"] == 8
    assert "match" not in jobs
    assert "train" not in jobs


def test_a_new_seed_trains_only_itself(study):
    replace(study / TINY, "seeds: [1, 2]", "seeds: [1, 2, 3]")
    jobs = planned(study)
    assert jobs["train"] == 2
    assert jobs["control"] == 2


def test_saving_more_often_and_more_workers_retrain_nothing(study):
    replace(study / TINY, "threads: 1", "threads: 1\n  checkpoint_seconds: 5\n  workers: 3")
    jobs = planned(study)
    assert "train" not in jobs


def test_another_precision_trains_every_model_anew(study):
    replace(study / TINY, "threads: 1", "threads: 1\n  precision: bfloat16")
    assert planned(study)["train"] == 4


def test_another_threshold_of_leakage_searches_again_and_trains_nothing(study):
    replace(study / TINY, "painted:", "  leakage: {correlation: 0.75}\n\npainted:")
    jobs = planned(study)
    assert jobs["similar_images"] == jobs["leakage"] == jobs["check_leakage"] == 1
    assert jobs["report"] == 1
    assert "train" not in jobs
    assert "paint" not in jobs


def test_what_leaks_do_is_no_reason_to_search_or_train(study):
    replace(study / TINY, "painted:", "  leakage: {action: report}\n\npainted:")
    assert planned(study) == {"check_leakage": 1}


def test_another_split_searches_nothing_again(study):
    # Under results of another split it is refused.
    shutil.rmtree(study / "results/tiny/models")
    replace(study / TINY, "train: 0.4, validation: 0.2", "train: 0.3, validation: 0.3")
    jobs = planned(study)
    assert jobs["split"] == jobs["leakage"] == jobs["check_leakage"] == 1
    assert "similar_images" not in jobs


def test_without_the_check_nothing_is_searched(study):
    replace(study / TINY, "painted:", "  leakage: {check: false}\n\npainted:")
    jobs = planned(study)
    assert jobs["leakage"] == 1
    assert "similar_images" not in jobs
    assert "train" not in jobs


def test_editing_an_image_imports_again_and_touching_it_does_not(study):
    """The same with a study of the user's own files, which Podura did not make."""
    own = study / "own"
    shutil.copytree(study / "results/tiny/painted/slides", own)
    (study / "own.tsv").write_text(
        (study / "tests/studies/tiny_images.tsv").read_text().replace("\ns", "\nown/s")
    )
    overlay = study / "own.yaml"
    text = (study / TINY).read_text().replace("study: tiny", "study: own")
    text = text.replace(
        "  images: tests/studies/tiny_images.tsv",
        "  images: own.tsv\n  annotations: {format: coco, path: own.json}",
    )
    overlay.write_text(text)
    shutil.copy(study / "results/tiny/painted/annotations.json", study / "own.json")
    split = "results/own/dataset/split.csv"
    snakemake(study, "--configfile", "own.yaml", "--", split)
    assert planned(study, "--", split, config="own.yaml") == {}
    image = own / "s01.jpg"
    os.utime(image)
    os.utime(study / "own.json")
    assert planned(study, "--", split, config="own.yaml") == {}
    image.write_bytes((own / "s02.jpg").read_bytes())
    jobs = planned(study, "--", split, config="own.yaml")
    assert jobs["import_dataset"] == 1
