"""Importing annotations: every fault told, and the COCO that results."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    SPECIES,
    bccd_folder,
    coco_dict,
    raw,
    raw_box,
    raw_image,
    study,
    write_coco,
    write_image,
    write_voc,
)
from podura import tables
from podura.annotations.coco import read_coco
from podura.annotations.dataset import image_frame, truth_frame
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry
from podura.annotations.problems import Problem, checked_box, few_boxes
from podura.annotations.sizes import sizes_of_images
from podura.annotations.voc import read_voc
from podura.errors import UserError
from podura.slides import faults
from podura.slides.entries import ImageEntry


@pytest.fixture
def entries(tmp_path):
    return study(tmp_path, ["a.png", "b.png"])


#: Every species is scarce in studies as small as these.
SCARCE = ("few_specimens", "no_specimen")


def rows(dataset, kind=None):
    table = dataset.problems[~dataset.problems["kind"].isin(() if kind in SCARCE else SCARCE)]
    return (table if kind is None else table[table["kind"] == kind]).to_dict("records")


def kinds(dataset):
    return [row["kind"] for row in rows(dataset)]


def boxes(dataset):
    frame = truth_frame(dataset.coco)
    return [(r.species, (r.x_min, r.y_min, r.x_max, r.y_max), r.ignore) for r in frame.itertuples()]


# --- faults of boxes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "corners", "kind", "treatment", "result"),
    [
        ((5, 5, 5, 5), True, "zero_area", "dropped", None),
        ((5, 5, 5, 9), False, "zero_area", "dropped", None),
        ((12, 13, 2, 3), True, "swapped_corners", "fixed", (2, 3, 12, 13)),
        ((12, 3, 2, 13), True, "swapped_corners", "fixed", (2, 3, 12, 13)),
        ((12, 13, 2, 3), False, "negative_size", "dropped", None),
        ((-4, -1, 12, 13), True, "partly_outside", "fixed", (0, 0, 12, 13)),
        ((30, 20, 41.5, 99), True, "partly_outside", "fixed", (30, 20, 40, 24)),
        ((40, 3, 50, 13), True, "outside_image", "dropped", None),
        ((2, -9, 12, 0), True, "outside_image", "dropped", None),
        ((float("nan"), 3, 12, 13), True, "not_a_number", "dropped", None),
        ((2, 3, float("inf"), 13), False, "not_a_number", "dropped", None),
    ],
)
def test_a_faulty_box_is_treated_and_told(entries, box, corners, kind, treatment, result):
    found = raw(raw_image("a.png", raw_box(box=box, where="object 7", corners=corners)), raw_image("b.png"))
    dataset = import_dataset(entries, found, SPECIES)
    (row,) = rows(dataset, kind)
    assert (row["image"], row["row"], row["treatment"]) == ("a.png", "object 7", treatment)
    assert row["value"] == str(box)
    assert [box for _, box, _ in boxes(dataset)] == ([result] if result else [])


finite = st.floats(-100, 200)


@given(st.tuples(*[st.one_of(finite, st.just(float("nan")))] * 4), st.booleans())
def test_a_box_is_sound_or_gone_and_a_second_check_finds_nothing(box, corners):
    result, faults = checked_box(box, 40, 24, corners=corners)
    if result is None:
        assert Problem(*faults[-1]).treatment == "dropped"
        return
    x_min, y_min, x_max, y_max = result
    assert 0 <= x_min < x_max <= 40
    assert 0 <= y_min < y_max <= 24
    assert (result == box) == (not faults)
    assert checked_box(result, 40, 24, corners=corners) == (result, [])


def test_duplicates_are_dropped_and_a_countable_one_is_preferred(entries):
    found = raw(
        raw_image("a.png", raw_box(where="one", flags=["difficult"]), raw_box(where="two")),
        raw_image("b.png", raw_box(), raw_box(box=(2, 3, 12, 14.5))),
    )
    dataset = import_dataset(entries, found, SPECIES)
    (row,) = rows(dataset, "duplicate_box")
    assert (row["image"], row["row"]) == ("a.png", "two")
    assert "one" in row["message"]
    assert [ignore for _, _, ignore in boxes(dataset)] == [False] * 3


def test_one_place_with_two_species_is_kept_and_told(entries):
    found = raw(
        raw_image(
            "a.png",
            raw_box("CER-DEN", (0, 0, 20, 20), where="one"),
            raw_box("ISO-MIN", (0, 0, 20, 19), where="two"),  # IoU 0.95
            raw_box("PAR-NOT", (0, 0, 20, 17), where="three"),  # IoU 0.85 and 0.89
        ),
        raw_image("b.png"),
    )
    dataset = import_dataset(entries, found, SPECIES)
    (row,) = rows(dataset, "two_species")
    assert (row["row"], row["treatment"]) == ("two", "kept")
    assert len(boxes(dataset)) == 3


def test_flags_become_ignore_by_rule(entries):
    found = raw(
        raw_image(
            "a.png",
            *[
                raw_box(box=(i, 1, i + 3, 9), flags=[flag])
                for i, flag in enumerate(["crowd", "difficult", "ignore", "truncated"])
            ],
        ),
        raw_image("b.png"),
    )
    dataset = import_dataset(entries, found, SPECIES)
    assert [ignore for _, _, ignore in boxes(dataset)] == [True, True, True, False]
    assert [row["treatment"] for row in rows(dataset, "flagged")] == ["ignored"] * 3
    assert [a["iscrowd"] for a in dataset.coco["annotations"]] == [1, 1, 1, 0]
    every = import_dataset(entries, found, SPECIES, ignore_flags=["truncated"])
    assert [ignore for _, _, ignore in boxes(every)] == [False, False, False, True]


# --- faults of images ----------------------------------------------------------------------------


def test_images_without_annotations_stay_and_are_told_apart(tmp_path):
    entries = study(tmp_path, ["a.png", "b.png", "c.png"])
    found = raw(raw_image("a.png", raw_box()), raw_image("b.png"), raw_image("z.png", raw_box()))
    dataset = import_dataset(entries, found, SPECIES)
    assert list(image_frame(dataset.coco)["image"]) == ["a.png", "b.png", "c.png"]
    assert {row["image"]: row["kind"] for row in rows(dataset) if row["kind"] != "image_not_in_study"} == {
        "b.png": "no_boxes",
        "c.png": "not_annotated",
    }
    (row,) = rows(dataset, "image_not_in_study")
    assert row["value"] == "z.png"
    assert "1 boxes" in row["message"]


def test_an_unreadable_image_is_dropped_and_the_run_goes_on(tmp_path):
    entries = study(tmp_path, ["a.png", "b.png", "c.png"])
    entries[1].path.write_bytes(entries[1].path.read_bytes()[:60])
    entries[2].path.unlink()
    found = raw(*[raw_image(entry.image, raw_box()) for entry in entries])
    dataset = import_dataset(entries, found, SPECIES)
    assert list(image_frame(dataset.coco)["image"]) == ["a.png"]
    told = {
        row["image"]: (row["kind"], row["treatment"]) for row in rows(dataset) if row["severity"] == "error"
    }
    assert told == {"b.png": ("truncated_image", "dropped"), "c.png": ("missing_image", "dropped")}
    assert len(boxes(dataset)) == 1
    entries[0].path.write_bytes(b"")
    with pytest.raises(UserError, match="No image of the study can be used"):
        import_dataset(entries, found, SPECIES)


@pytest.mark.parametrize(
    ("told", "orientation", "words"),
    [
        ((24, 40), 1, "exchanged"),
        ((40, 24), 6, "without its EXIF orientation"),
        ((80, 48), 1, "another version"),
    ],
)
def test_annotations_made_on_another_size_are_refused(tmp_path, told, orientation, words):
    path = write_image(tmp_path / "a.png", orientation=orientation)
    found = raw(raw_image("a.png", raw_box(), size=told))
    with pytest.raises(UserError) as error:
        import_dataset([ImageEntry("a.png", path, "s")], found, SPECIES)
    message = str(error.value)
    assert words in message
    assert "'a.png'" in message
    assert f"{told[0]} × {told[1]}" in message
    assert ("24 × 40" if orientation == 6 else "40 × 24") in message


def test_orientation_is_followed_and_doubt_is_told(tmp_path):
    turned = write_image(tmp_path / "turned.png", orientation=6)
    upside_down = write_image(tmp_path / "upside.png", orientation=3)
    entries = [ImageEntry("turned.png", turned, "s"), ImageEntry("upside.png", upside_down, "s")]
    found = raw(
        raw_image("turned.png", raw_box(box=(1, 30, 20, 39)), size=(24, 40)),
        raw_image("upside.png", raw_box()),
    )
    dataset = import_dataset(entries, found, SPECIES)
    assert [(i["width"], i["height"]) for i in dataset.coco["images"]] == [(24, 40), (40, 24)]
    # A size of 24 × 40 proves that the boxes were drawn on the turned image; 40 × 24 proves nothing.
    assert [row["image"] for row in rows(dataset, "exif_orientation")] == ["upside.png"]


def test_a_size_that_is_not_told_is_noted_once(entries):
    found = raw(*[raw_image(e.image, raw_box(), size=(None, None)) for e in entries])
    (row,) = rows(import_dataset(entries, found, SPECIES))
    assert (row["kind"], row["value"]) == ("size_not_told", "2")


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([14] * 20 + [2], [2]),
        ([12, 13, 14, 15, 16] * 4 + [1, 6, 30], [1, 6]),
        ([2, 4, 8, 16, 32] * 5 + [1], []),  # so uneven that 1 is nothing unusual
        ([1] * 30, []),  # one animal an image: nothing can be said
        ([14] * 8 + [1], []),  # too few images
        ([0] * 5 + [14] * 20, []),  # empty images are told of by another kind
    ],
)
def test_suspiciously_few_boxes(counts, told):
    assert list(np.array(counts)[few_boxes(counts)]) == told


# --- image files ---------------------------------------------------------------------------------


def grey_scan(path, um_per_pixel=None):
    """A 16-bit TIFF of two pages."""
    options = {"metadata": None, "photometric": "minisblack"}
    if um_per_pixel:
        density = 10_000 / um_per_pixel
        options |= {"resolution": (density, density), "resolutionunit": "CENTIMETER"}
    pages = np.arange(2 * 24 * 40, dtype=np.uint16).reshape(2, 24, 40)
    tifffile.imwrite(path, pages, **options)


def test_an_image_that_is_too_large_is_dropped_and_the_run_goes_on(tmp_path, monkeypatch):
    entries = study(tmp_path, ["a.png"]) + study(tmp_path, ["b.png"], size=(41, 24))
    monkeypatch.setattr(faults, "MAX_PIXELS", 40 * 24)
    found = raw(raw_image("a.png", raw_box()), raw_image("b.png", raw_box(), size=(41, 24)))
    dataset = import_dataset(entries, found, SPECIES)
    assert [(row["image"], row["treatment"]) for row in rows(dataset, "too_large_image")] == [
        ("b.png", "dropped")
    ]
    assert sizes_of_images(entries)(("b.png",)) is None


def test_how_a_file_was_read_is_told(tmp_path):
    entries = study(tmp_path, ["a.tif"])
    grey_scan(entries[0].path)
    dataset = import_dataset(entries, raw(raw_image("a.tif", raw_box())), SPECIES)
    told = {row["kind"]: row for row in rows(dataset)}
    assert set(told) == {"several_pages", "scaled_16_bit"}
    assert {(row["image"], row["severity"], row["treatment"]) for row in told.values()} == {
        ("a.tif", "note", "kept")
    }
    assert told["several_pages"]["value"] == "2"
    assert told["scaled_16_bit"]["value"] == "0..959"


@pytest.mark.parametrize(
    ("table", "file", "taken", "differs"),
    [
        (None, None, None, False),
        (None, 0.5, 0.5, False),
        (0.5, None, 0.5, False),
        (0.5, 0.52, 0.5, False),
        (0.5, 0.53, 0.5, True),
        (0.5, 1.0, 0.5, True),
    ],
)
def test_the_resolution_of_the_table_wins_over_that_of_the_file(tmp_path, table, file, taken, differs):
    entries = [replace(study(tmp_path, ["a.tif"])[0], um_per_pixel=table)]
    grey_scan(entries[0].path, file)
    dataset = import_dataset(entries, raw(raw_image("a.tif", raw_box())), SPECIES)
    (image,) = dataset.coco["images"]
    assert image.get("um_per_pixel") == taken
    told = rows(dataset, "resolution_differs")
    assert [(row["severity"], row["treatment"]) for row in told] == [("warning", "kept")] * differs


# --- what comes out ------------------------------------------------------------------------------


def test_the_coco_dictionary(tmp_path):
    entries = study(tmp_path, ["b.png", "a.png"])
    entries[1] = replace(entries[1], sample="core 3", um_per_pixel=1.5, part="test")
    found = raw(raw_image("b.png", raw_box("ISO-MIN")), raw_image("a.png", raw_box(box=(1, 2, 4, 8))))
    coco = import_dataset(entries, found, SPECIES).coco
    assert coco["images"] == [
        {
            "id": 1,
            "file_name": "a.png",
            "width": 40,
            "height": 24,
            "slide": "a",
            "sample": "core 3",
            "um_per_pixel": 1.5,
            "part": "test",
        },
        {"id": 2, "file_name": "b.png", "width": 40, "height": 24, "slide": "b"},
    ]
    assert [(c["id"], c["name"]) for c in coco["categories"]] == [
        (1, "CER-DEN"),
        (2, "ISO-MIN"),
        (3, "PAR-NOT"),
    ]
    assert coco["annotations"][0] == {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1.0, 2.0, 3.0, 6.0],
        "area": 18.0,
        "iscrowd": 0,
        "ignore": 0,
    }
    assert str(tmp_path) not in json.dumps(coco)


def test_coco_and_voc_of_the_same_boxes_import_alike_whatever_the_order(tmp_path):
    entries = study(tmp_path, ["i/a.png", "i/b.png"])
    document = coco_dict(
        {"b.png": [("PAR-NOT", (1, 2, 3, 4))], "a.png": [("CER-DEN", (5, 6, 7, 8))]}, first_id=0
    )
    write_voc(tmp_path / "voc/a.xml", [("C. denticulata", (5, 6, 12, 14))], filename="a.png")
    write_voc(tmp_path / "voc/b.xml", [("par-not", (1, 2, 4, 6))], filename="b.png")
    from_coco = import_dataset(entries, read_coco(write_coco(tmp_path / "a.json", document)), SPECIES)
    from_voc = import_dataset(entries[::-1], read_voc(tmp_path / "voc"), SPECIES)
    assert json.dumps(from_coco.coco) == json.dumps(from_voc.coco)
    assert kinds(from_coco) == kinds(from_voc) == []


def test_what_was_exported_imports_again_unchanged(tmp_path, entries):
    found = raw(
        raw_image("a.png", raw_box(flags=["crowd"]), raw_box("ISO-MIN", (0.25, 0.5, 40, 24))),
        raw_image("b.png"),
    )
    coco = import_dataset(entries, found, SPECIES).coco
    again = import_dataset(entries, read_coco(write_coco(tmp_path / "a.json", coco)), SPECIES)
    assert again.coco == coco


def test_truth_frame_of_some_images_and_of_none(entries):
    found = raw(raw_image("a.png", raw_box()), raw_image("b.png", raw_box("ISO-MIN", (0, 0, 4, 8))))
    coco = import_dataset(entries, found, SPECIES).coco
    frame = truth_frame(coco, ["b.png"])
    assert frame.to_dict("records") == [
        {
            "id": 2,
            "image": "b.png",
            "slide": "b",
            "species": "ISO-MIN",
            "x_min": 0.0,
            "y_min": 0.0,
            "x_max": 4.0,
            "y_max": 8.0,
            "ignore": False,
        }
    ]
    empty = truth_frame(coco, [])
    assert len(empty) == 0
    assert list(empty.dtypes) == list(frame.dtypes)


def test_the_problems_are_a_table_that_can_be_written(tmp_path, entries):
    found = raw(raw_image("b.png", raw_box(box=(5, 5, 5, 5)), raw_box(box=(-3, 0, 5, 5))))
    problems = import_dataset(entries, found, SPECIES).problems
    tables.PROBLEMS.write_csv(problems, tmp_path / "problems.csv")
    assert list(tables.PROBLEMS.read_csv(tmp_path / "problems.csv")["kind"]) == [
        "few_specimens",
        "no_specimen",
        "no_specimen",
        "not_annotated",
        "zero_area",
        "partly_outside",
    ]
    assert set(problems["severity"]) <= {"error", "warning", "note"}


@pytest.mark.real_images
@pytest.mark.skipif(bccd_folder() is None, reason="../shared/data/bccd is absent")
def test_bccd():
    folder = bccd_folder()
    entries = [
        ImageEntry(f"JPEGImages/{path.name}", path, slide=path.stem)
        for path in sorted((folder / "JPEGImages").glob("*.jpg"))
    ]
    species = [
        SpeciesEntry("RBC", "red blood cell"),
        SpeciesEntry("WBC", "white blood cell"),
        SpeciesEntry("PLT", "platelet", ("Platelets",)),
    ]
    dataset = import_dataset(entries, read_voc(folder / "Annotations"), species)
    assert len(dataset.coco["images"]) == 364
    assert len(dataset.coco["annotations"]) == 4888 - 2 - 7
    assert [(row["image"][-9:], row["value"]) for row in rows(dataset, "zero_area")] == [
        ("00338.jpg", "504 337 504 337"),
        ("00343.jpg", "181 329 181 329"),
    ]
    # Every image where the annotators left out all red blood cells, seen by eye, is told of.
    frame = truth_frame(dataset.coco)
    with_red = set(frame.loc[frame["species"] == "RBC", "image"])
    without_red = {entry.image for entry in entries} - with_red
    few = {row["image"] for row in rows(dataset, "few_boxes")}
    assert len(without_red) == 15
    assert without_red <= few
    assert len(few) == 24
    # Copies of a box moved by two pixels, as labelImg makes them; the next pair of boxes has an IoU of 0.83.
    copies = rows(dataset, "near_duplicate")
    assert [row["image"][-7:-4] for row in copies] == ["020", "100", "104", "251", "284", "331", "403"]
    assert set(kinds(dataset)) == {
        "zero_area",
        "near_duplicate",
        "overlapping_boxes",
        "unusual_size",
        "few_boxes",
    }
    # Seen by eye: a cell drawn twice; three cells of another kind than said.
    assert [row["image"][-7:-4] for row in rows(dataset, "overlapping_boxes")] == ["013"]
    assert [row["image"][-7:-4] for row in rows(dataset, "unusual_size")] == ["113", "133", "135"]
