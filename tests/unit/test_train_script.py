"""The script of the rule train: what it writes down, and what it says of a study that cannot be trained."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

from builders import coco_dict
from podura import jobs
from podura.errors import UserError
from podura.tables import HISTORY, PART_IMAGES, read_json, write_json
from podura.training import memory
from training_data import labelled_images

ROOT = Path(__file__).parents[2]
MODEL = {
    "name": "small",
    "label": "",
    "adapter": "ultralytics",
    "architecture": "yolov5n",
    "image_size": 64,
    "tiling": None,
    "weights": "none",
    "epochs": 2,
    "batch_size": 2,
    "optimiser": {"name": "adamw", "learning_rate": 0.001, "weight_decay": 0.0005, "warmup": 0.1},
    "average_decay": 0.9,
    "parameters": None,
    "licence": "",
    "reference": "",
}
TRAINING = {
    "device": "cpu",
    "threads": 1,
    "workers": None,
    "precision": "auto",
    "validate_every": 1,
    "checkpoint_seconds": None,
    "augmentation": {"flips": True, "quarter_turns": True, "brightness": 0.2, "colour": 0.1},
}


@pytest.fixture(scope="module")
def train():
    spec = importlib.util.spec_from_file_location("train_script", ROOT / "scripts" / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def trained(train, tmp_path, monkeypatch):
    """Train on so many images, judge on so many, with keys of model and training set otherwise."""
    monkeypatch.setattr(jobs, "stop_request", lambda: lambda: False)

    def part(name: str, count: int, boxes: bool = True) -> None:
        folder = tmp_path / name
        folder.mkdir()
        images = labelled_images(folder, count)
        truth = coco_dict(
            {
                one.image: [
                    (("DARK", "LIGHT")[one.labels[0]], [x, y, right - x, bottom - y])
                    for x, y, right, bottom in one.boxes.tolist()
                    if boxes
                ]
                for one in images
            },
            size=(64, 48),
            categories=("DARK", "LIGHT"),
        )
        for image in truth["images"]:
            image["slide"] = image["file_name"]
        for annotation in truth["annotations"]:
            annotation["ignore"] = 0
        write_json(truth, folder / "truth.json")
        rows = [
            {"image": i.image, "path": str(i.path), "slide": i.image, "width": 64, "height": 48}
            for i in images
        ]
        PART_IMAGES.write_csv(rows, folder / "images.csv")

    def run(*, images=6, judged=2, truth=True, species=("DARK", "LIGHT"), workers=0, training=(), **model):
        part("train", images)
        part("validation", judged, truth)
        config = tmp_path / "config.yaml"
        config.write_text(f"training: {{checkpoint_seconds: 60, workers: {workers}}}")
        train.main(
            argparse.Namespace(
                model=json.dumps({**MODEL, **model}),
                training=json.dumps({**TRAINING, **dict(training)}),
                evaluation=json.dumps({"score_floor": 0.01, "max_detections": 20}),
                species=json.dumps(species),
                seed=3,
                fold=0,
                code="",
                config=config,
                output=tmp_path / "model",
                pretrained=[],
                search=[],
                **{
                    f"{name}_{what}": tmp_path / name / file
                    for name in ("train", "validation")
                    for what, file in (("truth", "truth.json"), ("images", "images.csv"))
                },
            )
        )
        facts = read_json(tmp_path / "model" / "model.json")
        return facts, HISTORY.read_csv(tmp_path / "model" / "history.csv")

    return run


def test_history_and_facts_say_what_the_training_was(trained):
    facts, history = trained(workers=1, training={"precision": "bfloat16", "validate_every": 2})
    assert facts["steps"] == 6
    assert facts["images_seen"] == 12
    assert facts["batch_size"] == facts["micro_batch"] == 2
    assert facts["halvings"] == facts["nondeterministic_operations"] == []
    assert facts["precision"] == "bfloat16"
    assert facts["peak_gpu_memory_mb"] is None
    assert facts["best_epoch"] == 2
    assert history["images_seen"].tolist() == [6, 12]
    assert history["micro_batch"].tolist() == [2, 2]
    assert history["validation_map50_95"].isna().tolist() == [True, False]
    assert history["peak_gpu_memory_mb"].isna().all()
    assert (history["peak_memory_mb"] > 100).all()
    for row in history.itertuples():
        parts = dict(part.split("=") for part in row.loss_parts.split(";"))
        assert set(parts) == {"box", "class", "distribution"}
        assert sum(map(float, parts.values())) == pytest.approx(row.loss, rel=1e-4)


def test_an_automatic_batch_counts_sixteen_images_whatever_memory_there_is(trained, monkeypatch):
    monkeypatch.setattr(memory, "usable_memory", lambda: 10**6)
    facts, _ = trained(images=16, batch_size="auto", epochs=1)
    assert (facts["batch_size"], facts["micro_batch"], facts["images_seen"]) == (16, 1, 16)


def test_a_batch_larger_than_the_part_becomes_the_part_and_says_so(trained, caplog):
    facts, _ = trained(images=3, batch_size=8, epochs=1)
    assert (facts["batch_size"], facts["steps"]) == (3, 1)
    assert "not 8 images to train on: a step takes 3" in caplog.text


def test_parts_of_one_image_train_and_judge(trained):
    facts, history = trained(images=1, judged=1, species=("DARK",), epochs=1)
    assert facts["training_images"] == 1
    assert pd.notna(history["validation_map50"][0])


def test_a_species_that_no_image_shows_is_refused_by_name(trained):
    with pytest.raises(UserError, match="No training slide shows RARE"):
        trained(species=("DARK", "LIGHT", "RARE"))


def test_validation_without_truth_keeps_the_last_epoch_and_says_so(trained, caplog):
    facts, history = trained(truth=False)
    assert facts["best_epoch"] == 2
    assert history["validation_map50_95"].isna().all()
    assert "the last epoch is kept" in caplog.text


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_after_the_import_is_named(trained, monkeypatch, tmp_path, workers):
    def break_one(*_given):
        (tmp_path / "train" / "2.png").write_bytes(b"\x89PNG")

    monkeypatch.setattr(jobs, "stop_request", lambda: break_one() or (lambda: False))
    with pytest.raises(UserError, match=r"^small, seed 3: .*2\.png"):
        trained(workers=workers)
