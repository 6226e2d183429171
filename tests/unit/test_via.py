"""Reading VIA projects and CSV of every shape, whole and broken."""

from __future__ import annotations

import json
import math

import pytest

from builders import SPECIES, study
from format_writers import Drawn, DrawnImage, via_dict, write_json, write_rows
from podura.annotations.importing import import_dataset
from podura.annotations.via import read_via
from podura.errors import UserError

IMAGE = DrawnImage("a.png", (40, 24), [Drawn("CER-DEN", (1, 2, 11, 7))])
RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 5}
COLUMNS = [
    "filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
]


def project(*regions, attributes=None, images=(IMAGE,)):
    """A project; each region is (shape, attributes)."""
    found = via_dict(images)
    first = next(iter(found["_via_img_metadata"].values()))
    if regions:
        first["regions"] = [
            {"shape_attributes": shape, "region_attributes": marks} for shape, marks in regions
        ]
    return found | ({"_via_attributes": {"region": attributes, "file": {}}} if attributes else {})


def read(folder, document, **options):
    return read_via(write_json(folder / "a.json", document), **options)


def only_box(found):
    ((box,),) = (image.boxes for image in found.images)
    return box


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (RECT, (1, 2, 11, 7)),
        ({"name": "polygon", "all_points_x": [5, 11, 1], "all_points_y": [2, 4, 7]}, (1, 2, 11, 7)),
        ({"name": "circle", "cx": 10, "cy": 10, "r": 5}, (5, 5, 15, 15)),
        ({"name": "ellipse", "cx": 10, "cy": 10, "rx": 6, "ry": 2}, (4, 8, 16, 12)),
        ({"name": "ellipse", "cx": 10, "cy": 10, "rx": 6, "ry": 2, "theta": math.pi / 2}, (8, 4, 12, 16)),
    ],
)
def test_the_tight_box_of_each_shape(shape, box, tmp_path):
    found = only_box(read(tmp_path, project((shape, {"species": "A"}))))
    assert (found.x_min, found.y_min, found.x_max, found.y_max) == pytest.approx(box)
    assert found.where == f"image 1 (a.png), region 1 ({shape['name']})"


@pytest.mark.parametrize("change", ["project", "annotations", "version 1"])
def test_projects_annotations_and_version_1(change, tmp_path):
    document = project()
    if change != "project":
        document = document["_via_img_metadata"]
    if change == "version 1":
        for entry in document.values():
            entry["regions"] = {str(place): region for place, region in enumerate(entry["regions"])}
    assert only_box(read(tmp_path, document)).name == "CER-DEN"


def test_which_attribute_holds_the_name(tmp_path):
    document = project((RECT, {"species": "A", "sex": "f", "difficult": "no"}))
    with pytest.raises(UserError, match=r"several attributes \(species, sex\)"):
        read(tmp_path, document)
    assert only_box(read(tmp_path, document, attribute="species")).name == "A"
    with pytest.raises(UserError, match=r"no region has the attribute 'name'.*species, sex"):
        read(tmp_path, document, attribute="name")


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("A b", ["A b"]),
        (None, [""]),
        ({"A": True, "B": False, "C": True}, ["A", "C"]),
        ({}, [""]),
        (7, ["7"]),
    ],
)
def test_names(value, names, tmp_path):
    found = read(tmp_path, project((RECT, {"species": value})))
    assert [box.name for box in found.images[0].boxes] == names


def test_a_numbered_option_becomes_its_name(tmp_path):
    attributes = {"species": {"type": "radio", "options": {"1": "CER-DEN", "ISO": "Isotomiella", "2": ""}}}
    regions = [(RECT, {"species": option}) for option in ("1", "ISO", "2", "3")]
    found = read(tmp_path, project(*regions, attributes=attributes))
    assert [box.name for box in found.images[0].boxes] == ["CER-DEN", "ISO", "2", "3"]


@pytest.mark.parametrize(
    ("marks", "flags"),
    [
        ({"difficult": "true"}, {"difficult"}),
        ({"Crowd": "1"}, {"crowd"}),
        ({"occluded": "no"}, set()),
        ({"ignore": {"ignore": True}}, {"ignore"}),
        ({"truncated": {"yes": False}}, set()),
    ],
)
def test_flags(marks, flags, tmp_path):
    assert only_box(read(tmp_path, project((RECT, {"species": "A"} | marks)))).flags == flags


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({"name": "point", "cx": 1, "cy": 1}, "shape_without_area"),
        ({"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "shape_without_area"),
        ({"name": "blob"}, "unknown_shape"),
        ({}, "unknown_shape"),
        (None, "unknown_shape"),
        ("rect", "unknown_shape"),
    ],
)
def test_a_shape_without_box_is_told(shape, kind, tmp_path):
    found = read(tmp_path, project((shape, {"species": "A"}), (RECT, {"species": "B"})))
    assert [box.name for box in found.images[0].boxes] == ["B"]
    assert [(p.kind, p.severity, p.row) for p in found.problems] == [
        (kind, "error", "image 1 (a.png), region 1")
    ]


