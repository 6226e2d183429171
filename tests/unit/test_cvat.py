"""Reading CVAT XML of every shape, whole and broken."""

from __future__ import annotations

import math

import pytest

from builders import SPECIES, study
from podura.annotations.cvat import read_cvat
from podura.annotations.importing import import_dataset
from podura.errors import UserError

BOX = 'label="CER-DEN" xtl="1" ytl="2" xbr="11" ybr="7"'


def image(*shapes, name="a.png"):
    return f'<image id="0" name="{name}" width="40" height="24">{"".join(shapes)}</image>'


def read(folder, *parts, root="annotations"):
    path = folder / "annotations.xml"
    path.write_text(f"<{root}><version>1.1</version><meta><task/></meta>{''.join(parts)}</{root}>", "utf-8")
    return read_cvat(path)


def only_box(found):
    ((box,),) = (image.boxes for image in found.images)
    return box


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (f"<box {BOX}/>", (1, 2, 11, 7)),
        # 10 × 4 around (10, 10): a quarter turn exchanges the sides.
        ('<box label="A" xtl="5" ytl="8" xbr="15" ybr="12" rotation="90"/>', (8, 5, 12, 15)),
        (
            '<box label="A" xtl="5" ytl="5" xbr="15" ybr="15" rotation="45"/>',
            (10 - 50**0.5, 10 - 50**0.5, 10 + 50**0.5, 10 + 50**0.5),
        ),
        ('<polygon label="A" points="5,2;11,4;1.0,7"/>', (1, 2, 11, 7)),
        ('<ellipse label="A" cx="10" cy="10" rx="6" ry="2"/>', (4, 8, 16, 12)),
        ('<ellipse label="A" cx="10" cy="10" rx="6" ry="2" rotation="90"/>', (8, 4, 12, 16)),
        ('<mask label="A" rle="0, 4" left="1" top="2" width="10" height="5"/>', (1, 2, 11, 7)),
        (
            '<cuboid label="A" xtl1="3" ytl1="3" xbl1="3" ybl1="7" xtr1="9" ytr1="3" xbr1="9" ybr1="6" '
            'xtl2="11" ytl2="2" xbl2="11" ybl2="5" xtr2="1" ytr2="2" xbr2="1" ybr2="5"/>',
            (1, 2, 11, 7),
        ),
    ],
)
def test_the_tight_box_of_each_shape(shape, box, tmp_path):
    found = only_box(read(tmp_path, image(shape)))
    assert (found.x_min, found.y_min, found.x_max, found.y_max) == pytest.approx(box)


def test_names_sizes_and_places(tmp_path):
    found = read(
        tmp_path,
        image(f"<box {BOX}/>", name="S 1/Säule &amp; b.png"),
        image("<tag label='good'/>", name="leer.png"),
    )
    first, empty = found.images
    assert first.file_names == ("S 1/Säule & b.png",)
    assert (first.width, first.height) == (40, 24)
    assert first.boxes[0].where == "image 1 (S 1/Säule & b.png), shape 1 (box)"
    assert empty.boxes == ()
    assert found.problems == ()


@pytest.mark.parametrize(
    ("shape", "flags"),
    [
        (f'<box {BOX} occluded="1"/>', {"occluded"}),
        (f'<box {BOX} occluded="0"/>', set()),
        (f'<box {BOX}><attribute name="Difficult">true</attribute></box>', {"difficult"}),
        (f'<box {BOX}><attribute name="difficult">false</attribute></box>', set()),
        (
            f'<box {BOX}><attribute name="iscrowd">1</attribute><attribute name="sex">1</attribute></box>',
            {"crowd"},
        ),
    ],
)
def test_flags(shape, flags, tmp_path):
    assert only_box(read(tmp_path, image(shape))).flags == flags


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ('<polyline label="A" points="1,1;2,2"/>', "shape_without_area"),
        ('<points label="A" points="1,1"/>', "shape_without_area"),
        ('<skeleton label="A"><points label="head" points="1,1"/></skeleton>', "shape_without_area"),
        ('<blob label="A"/>', "unknown_shape"),
        (f'<box {BOX} outside="1"/>', "outside_view"),
    ],
)
def test_a_shape_without_box_is_told(shape, kind, tmp_path):
    found = read(tmp_path, image(shape, f"<box {BOX}/>"))
    assert len(found.images[0].boxes) == 1
    (problem,) = found.problems
    assert (problem.kind, problem.treatment) == (kind, "dropped")
    assert problem.row.startswith("image 1 (a.png), shape 1")


