"""Reading COCO as tools really write it."""

import math

import pytest

from builders import coco_dict, write_coco
from podura.annotations.coco import read_coco
from podura.errors import UserError

BOXES = {
    "a.jpg": [("CER-DEN", (1, 2, 10, 5)), ("ISO-MIN", (0.5, 0, 3, 3))],
    "b.jpg": [],
}


def read(tmp_path, document):
    return read_coco(write_coco(tmp_path / "a.json", document))


@pytest.mark.parametrize("first_id", [0, 1, 1000])
def test_boxes_and_names_whatever_the_first_id(tmp_path, first_id):
    found = read(tmp_path, coco_dict(BOXES, first_id=first_id))
    a, b = found.images
    assert a.file_names == ("a.jpg",)
    assert (a.width, a.height) == (40, 24)
    assert [(box.name, box.x_min, box.y_min, box.x_max, box.y_max) for box in a.boxes] == [
        ("CER-DEN", 1, 2, 11, 7),
        ("ISO-MIN", 0.5, 0, 3.5, 3),
    ]
    assert b.boxes == ()
    assert found.problems == ()


def test_ids_as_floats_and_text_bboxes_as_text_and_no_area(tmp_path):
    document = coco_dict(BOXES)
    first, second = document["annotations"]
    first |= {"image_id": 1.0, "category_id": "1", "bbox": "[1, 2, 10, 5]"}
    second |= {"bbox": ["0.5", "0", "3", "3"]}
    for annotation in (first, second):
        del annotation["area"], annotation["iscrowd"]
    del document["images"][0]["width"]
    image = read(tmp_path, document).images[0]
    assert [(box.name, box.x_max, box.y_max) for box in image.boxes] == [
        ("CER-DEN", 11, 7),
        ("ISO-MIN", 3.5, 3),
    ]
    assert image.width is None


@pytest.mark.parametrize("bbox", [None, [1, 2, 3], ["a", 1, 2, 3], "nonsense", [1, 2, None, 4], {}])
def test_an_unreadable_bbox_stays_as_nan_with_its_place(tmp_path, bbox):
    document = coco_dict(BOXES)
    document["annotations"][0]["bbox"] = bbox
    box = read(tmp_path, document).images[0].boxes[0]
    assert math.isnan(box.x_min + box.x_max + box.y_min + box.y_max)
    assert "id 1" in box.where


@pytest.mark.parametrize(
    ("key", "value", "flags"),
    [
        ("iscrowd", 1, {"crowd"}),
        ("iscrowd", True, {"crowd"}),
        ("iscrowd", 0, set()),
        ("ignore", 1, {"ignore"}),
        ("difficult", "1", {"difficult"}),
        ("truncated", False, set()),
    ],
)
def test_flags(tmp_path, key, value, flags):
    document = coco_dict(BOXES)
    document["annotations"][0][key] = value
    assert read(tmp_path, document).images[0].boxes[0].flags == flags


def test_duplicate_annotation_ids_are_told(tmp_path):
    document = coco_dict(BOXES)
    document["annotations"][1]["id"] = 1
    found = read(tmp_path, document)
    assert len(found.images[0].boxes) == 2
    (problem,) = found.problems
    assert (problem.kind, problem.value) == ("duplicate_id", "1")


def test_an_annotation_of_an_unknown_image_is_told(tmp_path):
    document = coco_dict(BOXES)
    document["annotations"][1]["image_id"] = 99
    found = read(tmp_path, document)
    assert len(found.images[0].boxes) == 1
    (problem,) = found.problems
    assert (problem.kind, problem.treatment, problem.value) == ("no_such_image", "dropped", "99")


def broken(change):
    document = coco_dict(BOXES)
    change(document)
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (broken(lambda d: d["images"][1].update(id=1)), "id 1 stands there twice"),
        (broken(lambda d: d["images"][0].pop("file_name")), "image 1 of the list"),
        (broken(lambda d: d["categories"][1].update(id=1)), "'CER-DEN' and for 'ISO-MIN'"),
        (broken(lambda d: d["annotations"][0].update(category_id=9)), "category_id 9"),
        (broken(lambda d: d.pop("categories")), "'categories' is missing"),
        ([], "holds a list"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(tmp_path, document, words):
    with pytest.raises(UserError, match=r"a\.json") as error:
        read(tmp_path, document)
    assert words in str(error.value)


def test_broken_json_names_file_and_line(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"images": [],\n"categories": [}\n')
    with pytest.raises(UserError, match=r"a\.json, line 2"):
        read_coco(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match="not UTF-8"):
        read_coco(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_coco(tmp_path / "none.json")
    path.write_text("[" * 200_000)
    with pytest.raises(UserError, match="cannot be read"):
        read_coco(path)
