"""Reading YOLO data sets as they lie on disks, whole and broken."""

from __future__ import annotations

import math

import pytest

import format_writers as write
from podura.annotations.yolo import read_yolo
from podura.errors import UserError

SIZE = (200, 100)


def size_of(names):
    return SIZE


def dataset(folder, label="0 0.5 0.5 0.1 0.2\n", names=("CER-DEN", "ISO-MIN"), image="a", **keys):
    """A data set of one label file, given as text or bytes; ``keys`` go into the data YAML."""
    path = folder / "labels" / "train" / f"{image}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(label if isinstance(label, bytes) else label.encode())
    document = {"train": "images/train", "names": list(names)} | keys
    return write.write_yaml(folder / "data.yaml", {k: v for k, v in document.items() if v is not ...})


def only_box(found):
    ((box,),) = (image.boxes for image in found.images)
    return box


def test_a_centre_becomes_corners_and_a_number_its_name(tmp_path):
    found = read_yolo(dataset(tmp_path, "1 0.5 0.5 0.1 0.2"), size_of)
    box = only_box(found)
    assert box.name == "ISO-MIN"
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx((90, 40, 110, 60))
    assert found.images[0].width is None, "labels tell no size that could be compared"
    assert "line 1" in box.where


@pytest.mark.parametrize(
    "line", ["0 0.1 0.2 0.3 0.2 0.2 0.6", "0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6", "0.0 .1 .2 .3 .6 .2 .4"]
)
def test_an_outline_or_turned_box_gives_its_tight_box(line, tmp_path):
    box = only_box(read_yolo(dataset(tmp_path, line), size_of))
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx((20, 20, 60, 60))


def test_key_points_behind_a_box_are_left_aside(tmp_path):
    path = dataset(tmp_path, "0 0.5 0.5 0.1 0.2 0.4 0.4 2 0.6 0.6 1", kpt_shape=[2, 3])
    box = only_box(read_yolo(path, size_of))
    assert (box.x_min, box.x_max) == pytest.approx((90, 110))


@pytest.mark.parametrize(
    "names", [["no", "007"], {0: "no", 1: "007"}, {"0": "no", "1": "007"}], ids=["list", "mapping", "text"]
)
def test_names_stay_the_text_that_stands_there(names, tmp_path):
    path = dataset(tmp_path, "0 .5 .5 .1 .1\n1 .5 .5 .1 .1", names=())
    lines = names if isinstance(names, list) else [f"{key!r}: {name}" for key, name in names.items()]
    mark = "- " if isinstance(names, list) else "  "
    path.write_text("train: images/train\nnames:\n" + "\n".join(mark + line for line in lines))
    assert [box.name for box in read_yolo(path, size_of).images[0].boxes] == ["no", "007"]


def test_an_empty_label_file_is_an_empty_image(tmp_path):
    (image,) = read_yolo(dataset(tmp_path, " \n\n"), size_of).images
    assert image.boxes == ()


@pytest.mark.parametrize(
    ("train", "labels"),
    [
        ("images/train", "labels/train"),
        ("train/images", "train/labels"),
        ("../train/images", "train/labels"),  # Roboflow
        (["images/a", "images/train"], "labels/train"),
        ("train", "train"),
        ("images/x/images", "images/x/labels"),
        (..., "labels"),
        (..., "."),
    ],
)
def test_where_labels_lie(train, labels, tmp_path):
    path = write.write_yaml(
        tmp_path / "set" / "data.yaml", {"names": ["A"]} | ({} if train is ... else {"train": train})
    )
    label = path.parent / labels / "S 1" / "試料.01.txt"
    label.parent.mkdir(parents=True)
    label.write_text("0 .5 .5 .1 .1")
    for given in (path, path.parent):
        (image,) = read_yolo(given, size_of).images
        assert "S 1/試料.01" in image.file_names
        assert len(image.boxes) == 1


def test_a_list_of_images_names_the_labels(tmp_path):
    path = dataset(tmp_path, train="train.txt", path="..", image="a")
    inner = path.rename(tmp_path / "labels" / "data.yaml")
    (tmp_path / "train.txt").write_text("./images/train/a.jpg\nimages/train/b.jpg\n\n")
    found = read_yolo(inner, size_of)
    assert [image.where for image in found.images] == ["labels/train/a.txt"]
    assert found.problems == ()


@pytest.mark.parametrize("name", ["classes.txt", "obj.names"])
def test_a_list_of_names_in_place_of_a_yaml(name, tmp_path):
    dataset(tmp_path, "1 .5 .5 .1 .1").unlink()
    (tmp_path / name).write_text("A\nB b\n")
    (tmp_path / "labels" / "classes.txt").write_text("A\nB b\n")
    assert only_box(read_yolo(tmp_path, size_of)).name == "B b"


def test_a_folder_of_another_machine_is_told(tmp_path):
    found = read_yolo(dataset(tmp_path, path="/content/elsewhere"), size_of)
    assert len(found.images) == 1
    assert [(p.kind, p.value) for p in found.problems] == [("path_not_found", "/content/elsewhere")]


