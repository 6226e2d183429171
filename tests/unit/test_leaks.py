"""Which pairs are leaks in a split or a fold, slides under two names, and what a user is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import bccd_folder
from leakage_data import SETTINGS, painted
from podura.configuration.images import images_of_table
from podura.configuration.structure import load_schema
from podura.errors import UserErrors
from podura.leakage.leaks import (
    LEAK,
    WITHIN_PART,
    find_leaks,
    plain_name,
    refusal,
    shared_images,
    transformation_words,
)
from podura.leakage.pictures import pair_picture
from podura.leakage.search import similar_images
from podura.leakage.signatures import NamedImage
from podura.leakage.thumbnails import reduced
from podura.splits import split_slides
from podura.tables import LEAKAGE, SIMILAR_IMAGES, SPLIT

ROOT = Path(__file__).resolve().parents[2]


def pair(first: str, second: str, kind: str = "near_equal", **changed: Any) -> dict[str, Any]:
    matrix = {"m11": 1.0, "m12": 0.0, "m13": 0.0, "m21": 0.0, "m22": 1.0, "m23": 0.0}
    found = {"correlation": 0.97, "share_1": 1.0, "share_2": 1.0, "inliers": 120}
    return {"image_1": first, "image_2": second, "kind": kind, **found, **matrix, **changed}


def similar(*rows: dict[str, Any]) -> pd.DataFrame:
    return SIMILAR_IMAGES.frame(list(rows))


def split(parts: Mapping[str, str | Sequence[str]], slides: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Parts of images; of several folds as a list. Each image is a slide unless told otherwise."""
    return SPLIT.frame(
        [
            {"image": image, "slide": (slides or {}).get(image, f"of {image}"), "part": part, "fold": fold}
            for image, given in parts.items()
            for fold, part in enumerate([given] if isinstance(given, str) else given)
        ]
    )


def test_pairs_in_different_parts_are_leaks_and_stand_before_the_others():
    found = find_leaks(
        similar(pair("a", "b"), pair("c", "d", "overlap"), pair("e", "f", "same_file")),
        split({"a": "train", "b": "train", "c": "train", "d": "test", "e": "train", "f": "validation"}),
    )
    assert found["kind"].tolist() == ["same_file", "overlap", "near_equal"]
    assert found["severity"].tolist() == [LEAK, LEAK, WITHIN_PART]
    assert found["part_1"].tolist() == ["train", "train", "train"]
    assert found["part_2"].tolist() == ["validation", "test", "train"]


def test_a_pair_leaks_in_those_folds_in_which_its_parts_differ():
    found = find_leaks(
        similar(pair("a", "b"), pair("a", "c")),
        split(
            {
                "a": ["train", "test", "train"],
                "b": ["train", "train", "validation"],
                "c": ["train", "test", "train"],
            }
        ),
    ).set_index("image_2")
    assert found.loc["b", "folds"] == "1 2"
    assert (found.loc["b", "part_1"], found.loc["b", "part_2"]) == ("test", "train")
    assert pd.isna(found.loc["c", "folds"])
    assert found.loc["c", "severity"] == WITHIN_PART


def test_a_pair_with_an_image_outside_the_split_is_no_matter():
    assert find_leaks(similar(pair("a", "gone")), split({"a": "train", "b": "test"})).empty


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["train", "test"]), min_size=2),
    st.sets(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12),
)
def test_leaks_are_exactly_the_pairs_of_unequal_parts(parts, pairs):
    ordered = sorted((a, b) for a, b in pairs if a < b)
    found = find_leaks(similar(*(pair(a, b) for a, b in ordered)), split(parts))
    found = found[found["kind"] == "near_equal"]
    leaks = found[found["severity"] == LEAK]
    told = set(zip(leaks["image_1"], leaks["image_2"], strict=True))
    assert told == {(a, b) for a, b in ordered if a in parts and b in parts and parts[a] != parts[b]}
    assert len(found) == sum(a in parts and b in parts for a, b in ordered)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("S01", "s1", True),
        ("S-01", "S_1", True),
        ("Slide 007", "slide7", True),
        ("BAL 1 Spray 2", "bal_1-spray__02", True),
        ("Ä 1", "ä1", True),
        ("S-1-1", "S-11", False),
        ("S1", "S10", False),
        ("A1", "B1", False),
        ("1.5", "15", False),
        ("0", "00", True),
        ("train/a", "test/a", False),
    ],
)
def test_names_of_slides_are_compared_without_what_people_spell_differently(one, other, same):
    assert (plain_name(one) == plain_name(other)) == same


def test_a_slide_under_two_names_in_two_parts_is_a_leak():
    parts = {"a": "train", "b": "test", "c": "train", "d": "train"}
    slides = {"a": "S 01", "b": "s1", "c": "T-1", "d": "T1"}
    found = find_leaks(similar(), split(parts, slides))
    assert found[["kind", "severity", "image_1", "image_2"]].to_numpy().tolist() == [
        ["slide_name", LEAK, "a", "b"],
        ["slide_name", WITHIN_PART, "c", "d"],
    ]
    assert "S 01" in found["message"][0]
    assert "s1" in found["message"][0]


