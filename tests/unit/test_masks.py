"""Masks: their boxes agree with pycocotools and with drawing them; hostile ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from builders import coco_dict, write_coco
from podura.annotations.coco import read_coco
from podura.annotations.masks import brush_box, segmentation_box

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any)


def drawn_box(mask):
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def runs(mask):
    """COCO's plain run lengths: column by column, the first run empty pixels."""
    values = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff([0, *edges, values.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if values[0] else counts}


def brush(mask):
    """A Label Studio brush stroke: red, green, blue and alpha of each pixel, in runs of both kinds."""
    values = (mask[:, :, None] * np.array([10, 20, 30, 255])).ravel().tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{length - 1:04b}" for length in (3, 4, 5, 16))
    place = 0
    while place < len(values):
        length = 1
        while place + length < len(values) and values[place + length] == values[place]:
            length += 1
        if length > 1:
            bits += f"1{3:02b}{length - 1:016b}{values[place]:08b}"
        else:
            length = min(8, len(values) - place)
            bits += f"0{0:02b}{length - 1:03b}" + "".join(f"{v:08b}" for v in values[place : place + length])
        place += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


@given(MASKS)
def test_run_lengths_plain_and_compressed_give_the_tight_box(mask):
    assert segmentation_box(runs(mask)) == drawn_box(mask)
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert segmentation_box(encoded | {"counts": encoded["counts"].decode()}) == drawn_box(mask)


@given(MASKS)
def test_a_brush_stroke_gives_the_tight_box(mask):
    height, width = mask.shape
    assert brush_box(brush(mask), width, height) == drawn_box(mask)


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[1, 2, 11, 4, 5, 7]], (1, 2, 11, 7)),
        ([[1, 2, 3, 2, 3, 4], [9, 6, 11, 7, 9, 7]], (1, 2, 11, 7)),
        ([1, 2, 11, 4, 5, 7], (1, 2, 11, 7)),
    ],
)
def test_polygons(segmentation, box):
    assert segmentation_box(segmentation) == box


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([], "empty"),
        ("text", "unknown kind"),
        ([[1, 2, 3, 4]], "three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three points"),
        ([[1, 2, 3, 4, 5, 6], 7], "three points"),
        ([[1, 2, 3, 4, 5, float("nan")]], "finite"),
        ([[1, 2, 3, 4, 5, "x"]], "finite"),
        ({}, "no size"),
        ({"size": [0, 5], "counts": []}, "no size"),
        ({"size": [2, "3"], "counts": [6]}, "no size"),
        ({"size": [2**25, 1], "counts": [1]}, "impossibly large"),
        ({"size": [2**20, 2**20], "counts": [1]}, "impossibly large"),
        ({"size": [2, 3], "counts": [1, 2]}, "add up"),
        ({"size": [2, 3], "counts": [-1, 7]}, "neither"),
        ({"size": [2, 3], "counts": [1.5, 4.5]}, "neither"),
        ({"size": [2, 3], "counts": [6]}, "empty"),
        ({"size": [2, 3], "counts": "o"}, "neither"),  # says that more follows
        ({"size": [2, 3], "counts": "ä\0"}, "neither"),
        ({"size": [2, 3], "counts": "0ooo1"}, "beyond"),
        ({"size": [2, 3], "counts": ""}, "neither"),
        ({"size": [2, 3], "counts": None}, "neither"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation, words):
    with pytest.raises(ValueError, match=words):
        segmentation_box(segmentation)


@given(
    st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=40),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_any_compressed_text_is_a_box_inside_or_refused(counts, height, width):
    try:
        x_min, y_min, x_max, y_max = segmentation_box({"size": [height, width], "counts": counts})
    except ValueError:
        return
    assert 0 <= x_min < x_max <= width
    assert 0 <= y_min < y_max <= height


@given(st.lists(st.integers(0, 255), max_size=60), st.integers(1, 8), st.integers(1, 8))
def test_any_bytes_are_a_stroke_inside_or_refused(content, width, height):
    head = list((width * height * 4).to_bytes(4, "big"))
    try:
        x_min, y_min, x_max, y_max = brush_box([*head, *content], width, height)
    except ValueError:
        return
    assert 0 <= x_min < x_max <= width
    assert 0 <= y_min < y_max <= height


@pytest.mark.parametrize("encoded", [None, "rle", [], [256], [-1], [1.5], [True], [0] * 40, [255] * 8])
def test_what_is_no_stroke_is_refused(encoded):
    with pytest.raises(ValueError, match="stroke"):
        brush_box(encoded, 4, 4)


def annotated(tmp_path, **keys):
    document = coco_dict({"a.jpg": [("CER-DEN", (1, 2, 10, 5))]})
    annotation = document["annotations"][0] | keys
    document["annotations"] = [{key: value for key, value in annotation.items() if value is not ...}]
    return read_coco(write_coco(tmp_path / "a.json", document))


MASK = np.zeros((24, 40), dtype=bool)
MASK[3:9, 4:10] = True


@pytest.mark.parametrize("segmentation", [runs(MASK), [[4, 3, 10, 3, 10, 9, 4, 9]]], ids=["runs", "polygon"])
def test_coco_takes_the_segmentation_where_there_is_no_box(segmentation, tmp_path):
    found = annotated(tmp_path, bbox=..., segmentation=segmentation)
    (box,) = found.images[0].boxes
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (4, 3, 10, 9)
    assert found.problems == ()
    found = annotated(tmp_path, bbox=[0, 0, 0, 0], segmentation=segmentation)
    assert found.images[0].boxes[0].x_max == 10
    assert [problem.kind for problem in found.problems] == ["box_of_segmentation"]
    found = annotated(tmp_path, segmentation=segmentation)
    assert found.images[0].boxes[0].x_max == 11, "the box goes first"


def test_coco_tells_of_a_segmentation_without_box(tmp_path):
    found = annotated(tmp_path, bbox=..., segmentation={"size": [0, 5], "counts": "x"})
    (problem,) = found.problems
    assert (problem.kind, problem.severity) == ("unread_segmentation", "error")
    assert "id 1" in problem.row


def test_coco_flags_in_attributes(tmp_path):
    (box,) = annotated(tmp_path, attributes={"occluded": True, "difficult": False}).images[0].boxes
    assert box.flags == {"occluded"}
