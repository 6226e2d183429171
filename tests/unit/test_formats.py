"""Every format gives back what was drawn, by one call."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import format_writers as write
from builders import SPECIES, study, write_image
from format_writers import FLAGS, Drawn, DrawnImage
from podura.annotations.formats import FORMATS, read_annotations
from podura.annotations.importing import import_dataset
from podura.annotations.sizes import sizes_of_images
from podura.annotations.voc import read_voc
from podura.errors import UserError
from podura.slides.entries import ImageEntry


def polygons(writer):
    return lambda folder, images: writer(folder, images, polygons=True)


def csv_of(**how):
    return lambda folder, images: write.write_csv(folder, images, **how)


GERMAN = {"image": "Bild", "species": "Art", "x_min": "links", "y_min": "oben", "difficult": "schwierig"}
#: Name of the case: format, writer, options, flags that the format can tell.
CASES = {
    "coco": ("coco", write.write_coco, {}, FLAGS),
    "coco polygons": ("coco", polygons(write.write_coco), {}, FLAGS),
    "voc": ("voc", write.write_voc, {}, ("difficult", "occluded", "truncated")),
    "yolo": ("yolo", write.write_yolo, {}, ()),
    "yolo polygons": ("yolo", polygons(write.write_yolo), {}, ()),
    "labelme": ("labelme", write.write_labelme, {}, FLAGS),
    "labelme polygons": ("labelme", polygons(write.write_labelme), {}, FLAGS),
    "cvat": ("cvat", write.write_cvat, {}, FLAGS),
    "cvat polygons": ("cvat", polygons(write.write_cvat), {}, FLAGS),
    "label studio": ("label_studio", write.write_label_studio, {}, FLAGS),
    "label studio polygons": ("label_studio", polygons(write.write_label_studio), {}, FLAGS),
    "via": ("via", write.write_via, {}, FLAGS),
    "via polygons": ("via", polygons(write.write_via), {}, FLAGS),
    "via csv": ("via", write.write_via_csv, {}, FLAGS),
    "via csv polygons": ("via", polygons(write.write_via_csv), {}, FLAGS),
    "csv": ("csv", csv_of(), {}, FLAGS),
    "csv centre": ("csv", csv_of(style="centre"), {}, FLAGS),
    "csv of another language": (
        "csv",
        csv_of(style="extent", separator=";", decimal=",", names=GERMAN),
        {"columns": GERMAN},
        FLAGS,
    ),
}

# Of every script, without controls, surrogates and unassigned characters, which no tool writes.
LETTERS = st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\")
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=3)
NAMES = WORDS.map(" ".join).filter(lambda name: name not in ("null", "~"))
# Two decimals, so that no format loses anything.
SHARES = st.integers(0, 8_900).map(lambda value: value / 10_000)


@st.composite
def drawings(draw, flags):
    images = []
    for place in range(draw(st.integers(1, 3))):
        size = draw(st.tuples(st.integers(20, 4_000), st.integers(20, 4_000)))
        boxes = []
        for _ in range(draw(st.integers(0, 4))):
            x, y = draw(SHARES) * size[0], draw(SHARES) * size[1]
            width, height = (draw(st.floats(0.01, 0.1)) * side for side in size)
            box = tuple(round(value, 2) for value in (x, y, x + width, y + height))
            marks = draw(st.frozensets(st.sampled_from(flags))) if flags else frozenset()
            boxes.append(Drawn(draw(NAMES), box, marks))
        folder = draw(st.sampled_from(["", "Schnitt 1/", "試料/a b/"]))
        images.append(DrawnImage(f"{folder}f{place} {draw(NAMES)}.png", size, boxes))
    return images


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_written_is_read(case, data):
    name, writer, options, flags = CASES[case]
    images = data.draw(drawings(flags))
    folder = Path(tempfile.mkdtemp())
    try:
        path = writer(folder, images)
        found = read_annotations(name, path, size_of=write.size_of(images), options=options)
    finally:
        shutil.rmtree(folder)
    boxes = write.summary(found)
    assert set(boxes) == {image.stem for image in images}
    for image in images:
        read = boxes[image.stem]
        assert [box[0] for box in read] == [drawn.name for drawn in image.boxes]
        assert [box[2] for box in read] == [drawn.flags for drawn in image.boxes]
        np.testing.assert_allclose(
            [box[1] for box in read], [drawn.box for drawn in image.boxes], atol=1e-6, rtol=1e-9
        )
    assert {problem.kind for problem in found.problems} <= {"other_separator", "decimal_comma"}
    places = [box.where for image in found.images for box in image.boxes]
    assert all(places), "each box says where it stands"
    for image in found.images:
        of_image = [box.where for box in image.boxes]
        assert len(set(of_image)) == len(of_image), "and no two of an image at one place"


@pytest.mark.parametrize("runs", ["plain", "compressed"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_run_lengths_of_coco_are_read_as_boxes(runs, data):
    """Masks lie on whole pixels, and tools that write them mark a crowd."""
    images = [
        replace(
            image,
            boxes=[Drawn(b.name, whole_pixels(b.box, image.size), b.flags | {"crowd"}) for b in image.boxes],
        )
        for image in data.draw(drawings(FLAGS))
    ]
    folder = Path(tempfile.mkdtemp())
    try:
        found = read_annotations(
            "coco", write.write_coco(folder, images, runs=runs), size_of=write.size_of(images)
        )
    finally:
        shutil.rmtree(folder)
    assert write.summary(found) == {
        image.stem: [(drawn.name, drawn.box, drawn.flags) for drawn in image.boxes] for image in images
    }
    assert {problem.kind for problem in found.problems} <= {"box_of_segmentation"}


def whole_pixels(box, size):
    x_min, y_min = (min(int(value), side - 1) for value, side in zip(box[:2], size, strict=True))
    x_max, y_max = (min(int(value) + 1, side) for value, side in zip(box[2:], size, strict=True))
    return x_min, y_min, max(x_max, x_min + 1), max(y_max, y_min + 1)


@pytest.mark.parametrize("case", CASES)
def test_any_format_becomes_the_same_data_set(case, tmp_path):
    name, writer, options, flags = CASES[case]
    entries = study(tmp_path, ["S 1/ä.png", "S2/b.png"])
    marked = frozenset({"difficult"}) & set(flags)
    drawn = [
        DrawnImage(
            "S 1/ä.png", (40, 24), [Drawn("CER-DEN", (1, 2, 11, 7)), Drawn("I. minor", (5, 5, 9, 8), marked)]
        ),
        DrawnImage("S2/b.png", (40, 24), [Drawn("PAR-NOT", (-2, 3, 4, 9))]),
    ]
    path = writer(tmp_path / "given", drawn) if (tmp_path / "given").mkdir() is None else None
    found = read_annotations(name, path, size_of=sizes_of_images(entries), options=options)
    dataset = import_dataset(entries, found, SPECIES)
    assert [
        (annotation["image_id"], annotation["category_id"], annotation["ignore"])
        for annotation in dataset.coco["annotations"]
    ] == [(1, 1, 0), (1, 2, int(bool(marked))), (2, 3, 0)]
    boxes = [annotation["bbox"] for annotation in dataset.coco["annotations"]]
    np.testing.assert_allclose(boxes, [(1, 2, 10, 5), (5, 5, 4, 3), (0, 3, 4, 6)], atol=1e-9)
    kinds = set(dataset.problems["kind"])
    assert "partly_outside" in kinds
    assert ("flagged" in kinds) == bool(marked)


def test_an_unknown_format_or_key_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"'yollo'.*yolo"):
        read_annotations("yollo", tmp_path, size_of=lambda names: None)
    with pytest.raises(UserError, match=r"units is no key of the format via.*attribute"):
        read_annotations("via", tmp_path, size_of=lambda names: None, options={"units": "pixels"})


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_file_is_told(name, tmp_path):
    with pytest.raises(UserError, match="none"):
        read_annotations(name, tmp_path / "none", size_of=lambda names: None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"{}", b"[1, 2]", b"<a/>", b"a,b\n1,2\n", b"\x89PNG\r\n"]
)
def test_a_file_of_another_kind_is_told(name, content, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    path = folder / "file.xml"
    path.write_bytes(content)
    with pytest.raises(UserError, match="given"):
        read_annotations(name, folder if name == "voc" else path, size_of=lambda names: None)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_damage_to_a_file_raises_anything_else(case, data):
    """Any bytes cut, doubled or replaced: read, or a UserError that names the file."""
    name, writer, options, _ = CASES[case]
    images = [DrawnImage("a.png", (40, 24), [Drawn("A", (1, 2, 11, 7)), Drawn("B", (3, 3, 9, 9))])]
    folder = Path(tempfile.mkdtemp())
    try:
        path = writer(folder, images)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        file = data.draw(st.sampled_from(files))
        content = file.read_bytes()
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 20)))
        damage = data.draw(
            st.one_of(
                st.just(b""),
                st.just(content[start:end] * 2),
                st.binary(max_size=8),
                st.sampled_from([b"NaN", b"-1e999", b"null", b"{}", b"[]", b'"', b"<", b"9" * 30]),
            )
        )
        file.write_bytes(content[:start] + damage + content[end:])
        read_annotations(name, path, size_of=write.size_of(images), options=options)
    except UserError as error:
        told = str(error)
    else:
        told = folder.name
    finally:
        shutil.rmtree(folder)
    assert folder.name in told


def test_sizes_come_from_the_study_upright_and_once(tmp_path, monkeypatch):
    write_image(tmp_path / "S1/a.jpg", (40, 24), orientation=6)
    entries = [
        ImageEntry("S1/a.jpg", tmp_path / "S1/a.jpg", "S1"),
        ImageEntry("S2/gone.jpg", tmp_path / "S2/gone.jpg", "S2"),
    ]
    size_of = sizes_of_images(entries)
    assert size_of(("a",)) == size_of(("labels/x", "S1/a")) == (24, 40)
    assert size_of(("S2/gone",)) is None
    assert size_of(("unknown",)) is None
    (tmp_path / "S1/a.jpg").unlink()
    assert size_of(("a",)) == (24, 40)


def test_voc_refuses_entities_hidden_by_the_encoding(tmp_path):
    text = '<!DOCTYPE a [<!ENTITY b "c">]><annotation/>'
    (tmp_path / "a.xml").write_bytes(text.encode("utf-16"))
    with pytest.raises(UserError, match="document type"):
        read_voc(tmp_path)