@pytest.mark.parametrize(
    "shape",
    [
        '<box label="A" xtl="1" ytl="2" xbr="11"/>',
        '<box label="A" xtl="NaN" ytl="2" xbr="11" ybr="7"/>',
        '<box label="A" xtl="one" ytl="2" xbr="11" ybr="7" rotation="3"/>',
        f'<box {BOX} rotation="steep"/>',
        '<polygon label="A" points=""/>',
        '<polygon label="A" points="1,1;2,2"/>',
        '<polygon label="A" points="1,1;2;3,3"/>',
        '<polygon label="A" points="1,1,1;2,2;3,3"/>',
        '<ellipse label="A" cx="1" cy="1" rx="" ry="2"/>',
        '<cuboid label="A" xtl1="3"/>',
    ],
)
def test_unreadable_coordinates_stay_as_nan(shape, tmp_path):
    box = only_box(read(tmp_path, image(shape)))
    assert math.isnan(box.x_min + box.y_min + box.x_max + box.y_max)


def test_a_shape_without_label_has_no_name(tmp_path):
    assert only_box(read(tmp_path, image('<box xtl="1" ytl="2" xbr="11" ybr="7"/>'))).name == ""


def test_tracks_are_told_beside_images_and_refused_alone(tmp_path):
    track = '<track id="4" label="A"><box frame="0" outside="0" xtl="1" ytl="1" xbr="2" ybr="2"/></track>'
    found = read(tmp_path, image(f"<box {BOX}/>"), track)
    assert [(p.kind, p.severity, p.row, p.value) for p in found.problems] == [
        ("track", "error", "track 4", "A")
    ]
    with pytest.raises(UserError, match="only tracks"):
        read(tmp_path, track)


def test_an_image_that_stands_there_twice_is_refused(tmp_path):
    entries = study(tmp_path, ["a.png"])
    with pytest.raises(
        UserError, match=r"image 2 \(a.png\): the image is annotated already at image 1 \(a.png\)"
    ):
        import_dataset(entries, read(tmp_path, image(), image(f"<box {BOX}/>")), SPECIES)


def test_names_that_leave_the_folder_are_only_names(tmp_path):
    entries = study(tmp_path, ["a.png"])
    found = read(tmp_path, image(f"<box {BOX}/>", name="../../../etc/passwd"), image(name="a.png"))
    problems = import_dataset(entries, found, SPECIES).problems
    assert "image_not_in_study" in set(problems["kind"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1"),
        ("<annotations><image name='a'>", "line 1, column"),
        ("<annotations>\n<image name='a'></annotations>", "line 2"),
        ("<annotation><filename>a</filename></annotation>", "<annotation>, not <annotations>"),
        ("<annotations/>", "no image"),
        ("<annotations><image name=' '/><image/></annotations>", "image 2: it has no name"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', "document type"),
        ("<annotations><image name='&bomb;'/></annotations>", "undefined entity"),
        ("<?xml version='1.0' encoding='none'?><annotations/>", "encoding"),
        ("\ufeff\ufeff<annotations/>", "line 1"),
    ],
)
def test_a_broken_file_is_refused(text, words, tmp_path):
    path = tmp_path / "ä.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"ä\.xml") as error:
        read_cvat(path)
    assert words in str(error.value)


def test_an_entity_bomb_is_never_opened(tmp_path):
    levels = "".join(f'<!ENTITY b{i + 1} "{f"&b{i};" * 10}">' for i in range(9))
    path = tmp_path / "a.xml"
    path.write_text(
        f'<!DOCTYPE a [<!ENTITY b0 "x">{levels}]><annotations>&b9;</annotations>', encoding="utf-16"
    )
    with pytest.raises(UserError, match="document type"):
        read_cvat(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"annotations\.xml"):
        read_cvat(tmp_path)
