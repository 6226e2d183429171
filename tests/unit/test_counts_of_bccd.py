"""On real images corrected counts are nearer to the annotated ones than naive counts.

``tests/studies/bccd_detections.csv.gz`` holds what the detector of ``tests/studies/bccd.yaml`` (Faster R-CNN
Lite0, seed 1) found on its validation, calibration and test images, from a score of 0.05 on, so that nothing
is trained here; the annotations are those of the images. A whole study is judged by the same script:
``tests/benchmarks/counts_of_test_images.py results/bccd``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from builders import bccd_folder
from podura.annotations.formats import read_annotations
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry
from podura.slides.entries import ImageEntry
from podura.tables import DETECTIONS, write_json

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import counts_of_test_images

pytestmark = [
    pytest.mark.real_images,
    pytest.mark.skipif(bccd_folder() is None, reason="../shared/data/bccd is absent"),
]

FOUND = Path(__file__).parents[1] / "studies" / "bccd_detections.csv.gz"
RUN = "fasterrcnn_lite0/seed-1"
#: Scores that keep a precision of 95 % on the calibration images.
THRESHOLDS = pd.Series({"RBC": 0.8370, "WBC": 0.7715, "PLT": 0.7966})
SPECIES = [
    SpeciesEntry("RBC", "red blood cell"),
    SpeciesEntry("WBC", "white blood cell"),
    SpeciesEntry("PLT", "platelet", ("Platelets",)),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of a finished study: annotations, and what was detected."""
    folder, data = tmp_path_factory.mktemp("bccd"), bccd_folder()
    assert data is not None
    found = pd.read_csv(FOUND, dtype={"image": "string"})
    found["image"] = "BloodImage_" + found["image"] + ".jpg"
    found["slide"] = found["image"].str.removesuffix(".jpg")
    entries = [
        ImageEntry(name, data / "JPEGImages" / name, slide=name.removesuffix(".jpg"), part=part)
        for part, name in found[["part", "image"]].drop_duplicates().itertuples(index=False)
    ]
    raw = read_annotations("voc", data / "Annotations", size_of=lambda names: None)
    coco = import_dataset(entries, raw, SPECIES).coco
    for part, rows in found.groupby("part"):
        images = [one for one in coco["images"] if one["part"] == part]
        kept = {one["id"] for one in images}
        shown = [one for one in coco["annotations"] if one["image_id"] in kept]
        truth = {**coco, "images": images, "annotations": shown}
        (folder / "dataset/parts" / str(part)).mkdir(parents=True)
        write_json(truth, folder / "dataset/parts" / str(part) / "truth.json")
        DETECTIONS.write_parquet(rows.drop(columns="part"), folder / "detections" / RUN / f"{part}.parquet")
    return folder


@pytest.mark.parametrize("images_of_a_sample", [1, 4])
def test_corrected_counts_are_nearer_to_the_annotated_ones(results: Path, images_of_a_sample: int) -> None:
    counts = counts_of_test_images.judged(results, RUN, THRESHOLDS, images_of_a_sample)
    totals = counts.groupby("species")[["truth", "accepted", "estimate"]].sum().astype(float)
    assert totals["truth"].to_dict() == {"PLT": 54, "RBC": 622, "WBC": 56}
    assert counts["error"].sum() < 0.6 * counts["naive_error"].sum()
    assert counts["inside"].mean() >= 0.9, "intervals of 95 % hold the annotated number"
    # A fixed precision undercounts each species by a factor of its own, which is what biases diversity.
    naive, corrected = (totals[name] / totals["truth"] for name in ("accepted", "estimate"))
    assert naive["PLT"] < naive["RBC"] < 0.5 < naive["WBC"]
    assert corrected.between(0.8, 1.3).all()
    assert abs(corrected.sum() / 3 - 1) < 0.1