def test_two_slides_that_share_several_fields_are_one():
    parts = {"a1": "train", "a2": "train", "b1": "test", "b2": "test", "c1": "train"}
    slides = {"a1": "A", "a2": "A", "b1": "B", "b2": "B", "c1": "C"}
    rows = [pair("a1", "b1", "overlap"), pair("a2", "b2", "overlap", correlation=0.9)]
    found = find_leaks(similar(*rows, pair("b1", "c1")), split(parts, slides))
    same = found[found["kind"] == "same_slide"]
    assert same[["slide_1", "slide_2", "severity"]].to_numpy().tolist() == [["A", "B", LEAK]]
    one_pair = find_leaks(similar(rows[0]), split(parts, slides))
    assert "same_slide" not in set(one_pair["kind"])


def test_the_refusal_names_counts_pairs_table_and_remedies():
    parts = {f"v{n}": "validation" for n in range(8)} | {f"t{n}": "train" for n in range(9)}
    found = find_leaks(similar(*(pair(f"t{n}", f"v{n}", "same_file") for n in range(7))), split(parts))
    text = refusal(found, split(parts), "results/x/dataset/leakage.csv")
    assert "7 pairs" in text
    assert "7 of 8 images of validation show what train shows" in text
    assert "t0 (train) and v0 (validation): the files are equal" in text
    assert "results/x/dataset/leakage.csv" in text
    for remedy in ("table of images", "same slide", "dataset.leakage.action: report"):
        assert remedy in text
    assert "t6" not in text, "only the first are named"


def test_pairs_within_a_part_refuse_nothing():
    parts = {"a": "train", "b": "train"}
    found = find_leaks(similar(pair("a", "b")), split(parts))
    assert len(found) == 1
    assert refusal(found, split(parts), "leakage.csv") is None
    assert shared_images(found, split(parts)) == []


def rotation(degrees: float, scale: float = 1.0, mirrored: bool = False) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn @ np.diag([-1, 1]) if mirrored else turn
    return matrix


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), ""),
        (rotation(17), "turned by 17°"),
        (rotation(-90, 0.5), "turned by 90°, scaled by 0.50"),
        (rotation(0, mirrored=True), "mirrored"),
        (rotation(180, 2, mirrored=True), "mirrored, turned by 180°, scaled by 2.00"),
    ],
)
def test_a_transformation_is_said_in_words(matrix, words):
    assert transformation_words(matrix) == words


def test_every_row_has_a_sentence_and_survives_the_file(tmp_path):
    rows = [
        pair("a", "b", "same_file", inliers=None),
        pair("a", "c", "same_pixels", inliers=None),
        pair("a", "=d", "near_equal", m11=0.5, m22=0.5),
        pair("a", "e", "crop", share_1=0.3),
        pair("a", "f", "overlap", share_1=0.25, share_2=0.25),
    ]
    found = find_leaks(similar(*rows), split(dict.fromkeys("abcef", "train") | {"=d": "test"}))
    messages = dict(zip(found["kind"], found["message"], strict=True))
    assert messages["same_file"] == "the files are equal"
    assert "same pixels" in messages["same_pixels"]
    assert "scaled by 0.50" in messages["near_equal"]
    assert "the second image shows 30% of the first" in messages["crop"]
    assert "25% in common" in messages["overlap"]
    LEAKAGE.write_csv(found, tmp_path / "leakage.csv")
    pd.testing.assert_frame_equal(LEAKAGE.read_csv(tmp_path / "leakage.csv"), found)


def test_a_picture_shows_both_images_and_outlines_what_they_share():
    image = painted(1)[0]
    first, second = reduced(image), reduced(image[50:200, 100:300])
    matrix = np.array([[1, 0, 100], [0, 1, 50], [0, 0, 1.0]])
    sides = {f"{key}_{n}": f"{key} {n}" * 20 for key in ("image", "slide", "part") for n in (1, 2)}
    row = {**sides, "kind": "crop", "message": "a message"}
    content = pair_picture(first, second, matrix, row)
    assert content == pair_picture(first, second, matrix, row)
    shown = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    orange = (np.abs(shown - (213, 94, 0)).sum(axis=2) < 60).nonzero()
    assert len(orange[0]) > 500
    plain = pair_picture(first, second, None, row)
    assert plain != content


# The split of a published set: all of its validation images are among its training images.
CBC_PARTS = {"Training": "train", "Validation": "validation", "Testing": "test"}


