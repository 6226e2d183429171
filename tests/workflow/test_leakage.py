"""A study whose parts share images: stopped before training, with a table, pictures and a remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leakage_data import jpeg, painted
from podura.tables import LEAKAGE
from workflow.conftest import TINY, copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow

PARTS = ["train", "validation", "calibration", "test"]


@pytest.fixture(scope="module")
def leaking(tmp_path_factory) -> Path:
    """Eight images, two for each part; the first test image is a turned copy of a training image."""
    folder = copy_repository(tmp_path_factory.mktemp("leaking"))
    images = painted(8, size=(240, 180))
    images[6] = jpeg(np.rot90(images[0]).copy(), 80)
    rows, entries = ["image\tslide\tpart"], []
    for number, pixels in enumerate(images):
        name = f"own/{number}.png"
        (folder / "own").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
        rows.append(f"{name}\tslide {number}\t{PARTS[number // 2]}")
        entries.append({"id": number, "file_name": name, "width": pixels.shape[1], "height": pixels.shape[0]})
    (folder / "own.tsv").write_text("\n".join(rows))
    boxes = [
        {
            "id": n,
            "image_id": n,
            "category_id": 1 + n % 2,
            "bbox": [20, 20, 60, 60],
            "area": 3600,
            "iscrowd": 0,
        }
        for n in range(8)
    ]
    categories = [{"id": 1, "name": "CER-DEN"}, {"id": 2, "name": "ISO-MIN"}]
    coco = {"images": entries, "annotations": boxes, "categories": categories}
    (folder / "own.json").write_text(json.dumps(coco))
    text = (folder / TINY).read_text().replace("study: tiny", "study: own")
    text = text.replace(
        "  images: tests/studies/tiny_images.tsv",
        "  images: own.tsv\n  annotations: {format: coco, path: own.json}",
    )
    (folder / "own.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def stopped(leaking) -> str:
    return snakemake(leaking, "--configfile", "own.yaml", "--", "dataset", check=False)


def test_the_run_stops_and_says_what_where_and_what_to_do(leaking, stopped):
    assert "own/0.png (train) and own/6.png (test): the same image, turned by 90°" in stopped
    assert "1 of 2 images of test show what train shows" in stopped
    assert "results/own/dataset/leakage.csv" in stopped
    assert "dataset.leakage.action: report" in stopped
    assert "Traceback" not in (leaking / "logs/own/check_leakage.log").read_text()


def test_table_and_pictures_stay(leaking, stopped):
    table = LEAKAGE.read_csv(leaking / "results/own/dataset/leakage.csv")
    assert table[["severity", "kind", "image_1", "image_2"]].to_numpy().tolist() == [
        ["leak", "near_equal", "own/0.png", "own/6.png"]
    ]
    with Image.open(leaking / "results/own/dataset" / table["picture"][0]) as picture:
        assert picture.size[0] > 500


def test_nothing_is_trained_before_the_leaks_are_accepted(leaking, stopped):
    jobs = planned(leaking, config="own.yaml")
    assert jobs["check_leakage"] == 1
    assert jobs["train"] == 4
    train = snakemake(leaking, "--configfile", "own.yaml", "--until", "train", check=False)
    assert "rule train:" not in train


def test_with_report_the_run_goes_on_and_without_the_check_it_says_so(leaking, stopped, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(leaking, folder, symlinks=True)
    own = (folder / "own.yaml").read_text()
    (folder / "report.yaml").write_text(own.replace("  images:", "  leakage: {action: report}\n  images:", 1))
    printed = snakemake(folder, "--configfile", "report.yaml", "--", "dataset")
    assert "own/0.png (train) and own/6.png (test)" in printed
    assert (folder / "results/own/dataset/leakage_checked.json").is_file()
    (folder / "off.yaml").write_text(own.replace("  images:", "  leakage: {check: false}\n  images:", 1))
    printed = snakemake(folder, "--configfile", "off.yaml", "--", "dataset")
    assert "Not checked" in printed
    assert LEAKAGE.read_csv(folder / "results/own/dataset/leakage.csv").empty
