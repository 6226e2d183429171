"""Reading LabelMe files of every shape, whole and broken."""

from __future__ import annotations

import math

import pytest

from builders import SPECIES, study
from format_writers import Drawn, DrawnImage, labelme_dict, write_json
from podura.annotations.importing import import_dataset
from podura.annotations.labelme import read_labelme
from podura.errors import UserError

IMAGE = DrawnImage("a.png", (40, 24), [Drawn("CER-DEN", (1, 2, 11, 7))])


def document(*shapes, **keys):
    """A LabelMe file; each shape overlays a sound rectangle."""
    found = labelme_dict(IMAGE)
    (sound,) = found["shapes"]
    return found | {"shapes": [sound | shape for shape in shapes]} | keys


def read(folder, content, name="a.json"):
    write_json(folder / name, content)
    return read_labelme(folder)


def only_box(found):
    ((box,),) = (image.boxes for image in found.images)
    return box


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("rectangle", [[11, 7], [1, 2]], (1, 2, 11, 7)),
        ("rectangle", [[1, 2], [11, 2], [11, 7], [1, 7]], (1, 2, 11, 7)),
        ("polygon", [[5, 2], [11, 4], [1, 7]], (1, 2, 11, 7)),
        (None, [[5, 2], [11, 4], [1, 7]], (1, 2, 11, 7)),
        ("circle", [[10, 10], [13, 14]], (5, 5, 15, 15)),
        ("mask", [[1, 2], [10, 6]], (1, 2, 11, 7)),
        ("rotation", [[5, 0], [10, 5], [5, 10], [0, 5]], (0, 0, 10, 10)),
        ("oriented_rectangle", [[5, 0], [10, 5], [5, 10], [0, 5]], (0, 0, 10, 10)),
    ],
)
def test_the_tight_box_of_each_shape(kind, points, box, tmp_path):
    found = only_box(read(tmp_path, document({"shape_type": kind, "points": points})))
    assert (found.x_min, found.y_min, found.x_max, found.y_max) == box


def test_name_size_and_place(tmp_path):
    found = read(tmp_path, document({}, imagePath="..\\bilder\\Säule 1.png"), "S 1/Säule 1.json")
    (image,) = found.images
    assert image.file_names == ("S 1/Säule 1", "..\\bilder\\Säule 1.png")
    assert (image.width, image.height) == (40, 24)
    assert image.boxes[0].where == "S 1/Säule 1.json, shape 1 (rectangle)"
    assert found.problems == ()


@pytest.mark.parametrize(
    ("shape", "keys", "flags"),
    [
        ({"flags": {"difficult": True, "crowd": False, "red": True}}, {}, {"difficult"}),
        ({"flags": {"Truncated": True, "iscrowd": 1}}, {}, {"truncated", "crowd"}),
        ({"difficult": True}, {}, {"difficult"}),
        ({"difficult": False}, {}, set()),
        ({"flags": None}, {}, set()),
        ({"flags": ["difficult"]}, {}, set()),
        ({}, {"flags": {"ignore": True}}, {"ignore"}),
    ],
)
def test_flags(shape, keys, flags, tmp_path):
    found = read(tmp_path, document(shape, **keys))
    assert only_box(found).flags == flags
    assert [p.kind for p in found.problems] == (["flags_of_file"] if keys else [])