@pytest.fixture
def cbc() -> pd.DataFrame:
    folder = bccd_folder()
    assert folder is not None
    rows = pd.read_csv(folder / "cbc_split.csv")
    rows["part"] = rows["split"].map(CBC_PARTS)
    # The set has no calibration part, which a study needs: half of its test images play it.
    test = rows.index[rows["part"] == "test"]
    rows.loc[test[::2], "part"] = "calibration"
    return rows


real = pytest.mark.skipif(bccd_folder() is None, reason="../shared/data/bccd is absent")


@real
@pytest.mark.real_images
def test_the_same_image_in_two_parts_of_the_table_is_refused(cbc, tmp_path):
    """How the published split would be written down first: an image once for each part."""
    lines = [f"{row.image}\t{row.image[:-4]}\t{row.part}" for row in cbc.itertuples()]
    (tmp_path / "images.tsv").write_text("\n".join(["image\tslide\tpart", *lines]))
    for row in cbc.itertuples():
        (tmp_path / row.image).touch()
    with pytest.raises(UserErrors) as caught:
        images_of_table(
            tmp_path / "images.tsv", load_schema(ROOT / "workflow/schemas", "images"), split_by="slide"
        )
    assert "stands already in row" in str(caught.value)
    assert "has 'train'" in str(caught.value)


def run_cbc(cbc: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The published split as folders of files: leaks and split."""
    source = bccd_folder()
    assert source is not None
    lines = []
    for row in cbc.itertuples():
        path = folder / row.split / row.image
        path.parent.mkdir(exist_ok=True)
        try:
            os.link(source / "JPEGImages" / row.bccd_image, path)
        except OSError:
            shutil.copyfile(source / "JPEGImages" / row.bccd_image, path)
        lines.append(f"{row.split}/{row.image}\t{row.split} {row.image[:-4]}\t{row.part}")
    (folder / "images.tsv").write_text("\n".join(["image\tslide\tpart", *lines]))
    schema = load_schema(ROOT / "workflow/schemas", "images")
    images = images_of_table(folder / "images.tsv", schema, split_by="slide")
    frame = pd.DataFrame(
        {
            name: [getattr(one, name) for one in images]
            for name in ("image", "slide", "sample", "site", "part")
        }
    )
    truth = pd.DataFrame(
        {"image": frame["image"], "slide": frame["slide"], "species": "RBC", "ignore": False}
    )
    fractions = {"train": 0.6, "validation": 0.1, "calibration": 0.15, "test": 0.15}
    made = split_slides(frame, truth, by="slide", fractions=fractions, random_seed=1)
    found, _ = similar_images([NamedImage(one.image, one.path) for one in images], SETTINGS, threads=2)
    return find_leaks(found, made), made


@real
@pytest.mark.real_images
def test_copies_of_training_images_in_validation_are_all_caught(cbc, tmp_path):
    """All 60 validation images, their copies in training, and some others."""
    copied = set(cbc.loc[cbc["part"] == "validation", "bccd_image"])
    assert len(copied) == 60
    others = cbc[~cbc["bccd_image"].isin(copied)].groupby("part").head(10)
    leaks, made = run_cbc(pd.concat([cbc[cbc["bccd_image"].isin(copied)], others]), tmp_path)
    equal = leaks[(leaks["kind"] == "same_file") & (leaks["severity"] == LEAK)]
    assert len(equal) == 60
    assert set(equal["part_1"]) | set(equal["part_2"]) == {"train", "validation"}
    text = refusal(leaks, made, "leakage.csv")
    assert "60 of 60 images of validation show what train shows" in text


@real
@pytest.mark.real_images
@pytest.mark.slow
def test_the_whole_published_split_is_caught(cbc, tmp_path):
    leaks, made = run_cbc(cbc, tmp_path)
    text = refusal(leaks, made, "leakage.csv")
    assert "60 of 60 images of validation show what train shows" in text
    # The set also has fields photographed twice, months of numbers apart; each was looked at by eye.
    assert (leaks["kind"] == "overlap").sum() > 30


@real
@pytest.mark.real_images
def test_overlapping_fields_of_real_slides_are_found_and_cells_alike_are_not(tmp_path):
    folder = bccd_folder()
    assert folder is not None
    names = [*range(200, 209), *range(223, 229), *range(256, 265), 276, 277, 278, *range(0, 10)]
    files = [folder / "JPEGImages" / f"BloodImage_{number:05d}.jpg" for number in names]
    named = [NamedImage(file.stem[-3:], file) for file in files if file.is_file()]
    found, _ = similar_images(named, SETTINGS, threads=2)
    pairs = set(zip(found["image_1"], found["image_2"], strict=True))
    # Judged by eye: the same cells in the same arrangement.
    certain = {
        ("204", "276"), ("204", "277"), ("205", "276"), ("206", "278"), ("223", "263"), ("223", "264"),
        ("225", "262"), ("226", "261"), ("227", "260"), ("228", "259"), ("276", "277"),
    }  # fmt: skip
    assert certain <= pairs
    assert pairs <= certain | {("224", "264"), ("205", "277")}
