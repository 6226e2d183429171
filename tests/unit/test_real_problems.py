"""What the import tells of two real data sets, where faults were looked for by eye."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from builders import bccd_folder
from podura.annotations.csv_table import read_csv
from podura.annotations.dataset import image_frame, truth_frame
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry
from podura.annotations.sizes import sizes_of_images
from podura.annotations.voc import read_voc
from podura.slides.entries import ImageEntry

pytestmark = [
    pytest.mark.real_images,
    pytest.mark.skipif(bccd_folder() is None, reason="../shared/data is absent"),
]


def asthma_folder() -> Path:
    return Path(str(bccd_folder())).parent / "asthma_bal"


@pytest.fixture(scope="module")
def asthma():
    images = sorted((asthma_folder() / "images").glob("*.tiff"))
    entries = [ImageEntry(path.name, path, re.sub(r"(_\d+){4}\.tiff$", "", path.name)) for path in images]
    columns = {"species": "class", "x_min": "x1", "y_min": "y1", "x_max": "x2", "y_max": "y2"}
    columns |= {"image_width": "width", "image_height": "height"}
    found = read_csv(asthma_folder() / "parsed_boxes.csv", sizes_of_images(entries), columns)
    species = [
        SpeciesEntry("MAC", "macrophage", ("Makrophagen",)),
        SpeciesEntry("LYM", "lymphocyte", ("Lymohozyten",)),
        SpeciesEntry("NEU", "neutrophil", ("Neutrophile",)),
        SpeciesEntry("MAS", "mast cell", ("Mastzellen",)),
        SpeciesEntry("EOS", "eosinophil", ("Eosinophile",)),
    ]
    return import_dataset(entries, found, species)


def test_asthma_is_whole(asthma):
    images, truth = image_frame(asthma.coco), truth_frame(asthma.coco)
    assert (len(images), images["slide"].nunique(), len(truth)) == (20, 6, 455)
    assert Counter(truth["species"]) == {"LYM": 180, "MAC": 128, "NEU": 100, "MAS": 35, "EOS": 12}


def test_every_fault_of_asthma_is_told(asthma):
    problems = asthma.problems.set_index("kind")
    assert Counter(asthma.problems["kind"]) == {
        "partly_outside": 7,
        "two_species": 1,
        "unusual_size": 2,
        "few_specimens": 1,
    }
    # Six boxes of crops whose animals lie over the edge, and one of a cell that was named twice there.
    outside = problems.loc["partly_outside"]
    assert list(outside["value"]) == [
        "60 245 98 266",
        "96 245 130 266",
        "125 239 154 266",
        "437 502 517 582",
        "401 481 441 521",
        "583 -5 623 35",
        "584 -5 624 35",
    ]
    assert "MAS here and LYM" in problems.loc["two_species", "message"]
    # Slivers of 4 and 3 pixels at the right edge of a crop, where two cells begin.
    assert list(problems.loc["unusual_size", "value"]) == ["736 293 740 371", "737 204 740 300"]
    assert problems.loc["few_specimens", "value"] == "EOS"


def test_a_part_of_bccd_without_its_file_is_told():
    """ImageSets lists what JPEGImages holds; a study that lists more is told of it and goes on."""
    folder = Path(str(bccd_folder()))
    listed = sorted(
        {name for path in (folder / "ImageSets/Main").glob("*.txt") for name in path.read_text().split()}
    )
    there = {path.stem for path in (folder / "JPEGImages").glob("*.jpg")}
    assert len(listed) == len(there & set(listed)) == 364
    names = [*listed[:20], "BloodImage_00999"]
    entries = [ImageEntry(name, folder / "JPEGImages" / f"{name}.jpg", name) for name in names]
    species = [SpeciesEntry("RBC", "red"), SpeciesEntry("WBC", "white"), SpeciesEntry("PLT", "Platelets")]
    dataset = import_dataset(entries, read_voc(folder / "Annotations"), species)
    assert len(dataset.coco["images"]) == 20
    missing = dataset.problems[dataset.problems["kind"] == "missing_image"]
    assert list(missing["image"]) == ["BloodImage_00999"]
    assert (dataset.problems["kind"] == "image_not_in_study").sum() == 344