def test_pieces_of_a_group_are_one_animal(tmp_path):
    piece = {"shape_type": "polygon", "group_id": 3}
    found = read(
        tmp_path,
        document(
            piece | {"points": [[0, 0], [4, 0], [4, 4]]},
            piece | {"points": [[8, 6], [10, 6], [10, 9]], "flags": {"occluded": True}},
            piece | {"points": [[8, 6], [10, 6], [10, 9]], "label": "other"},
            {"group_id": 3},
            {"group_id": 3},
        ),
    )
    first, *others = found.images[0].boxes
    assert (first.x_min, first.y_min, first.x_max, first.y_max) == (0, 0, 10, 9)
    assert first.flags == {"occluded"}
    assert [box.name for box in others] == ["other", "CER-DEN", "CER-DEN"], "rectangles are whole animals"
    assert [(p.kind, p.row) for p in found.problems] == [("joined_group", "a.json, shape 2 (polygon)")]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({"shape_type": "point", "points": [[1, 1]]}, "shape_without_area"),
        ({"shape_type": "line", "points": [[1, 1], [2, 2]]}, "shape_without_area"),
        ({"shape_type": "linestrip", "points": [[1, 1], [2, 2]]}, "shape_without_area"),
        ({"shape_type": "blob"}, "unknown_shape"),
        ({"shape_type": 7}, "unknown_shape"),
    ],
)
def test_a_shape_without_box_is_told(shape, kind, tmp_path):
    found = read(tmp_path, document(shape, {}))
    assert len(found.images[0].boxes) == 1
    (problem,) = found.problems
    assert (problem.kind, problem.severity, problem.row) == (kind, "error", "a.json, shape 1")


@pytest.mark.parametrize(
    "shape",
    [
        {"points": [[1, 2], [math.nan, 7]]},
        {"points": [[1, 2], [math.inf, 7]]},
        {"points": [[1, 2], ["a", 7]]},
        {"points": [[1, 2], [7]]},
        {"points": [[1, 2]]},
        {"points": []},
        {"points": None},
        {"points": {"x": 1}},
        {"points": [1, 2, 3, 4]},
        {"points": [[1, 2], [3, 4]], "shape_type": "polygon"},
        {"points": [[1, 2]], "shape_type": "circle"},
        {"points": [[1, 2], [math.nan, 3]], "shape_type": "circle"},
        {"points": [[1, 2], [3, 4], [5, 6]], "shape_type": "mask"},
    ],
)
def test_unreadable_points_stay_as_nan(shape, tmp_path):
    box = only_box(read(tmp_path, document(shape)))
    assert all(math.isnan(value) for value in (box.x_min, box.y_min, box.x_max, box.y_max))


@pytest.mark.parametrize(("label", "name"), [(None, ""), (7, "7"), ("  A b ", "A b")])
def test_labels_that_are_no_text(label, name, tmp_path):
    assert only_box(read(tmp_path, document({"label": label}))).name == name


def test_a_disagreeing_image_path_is_told(tmp_path):
    found = read(tmp_path, document({}, imagePath="../../etc/b.png"))
    assert [(p.kind, p.value) for p in found.problems] == [("filename_differs", "../../etc/b.png")]


def test_an_image_annotated_in_two_files_is_refused(tmp_path):
    entries = study(tmp_path, ["a.png"])
    for name in ("x/a.json", "y/a.json"):
        write_json(tmp_path / "given" / name, document({}))
    with pytest.raises(UserError, match=r"annotated already at x/a\.json"):
        import_dataset(entries, read_labelme(tmp_path / "given"), SPECIES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"shapes": [', "line 1, column 13: this is not JSON"),
        ("[]", "no LabelMe file"),
        ('{"images": [], "annotations": []}', "no LabelMe file"),
        ('{"shapes": {}}', "no LabelMe file"),
        ('{"shapes": [1]}', "no LabelMe file"),
        ("[" * 100_000, "cannot be read"),
        ("1" * 10_000, "cannot be read"),
    ],
)
def test_a_broken_file_is_refused_beside_the_others(text, words, tmp_path):
    write_json(tmp_path / "a.json", document({}))
    (tmp_path / "ä b.json").write_text(text)
    (tmp_path / "c.json").write_text("")
    with pytest.raises(UserError) as error:
        read_labelme(tmp_path)
    first, second = error.value.messages
    assert "c.json" in first
    assert "ä b.json" in second
    assert words in second


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no \.json file"):
        read_labelme(tmp_path)
