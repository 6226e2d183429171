"""What people checked becomes annotations that the import of a next study takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import review_data
from podura.annotations.formats import read_annotations
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry
from podura.configuration.images import images_of_table
from podura.configuration.run import SCHEMAS
from podura.configuration.structure import load_schema
from podura.configuration.study import StudyImage
from podura.slides.entries import ImageEntry
from podura.survey.training_data import TrainingData, images_text, training_data
from podura.tables import BOX_COLUMNS, REVIEW_DECISIONS, TRAINING_LEFT_OUT, write_json, write_text

SPECIES = review_data.SPECIES_FACTS


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("survey")
    images = review_data.survey_images(per_sample=2, folder=folder / "images")
    images.loc[images["image"] == "west/field 1.jpg", "status"] = "failed"
    detections = review_data.survey_detections(images)
    review_data.paint(images, detections)
    return images, detections


def decision(action: str, image: str, detection: Any = None, species: Any = None, box: Any = None) -> dict:
    return {
        "detection": detection, "image": image, "sample": image.split("/")[0], "action": action,
        "species": species, **dict(zip(BOX_COLUMNS, box or (None,) * 4, strict=True)), "reviewer": "Anna",
        "decided_at": "2026-05-04T10:00:00Z", "drawn": "random", "superseded": False, "source": "a.json",
    }  # fmt: skip


IMAGE = "north/field 0.jpg"


def decided(detections: pd.DataFrame) -> pd.DataFrame:
    """On one image: accepted, renamed, rejected, unsure, added and searched; the rest is undecided."""
    here = detections[detections["image"] == IMAGE]
    names, species = here["detection"].tolist(), here["species"].tolist()
    west = detections[detections["image"] == "west/field 0.jpg"]
    rows = [
        decision("accept", IMAGE, names[0], species[0], (1, 2, 30, 40)),
        decision("species", IMAGE, names[1], "LEP-LAN"),
        decision("reject", IMAGE, names[2]),
        decision("unsure", IMAGE, names[3]),
        decision("add", IMAGE, None, "ISO-MIN", (100, 100, 140, 150)),
        decision("image_done", IMAGE),
        decision("image_done", "south/field 1.jpg"),
        {**decision("accept", IMAGE, names[2], species[2]), "superseded": True},
        decision("accept", "west/field 0.jpg", west["detection"].iloc[0], "ISO-MIN"),
    ]  # fmt: skip
    return REVIEW_DECISIONS.frame(rows)


def made(survey: tuple[pd.DataFrame, pd.DataFrame], folder: Path, **more: Any) -> TrainingData:
    images, detections = survey
    samples = review_data.survey_samples(images)
    return training_data("spring", detections, decided(detections), images, samples, SPECIES, folder, **more)


def imported(data: TrainingData, folder: Path) -> dict[str, Any]:
    """The data as a study of its own reads and imports them from the files."""
    write_json(data.coco, folder / "annotations.json")
    write_text(images_text(data.images), folder / "images.tsv")
    images = images_of_table(folder / "images.tsv", load_schema(SCHEMAS, "images"), split_by="slide")
    entries = [
        ImageEntry(one.image, one.path, one.slide, one.sample, one.site, one.um_per_pixel, one.part)
        for one in images
    ]
    species = [SpeciesEntry(one["code"], one["name"]) for one in SPECIES]
    raw = read_annotations("coco", folder / "annotations.json", size_of=lambda names: None)
    result = import_dataset(entries, raw, species)
    # Species may be scarce in so little; nothing that is there may be lost or changed.
    told = result.problems[~result.problems["kind"].isin(["no_specimen", "few_specimens"])]
    assert set(told["treatment"]) <= {"ignored", "kept"}, told.to_dict("records")[:3]
    return result.coco


def test_searched_images_are_annotated_as_people_left_them(survey, tmp_path: Path) -> None:
    detections = survey[1]
    folder = tmp_path / "training"
    folder.mkdir()
    coco = imported(made(survey, folder), folder)
    assert len(coco["images"]) == 2
    assert {one["slide"] for one in coco["images"]} == {"spring: north-0", "spring: south-0"}
    assert {one["part"] for one in coco["images"]} == {"train"}
    assert {one["site"] for one in coco["images"]} == {"meadow"}
    code = {one["id"]: one["name"] for one in coco["categories"]}
    first = next(one["id"] for one in coco["images"] if one["file_name"].endswith(IMAGE))
    here = detections[detections["image"] == IMAGE].reset_index(drop=True)
    found = [
        (code[one["category_id"]], [round(value, 2) for value in one["bbox"]], one["ignore"])
        for one in coco["annotations"]
        if one["image_id"] == first
    ]
    taught = [(species, box) for species, box, ignore in found if not ignore]
    assert (here["species"][0], [1, 2, 29, 38]) in taught, "the box that a person moved"
    assert ("ISO-MIN", [100, 100, 40, 50]) in taught
    assert sum(species == "LEP-LAN" for species, _ in taught) >= 1
    assert len(taught) == 3
    rejected = round(here["x_min"][2], 2)
    assert rejected not in [box[0] for _, box, _ in found]
    undecided = here.iloc[4:]
    assert sum(ignore for *_, ignore in found) == 1 + undecided["accepted"].sum()


def test_images_that_nobody_searched_are_left_out_and_told(survey, tmp_path: Path) -> None:
    data = made(survey, tmp_path)
    left = data.left_out.set_index("image")["reason"]
    assert sorted(left.index) == [
        "north/field 1.jpg",
        "south/field 0.jpg",
        "west/field 0.jpg",
        "west/field 1.jpg",
    ]
    TRAINING_LEFT_OUT.write_csv(data.left_out.replace("north/field 1.jpg", "=1+1.jpg"), tmp_path / "left.csv")
    assert "'=1+1.jpg," in (tmp_path / "left.csv").read_text(encoding="utf-8"), "no formula for a spreadsheet"
    assert "could not be read" in left["west/field 1.jpg"]
    assert "searched" in left["west/field 0.jpg"], "a detection was checked, but the image was not"


def test_a_study_goes_along_unchanged(survey, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    images, _ = survey
    path = Path(images["path"].iloc[1])
    coco = {
        "images": [{"id": 7, "file_name": "old.jpg", "width": 900, "height": 700, "slide": "old"}],
        "categories": [{"id": 3, "name": "LEP-LAN", "scientific_name": "Lepidocyrtus lanuginosus"}],
        "annotations": [
            {"id": 1 + ignore, "image_id": 7, "category_id": 3, "bbox": [5.0 + 200 * ignore, 6.0, 70.0, 80.0],
             "iscrowd": ignore, "ignore": ignore}
            for ignore in (0, 1)
        ],
    }  # fmt: skip
    known = [
        StudyImage("old.jpg", path, "old", None, None, None, 2.0, "test"),
        StudyImage("dropped.jpg", path, "gone", None, None, None, None, None),
    ]
    merged = imported(made(survey, folder, study=(coco, known)), folder)
    assert len(merged["images"]) == 3
    old = next(one for one in merged["images"] if one["slide"] == "old")
    assert (old["part"], old["um_per_pixel"]) == ("test", 2.0)
    code = {one["id"]: one["name"] for one in merged["categories"]}
    boxes = [one for one in merged["annotations"] if one["image_id"] == old["id"]]
    assert [(code[one["category_id"]], one["bbox"], one["ignore"]) for one in boxes] == [
        ("LEP-LAN", [5.0, 6.0, 70.0, 80.0], 0),
        ("LEP-LAN", [205.0, 6.0, 70.0, 80.0], 1),
    ]


def test_an_image_of_the_study_stays_as_the_study_has_it(survey, tmp_path: Path) -> None:
    images, _ = survey
    path = Path(images.loc[images["image"] == IMAGE, "path"].item())
    coco = {
        "images": [{"id": 1, "file_name": "old.jpg", "width": 900, "height": 700, "slide": "old"}],
        "categories": [],
        "annotations": [],
    }
    data = made(survey, tmp_path, study=(coco, [StudyImage("old.jpg", path, "old", *(None,) * 5)]))
    assert len(data.coco["images"]) == 2
    assert data.left_out.set_index("image")["reason"][IMAGE].startswith("it is an image of the study")


def test_paths_keep_their_spaces(survey, tmp_path: Path) -> None:
    """Two spaces in a name are not one: the next study would not find the file."""
    images, detections = survey
    folder = tmp_path / "two  spaces"
    images = images.assign(path=[str(folder / image) for image in images["image"]])
    review_data.paint(images, detections)
    (folder / "training").mkdir()
    coco = imported(made((images, detections), folder / "training"), folder / "training")
    beside = imported(made((images, detections), tmp_path), tmp_path)
    assert len(coco["images"]) == len(beside["images"]) == 2
    assert all("two  spaces/" in one["file_name"] for one in beside["images"])
    assert len(beside["annotations"]) == len(coco["annotations"]) > 4
