"""Reading Pascal VOC, safely."""

import math

import pytest

from builders import bccd_folder, voc_text, write_voc
from podura.annotations.voc import read_voc
from podura.errors import UserError

OBJECTS = [("CER-DEN", (1, 2, 11, 7)), ("Isotomiella minor", ("3.5", 0, 40, 24))]


def test_coordinates_are_taken_as_they_stand(tmp_path):
    write_voc(tmp_path / "field.xml", OBJECTS)
    (image,) = read_voc(tmp_path).images
    assert image.file_names == ("field", "field.jpg")
    assert (image.width, image.height) == (40, 24)
    assert [(b.name, b.x_min, b.y_min, b.x_max, b.y_max) for b in image.boxes] == [
        ("CER-DEN", 1, 2, 11, 7),
        ("Isotomiella minor", 3.5, 0, 40, 24),
    ]
    assert image.boxes[1].where == "field.xml, object 2"


def test_folders_below_are_read_in_order_of_name(tmp_path):
    for name in ("b/2.xml", "a/3.XML", "1.xml"):
        write_voc(tmp_path / name, filename=None)
    (tmp_path / "notes.txt").write_text("no annotation")
    assert [image.file_names for image in read_voc(tmp_path).images] == [("1",), ("a/3",), ("b/2",)]


def test_flags_and_missing_size(tmp_path):
    write_voc(tmp_path / "a.xml", OBJECTS, flags={"difficult": 1, "truncated": 0}, size=(0, 0))
    (image,) = read_voc(tmp_path).images
    assert image.boxes[0].flags == {"difficult"}
    assert image.width is None
    write_voc(tmp_path / "a.xml", OBJECTS, flags={"difficult": 0, "truncated": 1}, size=None)
    assert read_voc(tmp_path).images[0].boxes[0].flags == {"truncated"}


def test_coordinates_that_are_no_numbers_stay_as_nan(tmp_path):
    write_voc(tmp_path / "a.xml", [("CER-DEN", (1, "two", 3, ""))])
    box = read_voc(tmp_path).images[0].boxes[0]
    assert math.isnan(box.y_min)
    assert math.isnan(box.y_max)
    assert box.given == "1 two 3 ?"


def test_a_filename_tag_that_disagrees_is_told(tmp_path):
    write_voc(tmp_path / "a.xml", filename="b.jpg")
    write_voc(tmp_path / "c.xml", filename="D:\\pictures\\c.png")
    write_voc(tmp_path / "slide.01.xml", filename="slide.01")
    (problem,) = read_voc(tmp_path).problems
    assert (problem.kind, problem.row, problem.value) == ("filename_differs", "a.xml", "b.jpg")


LAUGHS = '<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]>\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("head", [LAUGHS, '<!DOCTYPE a SYSTEM "file:///etc/passwd">\n'])
def test_documents_with_a_dtd_are_refused(tmp_path, head, encoding):
    text = head + voc_text([("&m;" if "ENTITY" in head else "x", (1, 2, 3, 4))])
    (tmp_path / "a.xml").write_bytes(text.replace("&amp;", "&").encode(encoding))
    with pytest.raises(UserError, match=r"a\.xml.*document type"):
        read_voc(tmp_path)


def test_every_broken_file_is_named_with_its_line(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation>\n<size>\n</annotation>")
    (tmp_path / "b.xml").write_text("<annotations/>")
    (tmp_path / "c.xml").write_text("")
    (tmp_path / "d.xml").write_text('<?xml version="1.0" encoding="klingon"?><annotation/>')
    write_voc(tmp_path / "e.xml")
    with pytest.raises(UserError) as error:
        read_voc(tmp_path)
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert "a.xml, line 3" in lines[0]
    assert "<annotations>" in lines[1]
    assert "c.xml, line 1" in lines[2]
    assert "d.xml, line 1" in lines[3]


def test_no_folder_and_empty_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_voc(tmp_path / "none")
    with pytest.raises(UserError, match=r"no \.xml"):
        read_voc(tmp_path)


@pytest.mark.real_images
@pytest.mark.skipif(bccd_folder() is None, reason="../shared/data/bccd is absent")
def test_bccd():
    found = read_voc(bccd_folder() / "Annotations")
    assert len(found.images) == 364
    boxes = [box for image in found.images for box in image.boxes]
    assert len(boxes) == 4888
    assert sum("truncated" in box.flags for box in boxes) == 1131
    assert found.problems == ()
