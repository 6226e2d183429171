"""Reading plain CSV tables with the columns, separators and numbers of laboratories."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from builders import SPECIES, study
from podura.annotations.csv_table import read_csv
from podura.annotations.importing import import_dataset
from podura.errors import UserError

CORNERS = "image,species,x_min,y_min,x_max,y_max\n"


def read(folder, text, size_of=lambda names: None, **options):
    path = folder / "ä b.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, size_of, **options)


def only_box(found):
    ((box,),) = (image.boxes for image in found.images)
    return box


def corners(box):
    return box.x_min, box.y_min, box.x_max, box.y_max


@pytest.mark.parametrize(
    ("header", "numbers", "columns"),
    [
        ("x_min,y_min,x_max,y_max", "1,2,11,7", None),
        ("x_min,y_min,width,height", "1,2,10,5", None),
        ("x_centre,y_centre,width,height", "6,4.5,10,5", None),
        ("x1,y1,x2,y2", "1,2,11,7", {"x_min": "x1", "y_min": "y1", "x_max": "x2", "y_max": "y2"}),
        # Named columns tell the way, although others would fit too.
        ("x_min,y_min,x_max,y_max,b,h", "1,2,99,99,10,5", {"x_min": "x_min", "width": "b", "height": "h"}),
    ],
)
def test_ways_to_give_a_box(header, numbers, columns, tmp_path):
    found = read(tmp_path, f"image,species,{header}\nS 1/ä.png,A b,{numbers}\n", columns=columns)
    assert corners(only_box(found)) == (1, 2, 11, 7)
    assert only_box(found).where == "line 2"
    assert found.images[0].file_names == ("S 1/ä.png",)
    assert found.problems == ()


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_found_and_told(separator, tmp_path):
    found = read(tmp_path, (CORNERS + "a.png,A,1,2,11,7\n").replace(",", separator))
    assert corners(only_box(found)) == (1, 2, 11, 7)
    (problem,) = found.problems
    assert (problem.kind, problem.value) == ("other_separator", separator.replace("\t", "tab"))


def test_a_spreadsheet_with_bom_sep_line_crlf_empty_columns_and_decimal_commas(tmp_path):
    text = "\ufeffsep=;\r\nimage;species;x_min;y_min;x_max;y_max;;\r\na.png;A;1,5;2;11,25;7;;\r\n;;;;;;;\r\n"
    found = read(tmp_path, text)
    assert corners(only_box(found)) == (1.5, 2, 11.25, 7)
    assert only_box(found).where == "line 3"
    assert [(p.kind, p.value) for p in found.problems] == [("other_separator", ";"), ("decimal_comma", "2")]


def test_decimal_commas_that_might_be_thousands(tmp_path):
    text = CORNERS + 'a.png,A,"1,234",2,"2,345",7\n'
    with pytest.raises(UserError, match=r"'1,234'.*thousands"):
        read(tmp_path, text)
    certain = read(tmp_path, text + 'a.png,A,"1,5",2,9,7\n')
    assert certain.images[0].boxes[0].x_min == 1.234


def test_rows_of_one_image_and_images_without_animals(tmp_path):
    found = read(tmp_path, CORNERS + "a.png,A,1,2,3,4\nb.png,,,,,\na.png,B,5,6,7,8\n")
    assert [(image.file_names[0], [box.name for box in image.boxes]) for image in found.images] == [
        ("a.png", ["A", "B"]),
        ("b.png", []),
    ]


def test_flags_and_sizes(tmp_path):
    header = CORNERS.strip() + ",schwierig,crowd,image_width,image_height\n"
    found = read(tmp_path, header + "a.png,A,1,2,3,4,yes,0,40,24\n", columns={"difficult": "schwierig"})
    assert only_box(found).flags == {"difficult"}
    assert (found.images[0].width, found.images[0].height) == (40, 24)


def test_fractions_of_the_image(tmp_path):
    text = CORNERS + "a.png,A,0.1,0.2,0.5,1.000001\n"
    found = read(tmp_path, text, lambda names: (100, 50) if names == ("a.png",) else None, units="fraction")
    assert corners(only_box(found)) == pytest.approx((10, 10, 50, 50))
    assert math.isnan(only_box(read(tmp_path, text, units="fraction")).x_min)
    with pytest.raises(UserError, match=r"annotations\.units is 'percent'"):
        read(tmp_path, text, units="percent")


@pytest.mark.parametrize("cell", ["NaN", "inf", "", "ten", "1_0", "1;5", '"1.234,5"', "0x10", "#WERT!"])
def test_an_unreadable_number_reaches_the_checks(cell, tmp_path):
    entries = study(tmp_path, ["a.png"])
    found = read(tmp_path, CORNERS + f"a.png,CER-DEN,{cell},2,11,7\na.png,ISO-MIN,1,2,11,7\n")
    dataset = import_dataset(entries, found, SPECIES)
    assert len(dataset.coco["annotations"]) == 1
    (row,) = dataset.problems[dataset.problems["kind"] == "not_a_number"].itertuples()
    assert row.row == "line 2"


def test_swapped_negative_and_unnamed_boxes_reach_the_checks(tmp_path):
    entries = study(tmp_path, ["a.png"])
    found = read(tmp_path, CORNERS + "a.png,CER-DEN,11,2,1,7\n")
    assert "swapped_corners" in set(import_dataset(entries, found, SPECIES).problems["kind"])
    found = read(tmp_path, "image,species,x_min,y_min,width,height\na.png,CER-DEN,11,2,-10,7\n")
    assert "negative_size" in set(import_dataset(entries, found, SPECIES).problems["kind"])
    with pytest.raises(UserError, match="the name '', which is unknown"):
        import_dataset(entries, read(tmp_path, CORNERS + "a.png,,1,2,11,7\n"), SPECIES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the column 'image' is missing"),
        (
            "image,species,x1,y1,x2,y2\n",
            "line 1: the column 'x_min' is missing. The file has: image, species, x1",
        ),
        (
            "image;species;x_min;y_min;x_max\n",
            "the column 'y_max' is missing. The file has: image, species, x_min",
        ),
        (CORNERS.strip() + ",image\n", "the column 'image' stands there twice"),
        (CORNERS + "a.png,A,1,2,11\n", "line 2: it has 5 columns, the first line 6"),
        (CORNERS + "a.png,A,1,5,2,11,7\n", "in quotes"),
        (CORNERS + ",A,1,2,11,7\n", "line 2: the column 'image' is empty"),
        (CORNERS + 'a.png,"A,1,2,11,7\n', "line 2: this is no sound CSV"),
        (CORNERS + 'a.png,"A"x,1,2,11,7\n', "line 2: this is no sound CSV"),
        (
            CORNERS.strip() + ",image_width,image_height\na,A,1,2,3,4,40,24\na,A,1,2,3,4,24,40\n",
            "40 × 24 at line 2",
        ),
        (CORNERS.encode("utf-16"), "not UTF-8"),
        (CORNERS.encode() + "ä".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_broken_table_is_refused(text, words, tmp_path):
    with pytest.raises(UserError, match=r"ä b\.csv") as error:
        read(tmp_path, text)
    assert words in str(error.value)


def test_columns_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"annotations\.columns: class is none of our columns"):
        read(tmp_path, CORNERS, columns={"class": "species"})
    with pytest.raises(UserError, match="the column 'schwer' is missing"):
        read(tmp_path, CORNERS, columns={"difficult": "schwer"})


def test_names_that_leave_the_folder_are_only_names(tmp_path):
    entries = study(tmp_path, ["a.png"])
    found = read(tmp_path, CORNERS + "../../etc/passwd,A,1,2,3,4\na.png,CER-DEN,1,2,11,7\n")
    problems = import_dataset(entries, found, SPECIES).problems
    assert "image_not_in_study" in set(problems["kind"])


def shared_data():
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    return Path(os.environ.get("PODURA_SHARED_DATA", beside))


@pytest.mark.real_images
def test_the_boxes_of_real_slides():
    path = shared_data() / "asthma_bal" / "parsed_boxes.csv"
    if not path.is_file():
        pytest.skip("../shared/data/asthma_bal is absent")
    columns = {
        "species": "class",
        "x_min": "x1",
        "y_min": "y1",
        "x_max": "x2",
        "y_max": "y2",
        "image_width": "width",
        "image_height": "height",
    }
    found = read_csv(path, lambda names: None, columns=columns)
    boxes = np.array([corners(box) for image in found.images for box in image.boxes])
    assert len(boxes) == len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert np.isfinite(boxes).all()
    assert all((path.parent / "images" / image.file_names[0]).is_file() for image in found.images)
    assert found.problems == ()