def test_a_part_without_labels_is_told(tmp_path):
    found = read_yolo(dataset(tmp_path, val="images/val", test=None), size_of)
    assert [(p.kind, p.severity, p.value) for p in found.problems] == [
        ("no_label_folder", "error", "images/val")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "0 nan 0.5 0.1 0.1",
        "0 a 0.5 0.1 0.1",
        "0 0.5 0.5 0.1",
        "0 .1 .1 .2 .2 .3 .3 .4",
        "0",
        "0 0,5 0,5 0,1 0,1",
    ],
)
def test_a_damaged_line_stays_as_nan_with_its_place(line, tmp_path):
    box = only_box(read_yolo(dataset(tmp_path, f"\n{line}"), size_of))
    assert math.isnan(box.x_min + box.y_min + box.x_max + box.y_max)
    assert box.where.endswith("labels/train/a.txt, line 2")


@pytest.mark.parametrize("line", ["0 120 80 20 10", "0 0.5 0.5 1e9 0.1", "0 inf .5 .1 .1"])
def test_pixels_are_told_and_left_out(line, tmp_path):
    found = read_yolo(dataset(tmp_path, line), size_of)
    assert found.images[0].boxes == ()
    (problem,) = found.problems
    assert (problem.kind, problem.severity) == ("not_normalised", "error")
    assert "line 1" in problem.row


def test_rounding_at_the_edge_is_no_fault_but_more_is(tmp_path):
    box = only_box(read_yolo(dataset(tmp_path, "0 0.950001 0.049999 0.1 0.1"), size_of))
    assert (box.x_max, box.y_min) == (200, 0)
    box = only_box(read_yolo(dataset(tmp_path, "0 0.9501 0.0499 0.1 0.1"), size_of))
    assert box.x_max > 200
    assert box.y_min < 0


def test_an_unknown_image_has_no_size_and_nan(tmp_path):
    found = read_yolo(dataset(tmp_path), lambda names: None)
    assert math.isnan(only_box(found).x_min)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"label": "2 .5 .5 .1 .1"}, r"line 1: the class '2' is none of .* \(0 to 1\)"),
        ({"label": "-1 .5 .5 .1 .1"}, "the class '-1'"),
        ({"label": "0.5 .5 .5 .1 .1"}, "the class '0.5'"),
        ({"label": "CER-DEN .5 .5 .1 .1"}, "the class 'CER-DEN'"),
        ({"label": "0,0.5,0.5,0.1,0.1"}, "the class '0,0.5"),
        ({"label": "0 .5 .5 .1 .1 0.93"}, "a confidence"),
        ({"label": b"0 .5 .5 .1 .1 \xff"}, "not UTF-8"),
        ({"label": "9" * 400 + " .5 .5 .1 .1"}, "…' is none of"),
        ({"names": []}, "'names' is missing"),
        ({"names": ["A", None]}, "class 1 has no name"),
        ({"names": ["A", ["B"]]}, "class 1 has no name"),
        ({"nc": 3}, "'nc' is 3, but there are 2 names"),
        ({"train": "images/none"}, "no label file"),
        ({"train": "../../../../etc/images"}, "no label file"),
    ],
)
def test_what_cannot_be_understood_is_refused(keys, words, tmp_path):
    with pytest.raises(UserError, match=words) as error:
        read_yolo(dataset(tmp_path, **keys), size_of)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [A\ntrain: b", "line 2: this is not valid YAML"),
        ("names: {0: A, 0: B}\n", "line 1: the key '0' stands there twice"),
        ("names: {a: A}\n", "no whole number"),
        ("names: {-1: A}\n", "no whole number"),
        ("names: ~\n", "'names' is missing"),
        ("!!python/object/apply:os.system ['true']\n", "has keys such as"),
        ("- A\n", "has keys such as"),
        ("? [a, b]\n: c\n", "not valid YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nnames: {0: *c}\n", "class 0 has no name"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_a_broken_data_yaml_is_refused(text, words, tmp_path):
    path = dataset(tmp_path)
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_yolo(path, size_of)


def test_several_descriptions_are_not_guessed_between(tmp_path):
    for name in ("a.yaml", "b.yml"):
        dataset(tmp_path).rename(tmp_path / name)
    with pytest.raises(UserError, match=r"several descriptions \(a.yaml, b.yml\)"):
        read_yolo(tmp_path, size_of)


def test_nothing_outside_the_data_set_is_opened(tmp_path):
    outside = tmp_path / "labels" / "secret.txt"
    outside.parent.mkdir()
    outside.write_text("secret")
    path = dataset(tmp_path / "set", train="train.txt")
    listed = ["../images/secret.jpg", str(tmp_path / "images" / "secret.jpg"), "images/train/a.jpg"]
    (path.parent / "train.txt").write_text("\n".join(listed))
    found = read_yolo(path, size_of)
    assert [image.where for image in found.images] == ["labels/train/a.txt"]
    assert [(p.kind, p.value) for p in found.problems] == [("leaves_folder", name) for name in listed[:2]]


def test_all_faults_are_told_at_once_but_not_thousands(tmp_path):
    with pytest.raises(UserError, match="… and 80 more") as error:
        read_yolo(dataset(tmp_path, "7 .5 .5 .1 .1\n" * 100), size_of)
    assert len(error.value.messages) == 21