@pytest.mark.parametrize(
    "shape",
    [
        RECT | {"x": math.nan},
        RECT | {"width": "wide"},
        RECT | {"height": None},
        {"name": "rect"},
        {"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]},
        {"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]},
        {"name": "polygon", "all_points_x": "1 2 3", "all_points_y": "1 2 3"},
        {"name": "circle", "cx": 1, "cy": 1},
        {"name": "ellipse", "cx": 1, "cy": 1, "rx": 1, "ry": math.inf},
    ],
)
def test_unreadable_coordinates_stay_as_nan(shape, tmp_path):
    box = only_box(read(tmp_path, project((shape, {"species": "A"}))))
    assert math.isnan(box.x_min + box.y_min + box.x_max + box.y_max)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (RECT | {"height": -3}, "negative_size"),
        ({"name": "circle", "cx": 9, "cy": 9, "r": -3}, "negative_size"),
    ],
)
def test_negative_extents_reach_the_checks(shape, kind, tmp_path):
    entries = study(tmp_path, ["a.png"])
    found = read(tmp_path, project((shape, {"species": "CER-DEN"})))
    assert kind in set(import_dataset(entries, found, SPECIES).problems["kind"])


def test_two_files_of_one_name_are_refused_and_not_joined(tmp_path):
    entries = study(tmp_path, ["a.png"])
    twice = [IMAGE, IMAGE]
    with pytest.raises(UserError, match="annotated already at"):
        import_dataset(entries, read(tmp_path, project(images=twice)), SPECIES)
    path = write_csv(tmp_path, [row("a.png", RECT, size=1), row("a.png", RECT, size=2)])
    with pytest.raises(UserError, match="line 3: the image is annotated already at line 2"):
        import_dataset(entries, read_via(path), SPECIES)


def row(name, shape, marks=None, count=1, size=1):
    return [
        name,
        size,
        "{}",
        count,
        0,
        json.dumps(shape),
        json.dumps({"species": "CER-DEN"} if marks is None else marks),
    ]


def write_csv(folder, rows, header=COLUMNS):
    return write_rows(folder / "via.csv", [header, *rows])


def test_a_csv_with_unicode_spaces_and_an_empty_image(tmp_path):
    path = write_csv(
        tmp_path, [row("S 1/Säule, 1.png", RECT), row("leer.png", {}, {}, 0)], ["#filename", *COLUMNS[1:]]
    )
    first, empty = read_via(path).images
    assert first.file_names == ("S 1/Säule, 1.png",)
    assert first.boxes[0].where == "line 2 (rect)"
    assert empty.boxes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "line 1: the columns filename"),
        ("a,b\n1,2\n", "line 1: the columns filename"),
        (",".join(COLUMNS) + "\na.png,1\n", "line 2: it has 2 columns, the first line 7"),
        (",".join(COLUMNS) + '\na.png,1,{},1,0,"{""name"":",{}\n', "line 2, column region_shape_attributes"),
        (",".join(COLUMNS) + "\na.png,1,{},1,0,[],{}\n", "column region_shape_attributes"),
        (",".join(COLUMNS) + "\n ,1,{},1,0,{},{}\n", "'filename' is empty"),
        (",".join(COLUMNS) + '\n"a.png,1', "line 2: this is no sound CSV"),
        (",".join(COLUMNS) + '\n"a"b.png,1,{},1,0,{},{}\n', "no sound CSV"),
    ],
)
def test_a_broken_csv_is_refused(content, words, tmp_path):
    path = tmp_path / "ä.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"ä\.csv") as error:
        read_via(path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"a": 1},
        {"_via_img_metadata": []},
        {"a": {"filename": "a.png"}},
        {"images": [], "annotations": []},
        {"a": {"filename": "", "regions": []}},
        {"a": {"filename": "a", "regions": 3}},
        {"a": {"filename": 7, "regions": []}},
    ],
)
def test_another_kind_of_json_is_refused(document, tmp_path):
    with pytest.raises(UserError, match=r"a\.json"):
        read(tmp_path, document)
